/**
 * Schemas of the default policy's data, one for each file of `policies/data/`. `schemas/policy-<name>.schema.json` are generated
 * from them. Other rules may use other data; a schema applies to files whose header names it. Long because the data are described in one place.
 */
import { type TSchema, Type } from '../../documents/kinds.ts';
import { ACTIONS } from '../../model/actions.ts';
import { TREATMENTS } from '../../model/answers.ts';
import { OPERATIONS } from '../../model/operations.ts';
import { WRITE_MODES } from '../../model/catalog.ts';
import { Before, RecordCondition } from './documents.ts';
import { VERIFICATION_METHODS } from '../../model/verification.ts';

const closed = { additionalProperties: false } as const;
const NAME = '^[a-z][a-z0-9_]*$';
const Name = (description: string) => Type.String({ pattern: NAME, description });
const Names = (description: string) =>
  Type.Array(Type.String({ pattern: NAME }), { description, uniqueItems: true });
/** Not empty: a rule that is only for nobody would protect nothing, and an emptied list looks like one for all. */
const Only = (description: string) => ({ ...Names(description), minItems: 1 });
const Title = Type.String({ minLength: 1, description: 'for people' });
const byName = (value: TSchema, description: string) =>
  Type.Record(Type.String({ pattern: NAME }), value, { ...closed, description });
const oneOf = <const T extends readonly (string | number)[]>(values: T, description: string) =>
  Type.Enum([...values], { description });
const Grade = (description: string) => Type.Integer({ minimum: 1, maximum: 5, description });
const Treatment = oneOf(TREATMENTS, 'what is done to a field');
const Limit = (description: string) => Type.Integer({ minimum: 1, description });
const Actions = (description: string) =>
  Type.Array(Type.Enum([...ACTIONS, 'detokenize']), {
    description,
    uniqueItems: true,
  });
const file = (title: string, members: { readonly [key: string]: TSchema }) =>
  Type.Object({ ...members }, { ...closed, title });
const settings = (members: { readonly [key: string]: TSchema }) => Type.Object({ ...members }, closed);
const WITHHELD = ['mask', 'drop'] as const;
/** @param classes pattern of a class, or of what may stand for one */
const FieldClasses = (classes: string, description: string) =>
  Type.Record(
    Type.String({ minLength: 1 }),
    Type.Record(Type.String({ pattern: '^/' }), Type.String({ pattern: classes }), closed),
    { description },
  );
const Writable = Names('of categories: only these are written; absent: as each category and field says');

const SubjectTypes = Type.Array(Type.Enum(['user', 'service', 'partner']), {
  minItems: 1,
  uniqueItems: true,
});
const Mfa = oneOf(['by_rule', 'exempt'], 'exempt: a service whose credential is strong by itself');

const Gives = settings({
  roles: Names('that an API key may have which this role makes or replaces'),
  subject_types: SubjectTypes,
  organizations: Names('`internal`, partners of partners.yaml, or `*`: any'),
  clearance: Type.Integer({ minimum: 0, maximum: 5, description: 'the highest; 0: none may be stated' }),
  days: Type.Integer({ minimum: 1, maximum: 3650, description: 'how long it may be valid' }),
});

const Role = settings({
  title: Title,
  subject_types: SubjectTypes,
  recipients: oneOf(
    ['internal', 'own', 'any'],
    'internal: for us only; own: a partner for itself; any: our staff, for us or for a partner with an agreement',
  ),
  departments: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { description: 'absent: any department', uniqueItems: true }),
  ),
  purposes: Names('purposes of purposes.yaml'),
  actions: Actions('what the role may do'),
  resources: Type.Array(Type.String({ minLength: 1 }), {
    description: 'resources of catalog/*.yaml',
    uniqueItems: true,
  }),
  categories: byName(
    oneOf(['use', 'recognise'], 'use: work with it; recognise: tell one customer from another'),
    'a category that is not named is dropped',
  ),
  fields: Type.Optional(
    FieldClasses(
      '^(never|[a-z][a-z0-9_]*/[1-5])$',
      'resource → single field → `never`, or the class that it is judged by for this role instead of its own',
    ),
  ),
  max_grade: Grade('the highest grade the role reaches'),
  max_records: Limit('at once'),
  mfa: Mfa,
  write: Type.Optional(Writable),
});

