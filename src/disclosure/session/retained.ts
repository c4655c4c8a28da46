/**
 * Drops what is older than the decision's `retention`: in records, and in resources embedded in them, the fields of categories whose time is over. A date
 * that is missing or cannot be read keeps nothing.
 */
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { FilterCondition } from '../../model/record-filter.ts';
import type { RetentionRule } from '../../model/retention.ts';
import { withoutCategories } from '../../model/verdict.ts';
import type { RecordScope } from '../formats/format.ts';
import { bound, dayIn } from './filtered.ts';
import type { Verdict } from './verdicts.ts';

type Because = 'retention_over' | 'retention_unreadable';
type Over = ReadonlyMap<string, Because>;
type Attributes = RecordScope['attributes'];

/** One date of a resource, which is read once a record, and the rules about it. */
interface RecordDate extends Pick<FilterCondition, 'attribute' | 'offset' | 'order'> {
  /** from the longest time to the shortest: a date is too old for some rules from the end on */
  readonly limits: { readonly from: number; readonly category: string }[];
}

const NOTHING: Over = new Map();

export class Retained {
  readonly #dates: ReadonlyMap<string, readonly RecordDate[]>;
  /** other caches are keyed by the verdict object, so equal records must get the same one; by the numbers of rules that are over */
  readonly #without = new WeakMap<Verdict, Map<string, Verdict>>();

  constructor(rules: readonly RetentionRule[]) {
    const byResource = Map.groupBy(rules, ({ condition }) => condition.resource);
    this.#dates = new Map([...byResource].map(([resource, own]) => [resource, datesOf(own)]));
  }

  /** The verdict on a scope with these attributes, without what is too old. */
  verdictOn(verdict: Verdict, attributes: Attributes): Verdict {
    const dates = this.#dates.get(verdict.catalog.resource);
    if (dates === undefined || verdict.withheld !== null) return verdict;
    let key = '';
    let isOver = false;
    for (const date of dates) {
      const over = overOf(date, attributes);
      isOver ||= over !== 0;
      key += `${over},`;
    }
    return isOver ? this.#dropping(verdict, dates, attributes, key) : verdict;
  }

  /** Categories of a resource of which nothing is left in a record with these attributes, with the reason. */
  overIn(resource: string, attributes: Attributes): Over {
    const dates = this.#dates.get(resource);
    return dates === undefined ? NOTHING : categoriesOver(dates, attributes);
  }

  #dropping(verdict: Verdict, dates: readonly RecordDate[], attributes: Attributes, key: string): Verdict {
    let known = this.#without.get(verdict);
    if (known === undefined) {
      known = new Map();
      this.#without.set(verdict, known);
    }
    let without = known.get(key);
    if (without === undefined) {
      const over = categoriesOver(dates, attributes);
      const answers = verdict.answers.map((answer) => stable(answer, verdict, over));
      without = { ...verdict, answers };
      known.set(key, without);
    }
    return without;
  }
}

function datesOf(rules: readonly RetentionRule[]): readonly RecordDate[] {
  const dates: RecordDate[] = [];
  for (const { category, condition } of rules) {
    const { attribute, offset, order, at_least } = condition;
    let date = dates.find((d) => d.attribute === attribute && d.offset === offset && d.order === order);
    if (date === undefined) {
      date = { attribute, offset, order, limits: [] };
      dates.push(date);
    }
    date.limits.push({ from: bound(at_least!), category });
  }
  for (const { limits } of dates) limits.sort((a, b) => a.from - b.from);
  return dates;
}

/** The number of rules whose time is over; -1: of all, since the date cannot be read. */
function overOf(date: RecordDate, attributes: Attributes): number {
  const day = dayIn(attributes, date);
  if (day === null) return -1;
  let over = 0;
  while (over < date.limits.length && day < date.limits.at(-1 - over)!.from) over++;
  return over;
}

/** Of a category that several rules name, the first reason counts. */
function categoriesOver(dates: readonly RecordDate[], attributes: Attributes): Over {
  const over = new Map<string, Because>();
  for (const date of dates) {
    const number = overOf(date, attributes);
    const because = number < 0 ? 'retention_unreadable' : 'retention_over';
    const limits = number < 0 ? date.limits : date.limits.slice(date.limits.length - number);
    for (const { category } of limits) if (!over.has(category)) over.set(category, because);
  }
  return over;
}

/** Field programs are found by the answer object, also those of other bodies. */
const WITHOUT = new WeakMap<DisclosureAnswer, Map<string, DisclosureAnswer>>();

function stable(answer: DisclosureAnswer, { catalog }: Verdict, over: Over): DisclosureAnswer {
  let known = WITHOUT.get(answer);
  if (known === undefined) {
    known = new Map();
    WITHOUT.set(answer, known);
  }
  // An answer belongs to one snapshot, which has one catalog of a name. The order of rules is none of the categories.
  const name = `${catalog.resource}\n${JSON.stringify([...over].sort())}`;
  let without = known.get(name);
  if (without === undefined) {
    without = withoutCategories(answer, catalog, over);
    known.set(name, without);
  }
  return without;
}
