/** Forwards requests to the protected systems. Only this file and `interim.ts` use undici. */
import type { EventEmitter } from 'node:events';
import { type Client, type Dispatcher, errors, Pool } from 'undici';
import { isSluiceError, SluiceError } from '../errors.ts';
import { UpstreamBody } from './body.ts';
import { InterimClient } from './interim.ts';
import { Turns } from './turns.ts';

export interface UpstreamConfig {
  readonly url: string;
  /** ms to wait for a connection, then for the response's head, and between two chunks of its body */
  readonly timeout: number;
  readonly connect_timeout: number;
  readonly connections: number;
  /** headers with the upstream's own credential; the caller's is never forwarded */
  readonly credential: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly verify: boolean;
  };
  /** path requested by `reachable`; null: a TCP connection is enough */
  readonly health: string | null;
}

export interface UpstreamRequest {
  readonly method: string;
  /** path and query, canonical */
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
}

/** What the readers of a response use of its body. */
export type ResponseBody = Pick<UpstreamBody, 'empty' | 'whole' | 'discard' | typeof Symbol.asyncIterator>;

export interface UpstreamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: ResponseBody;
}

export interface Upstreams {
  /**
   * @param onAbort receives a function that aborts the exchange (the caller disconnected)
   * @throws SluiceError `upstream_unreachable`, `upstream_timeout`, `upstream_malformed`, `upstream_aborted`
   */
  send(
    name: string,
    request: UpstreamRequest,
    onAbort?: (abort: () => void) => void,
  ): Promise<UpstreamResponse>;
  /** for `/readyz`: true if every upstream responds */
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
        // Always HTTP/1.1: framing, aborts and back pressure are tested only with it.
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
        // No compression: the upstream is close, and Sluice would have to decompress the body.
        headers: { 'accept-encoding': 'identity', ...request.headers, ...config.credential },
        body: request.body,
      };
      const first = exchange(to, options, onAbort);
      if (!SAFE.has(request.method)) return first;
      // The upstream may close a kept connection just as it is used. RFC 9110 §9.2.2: a safe request may be retried, once.
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

/** undici's types do not name the event, and its content is not needed. */
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

/** Settled by the response's head, a failure, an abort or the timeout, whichever comes first. */
const exchange = (
  line: Line,
  options: Dispatcher.DispatchOptions,
  onAbort?: (abort: () => void) => void,
): Promise<UpstreamResponse> =>
  new Promise((resolve, reject) => new Exchange(line, options, resolve, reject).begin(onAbort));

/** One exchange, as a class with fields: its eight closures and their context cost 1.2 kB a request. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #line: Line;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #resolve: (response: UpstreamResponse) => void;
  readonly #reject: (failure: unknown) => void;
  readonly #go = (): void => this.#dispatch();
  #body: UpstreamBody | null = null;
  #begun: Dispatcher.DispatchController | null = null;
  #given: SluiceError | null = null;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    line: Line,
    options: Dispatcher.DispatchOptions,
    resolve: (response: UpstreamResponse) => void,
    reject: (failure: unknown) => void,
  ) {
    this.#line = line;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(onAbort?: (abort: () => void) => void): void {
    onAbort?.(() =>
      this.#give(
        new SluiceError('request_aborted', 'The caller disconnected before the upstream responded.'),
      ),
    );
    if (this.#given === null && !this.#line.turns.take(this.#go)) this.#wait();
  }

  #dispatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      this.#line.pool.dispatch(this.#options, this);
    } catch (error) {
      this.#over();
      this.#reject(failureOf(error as Error));
    }
  }

  #give(reason: SluiceError): void {
    this.#given ??= reason;
    clearTimeout(this.#timer);
    this.#line.turns.leave(this.#go);
    // During connect an abort has no effect yet; it takes effect at the start of the request, which nobody waits for.
    if (this.#begun) this.#begun.abort(reason);
    else this.#reject(reason);
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => this.#give(late()), this.#line.timeout);
  }

  #over(): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#line.turns.done();
    this.#ended = true;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#begun = controller;
    if (this.#given) controller.abort(this.#given);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: UpstreamResponse['headers'],
  ): void {
    // 1xx: an interim response is not forwarded and does not extend the timeout.
    if (status < 200) {
      this.#wait();
      return;
    }
    clearTimeout(this.#timer);
    this.#body = new UpstreamBody(controller);
    this.#resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#body?.end(); // Trailers are dropped: the catalog does not classify them.
    this.#over();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const failure = failureOf(error);
    if (this.#body) this.#body.fail(failure);
    else this.#reject(failure);
    this.#over();
  }
}

const late = (cause?: Error): SluiceError =>
  new SluiceError('upstream_timeout', {
    message: 'The upstream did not answer in time. Raise upstreams.<name>.timeout if it is known to be slow.',
    ...(cause === undefined ? {} : { cause }),
  });

/** undici's messages may quote upstream data, so only the code is used; the error is kept as the cause. */
function failureOf(error: Error): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
  )
    return late(error);
  // an assertion: an invalid status (000)
  if (
    error instanceof errors.HTTPParserError ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'ERR_ASSERTION'
  )
    return new SluiceError('upstream_malformed', {
      message: 'The upstream sent a response that is not valid HTTP (RFC 9112).',
      cause: error,
    });
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code.startsWith('UND_ERR_RES'))
    return new SluiceError('upstream_aborted', {
      message: 'The upstream closed the connection before its response was complete.',
      cause: error,
    });
  if (UNTRUSTED.test(code))
    return new SluiceError('upstream_unreachable', {
      message:
        'The upstream’s TLS certificate is not trusted, or is for another name. Check upstreams.<name>.tls.ca and url.',
      cause: error,
    });
  return new SluiceError('upstream_unreachable', {
    message: 'The upstream cannot be reached. Check upstreams.<name>.url and whether the system is running.',
    cause: error,
  });
}

/** Node's codes for a certificate that does not verify */
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_(?:GET|VERIFY)_|(?:DEPTH_ZERO_)?SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;
