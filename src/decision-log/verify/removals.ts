/** Compares removed payloads with the statements of removal (removal/statement.ts) in the journal. */
import type { DecisionRecord } from '../../model/record.ts';
import { headPath, listOrigins } from '../journal/directory.ts';
import { readHead } from '../journal/head.ts';
import { readLines } from '../journal/lines.ts';
import { SegmentReader } from '../journal/reader.ts';
import {
  isIn,
  isOfRemovals,
  type Range,
  type StatementRecord,
  statementIn,
  union,
} from '../removal/statement.ts';

/** What one decision removed. */
export interface RemovalReport {
  readonly decision_id: string;
  readonly at: string;
  readonly by: string;
  readonly basis: string;
  /** what was asked for */
  readonly filter: string;
  readonly records: number;
  readonly chains: readonly string[];
}

export class Removals {
  readonly #statements: StatementRecord[] = [];
  readonly #ranges = new Map<string, readonly Range[]>();

  /** @param isDurable the head covers the record: anybody may have appended others */
  collect(record: DecisionRecord, isDurable: boolean): void {
    if (!isDurable || !isOfRemovals(record.origin)) return;
    const statement = statementIn(record);
    if (statement === null) return;
    this.#statements.push(statement);
    this.#ranges.delete(statement.origin);
  }

  isStated(origin: string, seq: number): boolean {
    let ranges = this.#ranges.get(origin);
    if (ranges === undefined) {
      ranges = union(this.#statements.filter((s) => s.origin === origin).map((s) => s.ranges));
      this.#ranges.set(origin, ranges);
    }
    return isIn(ranges, seq);
  }

  /** in the order of the statements */
  report(): readonly RemovalReport[] {
    const found = new Map<string, RemovalReport>();
    for (const { origin, records, removal } of this.#statements) {
      const known = found.get(removal.decision_id);
      const chains = new Set([...(known?.chains ?? []), origin]);
      found.set(removal.decision_id, {
        ...removal,
        records: (known?.records ?? 0) + records,
        chains: [...chains],
      });
    }
    return [...found.values()];
  }
}

/** The statements in a journal, as far as the heads of their chains cover them. The chains are not verified: `verify` does that. */
export async function readRemovals(dir: string): Promise<Removals> {
  const removals = new Removals();
  for (const { origin, segments } of await listOrigins(dir)) {
    if (!isOfRemovals(origin)) continue;
    const head = readHead(headPath(dir, origin), null)?.latest?.head.seq ?? 0;
    const reader = new SegmentReader();
    for (const { path } of segments) {
      reader.begin();
      for await (const lines of readLines(path))
        for (const { bytes } of lines) {
          const read = reader.read(bytes);
          if (read.what === 'record') removals.collect(read.record, read.link.seq <= head);
        }
    }
  }
  return removals;
}
