/** Reads catalog documents, reports every fault, and normalizes them to `model/catalog.ts`. Longer than most files: one check for each key. */
import { patternFault } from '../../documents/pattern.ts';
import { didYouMean } from '../../documents/near-name.ts';
import type {
  Catalog,
  CatalogEntry,
  EnvelopeEntry,
  EnvelopeRole,
  FieldEntry,
  SubjectPlace,
  Variants,
} from '../../model/catalog.ts';
import { classOf, WRITE_MODES } from '../../model/catalog.ts';
import { isObject, readYaml, type YamlDocument } from '../../documents/yaml.ts';
import { type Fault, faultError, type Path } from '../../documents/faults.ts';
import { catalogFault, pickFault } from '../../model/pointer-faults.ts';
import { ENVELOPE_ROLES, FIELD_TREATMENTS, PARSED } from '../schemas/documents.ts';

const TOP = ['resource', 'data_subject', 'attributes', 'variants', 'fields', 'envelope'] as const;
const FIELD = [
  'category',
  'grade',
  'parse',
  'whole',
  ...FIELD_TREATMENTS,
  'write',
  'quasi_identifier',
  'description',
] as const;
const NAME = /^[A-Za-z_][\w.:-]*$/;
/** no slash, since a class name is `category/grade` */
const CATEGORY = /^[\p{L}_][\p{L}\p{N}_.-]*$/u;

/** a document that can report the place of a fault */
interface Placed extends Pick<YamlDocument, 'file' | 'value'> {
  fault(path: Path, message: string, key?: 'key'): Fault;
}

/** Collects every fault of one document. */
class Check {
  readonly faults: Fault[] = [];
  readonly #doc: Placed;
  constructor(doc: Placed) {
    this.#doc = doc;
  }

