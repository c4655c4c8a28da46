/** A map of which most bodies need one entry: that stands in fields, since a `Map` costs more than all that is kept in it. */
export class SmallMap<K, V> {
  #key: K | undefined;
  #value: V | undefined;
  #more: Map<K, V> | null = null;

  get(key: K): V | undefined {
    if (key === this.#key) return this.#value;
    return this.#more === null ? undefined : this.#more.get(key);
  }

  /** @param key that is not undefined */
  set(key: K, value: V): void {
    if (this.#key === undefined || this.#key === key) {
      this.#key = key;
      this.#value = value;
      return;
    }
    this.#more ??= new Map();
    this.#more.set(key, value);
  }

  get size(): number {
    return (this.#key === undefined ? 0 : 1) + (this.#more === null ? 0 : this.#more.size);
  }

  clear(): void {
    this.#key = undefined;
    this.#value = undefined;
    this.#more = null;
  }

  /** in the order in which they came */
  *values(): IterableIterator<V> {
    if (this.#key !== undefined) yield this.#value as V;
    if (this.#more !== null) yield* this.#more.values();
  }
}

/** so many things are looked through faster than found in a set */
const FEW = 8;

/** Different texts, in the order in which they came; mostly few. */
export class SmallSet {
  #few: string[] = [];
  #all: Set<string> | null = null;

  add(text: string): void {
    if (this.#all !== null) this.#all.add(text);
    else if (!this.#few.includes(text)) {
      this.#few.push(text);
      if (this.#few.length > FEW) this.#all = new Set(this.#few);
    }
  }

  get size(): number {
    return this.#all === null ? this.#few.length : this.#all.size;
  }

  /** all of them; they are the caller's, and it begins anew */
  take(): string[] {
    const texts = this.#all === null ? this.#few : [...this.#all];
    this.#few = [];
    this.#all = null;
    return texts;
  }
}
