/** How often somebody may do something in a time. Counts are this process's own; the number of them is bounded. */

const MOST_KEYS = 50_000;

export class Rate {
  readonly #limit: number;
  readonly #window: number;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  #began = 0;

  /** @param window milliseconds @param now milliseconds of a clock that nobody sets */
  constructor(limit: number, window: number, now: () => number) {
    this.#limit = limit;
    this.#window = window;
    this.#now = now;
  }

  /** Null: it may go on; otherwise after how many seconds. */
  take(key: string): number | null {
    const now = this.#now();
    if (now - this.#began >= this.#window) {
      this.#counts = new Map();
      this.#began = now;
    }
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#limit || (count === 0 && this.#counts.size >= MOST_KEYS))
      return Math.max(1, Math.ceil((this.#began + this.#window - now) / 1000));
    this.#counts.set(key, count + 1);
    return null;
  }
}
