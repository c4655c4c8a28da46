/** Posts batches to a server that takes OPA's decision logs: `POST`, a JSON array of events, gzip. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, request } from 'undici';
import type { Copy } from '../index/store.ts';
import { type Destination, readTls, refused, Unavailable } from './destination.ts';
import { opaEvent } from './opa-event.ts';
import type { HttpSink } from './section.ts';

const compress = promisify(gzip);

/** A server that asks for more time is asked again after this. */
const MOST_WAIT_MS = 5 * 60_000;

export function httpDestination({ name, url, bearer, tls, timeout, labels }: HttpSink): Destination {
  const sink = `http:${name}`;
  let agent: Agent | null = null;
  /** records of a request; halved when the server finds one too large */
  let most = Number.POSITIVE_INFINITY;

  const connected = (): Agent => {
    agent ??= new Agent({
      connections: 1,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: { timeout, ...readTls(tls, sink) },
    });
    return agent;
  };

  async function post(body: Buffer) {
    try {
      const answer = await request(url, {
        method: 'POST',
        dispatcher: connected(),
        // Also for a server that sends its answer byte by byte.
        signal: AbortSignal.timeout(timeout),
        headers: {
          'content-type': 'application/json',
          'content-encoding': 'gzip',
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        },
        body,
      });
      // The text is not told: a server may quote the record in it.
      await answer.body.dump();
      return { status: answer.statusCode, headers: answer.headers };
    } catch (cause) {
      // Certificates are read again with the next connection.
      await agent?.destroy().catch(() => undefined);
      agent = null;
      const { code, name: kind } = cause as { code?: string; name: string };
      throw new Unavailable(
        sink,
        kind === 'TimeoutError' ? `no answer within ${timeout} ms` : (code ?? kind),
        {
          cause,
        },
      );
    }
  }

  async function send(copies: readonly Copy[]): Promise<void> {
    if (copies.length > most) {
      for (let at = 0; at < copies.length; ) {
        const some = copies.slice(at, at + most);
        await send(some);
        at += some.length;
      }
      return;
    }
    const events = copies.map(({ record }) => opaEvent(record, labels));
    const { status, headers } = await post(await compress(JSON.stringify(events)));
    if (status >= 200 && status < 300) return;
    if (status === 413 && copies.length > 1) {
      most = Math.ceil(copies.length / 2);
      return send(copies);
    }
    if (status === 408 || status === 429 || status >= 500)
      throw new Unavailable(sink, `HTTP ${status}`, { wait: waitOf(headers['retry-after']) });
    const { seq, origin } = copies[0]!.record;
    const count = copies.length === 1 ? '' : `${copies.length} records from `;
    throw refused(sink, `HTTP ${status} for ${count}seq ${seq} of ${origin}`);
  }

  return {
    name: sink,
    send: (_origin, copies) => send(copies),
    close: async () => agent?.close(),
  };
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
function waitOf(header: string | string[] | undefined): number {
  const text = String(header ?? '');
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MOST_WAIT_MS) : 0;
}
