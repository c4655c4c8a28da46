/**
 * Limits the connections to an upstream, in the order of the requests. The queue of the pool cannot be left: a caller that has
 * disconnected would keep its place, and the memory of its request, until its turn.
 */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(connections: number) {
    this.#free = connections;
  }

  /** @returns true if `go` was called at once; otherwise it is called later, unless `leave` comes first */
  take(go: () => void): boolean {
    if (this.#free === 0) {
      this.#waiting.add(go);
      return false;
    }
    this.#free -= 1;
    go();
    return true;
  }

  /** @returns false if it is not waiting */
  leave(go: () => void): boolean {
    return this.#waiting.delete(go);
  }

  /** Frees a connection. */
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
