/**
 * What was left out around a record, in an element that may go with it: told of only if the element stays, since otherwise the account of an answer
 * would tell that there was one.
 */
import type { FrameCounter } from '../format.ts';

/** different places in one element; what upstreams make up is not kept without end */
const MOST = 64;

export class Deferred implements FrameCounter {
  readonly #rows = new Map<string, readonly [path: string, because: string]>();

  withheld(path: string, because: string): void {
    if (this.#rows.size < MOST) this.#rows.set(`${because} ${path}`, [path, because]);
  }

  /** the element stays */
  tell(counter: FrameCounter): void {
    for (const [path, because] of this.#rows.values()) counter.withheld(path, because);
    this.#rows.clear();
  }
}
