/** JSON Schemas of what `matrix`, `matrix --diff`, `replay`, `check` and `test` print with `--json`. */
import { type TSchema, Type } from '../../documents/kinds.ts';
import { WRITE_MODES } from '../../model/catalog.ts';
import { DIMENSIONS } from './matrix/changes.ts';
import { INEXACT } from './replay/recorded.ts';

const closed = { additionalProperties: false } as const;
const text = Type.String();
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const words = (...values: readonly string[]) => Type.Union(values.map((v) => Type.Literal(v)));
const direction = words('wider', 'narrower', 'other', 'reason');

const inCatalog = 'as the catalog spells it, or as JSON; null: not in this catalog';
const inSources = 'JSON of a member of the data, `present` for a file of rules; null: not in this policy';

const catalogs = Type.Array(
  Type.Object(
    {
      resource: text,
      pointer: orNull(
        Type.String({ description: 'of a field or of the envelope; null: about the resource' }),
      ),
      what: Type.String({ description: '`class`, a property of the line, `envelope`, `data_subject`, …' }),
      before: orNull(Type.String({ description: inCatalog })),
      after: orNull(Type.String({ description: inCatalog })),
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
          before: Type.String({
            description:
              'what the policy `before` says: a treatment, a verdict or a limit; several are joined by ` or `',
          }),
          after: Type.String({ description: 'what the policy `after` says, in the same words' }),
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
            orNull(
              Type.Integer({
                minimum: 0,
                description:
                  'with --journal: recorded decisions that would have differed so, counted without the conditions in `when`; null: not counted, for writing and deleting',
              }),
            ),
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
          before: orNull(Type.String({ description: inSources })),
          after: orNull(Type.String({ description: inSources })),
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
      description: 'decisions in which nothing that is on record would have been different',
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
        Object.entries(INEXACT).map(([what, description]) => [
          what,
          Type.Integer({ minimum: 0, description }),
        ]),
      ),
      { ...closed, description: 'how many could not be replayed, or not exactly, by what was missing' },
    ),
    catalogs,
  },
  { ...closed, title: 'What `sluice replay --json` prints' },
);

const obligations = Type.Record(text, Type.Unknown(), {
  description: 'as in the answer of `sluice/decision`',
});

const cell = Type.Object(
  {
    do: Type.String({ description: 'the treatment, `disclose`, or `withheld` (the whole record)' }),
    because: Type.String({ description: 'code of the reason' }),
    with: Type.Optional(Type.Record(text, Type.Unknown(), { description: 'parameters of the treatment' })),
    cls: orNull(Type.String({ description: 'class; null: no line of the catalog names the field' })),
    resource: Type.String({ description: 'of the catalog with the line' }),
  },
  closed,
);

const asked = { role: text, purpose: text, recipient: text, resource: text };

const matrix = Type.Object(
  {
    policy: text,
    revision: text,
    callers: Type.String({ description: 'as whom the policy was asked' }),
    states: Type.Array(Type.Object({ name: text, title: text }, closed), {
      description: 'what is known of the data subject, in the order of the columns',
    }),
    rows: Type.Array(
      Type.Object(
        {
          ...asked,
          tier: orNull(
            Type.Integer({ minimum: 1, description: 'effective tier; null: the policy has no tiers' }),
          ),
          action: text,
          obligations,
          states: Type.Record(text, Type.Record(text, cell), {
            description: 'state → path of the field → result',
          }),
          writes: orNull(
            Type.Object(
              {
                action: text,
                may: Type.Record(text, Type.Object({ write: Type.Boolean(), because: text }, closed), {
                  description: 'path of the field → whether it may be written',
                }),
              },
              {
                ...closed,
                description: 'for a person who agreed to everything; null: this caller writes nothing',
              },
            ),
          ),
        },
        closed,
      ),
    ),
    denied: Type.Array(Type.Object({ ...asked, reasons: texts }, closed), {
      description: 'combinations that are denied for every tier and action',
    }),
  },
  { ...closed, title: 'What `sluice matrix --json` prints' },
);

const place = {
  file: Type.Optional(text),
  line: Type.Optional(Type.Integer({ minimum: 1 })),
  column: Type.Optional(Type.Integer({ minimum: 1 })),
};

const check = Type.Object(
  {
    ok: Type.Boolean({ description: 'whether the exit code is 0' }),
    faults: count,
    warnings: count,
    notes: count,
    findings: Type.Array(
      Type.Object(
        {
          ...place,
          path: Type.Optional(
            Type.Array(Type.Union([text, Type.Integer()]), { description: 'steps to the value in the file' }),
          ),
          message: text,
          severity: words('fault', 'warning', 'note'),
          rule: Type.String({ description: 'name of the check, as listed in docs/policy-tools.md' }),
          also: Type.Optional(
            Type.Array(Type.Object(place, closed), { description: 'more places of the same' }),
          ),
        },
        closed,
      ),
    ),
    counts: Type.Object(
      Object.fromEntries(
        ['rules', 'tests', 'data', 'catalogs', 'fields', 'scenarios', 'routes'].map((of) => [
          of,
          Type.Optional(count),
        ]),
      ),
      { ...closed, description: 'what was checked; absent: there was none of it to check' },
    ),
    writes: Type.Record(text, Type.Object(Object.fromEntries(WRITE_MODES.map((m) => [m, count])), closed), {
      description: 'resource → number of fields by who may write them',
    }),
  },
  { ...closed, title: 'What `sluice check --json` prints' },
);

const test = Type.Object(
  {
    ok: Type.Boolean({ description: 'no failure, and the coverage that --threshold asks for' }),
    passed: count,
    failed: count,
    skipped: count,
    not_run_on_engine: Type.Integer({
      minimum: 0,
      description: "unit tests that only OPA's interpreter could run",
    }),
    outcomes: Type.Array(
      Type.Object(
        {
          suite: Type.String({ description: 'package of unit tests, or file of scenarios' }),
          name: text,
          file: text,
          line: count,
          state: words('passed', 'failed', 'skipped'),
          milliseconds: Type.Number({ minimum: 0 }),
          problems: Type.Array(text, { description: 'one sentence for each; empty: it did not fail' }),
          printed: Type.Optional(Type.String({ description: 'what it printed' })),
          unrun: Type.Optional(Type.String({ description: 'why the engine could not run it' })),
        },
        closed,
      ),
    ),
    coverage: Type.Array(
      Type.Object(
        {
          policy: text,
          percent: Type.Number({ minimum: 0, maximum: 100 }),
          files: Type.Array(
            Type.Object(
              {
                file: text,
                percent: Type.Number({ minimum: 0, maximum: 100 }),
                missed: Type.Array(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 2, maxItems: 2 }), {
                  description: 'first and last line that no test reached',
                }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
      { description: 'with --coverage' },
    ),
    timings: Type.Optional(
      Type.Array(Type.Object({ phase: text, milliseconds: Type.Number() }, closed), {
        description: 'with --timings',
      }),
    ),
  },
  { ...closed, title: 'What `sluice test --json` prints' },
);

export const outputSchemas = {
  'check.schema.json': check,
  'matrix.schema.json': matrix,
  'matrix-diff.schema.json': matrixDiff,
  'replay.schema.json': replay,
  'test.schema.json': test,
};
