/** What a decision record tells of what left and why, in the terms in which another policy is asked. */
import { type FieldOutcome, fieldsOf } from '../../../disclosure/fields/outcomes.ts';
import { ERROR_CODES } from '../../../errors.ts';
import { MASKED } from '../../../decision-log/mask.ts';
import { type DisclosureAnswer, WITHHOLD_ALL } from '../../../model/answers.ts';
import { type Catalog, classOf } from '../../../model/catalog.ts';
import type { PolicyInput } from '../../../model/input.ts';
import type { AskedState, DecisionRecord, FieldAccount } from '../../../model/record.ts';
import { disclosureInput } from '../../../model/verdict.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { Direction } from '../matrix/changes.ts';

export interface Who {
  readonly roles: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
}

/** the same change for the same kind of request */
export interface Shift extends Who {
  /** `limit`: records that a limit of the answer lets through or cuts off */
  readonly kind: 'verdict' | 'record' | 'field' | 'limit';
  /** of the field, as on record; of a limit its name */
  readonly path: string | null;
  readonly direction: Direction;
  readonly from: string;
  readonly to: string;
  /** fields that would leave in clear with records that were withheld */
  readonly gives?: readonly string[];
  decisions: number;
  /** of a field its values, as far as they are counted on record; else records, or requests for a verdict */
  count: number;
  /** ids of the first few */
  readonly examples: string[];
}

/** What could not be replayed, or not exactly: how many, by what was missing. */
export interface Inexact {
  /** no input on record: the request never came to the policy, or the record was too long */
  unasked: number;
  /** the policy reads members of the input that are masked in the record */
  masked: number;
  /** it reads attributes of records, which are values and never on record */
  attributes: number;
  /** it reads dates of consents that the record does not have */
  dates: number;
  /** states that were not listed in the record, or a record from before they were */
  states: number;
  /** allowed by this policy and denied then: what would have been disclosed nobody has seen */
  undisclosed: number;
  /** values that were disguised: with which parameters is not on record */
  parameters: number;
  /** decisions whose obligations are not on record */
  obligations: number;
  /** this policy asks for groups, and how records were grouped is not on record */
  groups: number;
  /** writes: whose record it was, and what it held, is not on record */
  writes: number;
  /** fields on record in a resource of which the record lists no state */
  elsewhere: number;
}

export interface Replay {
  readonly decisions: number;
  readonly states: number;
  /** decisions in which nothing that is on record would have been otherwise */
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
  readonly withheld: FieldAccount[];
}

/** What was done to a field of records in this state; null: it is not on record that they had it. */
export function fateThen(
  rows: Rows,
  state: AskedState,
  pointers: readonly string[],
  now: FieldOutcome,
  catalog: Catalog,
  others: readonly AskedState[],
): FieldOutcome | null {
  if (!state.disclose) return null;
  const failed = rows.withheld.filter((row) => FAILED.has(row.because));
  const done = rows.withheld.filter((row) => !FAILED.has(row.because));
  const line = pointers.flatMap((pointer) => catalog.fields[pointer] ?? [])[0];
  // the account of what was released names no class: that of now is the best there is
  const ofLine = line !== undefined && 'category' in line ? classOf(line) : null;
  const cls = rows.withheld.find((row) => row.class !== undefined)?.class ?? ofLine;
  const wanted = treatmentIn(state, pointers, cls);
  // Of several states the account is that of another: records in this one did not have the field.
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

export const ERRORS: ReadonlySet<string> = new Set(ERROR_CODES);

export const questionOf = (input: PolicyInput, state: AskedState) =>
  disclosureInput(input, state.resource, { consents: state.consents, flags: state.flags });

/** a total or a count around the records, made null: no field of a record */
export const isCount = (row: FieldAccount): boolean => row.class === undefined && row.do === 'nullify';

/** Outcomes of the fields of one resource, where it stands in records of another. */
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

/** @param pointers by which a state's treatments may name the field */
function treatmentIn(
  state: AskedState,
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

/** Values that were treated so; where several states share the account, at most as many as there are. */
export function valuesOf(rows: Rows, from: FieldOutcome, state: AskedState | null): number {
  const counted = rows.withheld.filter((row) => row.do === from.do).reduce((n, row) => n + row.count, 0);
  if (counted === 0) return state?.count ?? 1;
  return state === null ? counted : Math.min(counted, state.count);
}

const CODES: ReadonlySet<string> = new Set(ERROR_CODES.filter((c) => !c.startsWith('policy_')));

/** What the policy had said: a request that was refused later on (by the guard, by the upstream) had been allowed. */
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
