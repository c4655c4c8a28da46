/** Waits for a promise, but not for ever: one timer a body, made when there is something to wait for and pushed ahead from then on. */
export class IdleTimer {
  readonly #ms: number;
  #timer: NodeJS.Timeout | null = null;
  #wake: (() => void) | null = null;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** whether the promise settles in time; its failure is left to whoever awaits it */
  async with(promise: Promise<unknown>): Promise<boolean> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    // what is there already comes within a few turns of the microtask queue
    for (let turn = 0; turn < 4 && !settled; turn++) await null;
    if (settled) return true;
    return new Promise((resolve) => {
      this.#wake = () => resolve(false);
      if (this.#timer === null) this.#timer = setTimeout(() => this.#wake?.(), this.#ms);
      else this.#timer.refresh();
      const inTime = () => resolve(true);
      promise.then(inTime, inTime);
    });
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
