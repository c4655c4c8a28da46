/** Section `upstreams`: the systems that Sluice protects. */
import type { Report } from '../documents/faults.ts';
import { headerFault } from '../documents/secrets.ts';
import { isDigest, isNeverForwarded, TAG_CONDITIONS } from './headers.ts';
import {
  defaulted,
  duration,
  optional,
  path,
  secret,
  section,
  type Static,
  table,
  Type,
  url,
} from '../documents/kinds.ts';

const headerName = Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", maxLength: 64 });

const upstreamSchema = section({
  url: url({ description: 'origin of the system, with a base path if it has one' }),
  timeout: defaulted(
    duration({
      min: '10ms',
      max: '10m',
      description:
        'longest wait for a free connection, for the head of the answer, and between two parts of its body',
    }),
    '10s',
  ),
  connect_timeout: defaulted(duration({ min: '10ms', max: '1m' }), '3s'),
  connections: defaulted(
    Type.Integer({ minimum: 1, maximum: 10_000, description: 'maximum number of open connections' }),
    64,
  ),
  health: optional(
    Type.String({
      pattern: '^/',
      description: 'path that `/readyz` requests; without it, `/readyz` opens a TCP connection',
    }),
  ),
  auth: optional(
    section(
      {
        bearer: optional(secret()),
        basic: optional(
          section({ username: Type.String({ minLength: 1, pattern: '^[^:]+$' }), password: secret() }),
        ),
        header: optional(section({ name: headerName, value: secret() })),
      },
      {
        one_of: ['bearer', 'basic', 'header'],
        description: "credential for the upstream; the caller's credential is never forwarded",
      },
    ),
  ),
  tls: defaulted(
    section({
      ca: optional(
        path({
          description: 'PEM file with the trusted authorities; default: those of the operating system',
        }),
      ),
      cert: optional(path({ description: 'PEM file with the client certificate for the upstream' })),
      key: optional(path({ description: 'PEM' })),
      insecure: defaulted(section({ skip_verify: defaulted(Type.Boolean(), false) }), {}),
    }),
    {},
  ),
  request_headers: defaulted(
    Type.Array(headerName, {
      uniqueItems: true,
      description: 'request headers that are forwarded in addition to the built-in allow-list',
    }),
    [],
  ),
  response_headers: defaulted(
    Type.Array(headerName, {
      uniqueItems: true,
      description: 'response headers that are passed to the caller in addition to the built-in allow-list',
    }),
    [],
  ),
});

export const upstreamsSchema = table(upstreamSchema, {
  key: '^[a-z][a-z0-9_-]{0,62}$',
  description: 'protected systems by name',
});

export type UpstreamSection = Static<typeof upstreamSchema>;

/** Set by Sluice on every response: an upstream's value would be lost, or would contradict `cors`. */
const SET_HERE = /^(?:access-control-.*|cache-control|content-type|vary|x-content-type-options)$/i;
/** Headers with a defined meaning, which cannot carry a purpose or a credential. */
const TAKEN = /^(?:accept|accept-language|content-type|origin|soapaction)$/i;
/** Headers that may carry the upstream's credential, although the caller's are never forwarded. */
const CREDENTIALS = /^(?:authorization|cookie|proxy-authorization)$/i;

/** True if a request header has a defined meaning, so that it cannot carry a purpose or a credential. */
export const isTaken = (header: string): boolean => isNeverForwarded(header) || TAKEN.test(header);

/**
 * @param narrows tells whether a request header selects records, like a query parameter of that name
 * @param report paths start at `upstreams`
 */
export function checkUpstreams(
  upstreams: Readonly<Record<string, UpstreamSection>>,
  narrows: (header: string) => boolean,
  report: Report,
): void {
  for (const [name, { url, auth, tls, request_headers, response_headers }] of Object.entries(upstreams)) {
    if (url.includes('?'))
      report(['upstreams', name, 'url'], 'has a query; a base path is all that it may have');
    if ((tls.cert === undefined) !== (tls.key === undefined))
      report(['upstreams', name, 'tls'], 'needs both cert and key, or neither');
    if (!/^https:/i.test(url) && (tls.ca ?? tls.cert) !== undefined)
      report(['upstreams', name, 'tls'], 'is given for a URL that is not https:');
    for (const [key, headers] of Object.entries({ request_headers, response_headers }))
      for (const [i, header] of headers.entries())
        if (key === 'request_headers' && TAG_CONDITIONS.has(header.toLowerCase())) continue;
        else if (isNeverForwarded(header))
          report(['upstreams', name, key, i], 'is a header that never crosses Sluice');
        else if (key === 'request_headers' && narrows(header))
          report(
            ['upstreams', name, key, i],
            'has the name of a search, an order or a page, and headers are not looked into: callers could sort by a hidden field; let them use a query parameter, and a route that names it',
          );
        else if (key === 'response_headers' && isDigest(header))
          report(
            ['upstreams', name, key, i],
            'is computed from the body as the upstream sent it: whoever has it can try the digits that a mask took out until they fit',
          );
        else if (key === 'response_headers' && SET_HERE.test(header))
          report(['upstreams', name, key, i], 'is a header that Sluice sets itself');
    const own = auth?.header?.name;
    if (own !== undefined && !CREDENTIALS.test(own) && isTaken(own))
      report(
        ['upstreams', name, 'auth', 'header', 'name'],
        'is a header with a meaning of its own: no credential can stand in it',
      );
    for (const [at, value] of [
      [['bearer'], auth?.bearer],
      [['header', 'value'], auth?.header?.value],
    ] as const) {
      const fault = value === undefined ? null : headerFault(value);
      if (fault !== null) report(['upstreams', name, 'auth', ...at], fault);
    }
  }
}
