/** Normalizes a catalog document to `model/catalog.ts`. */
import type { Fault, Path } from '../../documents/faults.ts';
import { didYouMean } from '../../documents/near-name.ts';
import { isObject } from '../../documents/yaml.ts';
import type { Catalog, CatalogEntry, EnvelopeEntry, EnvelopeRole } from '../../model/catalog.ts';
import { catalogFault, pickFault } from '../../model/pointer-faults.ts';
import { ENVELOPE_ROLES } from '../schemas/documents.ts';
import { Check, NAME, type Placed } from './check.ts';

const TOP = ['resource', 'data_subject', 'attributes', 'variants', 'fields', 'envelope'] as const;
/** without a prototype, so that a field may be named `__proto__` or `constructor` */
const table = <T>(): { [key: string]: T } => Object.create(null) as { [key: string]: T };

/** @returns null with the faults, if there are any */
export const normalize = (doc: Placed): { catalog: Catalog | null; faults: readonly Fault[] } => {
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

/** Faults of embedded resources that no catalog describes: every response with such a catalog would be refused. */
export const undescribed = (catalog: Catalog, known: readonly string[]): { path: Path; message: string }[] =>
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
