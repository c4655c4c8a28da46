/** Closed: everything is tried. Open: nothing, for a while. Then one is tried, and its result decides. */
const FAILURES = 5;
const PAUSE_MS = 2_000;

export class Breaker {
  #failures = 0;
  #openedAt = Number.NEGATIVE_INFINITY;
  #isTrying = false;

  get isClosed(): boolean {
    return this.#failures < FAILURES;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isClosed) {
      if (this.#isTrying || performance.now() - this.#openedAt < PAUSE_MS)
        throw new Error('the service failed several times in a row, and is left alone for a moment');
      this.#isTrying = true;
    }
    try {
      const result = await work();
      this.#failures = 0;
      return result;
    } catch (e) {
      this.#failures++;
      this.#openedAt = performance.now();
      throw e;
    } finally {
      this.#isTrying = false;
    }
  }
}
