/** Counts over decisions, and what of a decision is counted. */
import type { Decision } from '../decision-log/index/query.ts';
import type { Cell } from './report.ts';

/** The value of a key, which is made if it is not there. */
export function entryIn<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** name → number */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(name: string, n = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** the largest first, equal ones by name */
  sorted(): readonly (readonly [string, number])[] {
    return [...this.#counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  }

  names(): readonly string[] {
    return [...this.#counts.keys()].sort();
  }
}

/** What happened to somebody or something. */
export class Tally {
  decisions = 0;
  refused = 0;
  records = 0;
  first = Number.POSITIVE_INFINITY;
  last = Number.NEGATIVE_INFINITY;
  readonly customers = new Set<string>();
  readonly callers = new Set<string>();
  readonly purposes = new Set<string>();
  readonly clear = new Set<string>();
  readonly disguised = new Set<string>();

  add(decision: Decision): void {
    const at = Date.parse(decision.timestamp);
    this.decisions++;
    if (isRefused(decision)) this.refused++;
    this.first = Math.min(this.first, at);
    this.last = Math.max(this.last, at);
    if (decision.subject !== null) this.callers.add(decision.subject.id);
    if (decision.purpose !== null) this.purposes.add(decision.purpose);
    this.records += decision.disclosure?.records ?? 0;
    if (hasDisclosed(decision)) for (const id of customersOf(decision)) this.customers.add(id);
    const { clear, disguised } = classesOf(decision);
    for (const cls of clear) this.clear.add(cls);
    for (const cls of disguised) this.disguised.add(cls);
  }
}

/** A group of tallies. */
export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  add(name: string, decision: Decision): void {
    const tally = entryIn(this.#tallies, name, () => new Tally());
    tally.add(decision);
  }

  get size(): number {
    return this.#tallies.size;
  }

  get(name: string): Tally | undefined {
    return this.#tallies.get(name);
  }

  /** the most decisions first, equal ones by name */
  sorted(): readonly (readonly [string, Tally])[] {
    return [...this.#tallies].sort(([a, x], [b, y]) => y.decisions - x.decisions || (a < b ? -1 : 1));
  }
}

/** Something of somebody left, as the counts of decisions mean it: not of an answer that was replaced. */
const hasDisclosed = ({ disclosure }: Decision): boolean =>
  disclosure !== null && (disclosure.records > 0 || disclosure.released.length > 0);

/** A request for data, and no change of consents, grants, keys or the policy. */
export const isAccess = ({ kind }: Decision): boolean =>
  kind === 'disclosure' || kind === 'authzen' || kind === 'mcp';
export const isRefused = ({ outcome }: Decision): boolean => outcome === 'denied';
/** It was not refused, and did not fail. */
export const isPermitted = ({ outcome }: Decision): boolean => outcome !== 'denied' && outcome !== 'error';

/** Decisions come in any order, and a report must not depend on it. */
export const isLater = (a: Decision, b: Decision): boolean =>
  a.timestamp > b.timestamp || (a.timestamp === b.timestamp && a.decision_id > b.decision_id);

/** Pseudonyms of the people whose data were in the answer. */
export const customersOf = ({ disclosure }: Decision): readonly string[] => disclosure?.data_subjects ?? [];

export const rolesOf = ({ subject }: Decision): readonly string[] => subject?.properties.roles ?? [];

const GONE = new Set(['drop', 'nullify']);

/** Classes by what happened to them in the answer; one may be in several lists. */
export function classesOf({ disclosure }: Decision): {
  readonly clear: readonly string[];
  readonly disguised: readonly string[];
  readonly withheld: readonly string[];
} {
  const found = { clear: [] as string[], disguised: [] as string[], withheld: [] as string[] };
  for (const [cls, treatments] of Object.entries(disclosure?.by_class ?? {}))
    for (const [treatment, count] of Object.entries(treatments)) {
      if (count === 0) continue;
      const list =
        treatment === 'disclose' ? found.clear : GONE.has(treatment) ? found.withheld : found.disguised;
      if (!list.includes(cls)) list.push(cls);
    }
  return found;
}

export const listed = (names: Iterable<string>): Cell => [...names].sort().join(', ') || null;
