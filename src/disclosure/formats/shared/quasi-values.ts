/** The values of a record's quasi-identifiers as they would leave, by path and place. */
export class QuasiValues {
  readonly #values = new Map<string, string[]>();

  /** @param place which elements of lists it stands in: which values stand together is part of a combination */
  add(path: string, place: string, value: string): void {
    const key = `${path} ${place}`;
    const known = this.#values.get(key);
    if (known === undefined) this.#values.set(key, [value]);
    else known.push(value);
  }

  /** unambiguous, and equal for equal values however the records order them */
  toString(): string {
    return JSON.stringify([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
