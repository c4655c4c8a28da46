/**
 * A scenario: one request with its context, and the expected result. `policies/scenarios/*.yaml` and
 * `test/cases/*.yaml` are files of scenarios; `docs/policy-guide.md` explains the format.
 */
import { type Static, Type } from '../../documents/kinds.ts';
import { VERIFICATION_METHODS } from '../../model/verification.ts';
import { dataSchemas } from './data.ts';

const closed = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;
const Pointer = Type.String({ pattern: '^/', description: 'path as in the catalog' });
const JsonPointer = Type.String({
  pattern: '^(/([^~/]|~[01])*)*$',
  description: 'RFC 6901, from the top of the answer',
});
const Text = Type.String();
const Headers = Type.Record(Text, Text, { description: 'one value each; names in any case' });
const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339' });

const Consent = Type.Object(
  {
    id: Type.Optional(Text),
    purpose: Text,
    categories: Type.Array(Text),
    recipient: Type.Optional(Type.String({ description: 'default: internal' })),
    status: Type.Enum(['given', 'withdrawn'], {
      description: '`expired` and `pending` follow from `from` and `until` and the time of the scenario',
    }),
    explicit: Type.Optional(Type.Boolean()),
    from: Type.Optional(Timestamp),
    until: Type.Optional(Timestamp),
  },
  closed,
);

const DataSubject = Type.Object(
  { consents: Type.Optional(Type.Array(Consent)), flags: Type.Optional(Type.Array(Text)) },
  closed,
);

const Request = Type.Object(
  {
    method: Type.Enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']),
    path: Type.String({ pattern: '^/', description: 'path and query, as on the request line' }),
    headers: Type.Optional(Headers),
    body: Type.Optional(Type.Unknown({ description: 'text is sent as it is, anything else as JSON' })),
  },
  closed,
);

const Upstream = Type.Object(
  {
    status: Type.Integer({ minimum: 100, maximum: 599 }),
    headers: Type.Optional(Headers),
    body: Type.Optional(Type.Unknown({ description: 'text is answered as it is, anything else as JSON' })),
  },
  closed,
);

const Done = Type.Union([
  Type.String({ description: 'the treatment' }),
  Type.Object({ do: Text, because: Text }, { ...closed, description: 'the treatment and its reason' }),
]);

const Expect = Type.Object(
  {
    status: Type.Integer({ minimum: 100, maximum: 599 }),
    headers: Type.Optional(Headers),
    body: Type.Optional(Type.Unknown({ description: 'text: byte for byte; anything else: equal as JSON' })),
    members: Type.Optional(
      Type.Record(JsonPointer, Type.Unknown(), {
        description: 'place in the answer → what stands there, as JSON',
      }),
    ),
    absent: Type.Optional(Type.Array(JsonPointer, { description: 'places where nothing stands' })),
    reasons: Type.Optional(
      Type.Array(Text, { description: 'codes: all of them are given, others may be too' }),
    ),
    withheld: Type.Optional(
      Type.Record(Pointer, Done, {
        description:
          'path → what was done to it; others may be withheld too; paths with `*` as in the catalog',
      }),
    ),
    record: Type.Optional(
      Type.Object({}, { ...open, description: 'members of the decision record; others are not looked at' }),
    ),
    upstream_asked: Type.Optional(
      Type.Boolean({ description: 'default: true where the scenario has an `upstream`, else false' }),
    ),
  },
  closed,
);

const scenarioSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'a sentence that says what must come of it' }),
    now: Type.Optional(Timestamp),
    request: Request,
    token: Type.Union([Type.Object({}, open), Type.Null()], {
      description:
        'claims; iss, aud, iat and exp are added unless they are given; null: no Authorization header',
    }),
    consents: Type.Optional(Type.Record(Text, DataSubject, { description: 'data subject id → its state' })),
    grants: Type.Optional(
      Type.Array(Type.Object({ id: Text, until: Timestamp }, open), {
        description: 'active grants of the caller',
      }),
    ),
    verification: Type.Optional(
      Type.Object(
        {
          method: Type.Enum([...VERIFICATION_METHODS]),
          data_subject: Type.Optional(Type.String({ description: 'with whom the caller is proven to deal' })),
          failure: Type.Optional(
            Type.Enum(['failed', 'expired'], { description: 'instead of data_subject: it proves nothing' }),
          ),
        },
        { ...closed, description: 'the proof that the request brings' },
      ),
    ),
    upstream: Type.Optional(Upstream),
    expect: Expect,
  },
  closed,
);

/** A policy of one's own has other data, too. */
const Data = Type.Object(
  Object.fromEntries(
    Object.values(dataSchemas).flatMap(({ properties }) =>
      Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)]),
    ),
  ),
  {
    ...open,
    description:
      'in these scenarios instead of what the policy’s data have under these names: to try rules that are not in force',
  },
);

export const scenarioFileSchema = Type.Object(
  {
    title: Type.String({ minLength: 1 }),
    now: Type.Optional(Timestamp),
    routes: Type.Array(
      Type.Object(
        {
          match: Text,
          resource: Text,
          action: Type.Optional(Text),
          id: Type.Optional(Text),
          records: Type.Optional(Text),
        },
        open,
      ),
      {
        minItems: 1,
        description: 'as in sluice.yaml; `upstream` may be left out',
      },
    ),
    data: Type.Optional(Data),
    examples: Type.Optional(
      Type.Record(Text, Type.Unknown(), { description: 'a place for YAML anchors; not looked at' }),
    ),
    scenarios: Type.Array(scenarioSchema, { minItems: 1 }),
  },
  { ...closed, title: 'Scenarios' },
);

export type Scenario = Static<typeof scenarioSchema>;
export type ScenarioFile = Static<typeof scenarioFileSchema>;

/** the time of a scenario that does not specify one */
export const SCENARIO_NOW = '2026-11-22T08:00:00Z';
