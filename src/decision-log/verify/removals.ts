/** Compares removed payloads with the statements of removal (removal/statement.ts) in the journal. */
import type { DecisionRecord } from '../../model/record.ts';
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