const Purpose = settings({
  title: Title,
  dpv: Type.String({ pattern: '^dpv:[A-Z][A-Za-z]*$', description: 'W3C DPV purpose, https://w3id.org/dpv' }),
  legal_basis: Type.String({ pattern: '^dpv:[A-Z][A-Za-z]*$', description: 'W3C DPV legal basis' }),
  tiers: Type.Array(Type.Enum([1, 2, 3]), {
    minItems: 1,
    uniqueItems: true,
    description: 'the first is the default',
  }),
  needs: Names('categories needed beyond the tier'),
  consent: oneOf(
    ['by_grade', 'explicit', 'waived'],
    'by_grade: as grades.yaml says; explicit: for all from grade 2 on; waived: the law does not ask for it',
  ),
  on_refusal: oneOf(['withhold_fields', 'withhold_record'], 'what a withdrawal or an opt-out takes away'),
  justification: oneOf(['required', 'optional'], 'whether the request must say why'),
  mfa: Type.Boolean({ description: 'needs a second factor' }),
  review: Type.Boolean({ description: 'somebody looks at every use afterwards' }),
  actions: Type.Optional(Actions('only these; absent: what role and tier allow')),
  agents: Type.Optional(
    Type.Boolean({ description: 'false: people only; absent: agents that name it, too' }),
  ),
  write: Type.Optional(Writable),
});

const Agent = settings({
  title: Title,
  issuer: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'only as this issuer names it; absent: as any configured issuer does',
    }),
  ),
  purposes: Names('what it may act for'),
  actions: Actions('what it may do'),
  tiers: Type.Array(Type.Enum([1, 2, 3]), { uniqueItems: true, description: 'in which it may act' }),
  categories: Names('what it may see and write, as far as its person may'),
  max_grade: Grade('the highest grade that it may see and write'),
  max_records: Type.Optional(Limit('at once; absent: as many as its person')),
});

const Tier = settings({
  title: Title,
  description: Type.Optional(Type.String()),
  categories: byName(Treatment, 'the most that the tier gives; a category that is not named is outside it'),
  max_grade: Grade('the highest grade in this tier'),
  above_grade: Treatment,
  actions: Actions('what the tier is for'),
  max_records: Limit('at once'),
  min_group_size: Type.Union([Type.Integer({ minimum: 2 }), Type.Null()], {
    description: 'records whose quasi-identifiers fewer than this many share are withheld',
  }),
  review: Type.Boolean({ description: 'somebody looks at every use afterwards' }),
  watermark: Type.Optional(
    Type.Boolean({
      description: 'true: nothing in this version fulfils it, so that every request in this tier is denied',
    }),
  ),
  grants: Type.Boolean({ description: 'whether a grant can go beyond this tier' }),
});

const GradeSettings = settings({
  title: Title,
  consent: oneOf(['none', 'notice', 'explicit'], 'notice: told, and may opt out; explicit: asked and agreed'),
  above_limit: oneOf(WITHHELD, 'what is left for a caller whose clearance or role does not reach it'),
  mfa: Type.Boolean({ description: 'needs a second factor' }),
  leaves: Type.Boolean({ description: 'false: never, whoever asks' }),
});

const Category = settings({
  title: Title,
  withheld_as: oneOf(
    WITHHELD,
    'what is left where consent or a second factor is missing; partners get `drop`',
  ),
  leaves: Type.Boolean({ description: 'false: never, whoever asks' }),
  write: Type.Optional(
    oneOf(
      WRITE_MODES,
      'who may write it, where the catalog does not say. never: nobody; as_read (the default): whoever may see it undisguised, or scrubbed; always: also who may not see it',
    ),
  ),
});

const Day = (description: string) => Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', description });

const Agreement = settings({
  categories: byName(Grade('highest grade'), 'what the agreement lists'),
  fields: Type.Optional(
    FieldClasses('^[a-z][a-z0-9_]*/[1-5]$', 'resource → single field → the class it is judged by'),
  ),
  until: Day('last day, UTC'),
  max_records: Limit('at once'),
});

