/** Waits for promises up to a time limit. One timer serves a whole body: it is created at the first wait and refreshed by later ones. */
export class IdleTimer {
  readonly #ms: number;
  #timer: NodeJS.Timeout | null = null;
  #wake: (() => void) | null = null;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Resolves to whether the promise settles in time. A rejection is left to the code that awaits the promise itself. */
  async with(promise: Promise<unknown>): Promise<boolean> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    // a value that is available already arrives within a few microtasks: no timer is needed
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
