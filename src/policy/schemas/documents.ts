/** Schemas of the documents that are passed to and from the policy. `schemas/*.schema.json` are generated from them. Longer than most files: documents that refer to each other are in one file. */
import { type TSchema, Type } from '../../documents/kinds.ts';
import { schemaFile } from '../../documents/json-schema.ts';
import { TREATMENTS } from '../../model/answers.ts';
import { OPERATIONS } from '../../model/operations.ts';
import { WRITE_MODES } from '../../model/catalog.ts';
import type { EnvelopeRole, FieldEntry } from '../../model/catalog.ts';
import { VERIFICATION_METHODS } from '../../model/verification.ts';

/** treatments whose parameters a catalog may give for a field */
export const FIELD_TREATMENTS = [
  'mask',
  'generalize',
  'pseudonymize',
  'tokenize',
  'encrypt',
  'scrub',
] as const satisfies readonly (keyof FieldEntry)[];
export const ENVELOPE_ROLES = [
  'record',
  'records',
  'record_count',
  'total',
  'link',
  'status',
  'drop',
] as const satisfies readonly EnvelopeRole[];

/** values of `parse` in a catalog line (`disclosure/inner/registry.ts`) */
export const PARSED = ['json', 'xml', 'vcard'] as const;

const closed = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;
const Nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const Text = Type.String();
const Names = Type.Array(Text);
const Tier = Type.Enum([1, 2, 3]);
const Timestamp = Type.String({ format: 'date-time' });
const Parameters = Type.Object({}, open);
const Pointer = (description: string) => Type.String({ pattern: '^/', description });
const POINTERS = '^/';
/** a path to the records, in which no step selects by a sibling */
const PLACES = '^(/([^/[][^/]*)?)+$';

const Subject = Type.Object(
  {
    type: Text,
    id: Text,
    properties: Type.Object(
      {
        roles: Names,
        department: Nullable(Text),
        organization: Text,
        clearance: Nullable(Type.Integer()),
        assurance: Type.Object(
          { amr: Names, acr: Nullable(Text), auth_time: Nullable(Type.Number()) },
          closed,
        ),
      },
      open,
    ),
  },
  closed,
);

const Action = Type.Object(
  {
    name: Text,
    properties: Type.Object({ query_fields: Names, body_fields: Names }, open),
  },
  closed,
);

const Resource = Type.Object(
  { type: Text, id: Type.Optional(Text), properties: Type.Object({}, open) },
  closed,
);

const Grant = Type.Object(
  {
    id: Text,
    purpose: Type.Optional(Text),
    resource: Type.Optional(Text),
    data_subject: Type.Optional(Text),
    categories: Type.Optional(Names),
    until: Timestamp,
  },
  open,
);

const Quota = Type.Object(
  {
    counts: Type.Record(
      Text,
      Type.Object(
        { exact: Type.Boolean(), limit: Type.Integer(), remaining: Type.Integer(), used: Type.Integer() },
        closed,
      ),
    ),
    exceeded: Names,
    max_records: Type.Integer({ minimum: 0 }),
    near: Names,
  },
  closed,
);

const Confirmations = Type.Object(
  { open: Type.Integer({ minimum: 0 }), overdue: Type.Integer({ minimum: 0 }) },
  closed,
);

const Actor = { id: Text, issuer: Text };

const Agent = Type.Object(
  {
    ...Actor,
    chain: Type.Array(Type.Object(Actor, closed)),
    properties: Type.Object(
      {
        client_id: Nullable(Text),
        known_by: Type.Enum(['actor', 'client', 'credential']),
        roles: Names,
      },
      closed,
    ),
  },
  closed,
);

const Context = Type.Object(
  {
    agent: Type.Optional(Agent),
    confirmations: Type.Optional(Confirmations),
    purpose: Text,
    tier: Nullable(Tier),
    recipient: Text,
    justification: Nullable(Text),
    time: Timestamp,
    grants: Type.Array(Grant),
    quota: Type.Optional(Quota),
    request: Type.Object({ method: Text, route: Text, client_ip: Nullable(Text) }, closed),
    subject_verification: Type.Optional(
      Type.Object(
        {
          at: Timestamp,
          data_subject: Type.Optional(Text),
          failure: Type.Optional(Type.Enum(['failed', 'expired'])),
          method: Type.Enum([...VERIFICATION_METHODS]),
          verified: Type.Boolean(),
        },
        closed,
      ),
    ),
  },
  closed,
);

