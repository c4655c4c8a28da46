/** Decisions of the log, for auditors: lists, one of them, and counts. Each call is on record, with the filters as the log has them. */
import { type Static, Type } from '../../../documents/kinds.ts';
import { about, type AdminServices, type Call, type Operation, operation } from './operation.ts';
import { cursor, enumOf, moment, nextCursor, nullable, object, optional, text } from './schemas.ts';

const filters = {
  since: optional(moment('decisions from then on')),
  until: optional(moment('decisions before')),
  decision_id: optional(text('id of the decision', 100)),
  subject: optional(text('`subject.id` of who asked', 512)),
  agent: optional(text('`agent.id` of who acted for the subject', 512)),
  data_subject: optional(
    text('about whom: an id as customer records have it, or its pseudonym as decision records have it', 256),
  ),
  resource_type: optional(text('what was asked for', 256)),
  resource_id: optional(text('its id, or the pseudonym', 512)),
  purpose: optional(text('why', 256)),
  recipient: optional(text('for whom: `internal`, or a partner', 256)),
  action: optional(text('`read`, `search` …; of a change: `consents.set` …', 256)),
  outcome: optional(text('`allowed`, `modified`, `denied`, `observed`, `error`', 64)),
  kind: optional(text('of the record', 64)),
  path: optional(text('a field that was released or withheld: `/id_number`', 512)),
  class: optional(text('a class of which fields were released or withheld: `identity/4`', 256)),
  released: optional(
    enumOf(['true', 'false'], '`true`, with `path` or `class`: only where it left undisguised'),
  ),
  reason: optional(text('code of a reason', 256)),
  grant_id: optional(text('the grant it rested on', 256)),
  policy: optional(text('revision of the policy that decided, or how it begins', 256)),
  origin: optional(text('chain of its records', 256)),
};

const list = object({
  ...filters,
  limit: optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'default: 50' })),
  cursor,
});
const counts = object({
  ...filters,
  count_by: optional(text('one or more members, separated by commas: `recipient`, `day,outcome` …', 256)),
  distinct: optional(text('a member of which the distinct values are counted: `data_subject` …', 64)),
  limit: optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'of the rows; default: 100' })),
});

const decision = Type.Object(
  { decision_id: Type.String() },
  { description: 'members of its records (schemas/decision-record.schema.json), merged; never a value' },
);
const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) });

type Asked = Omit<Static<typeof list>, 'limit' | 'cursor'>;
type Logged = Parameters<AdminServices['decisions']['list']>[0];

/** @throws SluiceError `input_invalid` */
function asLogged({ released, ...asked }: Asked, { decisions }: AdminServices): Logged {
  const query = { ...asked, ...(released === undefined ? {} : { released: released === 'true' }) };
  return decisions.asLogged(query as Logged);
}

const labelOf = (query: object): { readonly filters: string } => ({ filters: JSON.stringify(query) });

/** The record of a query concerns whom it asks about, so that the person can be told who has asked. */
const disclosureOf = ({ data_subject }: Logged, services: AdminServices) =>
  data_subject === undefined ? {} : { disclosure: about([data_subject], services) };

const resultsOf = (call: Pick<Call, 'label'>, results: number): void =>
  call.label({ results: String(results) });

export const DECISIONS: readonly Operation[] = [
  operation({
    name: 'decisions.query',
    method: 'GET',
    path: '/v1/decisions',
    summary: 'Decisions that fit every filter, the newest first',
    query: list,
    answer: object({ decisions: Type.Array(decision), cursor: nextCursor }),
    codes: ['overloaded', 'query_too_large'],
    labels: ({ query: { limit: _limit, cursor: _cursor, ...asked }, services }) =>
      labelOf(asLogged(asked, services)),
    async run({ query: { limit, cursor: after, ...asked }, services, label }) {
      const query = asLogged(asked, services);
      const { body, results } = await services.decisions.list({
        ...query,
        limit: limit ?? 50,
        ...(after === undefined ? {} : { cursor: after }),
      });
      resultsOf({ label }, results);
      return { body, ...disclosureOf(query, services) };
    },
  }),
  operation({
    name: 'decisions.query',
    operationId: 'decisions.counts',
    method: 'GET',
    path: '/v1/decisions/counts',
    summary: 'Counts of the decisions that fit every filter',
    query: counts,
    answer: object({
      decisions: count('each decision once, although it may be in several rows'),
      disclosed: count('of them, those whose answers disclosed something'),
      groups: count('rows without the limit'),
      rows: Type.Array(
        object({
          by: Type.Record(Type.String(), nullable(Type.String())),
          decisions: count(),
          disclosed: count('of a path or class: something of it, undisguised'),
          distinct: optional(count('distinct values of all decisions')),
          distinct_disclosed: optional(count('distinct values of which something was disclosed')),
        }),
      ),
    }),
    codes: ['overloaded', 'query_too_large'],
    labels: ({ query: { limit: _limit, count_by, distinct, ...asked }, services }) =>
      labelOf({
        ...asLogged(asked, services),
        ...(count_by === undefined ? {} : { count_by }),
        ...(distinct === undefined ? {} : { distinct }),
      }),
    async run({ query: { limit = 100, count_by = '', distinct = null, ...asked }, services, label }) {
      const query = asLogged(asked, services);
      const { body, results } = await services.decisions.counts(query, count_by, distinct, limit);
      resultsOf({ label }, results);
      return { body, ...disclosureOf(query, services) };
    },
  }),
  operation({
    name: 'decisions.view',
    method: 'GET',
    path: '/v1/decisions/{id}',
    summary: 'One decision',
    parameters: { id: 'id of the decision' },
    answer: decision,
    codes: ['record_not_found', 'overloaded', 'query_too_large'],
    labels: ({ path }) => labelOf({ decision_id: path['id'] }),
    async run({ path, services, label }) {
      const { body, results } = await services.decisions.view(path['id']!);
      resultsOf({ label }, results);
      return { body };
    },
  }),
];
