/** Where consents are kept. */
import { defaulted, duration, path, pointer, section, type Static, table, Type } from '../documents/kinds.ts';

const lookupSchema = section({
  upstream: Type.String({
    minLength: 1,
    description: 'one of `upstreams`; requested with the credential of that upstream',
  }),
  path: Type.String({
    pattern: '^/[^{}]*\\{value\\}[^{}]*$',
    description: 'path and query; `{value}` is replaced by the identifier, percent-encoded',
  }),
  id: pointer({ description: 'place in the JSON answer of the id that consents are stored under' }),
  cache: defaulted(duration({ min: '0s', max: '5m', description: 'how long a found id is cached' }), '30s'),
});

export const consentSchema = section(
  {
    file: path({ description: 'consents.yaml; read again when it changes' }),
    poll: defaulted(
      duration({
        min: '50ms',
        max: '1m',
        description: 'interval between two checks whether the file has changed',
      }),
      '1s',
    ),
    stale_if_error: defaulted(
      duration({
        min: '0s',
        max: '1d',
        description: 'how long the last valid consents stay in force after the file has become invalid',
      }),
      '0s',
    ),
    lookups: defaulted(
      table(lookupSchema, {
        key: '^[a-z][a-z0-9_]*$',
        description:
          'type of an identifier that is an alias (`resolves_to` in identifiers.yaml) → request to an upstream that returns the data subject, for identifiers that are not among the `aliases` of consents.yaml',
      }),
      {},
    ),
    expose_dates: defaulted(
      Type.Boolean({ description: 'the policy input contains `from` and `until` of each consent' }),
      false,
    ),
  },
  { description: 'consents of the data subjects' },
);

export type LookupConfig = Static<typeof lookupSchema>;
export type ConsentConfig = Static<typeof consentSchema>;

export { consentsDocumentSchema } from './schema.ts';
