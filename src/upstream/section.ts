/** The systems that Sluice protects. */
import { type Static, Type } from 'typebox';
import { defaulted, duration, optional, path, secret, section, table, url } from '../documents/kinds.ts';

const headerName = Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", maxLength: 64 });

const upstreamSchema = section({
  url: url({ description: 'origin, with a base path where there is one' }),
  timeout: defaulted(
    duration({
      min: '10ms',
      max: '10m',
      description:
        "until a connection is free, then until the answer's head, and between two pieces of its body",
    }),
    '10s',
  ),
  connect_timeout: defaulted(duration({ min: '10ms', max: '1m' }), '3s'),
  connections: defaulted(Type.Integer({ minimum: 1, maximum: 10_000, description: 'kept open at most' }), 64),
  health: optional(
    Type.String({ pattern: '^/', description: 'path asked by /readyz; without it a TCP connection' }),
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
        description: "the upstream's own credential; the caller's is never forwarded",
      },
    ),
  ),
  tls: defaulted(
    section({
      ca: optional(path({ description: 'PEM; instead of the system’s authorities' })),
      cert: optional(path({ description: 'PEM, shown to the upstream' })),
      key: optional(path({ description: 'PEM' })),
      insecure: defaulted(section({ skip_verify: defaulted(Type.Boolean(), false) }), {}),
    }),
    {},
  ),
  request_headers: defaulted(
    Type.Array(headerName, { uniqueItems: true, description: 'forwarded besides the built-in allow-list' }),
    [],
  ),
  response_headers: defaulted(
    Type.Array(headerName, { uniqueItems: true, description: 'passed back besides the built-in allow-list' }),
    [],
  ),
});

export const upstreamsSchema = table(upstreamSchema, {
  key: '^[a-z][a-z0-9_-]{0,62}$',
  description: 'name → protected system',
});

export type UpstreamSection = Static<typeof upstreamSchema>;