  say(path: Path, message: string, key?: 'key'): void {
    this.faults.push(this.#doc.fault(path, message, key));
  }

  keys(value: { readonly [k: string]: unknown }, known: readonly string[], path: Path, what: string): void {
    for (const key of Object.keys(value))
      if (!known.includes(key))
        this.say(
          [...path, key],
          `${what}: unknown key "${key}"${didYouMean(key, known) || `; known: ${known.join(', ')}`}`,
          'key',
        );
  }

  pointer(value: unknown, path: Path, what: string): value is string {
    const wrong = typeof value === 'string' ? catalogFault(value) : 'a path is a string like "/a/b"';
    if (wrong !== null) this.say(path, `${what}: ${wrong}`);
    return wrong === null;
  }

  /** one entry of `data_subject`: a path, or `{ at, type, pattern }` */
  place(value: unknown, path: Path, person: number | null): SubjectPlace | null {
    if (!isObject(value))
      return this.pointer(value, path, 'data_subject')
        ? { at: value, type: null, pattern: null, person }
        : null;
    const before = this.faults.length;
    this.keys(value, ['at', 'type', 'pattern'], path, 'data_subject');
    const { at, type, pattern } = value;
    this.pointer(at, [...path, 'at'], 'data_subject.at');
    if (type !== undefined && !(typeof type === 'string' && NAME.test(type)))
      this.say([...path, 'type'], 'data_subject: type is the name of an identifier (data/identifiers.yaml)');
    if (pattern !== undefined) {
      const wrong = patternFault(pattern);
      if (wrong !== null) this.say([...path, 'pattern'], `data_subject: ${wrong}`);
    }
    return this.faults.length > before
      ? null
      : {
          at: at as string,
          type: (type as string | undefined) ?? null,
          pattern: (pattern as string | undefined) ?? null,
          person,
        };
  }

  variants(value: unknown): Variants | null {
    const path = ['variants'];
    if (!isObject(value) || !isObject(value['of']) || Object.keys(value['of']).length === 0) {
      this.say(path, 'variants: needs { by: /type, of: { <what it says>: <resource> } }');
      return null;
    }
    const before = this.faults.length;
    this.keys(value, ['by', 'of'], path, 'variants');
    const { by, of } = value;
    if (
      this.pointer(by, ['variants', 'by'], 'variants.by') &&
      (by.lastIndexOf('/') > 0 || /^\/[[*]/.test(by))
    )
      this.say(['variants', 'by'], 'variants.by: is one member of the record, e.g. /type, or /{key}');
    for (const [type, resource] of Object.entries(of))
      if (typeof resource !== 'string' || !NAME.test(resource))
        this.say(['variants', 'of', type], `variants.of.${type}: is the name of a catalog`);
    if (this.faults.length > before) return null;
    const table = Object.assign(Object.create(null), of) as Variants['of'];
    return { by: by as string, of: table };
  }

  /** `data_subject`: one place or several; those in `{ same: […] }` name the same person */
  places(value: unknown): readonly SubjectPlace[] {
    if (value === undefined || value === null) return [];
    const many = Array.isArray(value);
    const found: (SubjectPlace | null)[] = [];
    for (const [i, item] of (many ? value : [value]).entries()) {
      const path: Path = many ? ['data_subject', i] : ['data_subject'];
      if (!isObject(item) || !('same' in item)) {
        found.push(this.place(item, path, null));
        continue;
      }
      this.keys(item, ['same'], path, 'data_subject');
      const { same } = item;
      if (!Array.isArray(same) || same.length < 2)
        this.say([...path, 'same'], 'data_subject: same lists two places or more that name one person');
      else for (const [n, one] of same.entries()) found.push(this.place(one, [...path, 'same', n], i));
    }
    return found.filter((place) => place !== null);
  }

  entry(value: unknown, path: Path, pointer: string): CatalogEntry | null {
    if (!isObject(value)) {
      this.say(path, `${pointer}: needs { category: …, grade: 1–5 } or { resource: … }`);
      return null;
    }
    if ('resource' in value && !('category' in value)) {
      if ('whole' in value) {
        this.say(
          [...path, 'whole'],
          `${pointer}: whole stands with a class; an embedded resource is walked by its own catalog: leave it out`,
          'key',
        );
        return null;
      }
      this.keys(value, ['resource', 'description'], path, pointer);
      if (typeof value['resource'] === 'string' && NAME.test(value['resource']))
        return { resource: value['resource'] };
      this.say([...path, 'resource'], `${pointer}: resource is the name of a catalog`);
      return null;
    }
    const before = this.faults.length;
    this.keys(value, FIELD, path, pointer);
    if (typeof value['category'] !== 'string' || !CATEGORY.test(value['category']))
      this.say([...path, 'category'], `${pointer}: category is a word, e.g. contact`);
    const grade = value['grade'];
    if (typeof grade !== 'number' || !Number.isInteger(grade) || grade < 1 || grade > 5)
      this.say([...path, 'grade'], `${pointer}: grade is a whole number from 1 (public) to 5 (secret)`);
    for (const t of FIELD_TREATMENTS) {
      const v = value[t];
      if (v === undefined) continue;
      if (t === 'mask' && typeof v === 'string' && NAME.test(v)) continue;
      if (!isObject(v))
        this.say(
          [...path, t],
          `${pointer}: ${t} takes ${t === 'mask' ? 'the name of a mask or { kind: … }' : '{ parameter: value }'}`,
        );
      else if (t === 'mask' && typeof v['kind'] !== 'string')
        this.say([...path, t], `${pointer}: mask needs a kind`);
    }
    const { parse } = value;
    if (parse !== undefined && !(PARSED as readonly unknown[]).includes(parse))
      this.say([...path, 'parse'], `${pointer}: parse is one of ${PARSED.join(', ')}`);
    else if (parse !== undefined && value['whole'] === true)
      this.say(
        [...path, 'whole'],
        `${pointer}: a text that is parsed is disclosed by the lines below it, and never whole`,
      );
    if (value['whole'] !== undefined && typeof value['whole'] !== 'boolean')
      this.say([...path, 'whole'], `${pointer}: whole is true or false`);
    const { write } = value;
    if (write !== undefined && !WRITE_MODES.some((mode) => mode === write))
      this.say(
        [...path, 'write'],
        `${pointer}: write is one of ${WRITE_MODES.join(', ')}${typeof write === 'string' ? didYouMean(write, WRITE_MODES) : ''}`,
      );
    if (value['quasi_identifier'] !== undefined && typeof value['quasi_identifier'] !== 'boolean')
      this.say([...path, 'quasi_identifier'], `${pointer}: quasi_identifier is true or false`);
    if (value['description'] !== undefined && typeof value['description'] !== 'string')
      this.say([...path, 'description'], `${pointer}: description is text`);
    return this.faults.length === before ? (value as unknown as FieldEntry) : null;
  }
}

/** without a prototype, so that a field may be named `__proto__` or `constructor` */
const table = <T>(): { [key: string]: T } => Object.create(null) as { [key: string]: T };

const normalise = (doc: Placed): { catalog: Catalog | null; faults: readonly Fault[] } => {
  const check = new Check(doc);
  const top = doc.value;
  if (!isObject(top)) {
    check.say([], 'a catalog is a mapping with resource, data_subject and fields');
    return { catalog: null, faults: check.faults };
  }
  check.keys(top, TOP, [], 'catalog');
  const resource = top['resource'];
  if (typeof resource !== 'string' || !NAME.test(resource))
    check.say(['resource'], 'resource: a catalog names its resource, e.g. customer');

  const places = check.places(top['data_subject']);
  const data_subject = [...new Set(places.map((place) => place.at))];
  const isTyped = places.some((p) => p.type !== null || p.pattern !== null || p.person !== null);

  const section = (name: 'attributes' | 'fields' | 'envelope'): [string, unknown][] => {
    const value = top[name];
    if (value === undefined || value === null) return [];
    if (isObject(value)) return Object.entries(value);
    check.say([name], `${name}: a mapping is expected`);
    return [];
  };
  const attributes = table<string>();
  for (const [name, pointer] of section('attributes')) {
    if (!NAME.test(name)) check.say(['attributes', name], `attributes: "${name}" is not a name`, 'key');
    if (check.pointer(pointer, ['attributes', name], `attributes.${name}`)) attributes[name] = pointer;
  }
  const fields = table<CatalogEntry>();
  const variants = top['variants'] === undefined ? null : check.variants(top['variants']);
  if (top['variants'] !== undefined)
    for (const name of ['fields', 'data_subject', 'attributes'])
      if (top[name] !== undefined)
        check.say([name], `${name}: a catalog with variants has none of its own; say it in theirs`, 'key');
  if (top['fields'] === undefined && top['variants'] === undefined)
    check.say([], 'fields: a catalog lists the fields it knows; every other is dropped');
  for (const [pointer, value] of section('fields')) {
    const wrong = catalogFault(pointer);
    if (wrong !== null) check.say(['fields', pointer], `fields: "${pointer}": ${wrong}`, 'key');
    const entry = check.entry(value, ['fields', pointer], pointer);
    if (entry !== null) fields[pointer] = entry;
  }
  for (const [outer, entry] of Object.entries(fields)) {
    if (!('parse' in entry)) continue;
    const isWithin = (pointer: string): boolean => pointer.startsWith(`${outer}/`);
    for (const [pointer, inner] of Object.entries(fields))
      if (isWithin(pointer) && 'resource' in inner)
        check.say(
          ['fields', pointer],
          `${pointer}: within a text that is parsed no resource is embedded`,
          'key',
        );
    for (const place of places)
      if (isWithin(place.at))
        check.say(
          ['data_subject'],
          `data_subject: ${place.at} is within a text that is parsed, which is not looked into before`,
        );
    for (const [name, pointer] of Object.entries(attributes))
      if (isWithin(pointer))
        check.say(
          ['attributes', name],
          `attributes.${name}: is within a text that is parsed, which is not looked into before`,
        );
  }
  const envelope = table<EnvelopeEntry>();
  for (const [pointer, value] of section('envelope')) {
    const wrong = catalogFault(pointer) ?? pickFault(pointer);
    if (wrong !== null) check.say(['envelope', pointer], `envelope: "${pointer}": ${wrong}`, 'key');
    const is = isObject(value) ? value['is'] : undefined;
    if (isObject(value)) check.keys(value, ['is'], ['envelope', pointer], `envelope ${pointer}`);
    if (typeof is === 'string' && (ENVELOPE_ROLES as readonly string[]).includes(is))
      envelope[pointer] = { is: is as EnvelopeRole };
    else
      check.say(
        ['envelope', pointer, 'is'],
        `envelope ${pointer}: is one of ${ENVELOPE_ROLES.join(', ')}${typeof is === 'string' ? didYouMean(is, ENVELOPE_ROLES) : ''}`,
      );
  }
  if (check.faults.length > 0) return { catalog: null, faults: check.faults };
  return {
    catalog: deepFreeze({
      resource: resource as string,
      ...(variants === null ? {} : { variants }),
      data_subject,
      ...(isTyped ? { subject_places: places } : {}),
      attributes,
      fields,
      envelope,
    }),
    faults: [],
  };
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const v of Object.values(value)) deepFreeze(v);
  }
  return value;
};

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
    const { catalog, faults: found } = normalise(parsed.document);
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