const Consent = Type.Object(
  {
    id: Type.Optional(Text),
    purpose: Text,
    categories: Names,
    recipient: Text,
    status: Type.Enum(['given', 'withdrawn', 'expired', 'pending']),
    explicit: Type.Optional(Type.Boolean()),
    from: Type.Optional(Timestamp),
    until: Type.Optional(Timestamp),
  },
  closed,
);

const request = { subject: Subject, action: Action, resource: Resource, context: Context };
const PolicyInputSchema = Type.Object(request, { ...closed, title: 'Input of sluice/decision' });
export const DisclosureInputSchema = Type.Object(
  {
    ...request,
    data_subject: Type.Object({ consents: Type.Array(Consent), flags: Names }, closed),
    record: Type.Object(
      { attributes: Type.Record(Text, Type.Union([Text, Type.Number(), Type.Boolean(), Type.Null()])) },
      closed,
    ),
  },
  { ...closed, title: 'Input of sluice/disclosure' },
);

const Reason = Type.Object({ code: Type.String({ minLength: 1 }), message: Type.Optional(Text) }, closed);

const Comparable = Type.Union([Type.String({ minLength: 1 }), Type.Number(), Type.Boolean()]);
const Bound = Type.Union([
  Type.Number(),
  Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', description: 'a date' }),
]);
/** so long before the request */
export const Before = Type.String({
  pattern: '^P(?=[0-9])([0-9]{1,3}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?$',
  description: 'so long before the request, and not later: `P6M` (ISO 8601)',
});
/** One condition of the obligation `record_filter`, in answers and in the data of the default policy. */
export const RecordCondition = Type.Object(
  {
    resource: Type.String({
      minLength: 1,
      description: 'the records it holds for, also those that stand within others',
    }),
    attribute: Type.String({ minLength: 1, description: 'of the catalog (`attributes`)' }),
    in: Type.Optional(
      Type.Union(
        [
          Type.Array(Comparable, { minItems: 1, maxItems: 1000 }),
          Type.Object(
            {
              subject: Type.String({
                minLength: 1,
                description: 'property of the caller with the value, or the list of them',
              }),
            },
            closed,
          ),
        ],
        { description: 'the permitted values' },
      ),
    ),
    within: Type.Optional(Before),
    at_least: Type.Optional(Bound),
    at_most: Type.Optional(Bound),
    offset: Type.Optional(
      Type.String({
        pattern: '^[+-](0[0-9]|1[0-4]):[0-5][0-9]$',
        description: 'distance from UTC of the days that are counted; absent: UTC',
      }),
    ),
    order: Type.Optional(
      Type.Enum(['dmy', 'mdy'], {
        description: 'of dates such as 03/07/2026; absent: those that are ambiguous withhold their record',
      }),
    ),
  },
  {
    ...closed,
    description: 'exactly one of `in`, `within`, or a range of `at_least` and `at_most`',
  },
);

const { resource, attribute, offset, order } = RecordCondition.properties;
/** One rule of the obligation `retention`. */
const RetentionCondition = Type.Object(
  { resource, attribute, within: Before, category: Text, offset, order },
  { ...closed, description: 'fields of the category are dropped in records that are older' },
);

const DecisionAnswerSchema = Type.Object(
  {
    allow: Type.Boolean(),
    reasons: Type.Optional(Type.Array(Reason)),
    tier: Type.Optional(Nullable(Tier)),
    obligations: Type.Optional(
      Type.Object(
        {
          max_records: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
          watermark: Type.Optional(Nullable(Type.Boolean())),
          min_group_size: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
          record_filter: Type.Optional(Nullable(Type.Array(RecordCondition, { minItems: 1 }))),
          retention: Type.Optional(Nullable(Type.Array(RetentionCondition))),
          subject_verification: Type.Optional(
            Nullable(Type.Array(Type.Enum([...VERIFICATION_METHODS]), { minItems: 1 })),
          ),
          step_up: Type.Optional(Nullable(Text)),
          review: Type.Optional(Nullable(Type.Boolean())),
        },
        open,
      ),
    ),
  },
  { ...closed, title: 'Answer of sluice/decision' },
);

