/** Which records a removal is about, and which of them stay. */
import { endOf, startOf, startOfPeriod } from '../../model/moment.ts';
import type { DecisionRecord, RecordKind } from '../../model/record.ts';

export interface Retention {
  /** ISO 8601: `P5Y` */
  readonly keep: string;
  readonly kinds: Readonly<Partial<Record<RecordKind, string>>>;
  /** by `category` or `category/grade`; of those that a record is about, the longest counts, and no other */
  readonly categories: Readonly<Record<string, string>>;
}

/** Records that must not be removed: those to which all given conditions apply. */
export interface Hold {
  readonly basis: string;
  /** as in the log */
  readonly data_subject?: string | undefined;
  readonly subject?: string | undefined;
  readonly decision?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export interface Wanted {
  /** null: explicit conditions */
  readonly retention: Retention | null;
  /** only records before; milliseconds since the epoch */
  readonly until: number | null;
  /** only records that name it, as in the log */
  readonly dataSubject: string | null;
  /** true: records that concern other data subjects, too, are removed with them */
  readonly shared: boolean;
}

/** stay: the removal is not about it */
export type Choice = 'stay' | 'remove' | 'shared' | { readonly held: string };

export function chooser(
  wanted: Wanted,
  holds: readonly Hold[],
  now: number,
): (record: DecisionRecord) => Choice {
  const ends = limits(wanted, now);
  const held = holds.map(({ basis, ...hold }) => ({ basis, applies: conditionOf(hold) }));
  return (record) => {
    if (isOfTheLog(record)) return 'stay';
    const { dataSubject } = wanted;
    if (Date.parse(record.timestamp) >= ends(record)) return 'stay';
    if (dataSubject !== null && !names(record, dataSubject)) return 'stay';
    const hold = held.find(({ applies }) => applies(record));
    if (hold !== undefined) return { held: hold.basis };
    const isShared =
      dataSubject !== null &&
      !wanted.shared &&
      record.disclosure?.data_subjects.some((id) => id !== dataSubject) === true;
    return isShared ? 'shared' : 'remove';
  };
}

/** The time before which a record is chosen. */
function limits({ retention, until }: Wanted, now: number): (record: DecisionRecord) => number {
  const most = until ?? Number.POSITIVE_INFINITY;
  if (retention === null) return () => most;
  const ends = (periods: Readonly<Record<string, string>>): ReadonlyMap<string, number> =>
    new Map(Object.entries(periods).map(([name, keep]) => [name, startOfPeriod(keep, now)]));
  const other = startOfPeriod(retention.keep, now);
  const [kinds, categories] = [ends(retention.kinds), ends(retention.categories)];
  return ({ disclosure, kind }) => {
    const own = Object.keys(disclosure?.by_class ?? {}).flatMap(
      (name) => categories.get(name) ?? categories.get(name.slice(0, name.indexOf('/'))) ?? [],
    );
    // The longest period began first.
    return Math.min(most, own.length > 0 ? Math.min(...own) : (kinds.get(kind) ?? other));
  };
}

/** What a start states of the chains: `verify` needs it, and it names no person. */
const isOfTheLog = (record: DecisionRecord): boolean => record.kind === 'admin' && record.subject === null;

/** In any member: also as the resource, or in the input of the policy. */
const names = (record: DecisionRecord, id: string): boolean =>
  record.disclosure?.data_subjects.includes(id) === true ||
  JSON.stringify(record).includes(JSON.stringify(id));

function conditionOf(hold: Omit<Hold, 'basis'>): (record: DecisionRecord) => boolean {
  const { data_subject, subject, decision } = hold;
  const since = hold.since === undefined ? Number.NEGATIVE_INFINITY : startOf(hold.since);
  const until = hold.until === undefined ? Number.POSITIVE_INFINITY : endOf(hold.until);
  return (record) => {
    const at = Date.parse(record.timestamp);
    return (
      at >= since &&
      at <= until &&
      (subject === undefined || record.subject?.id === subject) &&
      (decision === undefined || record.decision_id === decision) &&
      (data_subject === undefined || names(record, data_subject))
    );
  };
}
