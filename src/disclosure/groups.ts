/** k-anonymity (Sweeney 2002): records that fewer than k others look like, by their quasi-identifiers as they would leave. */

/** The values of a record's quasi-identifiers as they would leave, by path: several where a list or embedded resources have them. */
export class QuasiValues {
  readonly #values = new Map<string, string[]>();

  add(path: string, value: string): void {
    const known = this.#values.get(path);
    if (known === undefined) this.#values.set(path, [value]);
    else known.push(value);
  }

  /** unambiguous, and equal for equal values however the records order them */
  toString(): string {
    return JSON.stringify([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** @returns the records whose group has fewer than `k` members */
export function smallGroups<T>(groups: readonly (readonly [T, string])[], k: number): ReadonlySet<T> {
  const counts = new Map<string, number>();
  for (const [, group] of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  return new Set(groups.filter(([, group]) => counts.get(group)! < k).map(([record]) => record));
}
