/** Where consents are kept. */
import type { Report } from '../documents/faults.ts';
import { headerFault } from '../documents/secrets.ts';
import {
  defaulted,
  duration,
  optional,
  path,
  pointer,
  secret,
  section,
  size,
  type Static,
  table,
  Type,
  url,
} from '../documents/kinds.ts';

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

const httpSchema = section(
  {
    url: url({
      description:
        'POST {"data_subjects": [ids]} is answered by {"data_subjects": {id: entry}}; an entry as in consents.yaml',
    }),
    timeout: defaulted(
      duration({ min: '10ms', max: '30s', description: 'longest wait for the whole answer' }),
      '2s',
    ),
    max_answer: defaulted(size({ min: '1KiB', max: '64MiB', description: 'longest answer' }), '8MiB'),
    headers: defaulted(
      table(secret(), {
        description: 'headers of every request, such as a credential; each value is a secret',
      }),
      {},
    ),
  },
  { description: 'the consents are at a service' },
);

/** exactly one of `file`, `store` and `http` */
export const consentSchema = section(
  {
    file: optional(path({ description: 'consents.yaml; read again when it changes' })),
    store: optional(
      Type.Literal(true, {
        description: 'the consents are in the database of `store`: `sluice consent` changes them',
      }),
    ),
    http: optional(httpSchema),
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
    cache: defaulted(
      section(
        {
          ttl: defaulted(
            duration({
              min: '0s',
              max: '5m',
              description: 'how long an entry is used at most; 0s: every look-up asks',
            }),
            '30s',
          ),
          entries: defaulted(
            Type.Integer({ minimum: 0, maximum: 10_000_000, description: 'most data subjects; 0: none' }),
            10_000,
          ),
        },
        {
          description:
            'for consents in PostgreSQL, whose announcements drop what has changed, and at a service, which announces nothing',
        },
      ),
      {},
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

const SOURCES = ['file', 'store', 'http'] as const;

export function checkConsent(consent: ConsentConfig, report: Report): void {
  const given = SOURCES.filter((name) => consent[name] !== undefined);
  if (given.length !== 1)
    report(
      ['consent'],
      `needs exactly one of ${SOURCES.join(', ')}${given.length === 0 ? '' : `; it has ${given.join(' and ')}`}`,
    );
  if (consent.stale_if_error > 0 && consent.file === undefined)
    report(['consent', 'stale_if_error'], 'is for consent.file: what cannot be looked up is refused');
  for (const [name, value] of Object.entries(consent.http?.headers ?? {})) {
    const fault = headerFault(value);
    if (fault !== null) report(['consent', 'http', 'headers', name], fault);
  }
}

export type LookupConfig = Static<typeof lookupSchema>;
export type HttpConsentConfig = Static<typeof httpSchema>;
export type ConsentConfig = Static<typeof consentSchema>;

export { consentAnswerSchema, consentsDocumentSchema } from './schema.ts';
