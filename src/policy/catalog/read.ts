/** Reads the catalog files of a policy. */
import { type Fault, faultError, type Path } from '../../documents/faults.ts';
import { readYaml, type YamlDocument } from '../../documents/yaml.ts';
import type { Catalog } from '../../model/catalog.ts';
import { normalize, undescribed } from './normalize.ts';

/**
 * Reads one catalog without checking that the resources it embeds exist.
 * @throws SluiceError `catalog_invalid` with every fault, each with its place
 */
export const parseCatalog = (file: string, text: string): Catalog => readAll([{ file, text }], false)[0]!;

/**
 * Reads all catalogs: each resource may occur once, and embedded resources must exist.
 * @throws SluiceError `catalog_invalid`
 */
export const readCatalogs = (files: readonly { readonly file: string; readonly text: string }[]): Catalog[] =>
  readAll(files, true);

const readAll = (
  files: readonly { readonly file: string; readonly text: string }[],
  whole: boolean,
): Catalog[] => {
  const faults: Fault[] = [];
  const read: { readonly catalog: Catalog; readonly doc: YamlDocument }[] = [];
  const homes = new Map<string, string>();
  for (const { file, text } of files) {
    const parsed = readYaml(file, text);
    if ('faults' in parsed) {
      faults.push(...parsed.faults);
      continue;
    }
    const { catalog, faults: found } = normalize(parsed.document);
    faults.push(...found);
    if (catalog === null) continue;
    const home = homes.get(catalog.resource);
    if (home === undefined) homes.set(catalog.resource, file);
    else
      faults.push(
        parsed.document.fault(
          ['resource'],
          `resource "${catalog.resource}" has a catalog already, in ${home}`,
        ),
      );
    read.push({ catalog, doc: parsed.document });
  }
  if (whole && faults.length === 0)
    for (const { catalog, doc } of read)
      faults.push(
        ...[...undescribed(catalog, [...homes.keys()]), ...nested(catalog, read)].map(({ path, message }) =>
          doc.fault(path, message),
        ),
      );
  if (faults.length > 0) throw faultError('catalog_invalid', faults);
  return read.map((r) => r.catalog);
};

/** Faults of variants that have variants themselves: their records would match no catalog. */
const nested = (
  { variants }: Catalog,
  read: readonly { readonly catalog: Catalog }[],
): { path: Path; message: string }[] =>
  Object.entries(variants?.of ?? {}).flatMap(([type, resource]) =>
    read.some(({ catalog }) => catalog.resource === resource && catalog.variants !== undefined)
      ? [
          {
            path: ['variants', 'of', type],
            message: `variants.of.${type}: "${resource}" has variants itself`,
          },
        ]
      : [],
  );
