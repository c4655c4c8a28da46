/** What a decision record states about released fields and reasons, in the form in which another policy is queried. */
import { type FieldOutcome, fieldsOf } from '../../../disclosure/fields/outcomes.ts';
import { ERROR_CODES } from '../../../errors.ts';
import { MASKED } from '../../../decision-log/mask.ts';
import { type DisclosureAnswer, WITHHOLD_ALL } from '../../../model/answers.ts';
import { type Catalog, classOf } from '../../../model/catalog.ts';
import type { PolicyInput } from '../../../model/input.ts';
import type { RecordedState, DecisionRecord, WithheldPath } from '../../../model/record.ts';
import { disclosureInput } from '../../../model/verdict.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { Decision } from '../../../pipeline/authorize.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { RetentionRule } from '../../../model/retention.ts';
import type { Direction } from '../matrix/changes.ts';
import { retentionDirection } from '../record-limits.ts';

export interface Who {
  readonly roles: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
}

/** equal changes for equal kinds of requests */
export interface Shift extends Who {
  /** `limit`: records that a limit of the answer allows or cuts off */
  readonly kind: 'verdict' | 'record' | 'field' | 'limit';
  /** path of the field, as recorded; for a limit its name */
  readonly path: string | null;
  readonly direction: Direction;
  readonly from: string;
  readonly to: string;
  /** fields that would be released in clear with records that were withheld */
  readonly gives?: readonly string[];
  decisions: number;
  /** for a field its number of values, if recorded; else records, or requests for a verdict */
  count: number;
  /** ids of the first few decisions */
  readonly examples: string[];
}

/** what could not be replayed, or not exactly */
export const INEXACT = {
  unasked: 'no recorded input: the request never reached the policy, or the record was too long',
  masked: 'the policy reads input members that the record masks',
  attributes: 'the policy reads attributes of records, which are values and never recorded',
  dates: 'the policy reads dates of consents that the record does not have',
  states: 'states that the record does not list, or a record of an older version',
  undisclosed: 'allowed by this policy, but denied then: what it would disclose is unknown',
  parameters: 'values that were transformed: the parameters are not recorded',
  obligations: 'decisions whose obligations are not recorded',
  groups: 'this policy requires groups, but how records were grouped is not recorded',
  writes: 'writes: the data subject and the content are not recorded',
  proofs: 'refused for want of a proof that the policy or the route demanded: which of both is not recorded',
  ages: 'retention: the dates of records are values and never recorded',
  filters: 'record filters: the attributes that they compare are values and never recorded',
  quotas: 'quotas: they were counted by the limits of then',
  elsewhere: 'recorded fields of a resource for which the record lists no state',
};
/** how often, by what was missing */
export type Inexact = { [What in keyof typeof INEXACT]: number };

export interface Replay {
  readonly decisions: number;
  readonly states: number;
  /** decisions in which nothing recorded would change */
  readonly same: number;
  /** decisions of which nothing could be compared */
  readonly left_out: number;
  readonly revisions: { readonly [revision: string]: number };
  readonly shifts: readonly Shift[];
  readonly inexact: Inexact;
}

/** what became of values that their treatment could not be applied to: their class says what the policy wanted */
const FAILED: ReadonlySet<string> = new Set(['not_applicable', 'not_whole']);
export interface Rows {
  released: boolean;
  readonly withheld: WithheldPath[];
}

/** The treatment of a field in records in this state; null: it is not recorded that they had the field. */
export function fateThen(
  rows: Rows,
  state: RecordedState,
  pointers: readonly string[],
  now: FieldOutcome,
  catalog: Catalog,
  others: readonly RecordedState[],
): FieldOutcome | null {
  if (!state.disclose) return null;
  const failed = rows.withheld.filter((row) => FAILED.has(row.because));
  const done = rows.withheld.filter((row) => !FAILED.has(row.because));
  const line = pointers.flatMap((pointer) => catalog.fields[pointer] ?? [])[0];
  // the account of what was released names no class: that of now is the best there is
  const ofLine = line !== undefined && 'category' in line ? classOf(line) : null;
  const cls = rows.withheld.find((row) => row.class !== undefined)?.class ?? ofLine;
  const wanted = treatmentIn(state, pointers, cls);
  // If there are several states, the entry belongs to another: records in this one did not have the field.
  const isAnothers = (treatment: string): boolean =>
    wanted !== null &&
    wanted !== treatment &&
    others.some((other) => other.disclose && treatmentIn(other, pointers, cls) === treatment);
  if (rows.released && rows.withheld.length === 0)
    return isAnothers('disclose') ? null : { do: 'disclose', because: '' };
  if (!rows.released && done.length > 0 && done.every((row) => row.do === done[0]!.do)) {
    const { do: name, because } = done[0]!;
    return isAnothers(name) ? null : { do: name as FieldOutcome['do'], because };
  }
  if (done.length === 0 && !rows.released && failed.length > 0) {
    // an object where the line covered none: it leaves if the line does now
    if (failed[0]!.because === 'not_whole' && now.do === 'disclose' && isWhole(catalog, pointers))
      return { do: 'drop', because: 'not_whole' };
    return wanted === null ? now : { do: wanted, because: '' };
  }
  // some records were given it and others not: the class and the state tell which
  return wanted === null ? null : { do: wanted, because: '' };
}

