/**
 * So many connections to an upstream, taken in the order of asking. The pool below has a queue too, but nobody can leave that one:
 * a caller that has gone would hold its place, and everything that belongs to its request, until the upstream comes round to it.
 */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(connections: number) {
    this.#free = connections;
  }

  /** @returns whether `go` was called at once; otherwise it will be, unless it leaves before */
  take(go: () => void): boolean {
    if (this.#free === 0) {
      this.#waiting.add(go);
      return false;
    }
    this.#free -= 1;
    go();
    return true;
  }

  /** @returns false if it was not waiting (any more) */
  leave(go: () => void): boolean {
    return this.#waiting.delete(go);
  }

  /** A connection is free again. */
  done(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
