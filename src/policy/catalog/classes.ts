/** The classes of a catalog, which the policy reads as `data.classes`. */
import { type Catalog, classOf } from '../../model/catalog.ts';

export interface ClassEntry {
  readonly class: string;
  readonly category: string;
  readonly grade: number;
}

/**
 * The distinct classes of a resource's fields, sorted. The policy iterates over classes, so its cost does not grow with the number of
 * fields.
 */
export const classesOf = (catalog: Catalog): ClassEntry[] => {
  const found = new Map<string, ClassEntry>();
  for (const entry of Object.values(catalog.fields))
    if ('category' in entry)
      found.set(classOf(entry), { class: classOf(entry), category: entry.category, grade: entry.grade });
  return [...found.values()].sort((a, b) => (a.class < b.class ? -1 : a.class > b.class ? 1 : 0));
};
