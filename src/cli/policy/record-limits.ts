/** Which of two decisions leaves more records, or more of them: by their record filters, and by how long they retain categories. */
import type { FilterCondition, RecordFilter } from '../../model/record-filter.ts';
import type { RetentionRule } from '../../model/retention.ts';
import type { Direction } from './matrix/changes.ts';

type Bound = string | number | null;

/** Whether each record that meets the first condition meets the second. Of ranges that cannot be compared the answer is no. */
function implies(a: FilterCondition, b: FilterCondition): boolean {
  if (a.resource !== b.resource || a.attribute !== b.attribute) return false;
  if (b.in !== null) return a.in?.every((value) => b.in!.includes(value)) ?? false;
  if (a.in !== null || a.offset !== b.offset || a.order !== b.order) return false;
  const within = (inner: Bound, outer: Bound, isAtMost: boolean): boolean =>
    outer === null || (typeof inner === typeof outer && (isAtMost ? inner! <= outer : inner! >= outer));
  return within(a.at_least, b.at_least, false) && within(a.at_most, b.at_most, true);
}

/** Conditions hold together: the first list leaves no more than the second, if it implies each condition of the second. */
const impliesAll = (a: RecordFilter, b: RecordFilter): boolean =>
  b.every((condition) => a.some((one) => implies(one, condition)));

/** 'other': neither more nor less, or not to be told from the conditions */
export function filterDirection(before: RecordFilter, after: RecordFilter): Direction {
  const [more, less] = [impliesAll(before, after), impliesAll(after, before)];
  return more === less ? 'other' : more ? 'wider' : 'narrower';
}

export function retentionDirection(
  before: readonly RetentionRule[],
  after: readonly RetentionRule[],
): Direction {
  const of = (rules: readonly RetentionRule[], category: string): RecordFilter =>
    rules.filter((rule) => rule.category === category).map(({ condition }) => condition);
  const categories = [...new Set([...before, ...after].map(({ category }) => category))];
  const implied = (a: readonly RetentionRule[], b: readonly RetentionRule[]): boolean =>
    categories.every((category) => impliesAll(of(a, category), of(b, category)));
  const [more, less] = [implied(before, after), implied(after, before)];
  return more === less ? 'other' : more ? 'wider' : 'narrower';
}
