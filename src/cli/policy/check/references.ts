/** Names in data files of the default policy that must exist in other files: a misspelled one denies access without a message. */
import { didYouMean } from '../../../documents/near-name.ts';
import type { Catalog } from '../../../model/catalog.ts';
import { isRecordFilter } from '../../../model/record-filter.ts';
import { patternFault } from '../../../documents/pattern.ts';
import { isObject, type YamlDocument } from '../../../documents/yaml.ts';
import type { CausedFault } from './findings.ts';

const FEW = 6;

/** `; did you mean …?`, else the existing names if there are few */
export const nearestOrAll = (name: string, names: readonly string[]): string =>
  didYouMean(name, names) ||
  (names.length > 0 && names.length <= FEW ? `; known: ${[...names].sort().join(', ')}` : '');

/** the common cause of all faults about one unknown name */
export const unknown = (kind: string, name: unknown): string => `no ${kind} ${String(name)}`;

type Members = { readonly [key: string]: unknown };
type Path = readonly (string | number)[];

/** documents by schema, e.g. `policy-roles.schema.json` */
export type BySchema = ReadonlyMap<string, readonly YamlDocument[]>;

export function referenceFaults(
  documents: BySchema,
  catalogs: readonly { readonly catalog: Catalog; readonly document: YamlDocument }[],
  broken: ReadonlySet<string>,
): CausedFault[] {
  const faults: CausedFault[] = [];
  const of = (name: string): readonly YamlDocument[] => documents.get(`policy-${name}.schema.json`) ?? [];
  const namesIn = (name: string): ReadonlySet<string> | null => {
    const found = of(name);
    return found.length === 0 ? null : new Set(found.flatMap((d) => Object.keys(section(d, name))));
  };
  const purposes = namesIn('purposes');
  const categories = namesIn('categories');
  const grades = namesIn('grades');
  const resources =
    catalogs.length === 0 ? null : new Set([...catalogs.map((c) => c.catalog.resource), ...broken]);
  const must = (
    document: YamlDocument,
    path: Path,
    name: unknown,
    known: ReadonlySet<string> | null,
    what: string,
    key?: 'key',
  ): void => {
    if (known === null || typeof name !== 'string' || known.has(name)) return;
    faults.push({
      ...document.fault(
        path,
        `${path.join('.')}: there is no ${what} "${name}"${nearestOrAll(name, [...known])}`,
        key,
      ),
      cause: unknown(what, name),
    });
  };
  /** every name in a list, or every key of a mapping */
  const all = (
    document: YamlDocument,
    path: Path,
    value: unknown,
    known: ReadonlySet<string> | null,
    what: string,
  ): void => {
    if (Array.isArray(value))
      for (const [i, name] of value.entries()) must(document, [...path, i], name, known, what);
    else if (isObject(value))
      for (const name of Object.keys(value)) must(document, [...path, name], name, known, what, 'key');
  };

  /** single fields, by resource */
  const fieldsOf = (d: YamlDocument, at: Path, value: unknown): void => {
    const fields = isObject(value) ? value : {};
    all(d, [...at, 'fields'], fields, resources, 'catalog of a resource');
    for (const [resource, pointers] of Object.entries(fields)) {
      const catalog = catalogs.find((c) => c.catalog.resource === resource)?.catalog;
      if (catalog === undefined) continue;
      const known = new Set(Object.keys(catalog.fields));
      all(d, [...at, 'fields', resource], pointers, known, `field of ${resource}`);
      for (const [pointer, said] of Object.entries(isObject(pointers) ? pointers : {})) {
        const [category] = typeof said === 'string' && said !== 'never' ? said.split('/') : [];
        must(d, [...at, 'fields', resource, pointer], category, categories, 'category');
      }
    }
  };

  /** categories that fields have */
  const held = new Set(
    catalogs.flatMap(({ catalog }) =>
      Object.values(catalog.fields).flatMap((entry) => ('category' in entry ? [entry.category] : [])),
    ),
  );
  /** The date of a rule of retention: of each resource that it names, else of any. */
  const dateOf = (d: YamlDocument, name: string, rule: Members): void => {
    const { attribute = 'dated', resources: named } = rule;
    const at = ['retention', name, ...(rule['attribute'] === undefined ? [] : ['attribute'])];
    const concerned = catalogs.filter(
      ({ catalog }) => !Array.isArray(named) || named.includes(catalog.resource),
    );
    if (!Array.isArray(named)) {
      const known = new Set(concerned.flatMap(({ catalog }) => Object.keys(catalog.attributes)));
      must(d, at, attribute, known, 'attribute in any catalog,');
      return;
    }
    for (const { catalog } of concerned) {
      const known = new Set(Object.keys(catalog.attributes));
      must(d, at, attribute, known, `attribute in the catalog of ${catalog.resource},`);
    }
  };

  for (const d of of('roles'))
    for (const [name, role] of members(d, 'roles')) {
      all(d, ['roles', name, 'purposes'], role['purposes'], purposes, 'purpose');
      all(d, ['roles', name, 'resources'], role['resources'], resources, 'catalog of a resource');
      all(d, ['roles', name, 'categories'], role['categories'], categories, 'category');
      fieldsOf(d, ['roles', name], role['fields']);
    }
  for (const d of of('purposes'))
    for (const [name, purpose] of members(d, 'purposes'))
      all(d, ['purposes', name, 'needs'], purpose['needs'], categories, 'category');
  for (const d of of('tiers'))
    for (const [name, tier] of members(d, 'tiers'))
      all(d, ['tiers', name, 'categories'], tier['categories'], categories, 'category');
  for (const d of of('flags'))
    for (const [name, flag] of members(d, 'flags'))
      all(d, ['flags', name, 'except'], flag['except'], purposes, 'purpose');
  for (const d of of('partners'))
    for (const [name, partner] of members(d, 'partners')) {
      all(d, ['partners', name, 'agreements'], partner['agreements'], purposes, 'purpose');
      for (const [purpose, agreement] of Object.entries(
        isObject(partner['agreements']) ? partner['agreements'] : {},
      )) {
        if (!isObject(agreement)) continue;
        const at = ['partners', name, 'agreements', purpose];
        all(d, [...at, 'categories'], agreement['categories'], categories, 'category');
        fieldsOf(d, at, agreement['fields']);
      }
    }
  const roles = namesIn('roles');
  for (const d of of('quotas'))
    for (const [name, quota] of members(d, 'quotas')) {
      all(d, ['quotas', name, 'roles'], quota['roles'], roles, 'role');
      all(d, ['quotas', name, 'purposes'], quota['purposes'], purposes, 'purpose');
    }
  for (const d of of('retention'))
    for (const [name, rule] of members(d, 'retention')) {
      all(d, ['retention', name, 'categories'], rule['categories'], categories, 'category');
      all(d, ['retention', name, 'except'], rule['except'], purposes, 'purpose');
      all(d, ['retention', name, 'resources'], rule['resources'], resources, 'catalog of a resource');
      if (broken.size > 0 || catalogs.length === 0) continue;
      if (Array.isArray(rule['categories']))
        for (const [i, category] of (rule['categories'] as unknown[]).entries())
          if (typeof category === 'string' && categories?.has(category))
            must(d, ['retention', name, 'categories', i], category, held, 'field of the category');
      dateOf(d, name, rule);
    }
  for (const d of of('subject_verification'))
    for (const [name, rule] of members(d, 'subject_verification')) {
      const at = ['subject_verification', name];
      all(d, [...at, 'purposes'], rule['purposes'], purposes, 'purpose');
      all(d, [...at, 'roles'], rule['roles'], roles, 'role');
      all(d, [...at, 'resources'], rule['resources'], resources, 'catalog of a resource');
    }
  for (const d of of('record_filters'))
    for (const [name, filter] of members(d, 'record_filters')) {
      const at = ['record_filters', name];
      all(d, [...at, 'purposes'], filter['purposes'], purposes, 'purpose');
      all(d, [...at, 'roles'], filter['roles'], roles, 'role');
      for (const [i, condition] of (Array.isArray(filter['where']) ? filter['where'] : []).entries()) {
        if (!isRecordFilter([condition]))
          faults.push(
            d.fault(
              [...at, 'where', i],
              `${at.join('.')}.where.${i}: a condition has exactly one of in, within, or a range of at_least and at_most; offset and order belong to dates`,
            ),
          );
        if (!isObject(condition)) continue;
        must(d, [...at, 'where', i, 'resource'], condition['resource'], resources, 'catalog of a resource');
        const catalog = catalogs.find((c) => c.catalog.resource === condition['resource'])?.catalog;
        if (catalog === undefined) continue;
        const attributes = new Set(Object.keys(catalog.attributes));
        must(
          d,
          [...at, 'where', i, 'attribute'],
          condition['attribute'],
          attributes,
          `attribute in the catalog of ${catalog.resource},`,
        );
      }
    }
  const identifiers = namesIn('identifiers');
  for (const d of of('identifiers'))
    for (const [name, { pattern, resolves_to }] of members(d, 'identifiers')) {
      const wrong = patternFault(pattern);
      if (wrong !== null)
        faults.push(d.fault(['identifiers', name, 'pattern'], `identifiers.${name}: ${wrong}`));
      must(d, ['identifiers', name, 'resolves_to'], resolves_to, identifiers, 'identifier');
      const target = typeof resolves_to === 'string' ? section(d, 'identifiers')[resolves_to] : undefined;
      if (isObject(target) && target['resolves_to'] !== undefined)
        faults.push(
          d.fault(
            ['identifiers', name, 'resolves_to'],
            `identifiers.${name}: "${String(resolves_to)}" is an alias itself; name the type that consents are kept under`,
          ),
        );
    }
  for (const { catalog, document } of catalogs) {
    for (const { type } of catalog.subject_places ?? [])
      must(document, ['data_subject'], type, identifiers ?? new Set(), 'identifier (data/identifiers.yaml)');
    for (const [pointer, entry] of Object.entries(catalog.fields))
      if ('category' in entry) {
        must(document, ['fields', pointer, 'category'], entry.category, categories, 'category');
        must(document, ['fields', pointer, 'grade'], String(entry.grade), grades, 'grade');
      }
  }
  return faults;
}

const section = (document: YamlDocument, name: string): Members => {
  const value = isObject(document.value) ? document.value[name] : undefined;
  return isObject(value) ? value : {};
};

const members = (document: YamlDocument, name: string): [string, Members][] =>
  Object.entries(section(document, name)).filter((e): e is [string, Members] => isObject(e[1]));
