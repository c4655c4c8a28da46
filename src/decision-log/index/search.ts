/**
 * How both indexes find the candidates of a query, newest first. Days without a possible result are skipped. Within the others,
 * the order of preference is: postings of a key (a customer, a subject, a grant), postings of the few profiles that
 * may match, all decisions of the day if most match.
 */
import { dateOf, idAt, keyOf, startOf } from './entry.ts';
import type { ReadyQuery } from './query.ts';
import type { IndexStatus } from './store.ts';

export interface Day {
  readonly day: number;
  readonly records: number;
  /** least and greatest delay of its records, milliseconds */
  readonly low: number;
  readonly high: number;
}

/** Ids from `from` (inclusive) to `to` (exclusive). */
export interface Range {
  readonly from: string;
  readonly to: string;
}

/** The greatest id and more. */
const END = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The days in which results may be, newest first, each with the ids to look at. */
export function ranges(days: readonly Day[], q: ReadyQuery, before: string | null): (Range & Day)[] {
  const end = before ?? END;
  return [...days]
    .sort((a, b) => b.day - a.day)
    .map((day) => {
      // The time of a decision is that of a record: its id's and the delay.
      const from = idAt(Math.max(startOf(day.day), q.from - day.high));
      const to = idAt(Math.min(startOf(day.day + 1), q.to - day.low));
      return { ...day, from, to: to < end ? to : end };
    })
    .filter(({ from, to }) => from < to);
}

/** Keys that a result must have, the one that is likely to be the rarest first. */
export function keysIn(q: ReadyQuery): readonly number[] {
  return [
    ...[q.data_subject, q.resource_id].filter((id) => id !== undefined).map((id) => keyOf('id', id)),
    ...(q.grant_id === undefined ? [] : [keyOf('grant', q.grant_id)]),
    ...(q.subject === undefined ? [] : [keyOf('subject', q.subject)]),
  ];
}

/** records of a day that have a profile */
export interface Count {
  readonly day: number;
  readonly profile: number;
  readonly records: number;
}

/** Costs in postings that are read: to begin with those of another profile, and to look at a record. */
const SEEK = 10;
const LOOK = 2;

/** True if it costs less to look at each record of a day, newest first, until `n` are found, than to read the postings of each profile. */
function isDense(counts: readonly Count[], matching: number, records: number, n: number): boolean {
  const postings = counts.reduce((sum, count) => sum + SEEK + Math.min(count.records, n), 0);
  return LOOK * Math.min(records, (n * records) / matching) < postings;
}

/** True: the counts of these profiles are few on all days, and are read by profile. Else they are read by day. */
export const areFew = (profiles: readonly number[]): boolean => profiles.length <= 500;

/**
 * The days whose counts are read at once, newest first. If many profiles match, most pages are found in the first days, and the counts of the
 * others, which grow with the log, are not read then. A group costs a round trip, so groups get larger.
 */
export function* groups<D>(days: readonly D[], profiles: readonly number[]): Generator<readonly D[]> {
  for (let at = 0, size = areFew(profiles) ? days.length : 2; at < days.length; at += size, size *= 4)
    yield days.slice(at, at + size);
}

export interface Step extends Range {
  /** that records of these days have */
  readonly profiles: readonly number[];
  /** null: look at every decision */
  readonly keys: readonly (Range & { readonly day: number; readonly key: number })[] | null;
}

/** Steps through the days so that each is likely to find `n` candidates. */
export function* steps(days: readonly (Range & Day)[], counts: readonly Count[], n: number): Generator<Step> {
  const byDay = Map.groupBy(counts, ({ day }) => day);
  let keys: (Range & { day: number; key: number })[] = [];
  let found = 0;
  let to = '';
  const step = (from: string): Step => ({ from, to, keys, profiles: keys.map(({ key }) => key) });
  for (const { day, records, from, to: end } of days) {
    const range = { from, to: end };
    const counted = byDay.get(day) ?? [];
    const matching = counted.reduce((sum, count) => sum + count.records, 0);
    if (matching === 0) continue;
    if (isDense(counted, matching, records, n)) {
      if (keys.length > 0) yield step(end);
      [keys, found, to] = [[], 0, ''];
      yield { ...range, keys: null, profiles: counted.map(({ profile }) => profile) };
      continue;
    }
    if (keys.length === 0) to = end;
    keys.push(...counted.map(({ profile }) => ({ ...range, day, key: profile })));
    found += matching;
    if (found < n) continue;
    yield step(from);
    [keys, found, to] = [[], 0, ''];
  }
  if (keys.length > 0) yield step(days.at(-1)!.from);
}

/** What the days say about an index as a whole. */
export function summary(days: readonly Day[]): Pick<IndexStatus, 'records' | 'days'> {
  const numbers = days.map(({ day }) => day);
  return {
    records: days.reduce((sum, { records }) => sum + records, 0),
    days: days.length === 0 ? null : [dateOf(Math.min(...numbers)), dateOf(Math.max(...numbers))],
  };
}
