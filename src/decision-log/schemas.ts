/** JSON Schemas of the documents that the decision log writes. `sluice schemas` writes them to schemas/. */
import { type TSchema, Type } from '../documents/kinds.ts';
import { schemaFile } from '../documents/json-schema.ts';
import { TREATMENTS } from '../model/answers.ts';
import { RECORD_NAMES } from './index/query.ts';

const closed = { additionalProperties: false } as const;
const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
const salt = Type.String({ pattern: '^[0-9a-f]{32}$' });
const pointer = Type.String({ description: 'JSON Pointer, `*` for any index or key; never a value' });
const names = (...values: readonly string[]) => Type.Union(values.map((v) => Type.Literal(v)));

const account = Type.Object(
  {
    path: pointer,
    class: Type.Optional(text),
    do: names(...TREATMENTS),
    because: text,
    count,
  },
  closed,
);

const askedState = Type.Object(
  {
    resource: text,
    consents: Type.Array(
      Type.Object(
        {
          purpose: text,
          categories: Type.Array(text),
          recipient: text,
          status: names('given', 'withdrawn', 'expired', 'pending', 'unknown'),
          explicit: Type.Optional(Type.Boolean()),
          from: Type.Optional(text),
          until: Type.Optional(text),
        },
        closed,
      ),
    ),
    flags: Type.Array(text),
    disclose: Type.Boolean(),
    treatments: Type.Record(text, Type.Array(text), { description: 'treatment → classes and single fields' }),
    count,
  },
  closed,
);

const disclosure = Type.Object(
  {
    records: count,
    records_withheld: count,
    released: Type.Array(pointer, { description: 'paths that left undisguised' }),
    withheld: Type.Array(account, { description: 'paths that did not leave, or left disguised' }),
    by_class: Type.Record(text, Type.Record(text, count)),
    data_subjects: Type.Array(Type.String({ description: 'hmac:<key id>:<hex>' })),
    withheld_reasons: Type.Optional(Type.Record(text, count)),
    consents: Type.Optional(Type.Array(text, { description: 'ids of the consents the treatment rested on' })),
    answers: Type.Optional(
      Type.Array(askedState, {
        description:
          'what the policy was asked about data subjects, once a distinct state, and what it answered',
      }),
    ),
    answers_omitted: Type.Optional(Type.Integer({ minimum: 1, description: 'states beyond those listed' })),
  },
  closed,
);

const reason = Type.Object({ code: text, message: Type.Optional(text) }, closed);

/** `properties` holds what the credential stated; personal members are `[masked]`. */
const subject = Type.Object({ type: text, id: text, properties: Type.Record(text, Type.Unknown()) }, closed);

const actor = { id: text, issuer: text };

const agent = Type.Object(
  {
    ...actor,
    chain: Type.Array(Type.Object(actor, closed), { description: 'the actors before it, the latest first' }),
    properties: Type.Object(
      {
        client_id: nullable(text),
        known_by: names('actor', 'client', 'credential'),
        roles: Type.Array(text),
      },
      closed,
    ),
  },
  { ...closed, description: 'software that acts for the subject; absent: the subject itself' },
);

const resource = Type.Object(
  { type: text, id: Type.Optional(text), properties: Type.Record(text, Type.Unknown()) },
  closed,
);

const part = Type.Object(
  {
    number: Type.Integer({ minimum: 1 }),
    last: Type.Boolean(),
    piece: Type.Optional(Type.Integer({ minimum: 1 })),
    pieces: Type.Optional(Type.Integer({ minimum: 2 })),
  },
  { ...closed, description: 'a long answer is recorded in parts; a part too long for one record, in pieces' },
);

export const decisionRecordSchema = Type.Object(
  {
    decision_id: Type.String({ description: 'UUIDv7; shared by the parts of one decision' }),
    timestamp: Type.String({ format: 'date-time' }),
    kind: names(...RECORD_NAMES.kind),
    outcome: names(...RECORD_NAMES.outcome),
    subject: nullable(subject),
    agent: Type.Optional(agent),
    action: nullable(text),
    resource: nullable(resource),
    purpose: nullable(text),
    tier: nullable(numbers(1, 2, 3)),
    recipient: nullable(text),
    justification: nullable(text),
    grant_id: nullable(text),
    claimed: Type.Optional(
      Type.Array(names('grant_id', 'justification', 'purpose', 'recipient', 'tier'), {
        description: 'members that the caller stated and nothing verified',
      }),
    ),
    reasons: Type.Array(reason),
    disclosure: nullable(disclosure),
    request: nullable(
      Type.Object(
        { method: text, route: nullable(text), path: nullable(text), client_ip: nullable(text) },
        closed,
      ),
    ),
    upstream: nullable(Type.Object({ name: text, status: nullable(Type.Integer()) }, closed)),
    response: nullable(Type.Object({ status: Type.Integer(), bytes: nullable(count) }, closed)),
    policy: nullable(Type.Object({ revision: text, bundle: text }, closed)),
    input: nullable(Type.Record(text, Type.Unknown(), { description: 'what the policy saw, masked' })),
    timings_us: Type.Record(text, Type.Number({ minimum: 0 })),
    trace_id: nullable(text),
    labels: Type.Record(text, text),
    part,
    erased: Type.Optional(
      Type.Array(pointer, { description: 'what the policy has removed from this copy for a sink' }),
    ),
    masked: Type.Optional(
      Type.Array(pointer, { description: 'what the policy has replaced in this copy for a sink' }),
    ),
    mask_error: Type.Optional(
      Type.String({
        description:
          'why the policy could not say what the sink may have; everything that tells of the request is removed',
      }),
    ),
    proof: Type.Optional(
      Type.Object(
        {
          after: Type.Optional(hash),
          salt: salt,
          shared: Type.Record(text, Type.Array(salt)),
        },
        {
          ...closed,
          description:
            'in copies of version 2 (exports, sinks, index): what the hash is recomputed with, see the audit guide',
        },
      ),
    ),
    origin: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', description: 'names the chain' }),
    seq: Type.Integer({ minimum: 1 }),
    prev_hash: hash,
    hash,
  },
  {
    ...closed,
    title: 'Decision record',
    description:
      'A complete record, as exports and sinks have it. Without `proof`, `hash` is the SHA-256 of the RFC 8785 canonical JSON of the record without `hash`; with it, see the audit guide. `prev_hash` is the hash of the record before it in the same origin.',
  },
);

function numbers(...values: readonly number[]) {
  return Type.Union(values.map((v) => Type.Literal(v)));
}

export const decisionLogSchemas = (): { readonly [file: string]: object } => ({
  'decision-record.schema.json': schemaFile(decisionRecordSchema),
});
