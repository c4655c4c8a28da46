/** Forwards requests to the protected systems. With `interim.ts` the only owner of undici. */
import type { EventEmitter } from 'node:events';
import { type Client, type Dispatcher, errors, Pool } from 'undici';
import { isSluiceError, SluiceError } from '../errors.ts';
import { UpstreamBody } from './body.ts';
import { InterimClient } from './interim.ts';
import { Turns } from './turns.ts';

export interface UpstreamConfig {
  readonly url: string;
  /** ms until a connection is free, from then until the response's head, and between two chunks of its body */
  readonly timeout: number;
  readonly connect_timeout: number;
  readonly connections: number;
  /** headers that carry the upstream's own credential; the caller's never gets there */
  readonly credential: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly verify: boolean;
  };
  /** path asked by `reachable`; null: a TCP connection is enough */
  readonly health: string | null;
}

export interface UpstreamRequest {
  readonly method: string;
  /** path and query, canonical */
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
}

export interface UpstreamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: UpstreamBody;
}

export interface Upstreams {
  /**
   * @param onAbort is given a function that breaks the exchange off (the caller went away)
   * @throws SluiceError `upstream_unreachable`, `upstream_timeout`, `upstream_malformed`, `upstream_aborted`
   */
  send(
    name: string,
    request: UpstreamRequest,
    onAbort?: (abort: () => void) => void,
  ): Promise<UpstreamResponse>;
  /** for `/readyz`: does every upstream answer at all? */
  reachable(): Promise<{ readonly name: string; readonly ok: boolean }[]>;
  close(): Promise<void>;
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export function createUpstreams(configs: Readonly<Record<string, UpstreamConfig>>): Upstreams {
  const pools = new Map(
    Object.entries(configs).map(([name, config]) => {
      const url = new URL(config.url);
      const connect = {
        allowH2: false,
        timeout: config.connect_timeout,
        rejectUnauthorized: config.tls.verify,
        ...(config.tls.ca === undefined ? {} : { ca: config.tls.ca }),
        ...(config.tls.cert === undefined ? {} : { cert: config.tls.cert }),
        ...(config.tls.key === undefined ? {} : { key: config.tls.key }),
      };
      const pool = new Pool(url.origin, {
        connections: config.connections,
        pipelining: 1,
        headersTimeout: config.timeout,
        bodyTimeout: config.timeout,
        keepAliveTimeout: 30_000,
        maxHeaderSize: 32 * 1024,
        // HTTP/1.1, whatever else a TLS upstream would rather speak: framing, aborts and back pressure are known of that alone.
        allowH2: false,
        factory: (origin, options) => heard(new InterimClient(origin, options as Client.Options, connect)),
      });
      heard(pool);
      const turns = new Turns(config.connections);
      return [name, { pool, turns, config, prefix: url.pathname.replace(/\/$/, '') }] as const;
    }),
  );

  const entry = (name: string) => {
    const found = pools.get(name);
    if (!found) throw new SluiceError('internal', `No upstream named "${name}".`);
    return found;
  };

  return {
    send(name, request, onAbort) {
      const { config, prefix, ...line } = entry(name);
      const to: Line = { ...line, timeout: config.timeout };
      const options = {
        path: prefix + request.target,
        method: request.method as Dispatcher.HttpMethod,
        // Plain: the upstream is next door, and what it does not compress need not be taken apart first.
        headers: { 'accept-encoding': 'identity', ...request.headers, ...config.credential },
        body: request.body,
      };
      const first = exchange(to, options, onAbort);
      if (!SAFE.has(request.method)) return first;
      // A kept connection may be closed by the other side just as we use it. RFC 9110 §9.2.2: what is safe may be asked again, once.
      return first.catch((error: unknown) => {
        if (isSluiceError(error, 'upstream_aborted')) return exchange(to, options, onAbort);
        throw error;
      });
    },
    reachable: () =>
      Promise.all(
        [...pools].map(async ([name, { config, prefix, ...line }]) => {
          try {
            const { body } = await exchange(
              { ...line, timeout: config.timeout },
              {
                path: prefix + (config.health ?? '/'),
                method: config.health === null ? 'OPTIONS' : 'GET',
                headers: { ...config.credential },
                body: null,
              },
            );
            body.discard();
            return { name, ok: true };
          } catch {
            return { name, ok: false };
          }
        }),
      ),
    async close() {
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

/** undici's types do not name the event, and nobody waits for what it says. */
function heard<T extends Dispatcher>(dispatcher: T): T {
  (dispatcher as EventEmitter).on('error', () => undefined);
  return dispatcher;
}

interface Line {
  readonly pool: Pool;
  readonly turns: Turns;
  /** ms */
  readonly timeout: number;
}

/** The promise is settled by the answer's head, a failure, the caller's leaving or the time, whichever is first. */
function exchange(
  { pool, turns, timeout }: Line,
  options: Dispatcher.DispatchOptions,
  onAbort?: (abort: () => void) => void,
): Promise<UpstreamResponse> {
  return new Promise((resolve, reject) => {
    let body: UpstreamBody | null = null;
    let begun: Dispatcher.DispatchController | null = null;
    let given: SluiceError | null = null;
    let timer: NodeJS.Timeout | undefined;
    const give = (reason: SluiceError): void => {
      given ??= reason;
      clearTimeout(timer);
      turns.leave(go);
      // While it is connecting nothing can be broken off yet: that happens at the start of the request, which nobody waits for.
      if (begun) begun.abort(reason);
      else reject(reason);
    };
    const wait = (): void => {
      timer ??= setTimeout(() => give(late()), timeout);
    };
    let ended = false;
    const over = (): void => {
      clearTimeout(timer);
      if (!ended) turns.done();
      ended = true;
    };
    const go = (): void => {
      clearTimeout(timer);
      timer = undefined;
      try {
        pool.dispatch(options, handler);
      } catch (error) {
        over();
        reject(failureOf(error as Error));
      }
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        begun = controller;
        if (given) controller.abort(given);
      },
      onResponseStart(controller, status, headers) {
        // 1xx: nothing of an interim answer is passed on, and it does not give the upstream more time.
        if (status < 200) return wait();
        clearTimeout(timer);
        body = new UpstreamBody(controller);
        resolve({ status, headers, body });
      },
      onResponseData(_controller, chunk) {
        body?.push(chunk);
      },
      onResponseEnd() {
        body?.end(); // trailers are dropped: nothing classes them
        over();
      },
      onResponseError(_controller, error) {
        const failure = failureOf(error);
        if (body) body.fail(failure);
        else reject(failure);
        over();
      },
    };
    onAbort?.(() =>
      give(new SluiceError('request_aborted', 'The caller went away before the upstream had answered.')),
    );
    if (given === null && !turns.take(go)) wait();
  });
}

const late = (cause?: Error): SluiceError =>
  new SluiceError('upstream_timeout', {
    message: 'The upstream did not answer in time. Raise upstreams.<name>.timeout if it is known to be slow.',
    ...(cause === undefined ? {} : { cause }),
  });

/** undici's messages may quote what the upstream sent, so that only its code is looked at; the error stays as the cause. */
function failureOf(error: Error): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
  )
    return late(error);
  // an assertion: a status that is none (000)
  if (
    error instanceof errors.HTTPParserError ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'ERR_ASSERTION'
  )
    return new SluiceError('upstream_malformed', {
      message: 'The upstream answered with something that is not HTTP as RFC 9112 has it.',
      cause: error,
    });
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code.startsWith('UND_ERR_RES'))
    return new SluiceError('upstream_aborted', {
      message: 'The upstream broke off before its answer was complete.',
      cause: error,
    });
  if (UNTRUSTED.test(code))
    return new SluiceError('upstream_unreachable', {
      message:
        'The upstream’s TLS certificate is not one that Sluice trusts, or is for another name. Check upstreams.<name>.tls.ca and url.',
      cause: error,
    });
  return new SluiceError('upstream_unreachable', {
    message: 'The upstream cannot be reached. Check upstreams.<name>.url and whether the system is running.',
    cause: error,
  });
}

/** what Node calls a certificate that does not verify */
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_(?:GET|VERIFY)_|(?:DEPTH_ZERO_)?SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;