const Period = (description: string) =>
  Type.Optional({
    ...settings({ from: Day('first day, UTC'), until: Day('last day, UTC') }),
    description,
  });

const Partner = settings({
  title: Title,
  qualification: Period('somebody has assessed the partner; absent: nothing leaves'),
  commitment: Period('the partner has signed what it may do with the data; absent: nothing leaves'),
  agreements: byName(Agreement, 'by purpose'),
});

const Flag = Type.Union([
  settings({ title: Title, withholds: Type.Literal('nothing') }),
  settings({ title: Title, withholds: Type.Literal('notice') }),
  settings({
    title: Title,
    withholds: Type.Literal('record'),
    except: Type.Optional(Names('purposes it does not hold for')),
    held_for: Type.Optional(Names('purposes that see what is under a legal hold, and nothing else')),
  }),
]);

const Identifier = settings({
  title: Title,
  pattern: Type.String({ minLength: 1, description: 'RE2; what is such an identifier as a whole' }),
  resolves_to: Type.Optional(
    Name('the type that it is an alias of: looked up in consents.yaml (aliases) and by consent.lookups'),
  ),
});

const Accepted = (description: string) =>
  Type.Record(Type.String({ minLength: 1 }), Type.Boolean(), { description });

const Quota = settings({
  title: Title,
  by: Type.Array(Type.Enum(['subject', 'agent', 'role', 'purpose']), {
    uniqueItems: true,
    description:
      'one count for each of these; a caller with several roles counts in each; []: one for everybody; with agent: only requests of agents count',
  }),
  of: oneOf(['records', 'data_subjects'], 'data_subjects: distinct ones'),
  per: oneOf(['hour', 'day', 'month'], 'of the calendar, UTC'),
  limit: Limit('the most that is disclosed in this time'),
  over: oneOf(
    ['deny', 'cut'],
    'where less is left than a request may take. deny: it is denied; cut: its answer ends at what is left',
  ),
  reserve: Limit('what a request for a list reserves, and the most records that it gets; other requests: 1'),
  warn: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'share of the limit; absent: 0.8' }),
  ),
  roles: Type.Optional(Only('only for callers with one of these; absent: for all')),
  purposes: Type.Optional(Only('only for these; absent: for all')),
});

const RecordFilter = settings({
  title: Title,
  purposes: Type.Optional(Only('only for these; absent: for all')),
  roles: Type.Optional(Only('only for callers who act in one of these; absent: for all')),
  where: Type.Array(RecordCondition, { minItems: 1, description: 'all of them hold' }),
});

const Operations = Type.Array(Type.Enum([...OPERATIONS]), {
  description: 'operations of the admin API',
  uniqueItems: true,
});

const { attribute, offset, order } = RecordCondition.properties;

const Retention = settings({
  title: Title,
  categories: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'categories of fields' }),
  keep: { ...Before, description: 'how long: `P7Y` (ISO 8601)' },
  resources: Type.Optional(Only('only of these; absent: of each whose catalog names the attribute')),
  attribute: Type.Optional({
    ...attribute,
    description: 'the date of the record, in the catalog; absent: `dated`',
  }),
  except: Type.Optional(Names('purposes for which older data may be disclosed')),
  offset,
  order,
});

const ProofRule = settings({
  title: Title,
  purposes: Type.Optional(Only('only for these; absent: for all')),
  roles: Type.Optional(Only('only for callers who act in one of these; absent: for all')),
  actions: Type.Optional({ ...Actions('only these; absent: all'), minItems: 1 }),
  resources: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description: 'only these; absent: all',
      minItems: 1,
      uniqueItems: true,
    }),
  ),
  methods: Type.Array(Type.Enum([...VERIFICATION_METHODS]), {
    minItems: 1,
    uniqueItems: true,
    description: 'one of them does',
  }),
});

