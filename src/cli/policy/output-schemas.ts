/** JSON Schemas of the output of `sluice matrix --diff --json` and `sluice replay --json`. */
import { type TSchema, Type } from '../../documents/kinds.ts';
import { DIMENSIONS } from './matrix/changes.ts';

const closed = { additionalProperties: false } as const;
const text = Type.String();
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const words = (...values: readonly string[]) => Type.Union(values.map((v) => Type.Literal(v)));
const direction = words('wider', 'narrower', 'other', 'reason');

const catalogs = Type.Array(
  Type.Object(
    {
      resource: text,
      pointer: orNull(
        Type.String({ description: 'of a field or of the envelope; null: about the resource' }),
      ),
      what: Type.String({ description: '`class`, a property of the line, `envelope`, `data_subject`, …' }),
      before: orNull(text),
      after: orNull(text),
      wider: Type.Boolean({ description: 'more may leave, whatever the answers say' }),
    },
    closed,
  ),
);

const sheetPolicy = Type.Object(
  {
    policy: text,
    revision: text,
    digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'what `sluice approve` signs' }),
  },
  closed,
);

const matrixDiff = Type.Object(
  {
    before: sheetPolicy,
    after: sheetPolicy,
    callers: Type.String({ description: 'as whom both were asked' }),
    questions: count,
    fields: Type.Integer({ minimum: 0, description: 'fields in ways of asking that were compared' }),
    changes: Type.Array(
      Type.Object(
        {
          direction,
          about: words('field', 'write', 'delete', 'request', 'limit'),
          resource: text,
          fields: Type.Array(text, { description: 'paths of fields, or names of limits' }),
          before: text,
          after: text,
          because: Type.Object(
            { before: texts, after: texts },
            { ...closed, description: 'codes of the reasons' },
          ),
          roles: texts,
          purposes: texts,
          recipients: texts,
          actions: texts,
          when: Type.Array(
            Type.Object(Object.fromEntries(DIMENSIONS.map((d) => [d, Type.Optional(texts)])), closed),
            { description: 'any of them; empty: always' },
          ),
          combinations: count,
          text: Type.String({ description: 'the sentence that is shown to people' }),
          recorded: Type.Optional(
            Type.Integer({
              minimum: 0,
              description: 'decisions on record that would have differed so (--journal)',
            }),
          ),
        },
        closed,
      ),
    ),
    catalogs,
    sources: Type.Array(
      Type.Object(
        {
          at: Type.String({ description: '`purposes.claims.mfa`, `sluice/decision.rego`' }),
          before: orNull(text),
          after: orNull(text),
        },
        closed,
      ),
      { description: 'members of the data and files of rules that differ' },
    ),
    not_covered: Type.Array(text, { description: 'what was held still though the answers may depend on it' }),
  },
  { ...closed, title: 'What `sluice matrix --diff --json` prints' },
);

const replay = Type.Object(
  {
    policy: text,
    revision: text,
    decisions: count,
    states: count,
    same: Type.Integer({
      minimum: 0,
      description: 'decisions in which nothing that is on record would have been otherwise',
    }),
    left_out: Type.Integer({ minimum: 0, description: 'decisions of which nothing could be compared' }),
    revisions: Type.Record(text, count, { description: 'revision that decided → decisions' }),
    shifts: Type.Array(
      Type.Object(
        {
          roles: text,
          purpose: text,
          recipient: text,
          resource: text,
          action: text,
          kind: words('verdict', 'record', 'field', 'limit'),
          path: orNull(text),
          direction,
          from: text,
          to: text,
          gives: Type.Optional(texts),
          decisions: count,
          count,
          examples: Type.Array(text, { description: 'ids of the first few decisions' }),
        },
        closed,
      ),
    ),
    inexact: Type.Object(
      Object.fromEntries(
        [
          ...[
            'unasked',
            'masked',
            'attributes',
            'dates',
            'states',
            'undisclosed',
            'parameters',
            'obligations',
          ],
          ...['groups', 'writes', 'elsewhere'],
        ].map((why) => [why, count]),
      ),
      { ...closed, description: 'how many could not be replayed, or not exactly, by what was missing' },
    ),
    catalogs,
  },
  { ...closed, title: 'What `sluice replay --json` prints' },
);

export const outputSchemas = { 'matrix-diff.schema.json': matrixDiff, 'replay.schema.json': replay };
