/**
 * Maps the identifiers of records and requests to the ids that consents are kept under. A value counts only if it matches the pattern of its
 * type (`identifiers` of the policy's data). A type that `resolves_to` another is resolved by the aliases of the consents, then by the look-up
 * of the configuration. All other values identify nobody.
 */
import { compilePattern, type Pattern } from '../documents/pattern.ts';
import type { Catalog } from '../model/catalog.ts';
import { aliasKey, type ConsentSource } from '../model/consent.ts';
import type { TypedId } from '../model/disclosure.ts';
import type { Lookups } from './lookups.ts';

/** ids by type, line break and value; without an entry for a value that identifies nobody */
type Found = ReadonlyMap<string, string>;

/** Both answer at once unless a value has to be looked up elsewhere. */
export interface Identities {
  /**
   * @param data of the policy that decides
   * @throws SluiceError `consent_unavailable`
   */
  identify(data: { readonly [name: string]: unknown }, values: readonly TypedId[]): Found | Promise<Found>;
  /**
   * The id of the data subject that a request names, of a type that the catalogs of its records allow.
   * @returns null for nobody, and if different types identify different people
   * @throws SluiceError `consent_unavailable`
   */
  requested(
    data: { readonly [name: string]: unknown },
    catalogs: readonly Catalog[],
    text: string,
  ): string | null | Promise<string | null>;
}

interface IdentifierType {
  readonly pattern: Pattern;
  readonly resolvesTo: string | null;
  /** The text that matched last: the request and its record name the same person, and a match costs 2 µs. */
  matched: string | null;
}

type Types = ReadonlyMap<string, IdentifierType>;
const NONE: Found = new Map();

export function createIdentities(
  source: Pick<ConsentSource, 'aliases'>,
  lookups: Lookups | null = null,
): Identities {
  const compiled = new WeakMap<object, Types>();
  const typesOf = (data: { readonly [name: string]: unknown }): Types => {
    let types = compiled.get(data);
    if (types === undefined) {
      types = compile(data['identifiers']);
      compiled.set(data, types);
    }
    return types;
  };

  function identify(
    data: { readonly [name: string]: unknown },
    values: readonly TypedId[],
  ): Found | Promise<Found> {
    const types = typesOf(data);
    const found = new Map<string, string>();
    const aliases: TypedId[] = [];
    for (const value of values) {
      const known = types.get(value.type);
      if (known === undefined || !matches(known, value.text)) continue;
      if (known.resolvesTo === null) found.set(aliasKey(value), value.text);
      else aliases.push(value);
    }
    if (aliases.length === 0) return found;
    // All aliases of a page are asked for together.
    const listed = source.aliases?.(aliases) ?? NONE;
    return listed instanceof Promise
      ? listed.then((ids) => resolve(types, aliases, ids, found))
      : resolve(types, aliases, listed, found);
  }

  function resolve(
    types: Types,
    aliases: readonly TypedId[],
    listed: Found,
    found: Map<string, string>,
  ): Found | Promise<Found> {
    const waiting: Promise<void>[] = [];
    for (const alias of aliases) {
      const key = aliasKey(alias);
      const target = types.get(types.get(alias.type)!.resolvesTo!);
      const keep = (id: string | null): void => {
        if (id !== null && target?.resolvesTo === null && matches(target, id)) found.set(key, id);
      };
      const id = listed.get(key);
      if (id !== undefined || lookups?.has(alias.type) !== true) keep(id ?? null);
      else waiting.push(lookups.find(alias.type, alias.text).then(keep));
    }
    return waiting.length === 0 ? found : Promise.all(waiting).then(() => found);
  }

  return {
    identify,
    requested(data, catalogs, text) {
      const types: (string | null)[] = [];
      let isPlain = false;
      for (const { data_subject, subject_places } of catalogs) {
        if (subject_places === undefined) isPlain ||= data_subject.length > 0;
        else for (const { type } of subject_places) if (!types.includes(type)) types.push(type);
      }
      if (types.length === 0) return text;
      const plain = text.trim();
      const values: TypedId[] = [];
      for (const type of types) if (type !== null) values.push({ type, text: plain });
      const own = isPlain || types.includes(null) ? plain : null;
      const found = identify(data, values);
      return found instanceof Promise ? found.then((ids) => onlyOne(own, ids)) : onlyOne(own, found);
    },
  };
}

/** The one person that all of them identify; null: nobody, or several. */
function onlyOne(own: string | null, found: Found): string | null {
  let one = own;
  for (const id of found.values()) {
    if (one !== null && one !== id) return null;
    one = id;
  }
  return one;
}

function matches(type: IdentifierType, text: string): boolean {
  if (type.matched === text) return true;
  if (!type.pattern.matches(text)) return false;
  type.matched = text;
  return true;
}

/** Checks whether an id matches a type that consents are kept under; null if the policy has no types. */
export function idForms(data: { readonly [name: string]: unknown }): ((id: string) => boolean) | null {
  const own = [...compile(data['identifiers']).values()].filter(({ resolvesTo }) => resolvesTo === null);
  return own.length === 0 ? null : (id) => own.some(({ pattern }) => pattern.matches(id));
}

/** Values of a malformed type identify nobody, since a policy may be loaded without a check of its schemas. */
function compile(document: unknown): Types {
  const types = new Map<string, IdentifierType>();
  for (const [name, value] of Object.entries(members(document))) {
    const { pattern, resolves_to } = members(value);
    if (typeof pattern !== 'string') continue;
    try {
      types.set(name, {
        pattern: compilePattern(pattern),
        resolvesTo: typeof resolves_to === 'string' ? resolves_to : null,
        matched: null,
      });
    } catch {
      // not a pattern: no value is of this type
    }
  }
  return types;
}

const members = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown }) : {};
