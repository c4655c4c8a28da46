/**
 * Defers the counting of fields around a record until it is known whether the element around them is kept: counted for a removed element, they
 * would reveal that it existed.
 */
import type { FrameCounter } from '../format.ts';

/** bound for distinct fields of one element, which the upstream chooses */
const MAX_ROWS = 64;

export class Deferred implements FrameCounter {
  readonly #rows = new Map<string, readonly [path: string, because: string]>();

  withheld(path: string, because: string): void {
    if (this.#rows.size < MAX_ROWS) this.#rows.set(`${because} ${path}`, [path, because]);
  }

  /** The element is kept: counts its fields. */
  flush(counter: FrameCounter): void {
    for (const [path, because] of this.#rows.values()) counter.withheld(path, because);
    this.#rows.clear();
  }
}
