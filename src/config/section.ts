/** The process itself: how many workers it has, and options that make it less safe. */
import { defaulted, section, Type } from '../documents/kinds.ts';

export const workersSchema = Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 64 })], {
  description:
    'processes that serve, 1 to 64; `auto`: one for each core that this process may use. Limits and caches are each worker’s own',
});

export const insecureSchema = section(
  {
    literal_secrets: defaulted(Type.Boolean({ description: 'secrets may be written in this file' }), false),
    plain_http_keys: defaulted(
      Type.Boolean({ description: 'key sets may be fetched from other machines over `http:`' }),
      false,
    ),
  },
  { description: 'options that weaken security; Sluice prints a warning about each at every start' },
);
