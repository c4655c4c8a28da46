/**
 * NATS JetStream. The messages of a window are sent in their order and acknowledged together; the stream knows each by `Nats-Msg-Id`, so that one
 * which comes again within its duplicate window is stored once. A lost connection is not restored behind the sink's back: the batch comes again.
 */
import { readFileSync } from 'node:fs';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import type { Copy } from '../index/store.ts';
import { errno } from '../journal/directory.ts';
import { type Destination, readTls, refused, Unavailable } from './destination.ts';
import type { NatsSink } from './section.ts';

/** JetStream's error for a message that is larger than the stream permits (`max_msg_size`). */
const EXCEEDS_MAXIMUM = 10054;

interface Connected {
  readonly nats: NatsConnection;
  readonly stream: JetStreamClient;
}

export function natsDestination(settings: NatsSink): Destination {
  const { name, subject, timeout, window } = settings;
  const sink = `nats:${name}`;
  let open: Promise<Connected> | null = null;

  const connected = async (): Promise<Connected> => {
    if (open !== null && (await open).nats.isClosed()) open = null;
    open ??= connectTo(settings, sink);
    return open;
  };

  async function publish({ nats, stream }: Connected, { record, line }: Copy): Promise<void> {
    const { origin, seq } = record;
    const bytes = Buffer.from(line);
    const most = nats.info?.max_payload ?? Number.POSITIVE_INFINITY;
    // Headers count, too; they have fewer bytes than this.
    if (bytes.length + 512 > most)
      throw refused(
        sink,
        `seq ${seq} of ${origin} has more bytes than the server takes (max_payload ${most})`,
      );
    try {
      await stream.publish(subjectOf(subject, record), bytes, { msgID: `${origin}/${seq}`, timeout });
    } catch (cause) {
      if ((cause as { code?: unknown }).code === EXCEEDS_MAXIMUM)
        throw refused(sink, `seq ${seq} of ${origin} has more bytes than the stream takes (max_msg_size)`);
      throw cause;
    }
  }

  return {
    name: sink,
    async send(_origin, copies) {
      try {
        const to = await connected();
        for (let at = 0; at < copies.length; at += window) {
          const some = copies.slice(at, at + window).map((copy) => publish(to, copy));
          const results = await Promise.allSettled(some);
          const failed = results.find((result) => result.status === 'rejected');
          if (failed !== undefined) throw failed.reason;
        }
      } catch (cause) {
        // Credentials and certificates are read again with the next connection.
        const closing = open;
        open = null;
        await closing?.then(({ nats }) => nats.close()).catch(() => undefined);
        throw cause instanceof SluiceError
          ? cause
          : new Unavailable(sink, reasonOf(cause, subject), { cause });
      }
    },
    async close() {
      await open?.then(({ nats }) => nats.close()).catch(() => undefined);
    },
  };
}

async function connectTo(settings: NatsSink, sink: string): Promise<Connected> {
  const { servers, tls, token, user, password, credentials, timeout } = settings;
  const files = tls === undefined ? null : readTls(tls, sink);
  const creds = credentials === undefined ? null : credentialsIn(credentials, sink);
  // Loaded where a sink needs it: most sidecars have none.
  const { connect, credsAuthenticator } = await import('@nats-io/transport-node');
  const { jetstream } = await import('@nats-io/jetstream');
  const nats = await connect({
    servers: servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
    name: 'sluice',
    timeout,
    reconnect: false,
    tls: files,
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(creds === null ? {} : { authenticator: credsAuthenticator(creds) }),
  });
  return { nats, stream: jetstream(nats, { timeout }) };
}

function credentialsIn(path: string, sink: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Unavailable(sink, `${path} cannot be read (${errno(cause)})`, { cause });
  }
}

/** `{origin}`, `{kind}` and `{outcome}`, whose values have no character with a meaning in a subject. */
const subjectOf = (template: string, record: DecisionRecord): string =>
  template.replace(/\{(origin|kind|outcome)\}/g, (_, name: 'origin' | 'kind' | 'outcome') => record[name]);

/** Texts of the server are its own, and those of JetStream do not quote messages. */
function reasonOf(cause: unknown, subject: string): string {
  const { name, message, code } = cause as Error & { code?: unknown };
  if (name === 'JetStreamNotEnabled')
    return `no stream takes the subject ${subject}, or the server has no JetStream`;
  if (name === 'JetStreamApiError') return `JetStream says: ${message}`;
  return typeof code === 'string' ? code : name;
}