const Choice = Type.Object(
  { do: Type.Enum([...TREATMENTS]), because: Text, with: Type.Optional(Parameters) },
  closed,
);

const DisclosureAnswerSchema = Type.Object(
  {
    disclose: Type.Boolean(),
    reasons: Type.Optional(Type.Array(Reason)),
    classes: Type.Optional(Type.Record(Text, Choice)),
    fields: Type.Optional(Type.Record(Type.String({ pattern: POINTERS }), Choice, closed)),
  },
  { ...closed, title: 'Answer of sluice/disclosure' },
);

const Given = Type.Object(
  {
    clearance: Nullable(Type.Integer()),
    days: Type.Number(),
    organization: Text,
    roles: Type.Array(Text),
    subject: Text,
    subject_type: Text,
  },
  closed,
);

const AdminInputSchema = Type.Object(
  {
    subject: Subject,
    action: Type.Object(
      { name: Type.Enum([...OPERATIONS]), properties: Type.Object({ changes: Type.Boolean() }, closed) },
      closed,
    ),
    resource: Type.Object(
      {
        type: Text,
        id: Type.Optional(Text),
        properties: Type.Object(
          { gives: Type.Optional(Given), holder: Type.Optional(Text), recipient: Type.Optional(Text) },
          closed,
        ),
      },
      closed,
    ),
    context: Type.Object(
      {
        time: Timestamp,
        request: Type.Object({ method: Text, route: Text, client_ip: Nullable(Text) }, closed),
      },
      closed,
    ),
  },
  { ...closed, title: 'Input of sluice/admin' },
);

const AdminAnswerSchema = Type.Object(
  {
    allow: Type.Boolean(),
    reasons: Type.Optional(Type.Array(Reason)),
    step_up: Type.Optional(Nullable(Text)),
  },
  { ...closed, title: 'Answer of sluice/admin' },
);

const LogAnswerSchema = Type.Object(
  {
    drop: Type.Optional(Type.Boolean({ description: 'true: the sink does not get the record' })),
    mask: Type.Optional(
      Type.Array(
        Type.Union([
          Type.String({ pattern: '^/', description: 'removes what the pointer names' }),
          Type.Object({ op: Type.Literal('remove'), path: Type.String({ pattern: '^/' }) }, closed),
          Type.Object(
            {
              op: Type.Enum(['replace', 'upsert'], { description: 'upsert adds what is not there' }),
              path: Type.String({ pattern: '^/' }),
              value: Type.Unknown(),
            },
            closed,
          ),
        ]),
        { description: 'JSON Pointers into the record; * is any member or element' },
      ),
    ),
  },
  { ...closed, title: 'Answer of sluice/log' },
);

const Field = Type.Object(
  {
    category: Type.String({ description: 'what the field is about: contact, identity, transaction, …' }),
    grade: Type.Integer({ minimum: 1, maximum: 5, description: '1 public … 5 secret (never leaves)' }),
    parse: Type.Optional(
      Type.Enum([...PARSED], {
        description:
          'the text is a document of this format: disclosed by the lines below, dropped where it is none',
      }),
    ),
    whole: Type.Optional(
      Type.Boolean({
        description:
          'true: covers all that stands below, members added later too; without it a scalar, or an array of scalars',
      }),
    ),
    mask: Type.Optional(Type.Union([Text, Type.Object({ kind: Text }, open)])),
    generalize: Type.Optional(Parameters),
    pseudonymize: Type.Optional(Parameters),
    tokenize: Type.Optional(Parameters),
    encrypt: Type.Optional(Parameters),
    scrub: Type.Optional(Parameters),
    write: Type.Optional(
      Type.Enum([...WRITE_MODES], {
        description:
          'who may write it. never: nobody; as_read: whoever may see it undisguised, or scrubbed; always: also who may not see it. Default: as its category says in the data of the policy',
      }),
    ),
    quasi_identifier: Type.Optional(
      Type.Boolean({ description: 'counted when records are grouped for min_group_size' }),
    ),
    description: Type.Optional(Text),
  },
  closed,
);
const Embedded = Type.Object(
  {
    resource: Type.String({ description: 'an embedded resource, with its own catalog and data subject' }),
    description: Type.Optional(Text),
  },
  closed,
);

