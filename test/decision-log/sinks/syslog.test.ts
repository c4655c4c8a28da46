/** Syslog over TLS, against a real TLS server: framing, form of a message, and what is sent again. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { feed } from '../../../src/decision-log/index/feeder.ts';
import { readCopy } from '../../../src/decision-log/journal/copy.ts';
import { createSink } from '../../../src/decision-log/sinks/destination.ts';
import type { SyslogSink } from '../../../src/decision-log/sinks/section.ts';
import { syslogDestination, syslogMessage } from '../../../src/decision-log/sinks/syslog.ts';
import type { DecisionRecord } from '../../../src/model/record.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../../support/journals.ts';

const certificate = (name: string): string =>
  join(import.meta.dirname, '../../identity/certificates', `${name}.pem`);

type Fault = 'none' | 'reset' | 'no end';

/** Keeps messages of connections that it has read to their end. */
async function server(faults: readonly Fault[] = []) {
  const messages: string[] = [];
  const trouble: string[] = [];
  const sockets = new Set<TLSSocket>();
  const raw = new Set<Socket>();
  let connections = 0;
  const listener = createServer(
    {
      cert: readFileSync(certificate('server')),
      key: readFileSync(certificate('server.key')),
      ca: readFileSync(certificate('ca')),
      // Otherwise Node answers an end by itself.
      allowHalfOpen: true,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket) => {
      const fault = faults[connections++] ?? 'none';
      const parts: Buffer[] = [];
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (part: Buffer) => {
        parts.push(part);
        if (fault === 'reset') for (const one of raw) one.resetAndDestroy();
      });
      socket.on('end', () => {
        if (fault === 'none') messages.push(...unframe(Buffer.concat(parts), trouble));
        if (fault === 'none') socket.end();
      });
    },
  );
  listener.on('connection', (socket: Socket) => raw.add(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (listener.address() as AddressInfo).port, messages, trouble, close };
}

/** RFC 5425 §4.3: MSG-LEN SP SYSLOG-MSG, again and again. */
function unframe(bytes: Buffer, trouble: string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at);
    const length = Number(bytes.toString('latin1', at, space));
    if (!(length > 0) || space + 1 + length > bytes.length) {
      trouble.push(`no frame at ${at}`);
      break;
    }
    out.push(bytes.toString('utf8', space + 1, space + 1 + length));
    at = space + 1 + length;
  }
  return out;
}

const settings = (port: number, over: Partial<SyslogSink> = {}): SyslogSink => ({
  name: 'siem',
  address: { host: 'localhost', port },
  tls: { ca: certificate('ca'), cert: certificate('client'), key: certificate('client.key') },
  timeout: 5000,
  facility: 13,
  structured_data_id: 'sluice@32473',
  ...over,
});

async function feedOnce(dir: string, origin: string, sink: SyslogSink): Promise<string> {
  try {
    await feed(dir, createSink(dir, origin, syslogDestination(sink)).store);
    return 'fed';
  } catch (e) {
    return (e as { code: string }).code;
  }
}

const MESSAGE =
  /^<(\d+)>1 (\S+) (\S+) sluice (\S+) (\S+) \[sluice@32473((?: \w+="(?:[^"\\\]]|\\["\\\]])*")+)\] \ufeff(.*)$/su;

test('sends each record as a message of RFC 5424 whose text is its line', async () => {
  const dir = temporaryDirectory();
  const origin = await writeJournal(dir, 30);
  const to = await server();
  onTestFinished(to.close);
  expect(await feedOnce(dir, origin, settings(to.port))).toBe('fed');
  expect(to.trouble).toEqual([]);
  const read = to.messages.map((message) => MESSAGE.exec(message)!);
  expect(read.map((m) => readCopy(m[7]!))).toEqual(recordsOf(dir));
  expect(read.map((m) => [m[1], m[4], m[5]])).toEqual(
    recordsOf(dir).map((r) => [String(13 * 8 + (r.outcome === 'denied' ? 5 : 6)), origin, r.kind]),
  );
  const { decision_id, timestamp } = recordsOf(dir)[1]!;
  expect(read[1]![2]).toBe(timestamp);
  expect(read[1]![6]).toBe(
    ` decision_id="${decision_id}" outcome="modified" subject="u-1" origin="${origin}" seq="2"`,
  );
});

test('escapes whatever a subject is called', () => {
  const dir = temporaryDirectory();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (id) => {
      const record = {
        ...({
          timestamp: 't',
          origin: 'o',
          kind: 'disclosure',
          outcome: 'denied',
          decision_id: 'd',
          seq: 1,
        } as const),
        subject: { type: 'user', id, properties: {} },
      } as unknown as DecisionRecord;
      const found = MESSAGE.exec(syslogMessage({ record, line: dir }, settings(1)));
      const said = / subject="((?:[^"\\\]]|\\["\\\]])*)"/su.exec(found![6]!)![1]!;
      expect(said.replace(/\\(["\\\]])/g, '$1')).toBe(id);
      expect(found![7]).toBe(dir);
    }),
  );
});

test('sends a batch again unless the server has read it to its end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom<Fault>('reset', 'no end'), { maxLength: 3 }),
      fc.integer({ min: 1, max: 60 }),
      async (faults, n) => {
        const dir = mkdtempSync(join(tmpdir(), 'sluice-syslog-'));
        const to = await server(faults);
        try {
          const origin = await writeJournal(dir, n);
          for (const _ of faults)
            expect(await feedOnce(dir, origin, settings(to.port, { timeout: 300 }))).toBe('sink_unavailable');
          expect(to.messages).toEqual([]);
          expect(await feedOnce(dir, origin, settings(to.port))).toBe('fed');
          expect(to.messages.map((m) => readCopy(MESSAGE.exec(m)![7]!))).toEqual(recordsOf(dir));
        } finally {
          to.close();
          rmSync(dir, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 12 },
  );
}, 60_000);

test('sends nothing to a server whose certificate another authority has signed, or without its own', async () => {
  const dir = temporaryDirectory();
  const origin = await writeJournal(dir, 2);
  const to = await server();
  onTestFinished(to.close);
  for (const tls of [{}, { ca: certificate('ca') }])
    expect(await feedOnce(dir, origin, settings(to.port, { tls }))).toBe('sink_unavailable');
  expect(to.messages).toEqual([]);
  expect(await feedOnce(dir, origin, settings(to.port))).toBe('fed');
  expect(to.messages).toHaveLength(2);
});
