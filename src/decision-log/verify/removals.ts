/**
 * Payloads that were removed. A record of kind `retention` or `erasure` states, in `removed`, which; a removal that no
 * record states is a problem.
 */
import type { DecisionRecord } from '../../model/record.ts';
import type { ChainLink } from '../journal/chain.ts';
import type { Problems } from './problems.ts';

/** Consecutive lines without a payload. */
interface Found {
  readonly origin: string;
  readonly shared: boolean;
  readonly first: number;
  last: number;
  readonly file: string;
  readonly line: number;
}

interface Stated {
  readonly first: number;
  readonly last: number;
}

export class Removals {
  readonly #found: Found[] = [];
  /** by origin, and whether it concerns shared documents */
  readonly #stated = new Map<string, Stated[]>();

  found(link: ChainLink, file: string, line: number): void {
    const shared = link.document !== null;
    const before = this.#found.at(-1);
    const { origin, seq } = link;
    if (
      before?.origin === origin &&
      before.shared === shared &&
      before.file === file &&
      (seq === before.last || seq === before.last + 1)
    )
      before.last = seq;
    else this.#found.push({ origin, shared, first: seq, last: seq, file, line });
  }

  /** Collects what a record states. */
  state({ kind, removed }: DecisionRecord): void {
    if ((kind !== 'retention' && kind !== 'erasure') || !Array.isArray(removed)) return;
    for (const { origin, first, last, shared } of removed) {
      if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) continue;
      const name = key(origin, shared === true);
      const ranges = this.#stated.get(name) ?? [];
      ranges.push({ first, last });
      this.#stated.set(name, ranges);
    }
  }

  /** Reports the first line of each run of removals that no record states. */
  check(problems: Problems): void {
    for (const { origin, shared, first, last, file, line } of this.#found) {
      const stated = this.#stated.get(key(origin, shared)) ?? [];
      const missing = unstated(first, last, stated);
      if (missing === null) continue;
      const what = shared ? 'a shared document written for record' : 'record';
      problems.add({
        what: 'payload_removed',
        message: `The payload of ${what} ${missing} was removed, and no record of kind retention or erasure states it.`,
        origin,
        file,
        line: missing === first ? line : null,
        seq: missing,
        decision_id: null,
      });
    }
  }
}

const key = (origin: string, shared: boolean): string => `${origin} ${shared}`;

/** The first seq of a range that no statement covers. */
function unstated(first: number, last: number, stated: readonly Stated[]): number | null {
  let next = first;
  for (const range of [...stated].sort((a, b) => a.first - b.first))
    if (range.first <= next && range.last >= next) next = range.last + 1;
  return next > last ? null : next;
}
