/** Batches over HTTP: what is sent again, what is halved, and what stops a sink, for every format that is posted. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, request } from 'undici';
import type { Copy } from '../index/store.ts';
import { type Destination, readTls, refused, Unavailable } from './destination.ts';
import type { TlsFiles } from './section.ts';

const compress = promisify(gzip);

/** A server that asks for more time is asked again after this. */
const MOST_WAIT_MS = 5 * 60_000;
/** bytes of an answer that are looked at */
const MOST_ANSWER = 64 * 1024;

export interface Posting {
  /** as in the configuration: `http:central` */
  readonly sink: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsFiles;
  /** milliseconds */
  readonly timeout: number;
  /** the body of a request, before it is compressed */
  encode(origin: string, copies: readonly Copy[]): Uint8Array;
  /** what an answer with 2xx says against the batch; null: nothing */
  refusal?(body: Uint8Array): string | null;
}

export function postedBatches({ sink, url, headers, tls, timeout, encode, refusal }: Posting): Destination {
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
        headers: { ...headers, 'content-encoding': 'gzip' },
        body,
      });
      // The text is not told: a server may quote the record in it.
      if (refusal === undefined) await answer.body.dump();
      return {
        status: answer.statusCode,
        headers: answer.headers,
        said: refusal === undefined ? NOTHING : await beginning(answer.body),
      };
    } catch (cause) {
      // Certificates are read again with the next connection.
      await agent?.destroy().catch(() => undefined);
      agent = null;
      const { code, name: kind } = cause as { code?: string; name: string };
      throw new Unavailable(
        sink,
        kind === 'TimeoutError' ? `no answer within ${timeout} ms` : (code ?? kind),
        { cause },
      );
    }
  }

  async function send(origin: string, copies: readonly Copy[]): Promise<void> {
    if (copies.length > most) {
      for (let at = 0; at < copies.length; ) {
        const some = copies.slice(at, at + most);
        await send(origin, some);
        at += some.length;
      }
      return;
    }
    const { status, headers: told, said } = await post(await compress(encode(origin, copies)));
    const { seq } = copies[0]!.record;
    const which = `${copies.length === 1 ? '' : `${copies.length} records from `}seq ${seq} of ${origin}`;
    if (status >= 200 && status < 300) {
      const why = refusal?.(said) ?? null;
      if (why === null) return;
      throw refused(sink, `${why} of ${which}`);
    }
    if (status === 413 && copies.length > 1) {
      most = Math.ceil(copies.length / 2);
      return send(origin, copies);
    }
    if (status === 408 || status === 429 || status >= 500)
      throw new Unavailable(sink, `HTTP ${status}`, { wait: waitOf(told['retry-after']) });
    throw refused(sink, `HTTP ${status} for ${which}`);
  }

  return { name: sink, send, close: async () => agent?.close() };
}

const NOTHING = new Uint8Array();

async function beginning(body: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes <= MOST_ANSWER) parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
function waitOf(header: string | string[] | undefined): number {
  const text = String(header ?? '');
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MOST_WAIT_MS) : 0;
}
