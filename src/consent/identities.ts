/**
 * Maps the identifiers of records and requests to the ids that consents are kept under. A value counts only if it matches the pattern of its
 * type (`identifiers` of the policy's data). A type that `resolves_to` another is resolved by the aliases of the consents, then by the look-up
 * of the configuration. All other values identify nobody.
 */
import { compilePattern, type Pattern } from '../documents/pattern.ts';
import type { Catalog } from '../model/catalog.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { TypedId } from '../model/disclosure.ts';
import type { Lookups } from './lookups.ts';

export interface Identities {
  /**
   * @returns ids by type, line break and value; without an entry for a value that identifies nobody
   * @param data of the policy that decides
   * @throws SluiceError `consent_unavailable`
   */
  identify(
    data: { readonly [name: string]: unknown },
    values: readonly TypedId[],
  ): Promise<ReadonlyMap<string, string>>;
  /**
   * The id of the data subject that a request names, of a type that the catalogs of its records allow.
   * @returns null for nobody, and if different types identify different people
   * @throws SluiceError `consent_unavailable`
   */
  requested(
    data: { readonly [name: string]: unknown },
    catalogs: readonly Catalog[],
    text: string,
  ): Promise<string | null>;
}

interface IdentifierType {
  readonly pattern: Pattern;
  readonly resolvesTo: string | null;
}

type Types = ReadonlyMap<string, IdentifierType>;

export function createIdentities(
  source: Pick<ConsentSource, 'alias'>,
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

  /** A promise only for a look-up: an export has millions of values that need none. */
  function resolve(types: Types, { type, text }: TypedId): string | null | Promise<string | null> {
    const known = types.get(type);
    if (known === undefined || !known.pattern.matches(text)) return null;
    if (known.resolvesTo === null) return text;
    const target = types.get(known.resolvesTo);
    const checked = (id: string | null): string | null =>
      id !== null && target?.resolvesTo === null && target.pattern.matches(id) ? id : null;
    const alias = source.alias?.(type, text) ?? null;
    if (alias !== null || lookups?.has(type) !== true) return checked(alias);
    return lookups.find(type, text).then(checked);
  }

  const identities: Identities = {
    async requested(data, catalogs, text) {
      const places = catalogs.flatMap((catalog) => catalog.subject_places ?? []);
      const isPlain = catalogs.some((c) => c.data_subject.length > 0 && c.subject_places === undefined);
      const types = new Set(places.map((place) => place.type));
      const plain = text.trim();
      if (types.size === 0) return text;
      const values = [...types].flatMap((type) => (type === null ? [] : [{ type, text: plain }]));
      const ids = new Set((await identities.identify(data, values)).values());
      if (isPlain || types.has(null)) ids.add(plain);
      return ids.size === 1 ? [...ids][0]! : null;
    },
    async identify(data, values) {
      const types = typesOf(data);
      const found = new Map<string, string>();
      const pending: Promise<void>[] = [];
      for (const { type, text } of values) {
        const add = (id: string | null): void => {
          if (id !== null) found.set(`${type}\n${text}`, id);
        };
        const id = resolve(types, { type, text });
        if (id instanceof Promise) pending.push(id.then(add));
        else add(id);
      }
      await Promise.all(pending);
      return found;
    },
  };
  return identities;
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
      });
    } catch {
      // not a pattern: no value is of this type
    }
  }
  return types;
}

const members = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown }) : {};