/** Members of a record that tell apart what a sink need not have. */
const CopyCondition = Type.Object(
  {
    kind: Type.Optional(Type.String({ minLength: 1 })),
    outcome: Type.Optional(oneOf(['allowed', 'modified', 'denied', 'observed', 'error'], 'of the decision')),
    action: Type.Optional(Type.String({ minLength: 1 })),
    purpose: Type.Optional(Type.String({ minLength: 1 })),
    recipient: Type.Optional(Type.String({ minLength: 1 })),
    route: Type.Optional(Type.String({ minLength: 1, description: 'as sluice.yaml has it: GET /health' })),
  },
  { ...closed, minProperties: 1, description: 'all of them hold' },
);
const RecordPointer = Type.String({
  pattern: '^/',
  description: 'JSON Pointer into a decision record; * is any member or element',
});
const SinkCopies = settings({
  drop: Type.Optional(Type.Array(CopyCondition, { description: 'records that the sink does not get' })),
  erase: Type.Optional(Type.Array(RecordPointer, { description: 'members that it does not get' })),
  replace: Type.Optional(
    Type.Record(RecordPointer, Type.Unknown(), { description: 'members of which it gets another value' }),
  ),
});

export const dataSchemas = {
  roles: file('Roles', { roles: byName(Role, 'who may ask for what') }),
  purposes: file('Purposes of use', { purposes: byName(Purpose, 'why data is used') }),
  agents: file('Agents', {
    agents: Type.Record(Type.String({ minLength: 1 }), Agent, {
      description:
        'software that acts for people, by its id: it gets no more than its person, and no more than this',
    }),
  }),
  tiers: file('Tiers', {
    tiers: Type.Object({ '1': Tier, '2': Tier, '3': Tier }, { ...closed, description: 'how wide a need is' }),
  }),
  grades: file('Grades', {
    grades: Type.Object(
      { '1': GradeSettings, '2': GradeSettings, '3': GradeSettings, '4': GradeSettings, '5': GradeSettings },
      closed,
    ),
    clearance: settings({ unstated: Grade('of a caller whose credential states none') }),
  }),
  categories: file('Categories', { categories: byName(Category, 'what a field is about') }),
  partners: file('Partners', { partners: byName(Partner, 'organisations outside') }),
  assurance: file('Assurance', {
    assurance: settings({
      amr: Accepted('RFC 8176 methods that are a second factor'),
      acr: Accepted('authentication contexts that are two factors'),
      actions: Accepted('actions that need a second factor whatever the purpose'),
      step_up: Name('what the caller is asked for'),
    }),
    justification: settings({ min_length: Limit('characters besides white space at the ends') }),
  }),
  flags: file('Flags of data subjects', { flags: byName(Flag, 'marks on a data subject') }),
  quotas: file('Quotas', { quotas: byName(Quota, 'how much may be disclosed in a time') }),
  record_filters: file('Record filters', {
    record_filters: byName(RecordFilter, 'which records a purpose may have at all'),
  }),
  retention: file('Retention', {
    retention: byName(Retention, 'how long categories may be disclosed, by a date of the record'),
  }),
  sinks: file('Copies for sinks', {
    sinks: Type.Record(Type.String({ pattern: '^(stdout|(file|http|nats|otlp|syslog):.+)$' }), SinkCopies, {
      ...closed,
      description:
        'by the name that metrics have: http:NAME, file:/PATH, stdout; who is not named gets everything',
    }),
  }),
  subject_verification: file('Proofs of dealing with the data subject', {
    subject_verification: byName(ProofRule, 'which requests need a proof'),
  }),
  identifiers: file('Identifiers of data subjects', {
    identifiers: byName(Identifier, 'by the name that catalogs give them (data_subject: { at, type })'),
  }),
  admin: file('Administration', {
    admin: settings({
      own: settings({ subject_types: SubjectTypes, operations: Operations }),
      // Absent: partners may do nothing.
      partners: Type.Optional(settings({ subject_types: SubjectTypes, operations: Operations, mfa: Mfa })),
      roles: byName(
        settings({
          title: Title,
          subject_types: SubjectTypes,
          operations: Operations,
          gives: Type.Optional(Gives),
          mfa: Mfa,
        }),
        'who may use the admin API for what',
      ),
    }),
  }),
  grants: file('Grants', {
    grants: settings({ lifts: byName(Type.Boolean(), 'limits that a grant may lift, by their `because`') }),
  }),
} as const satisfies { readonly [name: string]: TSchema };
