/** Forwards requests to the protected systems. The only owner of undici. */
import { type Dispatcher, errors, Pool } from 'undici';
import { isSluiceError, SluiceError } from '../errors.ts';
import { UpstreamBody } from './body.ts';

export interface UpstreamConfig {
  readonly url: string;
  /** ms until the response's head, and between two chunks of its body */
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
      const pool = new Pool(url.origin, {
        connections: config.connections,
        pipelining: 1,
        headersTimeout: config.timeout,
        bodyTimeout: config.timeout,
        keepAliveTimeout: 30_000,
        maxHeaderSize: 32 * 1024,
        connect: {
          timeout: config.connect_timeout,
          rejectUnauthorized: config.tls.verify,
          ...(config.tls.ca === undefined ? {} : { ca: config.tls.ca }),
          ...(config.tls.cert === undefined ? {} : { cert: config.tls.cert }),
          ...(config.tls.key === undefined ? {} : { key: config.tls.key }),
        },
      });
      return [name, { pool, config, prefix: url.pathname.replace(/\/$/, '') }] as const;
    }),
  );

  const entry = (name: string) => {
    const found = pools.get(name);
    if (!found) throw new SluiceError('internal', `No upstream named "${name}".`);
    return found;
  };

  return {
    send(name, request, onAbort) {
      const { pool, config, prefix } = entry(name);
      const options = {
        path: prefix + request.target,
        method: request.method as Dispatcher.HttpMethod,
        // Plain: the upstream is next door, and what it does not compress need not be taken apart first.
        headers: { 'accept-encoding': 'identity', ...request.headers, ...config.credential },
        body: request.body,
      };
      const first = exchange(pool, options, onAbort);
      if (!SAFE.has(request.method)) return first;
      // A kept connection may be closed by the other side just as we use it. RFC 9110 §9.2.2: what is safe may be asked again, once.
      return first.catch((error: unknown) => {
        if (isSluiceError(error, 'upstream_aborted')) return exchange(pool, options, onAbort);
        throw error;
      });
    },
    reachable: () =>
      Promise.all(
        [...pools].map(async ([name, { pool, config, prefix }]) => {
          try {
            const { body } = await exchange(pool, {
              path: prefix + (config.health ?? '/'),
              method: config.health === null ? 'OPTIONS' : 'GET',
              headers: { ...config.credential },
              body: null,
            });
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

function exchange(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  onAbort?: (abort: () => void) => void,
): Promise<UpstreamResponse> {
  return new Promise((resolve, reject) => {
    let body: UpstreamBody | null = null;
    pool.dispatch(options, {
      onRequestStart(controller) {
        onAbort?.(() =>
          controller.abort(
            new SluiceError('request_aborted', 'The caller went away before the upstream had answered.'),
          ),
        );
      },
      onResponseStart(controller, status, headers) {
        if (status < 200) return; // 1xx: nothing of an interim answer is passed on
        body = new UpstreamBody(controller);
        resolve({ status, headers, body });
      },
      onResponseData(_controller, chunk) {
        body?.push(chunk);
      },
      onResponseEnd() {
        body?.end(); // trailers are dropped: nothing classes them
      },
      onResponseError(_controller, error) {
        const failure = failureOf(error);
        if (body) body.fail(failure);
        else reject(failure);
      },
    });
  });
}

/** undici's messages may quote what the upstream sent, so that only its code is looked at; the error stays as the cause. */
function failureOf(error: Error): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
  )
    return new SluiceError('upstream_timeout', {
      message:
        'The upstream did not answer in time. Raise upstreams.<name>.timeout if it is known to be slow.',
      cause: error,
    });
  if (error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW')
    return new SluiceError('upstream_malformed', {
      message: 'The upstream answered with something that is not HTTP as RFC 9112 has it.',
      cause: error,
    });
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code.startsWith('UND_ERR_RES'))
    return new SluiceError('upstream_aborted', {
      message: 'The upstream broke off before its answer was complete.',
      cause: error,
    });
  return new SluiceError('upstream_unreachable', {
    message: 'The upstream cannot be reached. Check upstreams.<name>.url and whether the system is running.',
    cause: error,
  });
}
