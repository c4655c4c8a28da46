/**
 * Cross-origin requests of browsers (the Fetch standard, "CORS protocol"), for the origins that the configuration names. A preflight
 * carries no credential: it is answered from the configuration and the route table alone, and recorded.
 */
import type { CorsConfig } from './section.ts';
import { SluiceError } from '../../errors.ts';
import type { Reply } from '../../model/exchange.ts';
import type { Cors } from '../../pipeline/stages.ts';

type Headers = Readonly<Record<string, string>>;

/** response headers that scripts may read, besides those that they always may */
const EXPOSED = ['Sluice-Decision-Id', 'Sluice-Withheld', 'Sluice-Max-Records', 'Retry-After', 'Allow'];
/** request headers that Sluice reads, and those that it always forwards (`upstream/headers.ts`) */
const ACCEPTED = [
  'Accept',
  'Accept-Language',
  'Authorization',
  'Content-Type',
  'SOAPAction',
  'Sluice-Purpose',
  'Sluice-Recipient',
  'Sluice-Tier',
  'Sluice-Justification',
  'Sluice-Grant',
];

/** @param named headers from other sections of the configuration: for the credential and the purpose, and those that pass the proxy */
export function createCors(
  config: CorsConfig,
  named: { readonly request: readonly string[]; readonly response: readonly string[] },
): Cors {
  const isAllowed = originsOf(config.origins);
  const exposed = distinct([...EXPOSED, ...named.response, ...config.expose]).join(', ');
  const accepted = distinct([...ACCEPTED, ...named.request, ...config.headers]).join(', ');
  const any = config.origins.includes('*');

  function told(origin: string | undefined): Headers {
    if (origin === undefined || !isAllowed(origin)) return NOTHING;
    return {
      'access-control-allow-origin': any ? '*' : origin,
      ...(config.credentials ? { 'access-control-allow-credentials': 'true' } : {}),
    };
  }

  return {
    reply(request, reply) {
      const { origin } = request.headers;
      const headers = told(origin);
      return new CorsReply(
        reply,
        headers === NOTHING ? headers : { ...headers, 'access-control-expose-headers': exposed },
      );
    },
    isPreflight: ({ method, headers, hasBody }) =>
      method === 'OPTIONS' &&
      !hasBody &&
      headers.origin !== undefined &&
      headers['access-control-request-method'] !== undefined,
    preflight({ headers }, methods) {
      if (told(headers.origin) === NOTHING)
        throw new SluiceError(
          'origin_not_allowed',
          'The configuration does not allow this origin (cors.origins).',
        );
      if (methods.length === 0)
        throw new SluiceError('route_unknown', 'No route has this path. What no route describes is denied.');
      const allowed = methods.join(', ');
      if (!methods.includes(headers['access-control-request-method'] ?? ''))
        throw new SluiceError('method_not_allowed', {
          message: 'The path is known, with other methods than the one that the browser asks about (Allow).',
          headers: { allow: allowed },
        });
      return {
        'access-control-allow-methods': allowed,
        'access-control-allow-headers': accepted,
        'access-control-max-age': String(Math.floor(config.max_age / 1000)),
        'cache-control': 'no-store',
        vary: 'Access-Control-Request-Method, Access-Control-Request-Headers',
      };
    },
  };
}

const NOTHING: Headers = Object.freeze({});

/** Without names that differ in case only, which field names ignore. */
function distinct(names: readonly string[]): string[] {
  const seen = new Map(names.map((name) => [name.toLowerCase(), name]));
  return [...seen.values()];
}

/** Origins are compared as a whole, in the spelling that browsers send (RFC 6454 §6.2); `*` stands for one label of a host. */
function originsOf(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes('*')) return () => true;
  const exact = new Set(origins.filter((origin) => !origin.includes('*')));
  const patterns = origins
    .filter((origin) => origin.includes('*'))
    .map((origin) => new RegExp(`^${origin.replace(/[.[\]]/g, '\\$&').replaceAll('*', '[a-z0-9-]{1,63}')}$`));
  return (origin) => exact.has(origin) || patterns.some((pattern) => pattern.test(origin));
}

/** Adds the CORS headers to every answer, and `Vary: Origin` even where the origin is not allowed. */
class CorsReply implements Reply {
  readonly #reply: Reply;
  readonly #headers: Headers;

  constructor(reply: Reply, headers: Headers) {
    this.#reply = reply;
    this.#headers = headers;
  }

  get started(): boolean {
    return this.#reply.started;
  }
  send(status: number, headers: Headers, chunks: readonly Uint8Array[]): void | Promise<void> {
    return this.#reply.send(status, this.#with(headers), chunks);
  }
  start(status: number, headers: Headers): void {
    this.#reply.start(status, this.#with(headers));
  }
  write(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#reply.write(chunks);
  }
  end(): void | Promise<void> {
    return this.#reply.end();
  }
  abort(): void {
    this.#reply.abort();
  }

  #with(headers: Headers): Headers {
    const { vary } = headers;
    return { ...headers, ...this.#headers, vary: vary === undefined ? 'Origin' : `${vary}, Origin` };
  }
}
