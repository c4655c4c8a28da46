/** Where consents are kept. */
import { defaulted, duration, path, pointer, section, type Static, table, Type } from '../documents/kinds.ts';

const lookupSchema = section({
  upstream: Type.String({ minLength: 1, description: 'one of `upstreams`; asked with its own credential' }),
  path: Type.String({
    pattern: '^/[^{}]*\\{value\\}[^{}]*$',
    description: 'path and query with `{value}` where the identifier goes, percent-encoded',
  }),
  id: pointer({ description: 'where in the JSON answer the id is that consents are kept under' }),
  cache: defaulted(
    duration({ min: '0s', max: '5m', description: 'how long somebody who was found is remembered' }),
    '30s',
  ),
});

export const consentSchema = section(
  {
    file: path({ description: 'consents.yaml; read again when it changes' }),
    poll: defaulted(
      duration({ min: '50ms', max: '1m', description: 'how often the file is looked at' }),
      '1s',
    ),
    stale_if_error: defaulted(
      duration({ min: '0s', max: '1d', description: 'how long the last good file serves after it broke' }),
      '0s',
    ),
    lookups: defaulted(
      table(lookupSchema, {
        key: '^[a-z][a-z0-9_]*$',
        description:
          'type of an identifier that is an alias (`resolves_to` in identifiers.yaml) → where the upstream tells whose it is, for those that `aliases` in consents.yaml does not have',
      }),
      {},
    ),
    expose_dates: defaulted(Type.Boolean({ description: 'the policy sees `from` and `until`' }), false),
  },
  { description: 'what data subjects have agreed to' },
);

export type LookupConfig = Static<typeof lookupSchema>;
export type ConsentConfig = Static<typeof consentSchema>;

export { consentsDocumentSchema } from './schema.ts';
