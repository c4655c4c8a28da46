/** Reads the catalogs in the data of a bundle. */
import { faultError } from '../../documents/faults.ts';
import { isObject } from '../../documents/yaml.ts';
import type { Catalog } from '../../model/catalog.ts';
import { normalize, undescribed } from './normalize.ts';

/**
 * All catalogs of a bundle's `data.catalog`.
 * @throws SluiceError `catalog_invalid`
 */
export const catalogsFromData = (
  listed: { readonly [resource: string]: unknown },
  bundle: string,
): ReadonlyMap<string, Catalog> => {
  const catalogs = new Map(
    Object.entries(listed).map(([resource, value]) => [resource, catalogFromData(value, resource, bundle)]),
  );
  const faults = [...catalogs].flatMap(([resource, catalog]) =>
    undescribed(catalog, [...catalogs.keys()]).map(({ message }) => ({
      message: `${bundle}: data.catalog.${resource}: ${message}`,
    })),
  );
  if (faults.length > 0) throw faultError('catalog_invalid', faults);
  return catalogs;
};

/**
 * A catalog as a bundle's `data.catalog.<resource>` holds it.
 * @throws SluiceError `catalog_invalid`
 */
const catalogFromData = (value: unknown, resource: string, bundle: string): Catalog => {
  const { catalog, faults } = normalize({
    file: bundle,
    value: spelled(value),
    fault: (path, message) => ({
      message: `${bundle}: data.catalog.${resource}: ${path.join(' ')}: ${message}`,
    }),
  });
  if (catalog === null) throw faultError('catalog_invalid', faults);
  if (catalog.resource !== resource)
    throw faultError('catalog_invalid', [
      { message: `${bundle}: data.catalog.${resource} is about "${catalog.resource}"` },
    ]);
  return catalog;
};

/**
 * Converts a catalog of a bundle back to the form of a catalog file. In a bundle, catalogs are in normalized form, with parsed places of
 * `data_subject`, and with empty members that a file may not have.
 */
function spelled(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (value['variants'] !== undefined) return withoutEmpty(value, ['fields', 'data_subject', 'attributes']);
  if (!Array.isArray(value['subject_places'])) return value;
  const { subject_places, ...rest } = value;
  const people = new Map<unknown, unknown[]>();
  for (const [i, place] of (subject_places as unknown[]).entries()) {
    if (!isObject(place)) return value;
    const { person, ...own } = place;
    const given = Object.fromEntries(Object.entries(own).filter(([, of]) => of !== null));
    const key = person ?? `alone ${i}`;
    people.set(key, [...(people.get(key) ?? []), given]);
  }
  return { ...rest, data_subject: [...people.values()].map((of) => (of.length > 1 ? { same: of } : of[0])) };
}

const withoutEmpty = (value: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(value).filter(([name, of]) => !names.includes(name) || Object.keys(Object(of)).length > 0),
  );