/** Faults of embedded resources that no catalog describes: every response with such a catalog would be refused. */
const undescribed = (catalog: Catalog, known: readonly string[]): { path: Path; message: string }[] =>
  [
    ...Object.entries(catalog.fields).flatMap(([pointer, entry]) =>
      'resource' in entry
        ? [{ path: ['fields', pointer, 'resource'], at: pointer, resource: entry.resource }]
        : [],
    ),
    ...Object.entries(catalog.variants?.of ?? {}).map(([type, resource]) => ({
      path: ['variants', 'of', type],
      at: `variants.of.${type}`,
      resource,
    })),
  ].flatMap(({ path, at, resource }) =>
    known.includes(resource)
      ? []
      : [{ path, message: `${at}: no catalog for resource "${resource}"${didYouMean(resource, known)}` }],
  );

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
  const { catalog, faults } = normalise({
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

export interface ClassEntry {
  readonly class: string;
  readonly category: string;
  readonly grade: number;
}

/**
 * The distinct classes of a resource, including those of embedded resources. The policy iterates over classes, so its cost does
 * not grow with the number of fields.
 */
export const classesOf = (catalog: Catalog): ClassEntry[] => {
  const found = new Map<string, ClassEntry>();
  for (const entry of Object.values(catalog.fields))
    if ('category' in entry)
      found.set(classOf(entry), { class: classOf(entry), category: entry.category, grade: entry.grade });
  return [...found.values()].sort((a, b) => (a.class < b.class ? -1 : a.class > b.class ? 1 : 0));
};
