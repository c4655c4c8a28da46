/** The process itself: what it tells operators, and the options that open doors. */
import { defaulted, section, type Static, table, Type } from '../documents/kinds.ts';

export const workersSchema = Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 64 })], {
  description:
    'processes that serve, 1 to 64; `auto`: one for each core that this process may use. Limits and caches are each worker’s own',
});

export const observabilitySchema = section(
  {
    log_level: defaulted(Type.Enum(['debug', 'info', 'warn', 'error']), 'info'),
    labels: defaulted(
      table(Type.String({ maxLength: 256 }), {
        key: '^[a-z][a-z0-9_]*$',
        description: 'added to every decision record',
      }),
      {},
    ),
  },
  { description: 'logs and labels' },
);

export const insecureSchema = section(
  {
    literal_secrets: defaulted(Type.Boolean({ description: 'secrets may stand in this file' }), false),
    plain_http_keys: defaulted(
      Type.Boolean({ description: 'key sets may be fetched over http: from other machines' }),
      false,
    ),
  },
  { description: 'each of these opens a door; Sluice warns of it at every start' },
);

export type InsecureConfig = Static<typeof insecureSchema>;
