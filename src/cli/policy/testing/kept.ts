/** Keeps results of one run of a watch for the next, by their input: a change of a scenario compiles no rules. */
export class Kept {
  #last = new Map<string, Promise<unknown>>();
  #now = new Map<string, Promise<unknown>>();

  /** @returns the result for the same key in this run or the last; a failure is computed again */
  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const now = this.#now.get(key) as Promise<T> | undefined;
    if (now !== undefined) return now;
    const last = this.#last.get(key) as Promise<T> | undefined;
    // Work that the last run left unfinished may have been stopped with it.
    const made = last === undefined ? make() : last.catch(make);
    this.#now.set(key, made);
    made.catch(() => {
      for (const all of [this.#now, this.#last]) if (all.get(key) === made) all.delete(key);
    });
    return made;
  }

  /** Starts the next run: results that the last run did not use are dropped. */
  next(): void {
    this.#last = this.#now;
    this.#now = new Map();
  }
}
