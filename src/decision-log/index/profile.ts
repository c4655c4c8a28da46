/**
 * A profile is all that a record has in common with many others and that queries ask for: kind, outcome, purpose, reasons, paths,
 * classes and so on. There are some hundred profiles and millions of records. So an index stores the profile once, and a
 * posting for each record that has it.
 */
import { createHash } from 'node:crypto';
import type { DecisionRecord } from '../../model/record.ts';
import type { ReadyQuery } from './query.ts';

export interface Profile {
  readonly kind: string;
  readonly outcome: string;
  readonly action: string | null;
  readonly purpose: string | null;
  readonly recipient: string | null;
  readonly resource: string | null;
  readonly policy: string | null;
  readonly reasons: readonly string[];
  readonly released: readonly string[];
  readonly withheld: readonly string[];
  readonly byClass: readonly string[];
  /** of them, those of which something was disclosed */
  readonly disclosed: readonly string[];
  /** the record is one of several of its decision, and the others may have what this one has not */
  readonly isPart: boolean;
}

export function profileOf(r: DecisionRecord): Profile {
  const { disclosure: d } = r;
  const classes = Object.entries(d?.by_class ?? {});
  return {
    kind: r.kind,
    outcome: r.outcome,
    action: r.action,
    purpose: r.purpose,
    recipient: r.recipient,
    resource: r.resource?.type ?? null,
    policy: r.policy?.revision ?? null,
    reasons: distinct(r.reasons.map(({ code }) => code)),
    released: d?.released ?? [],
    withheld: distinct((d?.withheld ?? []).map(({ path }) => path)),
    byClass: classes.map(([cls]) => cls),
    disclosed: classes.filter(([, done]) => (done['disclose'] ?? 0) > 0).map(([cls]) => cls),
    isPart: r.part.number !== 1 || !r.part.last,
  };
}

const distinct = (list: readonly string[]): string[] => [...new Set(list)].sort();

type Test = (profile: Profile) => boolean;

/** What a query asks of profiles; the rest it asks of keys and times. */
function testsOf(q: ReadyQuery): readonly Test[] {
  const tests: Test[] = [];
  const add = <T>(wanted: T | undefined, test: (profile: Profile, wanted: T) => boolean) => {
    if (wanted !== undefined) tests.push((profile) => test(profile, wanted));
  };
  add(q.reason, (p, code) => p.reasons.includes(code));
  add(q.path, (p, path) => p.released.includes(path) || (q.released !== true && p.withheld.includes(path)));
  add(q.class, (p, cls) => (q.released === true ? p.disclosed : p.byClass).includes(cls));
  add(q.policy, (p, start) => p.policy?.startsWith(start) === true);
  add(q.outcome, (p, outcome) => p.outcome === outcome);
  add(q.purpose, (p, purpose) => p.purpose === purpose);
  add(q.recipient, (p, recipient) => p.recipient === recipient);
  add(q.action, (p, action) => p.action === action);
  add(q.resource_type, (p, type) => p.resource === type);
  add(q.kind, (p, kind) => p.kind === kind);
  return tests;
}

/** The profiles of an index, in memory. */
export class Profiles {
  readonly #byNumber = new Map<number, Profile>();
  #last = 0;

  /** the greatest number; an index gives increasing ones */
  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#byNumber.size;
  }

  add(number: number, text: string): void {
    this.#byNumber.set(number, JSON.parse(text) as Profile);
    this.#last = Math.max(this.#last, number);
  }

  /**
   * Numbers of the profiles that a record of a result may have; null: any. What the query asks for may be in different records of one
   * decision. One of them passes the first test.
   * @param byKey the records are found by a key, which any of them may have
   */
  matching(q: ReadyQuery, byKey: boolean): readonly number[] | null {
    const tests = testsOf(q);
    if (tests.length === 0) return null;
    const passes = (p: Profile): boolean =>
      p.isPart ? byKey || tests[0]!(p) : tests.every((test) => test(p));
    return [...this.#byNumber].filter(([, profile]) => passes(profile)).map(([number]) => number);
  }
}

/** A text that many records share, and what it is found by. */
export interface Text {
  readonly text: string;
  /** SHA-256, hex */
  readonly digest: string;
}

export const textOf = (value: unknown, kind = ''): Text => {
  const text = JSON.stringify(value);
  return { text, digest: createHash('sha256').update(kind).update(text).digest('hex') };
};
