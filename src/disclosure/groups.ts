/** k-anonymity (Sweeney 2002): records that fewer than k others look like, by their quasi-identifiers as they would leave. */

/** @returns the records whose group has fewer than `k` members */
export function smallGroups<T>(groups: readonly (readonly [T, string])[], k: number): ReadonlySet<T> {
  const counts = new Map<string, number>();
  for (const [, group] of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  return new Set(groups.filter(([, group]) => counts.get(group)! < k).map(([record]) => record));
}
