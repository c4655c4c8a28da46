/** What one run of a watch leaves to the next, by what it was made from: a change of a scenario compiles no rules. */
export class Kept {
  #last = new Map<string, Promise<unknown>>();
  #now = new Map<string, Promise<unknown>>();

  /** @returns what was made for the same key in this run or the last; what failed is made again */
  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const now = this.#now.get(key) as Promise<T> | undefined;
    if (now !== undefined) return now;
    const last = this.#last.get(key) as Promise<T> | undefined;
    // What the last run left unfinished may have been stopped with it.
    const made = last === undefined ? make() : last.catch(make);
    this.#now.set(key, made);
    made.catch(() => {
      for (const all of [this.#now, this.#last]) if (all.get(key) === made) all.delete(key);
    });
    return made;
  }

  /** The next run begins: what the last one did not ask for is forgotten. */
  next(): void {
    this.#last = this.#now;
    this.#now = new Map();
  }
}
