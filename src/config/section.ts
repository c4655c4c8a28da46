/** The process itself: how many workers it has, and options that make it less safe. */
import { defaulted, section, Type } from '../documents/kinds.ts';

export const workersSchema = Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 64 })], {
  description:
    'processes that serve, 1 to 64; `auto`: one for each core that this process may use. Limits and caches are each worker’s own',
});

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