const Place = (description: string) =>
  Type.Union([
    Pointer(description),
    Type.Object(
      {
        at: Pointer(description),
        type: Type.Optional(
          Type.String({ description: 'of identifiers.yaml: what the value must be to name anybody' }),
        ),
        pattern: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'RE2; matches the whole value, and its first group is the id: "Patient/(.+)"',
          }),
        ),
      },
      closed,
    ),
  ]);

const CatalogSchema = Type.Object(
  {
    resource: Type.String({ description: 'name of the resource this catalog is about' }),
    data_subject: Type.Optional(
      Type.Union([
        Place('where a record says whose it is'),
        Type.Array(
          Type.Union([
            Place('one of those whom a record is about'),
            Type.Object(
              {
                same: Type.Array(Place('one of the places that name the same person'), {
                  minItems: 2,
                  description: 'places that name one person: the first of them that is known counts',
                }),
              },
              closed,
            ),
          ]),
        ),
        Type.Null(),
      ]),
    ),
    attributes: Type.Optional(
      Nullable(Type.Record(Text, Pointer('what the policy may look at, per record'))),
    ),
    variants: Type.Optional(
      Type.Object(
        {
          by: Pointer('the member that says what a record is, or `/{key}`: its own name'),
          of: Type.Record(Text, Text, {
            minProperties: 1,
            description:
              'what it says → the resource whose catalog holds; anything else withholds the record',
          }),
        },
        { ...closed, description: 'records of several types in one place, instead of fields' },
      ),
    ),
    fields: Type.Optional(
      Type.Record(Type.String({ pattern: POINTERS }), Type.Union([Field, Embedded]), closed),
    ),
    envelope: Type.Optional(
      Nullable(
        Type.Record(
          Type.String({ pattern: PLACES }),
          Type.Object({ is: Type.Enum([...ENVELOPE_ROLES]) }, closed),
          closed,
        ),
      ),
    ),
  },
  { ...closed, title: 'Catalog of a resource' },
);

const Paths = Type.Array(Type.Array(Text));
const ManifestSchema = Type.Object(
  {
    revision: Type.Optional(Text),
    roots: Type.Optional(Names),
    rego_version: Type.Optional(Type.Integer()),
    wasm: Type.Optional(Type.Array(Type.Object({ entrypoint: Text, module: Text }, open))),
    metadata: Type.Optional(
      Type.Object(
        {
          sluice: Type.Optional(
            Type.Object(
              {
                format: Type.Literal(1),
                wasm_sha256: Text,
                content_digest: Type.Optional(
                  Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'what an approval names' }),
                ),
                entrypoints: Type.Record(
                  Text,
                  Type.Object(
                    {
                      input: Paths,
                      data: Paths,
                      nondeterministic: Names,
                      reads_time: Type.Boolean(),
                      consent_dates: Type.Boolean(),
                      without_grants: Type.Optional(
                        Type.Object({ input: Paths, reads_time: Type.Boolean() }, open),
                      ),
                    },
                    open,
                  ),
                ),
              },
              open,
            ),
          ),
        },
        open,
      ),
    ),
  },
  { ...open, title: 'Manifest of a policy bundle' },
);

/** file name under `schemas/` → JSON Schema */
export const policySchemas = (): Record<string, object> =>
  Object.fromEntries(
    Object.entries({
      'admin-input': AdminInputSchema,
      'admin-answer': AdminAnswerSchema,
      'log-answer': LogAnswerSchema,
      'policy-input': PolicyInputSchema,
      'decision-answer': DecisionAnswerSchema,
      'disclosure-input': DisclosureInputSchema,
      'disclosure-answer': DisclosureAnswerSchema,
      catalog: CatalogSchema,
      'bundle-manifest': ManifestSchema,
    }).map(([name, schema]) => [`${name}.schema.json`, schemaFile(schema)]),
  );