/** A proof of dealing with the data subject was lacking, which the policy or the route demands. */
export const PROOFS: ReadonlySet<string> = new Set([
  'verification_required',
  'verification_failed',
  'verification_expired',
]);

/** The record was too old: its date is not on record, and the policy's answer is not about it. */
const AGED: ReadonlySet<string> = new Set(['retention_over', 'retention_unreadable']);
export const isAged = ({ because }: WithheldPath): boolean => AGED.has(because);

/** How old records may be whose fields of a category are disclosed, in words. */
export function agesOf(
  { answer: { obligations } }: Pick<Decision, 'answer'>,
  resource: string,
  category: string,
): string {
  const rules = (obligations.retention ?? []).filter(
    (rule) => rule.resource === resource && rule.category === category,
  );
  const texts = rules.map(({ attribute, within }) => `${attribute} within ${within}`);
  return texts.length === 0 ? ANY_AGE : [...new Set(texts)].sort().join(', ');
}
export const ANY_AGE = 'of any age';

/** Whether fewer records are disclosed by the second decision; 'other': neither fewer nor more. */
export function ageDirection(
  before: Decision,
  after: Decision,
  resource: string,
  category: string,
): Direction {
  const of = ({ retention }: Decision): readonly RetentionRule[] =>
    retention.filter((r) => r.category === category && r.condition.resource === resource);
  return retentionDirection(of(before), of(after));
}

/** Whether this policy counts such requests. */
export const isCounted = ({ data }: LivePolicy, { subject, context }: PolicyInput): boolean =>
  Object.values(isObject(data['quotas']) ? data['quotas'] : {}).some(
    (quota) =>
      isObject(quota) &&
      (!Array.isArray(quota['purposes']) || quota['purposes'].includes(context.purpose)) &&
      (!Array.isArray(quota['roles']) ||
        quota['roles'].some((role) => (subject.properties.roles ?? []).includes(String(role)))),
  );

export const ERRORS: ReadonlySet<string> = new Set(ERROR_CODES);

export const questionOf = (input: PolicyInput, state: RecordedState) =>
  disclosureInput(input, state.resource, { consents: state.consents, flags: state.flags });

/** a total or a count around the records, made null: no field of a record */
export const isCount = (row: WithheldPath): boolean => row.class === undefined && row.do === 'nullify';

/** Results of the fields of one resource, at its place in records of another. */
export function outcomesOf(
  policy: LivePolicy,
  catalog: Catalog,
  resource: string,
  answer: DisclosureAnswer,
): ReadonlyMap<string, FieldOutcome> {
  const other = WITHHOLD_ALL('not_asked');
  const { all } = fieldsOf(policy.catalogs, catalog, (of) => (of === resource ? answer : other));
  return new Map(
    all.filter((field) => field.resource === resource).map(({ path, outcome }) => [path, outcome]),
  );
}

/** @param pointers by which treatments of a state may name the field */
function treatmentIn(
  state: RecordedState,
  pointers: readonly string[],
  cls: string | null,
): FieldOutcome['do'] | null {
  const named = (names: readonly string[]): boolean => names.some((name) => pointers.includes(name));
  const treatments = Object.entries(state.treatments);
  const own = treatments.find(([, names]) => named(names));
  if (own !== undefined || cls === null) return (own?.[0] ?? null) as FieldOutcome['do'] | null;
  return (treatments.find(([, names]) => names.includes(cls))?.[0] ?? 'drop') as FieldOutcome['do'];
}

const isWhole = (catalog: Catalog, pointers: readonly string[]): boolean =>
  pointers.some((pointer) => {
    const entry = Object.hasOwn(catalog.fields, pointer) ? catalog.fields[pointer] : undefined;
    return entry !== undefined && 'category' in entry && entry.whole === true;
  });

/** Number of values with this treatment; if several states share the entry, an upper bound. */
export function valuesOf(rows: Rows, from: FieldOutcome, state: RecordedState | null): number {
  const counted = rows.withheld.filter((row) => row.do === from.do).reduce((n, row) => n + row.count, 0);
  if (counted === 0) return state?.count ?? 1;
  return state === null ? counted : Math.min(counted, state.count);
}

const CODES: ReadonlySet<string> = new Set(ERROR_CODES.filter((c) => !c.startsWith('policy_')));

/** The policy's verdict: a request that was refused later (by the guard or the upstream) had been allowed. */
export function wasAllowed(record: DecisionRecord): boolean {
  if (record.outcome === 'allowed' || record.outcome === 'modified' || record.upstream !== null) return true;
  return record.reasons.some((r) => CODES.has(r.code));
}

export function isAsked(input: DecisionRecord['input']): input is PolicyInput {
  return (
    isObject(input) && isObject(input['subject']) && isObject(input['context']) && isObject(input['action'])
  );
}

export function holdsMasked(input: unknown, path: readonly string[]): boolean {
  let value: unknown = input;
  for (const step of path) {
    if (!isObject(value)) return value === MASKED;
    value = value[step];
  }
  return (
    value === MASKED ||
    (typeof value === 'object' && value !== null && JSON.stringify(value).includes(`"${MASKED}"`))
  );
}

export function whoOf(input: PolicyInput): Who {
  return {
    roles: [...(input.subject.properties.roles ?? [])].sort().join('+'),
    purpose: input.context.purpose,
    recipient: input.context.recipient,
    resource: input.resource.type,
    action: input.action.name,
  };
}
