/**
 * Finds groups that are too small for k-anonymity (Sweeney 2002). A group is the records whose quasi-identifiers are equal after treatment. The
 * size of a group is its number of people, since five rows of one customer hide nobody.
 */

export interface Grouped<T> {
  readonly record: T;
  readonly group: string;
  /** ids of the data subjects; empty if the catalog names none: the record then counts as one person */
  readonly people: readonly string[];
}

/** @returns the records whose group has fewer than `k` records without a common person */
export function smallGroups<T>(grouped: readonly Grouped<T>[], k: number): ReadonlySet<T> {
  const groups = new Map<string, { readonly seen: Set<string>; size: number }>();
  for (const { group, people } of grouped) {
    let known = groups.get(group);
    if (known === undefined) {
      known = { seen: new Set(), size: 0 };
      groups.set(group, known);
    }
    const { seen } = known;
    if (people.some((id) => seen.has(id))) continue;
    for (const id of people) seen.add(id);
    known.size++;
  }
  return new Set(grouped.filter(({ group }) => groups.get(group)!.size < k).map(({ record }) => record));
}
