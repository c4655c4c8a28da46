/** How sensitive a request is: the highest grade of what it would open. */
import type { Catalog } from '../model/catalog.ts';

/**
 * @param resource null: any
 * @param categories `*`: all
 * @returns null: the catalogs have no field of one of the categories
 */
export function gradeOf(
  catalogs: ReadonlyMap<string, Catalog>,
  resource: string | null,
  categories: readonly string[],
): number | null {
  const all = resource === null ? [...catalogs.values()] : withVariants(catalogs, resource);
  const fields = all.flatMap((catalog) =>
    Object.values(catalog.fields).flatMap((f) => ('category' in f ? [f] : [])),
  );
  let highest: number | null = null;
  for (const category of categories) {
    const grades = fields.flatMap((f) => (category === '*' || f.category === category ? [f.grade] : []));
    if (grades.length === 0) return null;
    highest = Math.max(highest ?? 0, ...grades);
  }
  return highest;
}

function withVariants(catalogs: ReadonlyMap<string, Catalog>, resource: string): readonly Catalog[] {
  const catalog = catalogs.get(resource);
  if (catalog === undefined) return [];
  const variants = Object.values(catalog.variants?.of ?? {}).flatMap((name) => catalogs.get(name) ?? []);
  return [catalog, ...variants];
}
