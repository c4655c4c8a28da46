/**
 * A statement of removal: a decision record that names the records whose payloads are removed, who removes them, and on which basis. It is durable
 * before anything is removed. Statements have chains of their own, `removals-<8 hex digits>`, which are never archived and from which nothing is removed, so
 * `verify` finds the statement of every removed payload.
 */
import type { DecisionRecord, DecisionRecordDraft } from '../../model/record.ts';
import { namelessIn } from '../../model/input.ts';

/** instance of these chains */
export const REMOVALS = 'removals';
export const ACTION = 'decisions.remove';

export const isOfRemovals = (origin: string): boolean => /^removals-[0-9a-f]{8}$/.test(origin);

/** first and last seq */
export type Range = readonly [first: number, last: number];

export interface Statement {
  readonly origin: string;
  readonly ranges: readonly Range[];
  /** in the ranges */
  readonly records: number;
}

/** Who removes what, and why: the same for all statements of one removal. */
export interface Removal {
  readonly decision_id: string;
  /** RFC 3339 */
  readonly at: string;
  readonly by: string;
  readonly basis: string;
  /** what was asked for, in words */
  readonly filter: string;
  /** as in the log */
  readonly data_subject: string | null;
  /** basis of a hold → records that were kept because of it */
  readonly held: Readonly<Record<string, number>>;
}

/** `1-40,43,57-90` */
const spelled = (ranges: readonly Range[]): string =>
  ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');

const SPELLED = /^[1-9]\d{0,15}(?:-[1-9]\d{0,15})?(?:,[1-9]\d{0,15}(?:-[1-9]\d{0,15})?)*$/;

function parsed(text: unknown): readonly Range[] | null {
  if (typeof text !== 'string' || !SPELLED.test(text)) return null;
  const ranges = text.split(',').map((part): Range => {
    const [first, last = first] = part.split('-').map(Number) as [number, number?];
    return [first, last!];
  });
  const isAscending = ranges.every(([first, last], i) => first <= last && first > (ranges[i - 1]?.[1] ?? 0));
  return isAscending ? ranges : null;
}

/** @param part a removal has one statement for each chain, or several, since a record has a maximum length */
export const statementDraft = (
  { decision_id, at, by, basis, filter, data_subject, held }: Removal,
  { origin, ranges, records }: Statement,
  part: { readonly number: number; readonly last: boolean },
): DecisionRecordDraft => ({
  decision_id,
  timestamp: at,
  kind: data_subject === null ? 'admin' : 'erasure',
  outcome: 'allowed',
  subject: { type: 'user', id: by, properties: namelessIn('internal') },
  action: ACTION,
  resource: null,
  purpose: null,
  tier: null,
  recipient: null,
  justification: basis,
  grant_id: null,
  claimed: [],
  reasons: [
    {
      code: 'payloads_removed',
      message: `The content of ${records} records of the chain ${origin}: ${filter}.`,
    },
  ],
  disclosure: null,
  request: null,
  upstream: null,
  response: null,
  policy: null,
  input: {
    removal: {
      origin,
      seqs: spelled(ranges),
      records,
      ...(data_subject === null ? {} : { data_subject }),
      held,
    },
  },
  timings_us: {},
  trace_id: null,
  labels: {},
  part,
});

export interface StatementRecord extends Statement {
  readonly removal: Pick<Removal, 'decision_id' | 'at' | 'by' | 'basis' | 'filter'>;
}

/** null: the record states no removal */
export function statementIn(record: DecisionRecord): StatementRecord | null {
  if (record.action !== ACTION) return null;
  const stated = (record.input as { readonly removal?: Readonly<Record<string, unknown>> } | null)?.removal;
  const ranges = parsed(stated?.['seqs']);
  if (typeof stated?.['origin'] !== 'string' || ranges === null) return null;
  const message = record.reasons[0]?.message ?? '';
  return {
    origin: stated['origin'],
    ranges,
    records: ranges.reduce((n, [first, last]) => n + last - first + 1, 0),
    removal: {
      decision_id: record.decision_id,
      at: record.timestamp,
      by: record.subject?.id ?? '',
      basis: record.justification ?? '',
      filter: message.slice(message.indexOf(': ') + 2).replace(/\.$/, ''),
    },
  };
}

/** Ascending seqs as ranges. */
export class Ranges {
  readonly #list: [number, number][] = [];
  count = 0;

  get list(): readonly Range[] {
    return this.#list;
  }

  add(seq: number): void {
    const last = this.#list.at(-1);
    this.count++;
    if (last !== undefined && last[1] === seq - 1) last[1] = seq;
    else this.#list.push([seq, seq]);
  }
}

/** @param ranges ascending */
export function isIn(ranges: readonly Range[], seq: number): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const at = (low + high) >> 1;
    const [first, last] = ranges[at]!;
    if (seq < first) high = at - 1;
    else if (seq > last) low = at + 1;
    else return true;
  }
  return false;
}

/** The seqs of all, ascending. */
export function union(lists: readonly (readonly Range[])[]): readonly Range[] {
  const merged: [number, number][] = [];
  for (const [first, last] of lists.flat().sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}
