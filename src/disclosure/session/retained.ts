/**
 * Drops what is older than the decision's `retention`: in records, and in resources embedded in them, the fields of categories whose time is over. A date
 * that is missing or cannot be read keeps nothing.
 */
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { RetentionRule } from '../../model/retention.ts';
import { withoutCategories } from '../../model/verdict.ts';
import type { RecordScope } from '../formats/format.ts';
import { isWithin } from './filtered.ts';
import type { Verdict } from './verdicts.ts';

type Because = 'retention_over' | 'retention_unreadable';

export class Retained {
  readonly #rules: ReadonlyMap<string, readonly RetentionRule[]>;
  /** other caches are keyed by the verdict object, so equal records must get the same one */
  readonly #without = new WeakMap<Verdict, Map<string, Verdict>>();

  constructor(rules: readonly RetentionRule[]) {
    this.#rules = Map.groupBy(rules, ({ condition }) => condition.resource);
  }

  /** The verdict on a scope with these attributes, without what is too old. */
  verdictOn(verdict: Verdict, attributes: RecordScope['attributes']): Verdict {
    const rules = this.#rules.get(verdict.catalog.resource);
    if (rules === undefined || verdict.withheld !== null) return verdict;
    const over = overIn(rules, attributes);
    return over.size === 0 ? verdict : this.#dropping(verdict, over);
  }

  #dropping(verdict: Verdict, over: ReadonlyMap<string, Because>): Verdict {
    let known = this.#without.get(verdict);
    if (known === undefined) {
      known = new Map();
      this.#without.set(verdict, known);
    }
    const key = JSON.stringify([...over]);
    let without = known.get(key);
    if (without === undefined) {
      const answers = verdict.answers.map((answer) => stable(answer, verdict, over, key));
      without = { ...verdict, answers };
      known.set(key, without);
    }
    return without;
  }
}

/** Categories of a resource of which nothing is left, with the reason. */
export function overIn(
  rules: readonly RetentionRule[],
  attributes: RecordScope['attributes'],
): ReadonlyMap<string, Because> {
  const over = new Map<string, Because>();
  for (const { category, condition } of rules) {
    const is = isWithin(condition, attributes);
    if (is !== true) over.set(category, is === null ? 'retention_unreadable' : 'retention_over');
  }
  return over;
}

/** Field programs are found by the answer object, also those of other bodies. */
const WITHOUT = new WeakMap<DisclosureAnswer, Map<string, DisclosureAnswer>>();

function stable(
  answer: DisclosureAnswer,
  { catalog }: Verdict,
  over: ReadonlyMap<string, Because>,
  key: string,
): DisclosureAnswer {
  let known = WITHOUT.get(answer);
  if (known === undefined) {
    known = new Map();
    WITHOUT.set(answer, known);
  }
  // An answer belongs to one snapshot, which has one catalog of a name.
  const name = `${catalog.resource}\n${key}`;
  let without = known.get(name);
  if (without === undefined) {
    without = withoutCategories(answer, catalog, over);
    known.set(name, without);
  }
  return without;
}
