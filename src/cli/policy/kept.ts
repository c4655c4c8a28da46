/** What one run of a watch leaves to the next, by what it was made from: a change of a scenario compiles no rules. */
export class Kept {
  #last = new Map<string, Promise<unknown>>();
  #now = new Map<string, Promise<unknown>>();

  /** @returns what was made for the same key in this run or the last; what failed is made again */
  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const found = (this.#now.get(key) ?? this.#last.get(key)) as Promise<T> | undefined;
    const made = found ?? make();
    this.#now.set(key, made);
    made.catch(() => {
      this.#now.delete(key);
      this.#last.delete(key);
    });
    return made;
  }

  /** The next run begins: what the last one did not ask for is forgotten. */
  next(): void {
    this.#last = this.#now;
    this.#now = new Map();
  }
}
