/** The quasi-identifiers of a record after treatment, by path and place. */
export class QuasiValues {
  readonly #values = new Map<string, string[]>();

  /** @param place the list elements around the value, since values of one element belong together */
  add(path: string, place: string, value: string): void {
    const key = `${path} ${place}`;
    const known = this.#values.get(key);
    if (known === undefined) this.#values.set(key, [value]);
    else known.push(value);
  }

  /** an unambiguous key, independent of the order of the values */
  toString(): string {
    return JSON.stringify([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
