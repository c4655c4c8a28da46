/**
 * Syslog (RFC 5424) over TLS (RFC 5425). Syslog has no acknowledgement, so each batch has its own connection: it is taken once the server has
 * read up to its end and has closed the connection in turn, which RFC 5425 §4.4 demands. A reset connection means that the batch is sent again.
 */
import { hostname } from 'node:os';
import { connect } from 'node:tls';
import type { DecisionRecord, Outcome } from '../../model/record.ts';
import type { Copy } from '../index/store.ts';
import { type Destination, readTls, Unavailable } from './destination.ts';
import type { SyslogSink } from './section.ts';

const SEVERITY: Readonly<Record<Outcome, number>> = {
  error: 3,
  denied: 5,
  modified: 6,
  allowed: 6,
  observed: 6,
};
/** marks the message as UTF-8 (RFC 5424 §6.4) */
const BOM = '\ufeff';

export function syslogDestination(settings: SyslogSink): Destination {
  const { name, address, tls, timeout } = settings;
  const sink = `syslog:${name}`;
  return {
    name: sink,
    async send(_origin, copies) {
      const files = readTls(tls, sink);
      const batch = Buffer.concat(copies.map((copy) => frame(syslogMessage(copy, settings))));
      await new Promise<void>((resolve, reject) => {
        const fail = (why: string, cause?: unknown): void => {
          socket.destroy();
          reject(new Unavailable(sink, why, { cause }));
        };
        const socket = connect({ ...address, ...serverName(address.host), ...files, minVersion: 'TLSv1.2' });
        const timer = setTimeout(() => fail(`it has not taken a batch within ${timeout} ms`), timeout);
        let isEnded = false;
        socket.once('secureConnect', () => socket.end(batch, () => (isEnded = true)));
        socket.on('error', (e: NodeJS.ErrnoException) => fail(e.code ?? e.name, e));
        socket.once('end', () => {
          clearTimeout(timer);
          if (isEnded) resolve();
          else fail('it has closed the connection before the end of a batch');
        });
        socket.once('close', () => {
          clearTimeout(timer);
          fail('it has closed the connection');
        });
        // A server sends nothing; its end is heard only if the socket is read.
        socket.resume();
      });
    },
    close: async () => undefined,
  };
}

/** A name for SNI, which an IP address must not be. */
const serverName = (host: string): { servername?: string } =>
  /^[\d.]+$|:/.test(host) ? {} : { servername: host };

/** Octet counting (RFC 5425 §4.3). */
function frame(message: string): Buffer {
  const bytes = Buffer.from(message);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}

export function syslogMessage({ record, line }: Copy, { facility, structured_data_id }: SyslogSink): string {
  const { timestamp, origin, kind, outcome } = record;
  const priority = facility * 8 + SEVERITY[outcome];
  const host = hostname().replace(/[^\x21-\x7e]/g, '-') || '-';
  return `<${priority}>1 ${timestamp} ${host} sluice ${origin} ${kind} ${data(structured_data_id, record)} ${BOM}${line}`;
}

function data(id: string, { decision_id, outcome, subject, origin, seq }: DecisionRecord): string {
  const values = { decision_id, outcome, subject: subject?.id, origin, seq: String(seq) };
  const members = Object.entries(values).flatMap(([name, value]) =>
    value == null ? [] : [` ${name}="${String(value).replace(/["\\\]]/g, '\\$&')}"`],
  );
  return `[${id}${members.join('')}]`;
}
