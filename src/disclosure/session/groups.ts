/**
 * k-anonymity (Sweeney 2002): records of fewer than k people look alike by their quasi-identifiers as they would leave. What is counted is
 * people, since five rows of one customer hide nobody.
 */

export interface Grouped<T> {
  readonly record: T;
  readonly group: string;
  /** whose data it is; empty: nobody's, as its catalog says, so that it stands for itself */
  readonly people: readonly string[];
}

/** @returns the records whose group has fewer than `k` members that have no person in common */
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
