/**
 * Names in scenarios that the policy's data must know. With a misspelled role or purpose everything is denied, and a scenario that
 * expects a denial passes for the wrong reason. A scenario about an unknown name states it by the reason that it
 * expects (`role_unknown`).
 */
import { didYouMean } from '../../../documents/near-name.ts';
import type { Catalog } from '../../../model/catalog.ts';
import { isObject, type YamlDocument } from '../../../documents/yaml.ts';
import type { Scenario } from '../../../policy/schemas/scenario.ts';
import type { CausedFault } from './findings.ts';
import { type BySchema, nearestOrAll, unknown } from './references.ts';
import type { ScenarioDocument } from '../testing/scenario-files.ts';

export type Kind = 'role' | 'purpose' | 'recipient' | 'category' | 'flag';
/** Names of each kind in the policy's data; of a kind that the data does not list, any name may be correct. */
export type KnownNames = ReadonlyMap<Kind, ReadonlySet<string>>;
type Path = readonly (string | number)[];
interface Named {
  readonly kind: Kind;
  readonly name: unknown;
  readonly path: Path;
}

const PLURAL: { readonly [K in Kind]: string } = {
  role: 'roles',
  purpose: 'purposes',
  recipient: 'partners',
  category: 'categories',
  flag: 'flags',
};
/** Always known. */
const BUILT_IN: { readonly [K in Kind]?: readonly string[] } = {
  recipient: ['internal', '*'],
  category: ['*'],
  purpose: ['*'],
};

export function knownNames(documents: BySchema): KnownNames {
  const known = new Map<Kind, ReadonlySet<string>>();
  for (const kind of Object.keys(PLURAL) as Kind[]) {
    const found = documents.get(`policy-${PLURAL[kind]}.schema.json`) ?? [];
    if (found.length > 0)
      known.set(kind, new Set([...(BUILT_IN[kind] ?? []), ...found.flatMap((d) => keysOf(d, PLURAL[kind]))]));
  }
  return known;
}

/** The policy's data as the scenarios of a file see them: with the file's own in their place. */
export function dataOf({ content, document }: ScenarioDocument, documents: BySchema): BySchema {
  const names = Object.keys(content.data ?? {});
  if (names.length === 0) return documents;
  const own: YamlDocument = {
    ...document,
    value: content.data,
    place: (path, key) => document.place(['data', ...path], key),
    fault: (path, message, key) => document.fault(['data', ...path], message, key),
  };
  return new Map([...documents, ...names.map((name) => [`policy-${name}.schema.json`, [own]] as const)]);
}

export function scenarioReferences(scenarios: readonly ScenarioDocument[], known: KnownNames): CausedFault[] {
  return scenarios.flatMap(({ content, document }) =>
    content.scenarios.flatMap((scenario, i) =>
      [...namesOf(scenario)]
        .filter(({ kind, name }) => !isKnown(kind, name, known))
        .filter(({ kind }) => scenario.expect.reasons?.includes(`${kind}_unknown`) !== true)
        .map(({ kind, name, path }) => ({
          ...document.fault(
            ['scenarios', i, ...path],
            `there is no ${kind} "${String(name)}"${nearestOrAll(String(name), [...(known.get(kind) ?? [])])}`,
          ),
          cause: unknown(kind, name),
        })),
    ),
  );
}

const MEANT_UNKNOWN = '; of a field that is to be unknown expect { do: drop, because: uncatalogued }';
/** Reasons that do not concern a catalog entry. */
const WITHOUT_LINE: ReadonlySet<string> = new Set(['uncatalogued', 'not_whole']);

/**
 * Fields that a scenario expects to be withheld, but that no catalog of its routes has. Fields without an entry are withheld, so the
 * scenario would pass with a misspelled field.
 * @param broken resources whose catalog has faults, so that their fields are unknown
 */
export function fieldReferences(
  scenarios: readonly ScenarioDocument[],
  catalogs: ReadonlyMap<string, Catalog>,
  broken: ReadonlySet<string>,
): CausedFault[] {
  return scenarios.flatMap(({ content, document }) => {
    const resources = [...new Set(content.routes.map((r) => r.resource))];
    if (resources.some((r) => broken.has(r) || !catalogs.has(r))) return [];
    const fields = new Set(resources.flatMap((r) => [...fieldsOf(r, catalogs, '', new Set())]));
    return content.scenarios.flatMap(({ expect }, i) =>
      Object.entries(expect.withheld ?? {})
        .filter(([path, choice]) => !fields.has(path) && !WITHOUT_LINE.has(reasonOf(choice)))
        .map(([path]) => ({
          ...document.fault(
            ['scenarios', i, 'expect', 'withheld', path],
            `no catalog of these routes has a field ${path}${didYouMean(path, fields) || MEANT_UNKNOWN}`,
            'key',
          ),
          cause: unknown(`field of ${resources.join(', ')}`, path),
        })),
    );
  });
}

const reasonOf = (choice: unknown): string => (isObject(choice) ? String(choice['because']) : '');

function* fieldsOf(
  resource: string,
  catalogs: ReadonlyMap<string, Catalog>,
  above: string,
  within: ReadonlySet<string>,
): Generator<string> {
  for (const [pointer, entry] of Object.entries(catalogs.get(resource)?.fields ?? {})) {
    yield `${above}${pointer}`;
    if ('resource' in entry && !within.has(entry.resource))
      yield* fieldsOf(
        entry.resource,
        catalogs,
        `${above}${pointer}`,
        new Set([...within, resource, entry.resource]),
      );
  }
}

function isKnown(kind: Kind, name: unknown, known: KnownNames): boolean {
  const names = known.get(kind);
  if (!names || typeof name !== 'string' || names.has(name)) return true;
  // An objection to one purpose: `opt_out:marketing`; a category that must be kept: `held:transaction`.
  const [flag = '', about] = kind === 'flag' ? name.split(':') : [];
  if (about === undefined) return false;
  return flag === 'held'
    ? isKnown('category', about, known)
    : names.has(flag) && isKnown('purpose', about, known);
}

const keysOf = ({ value }: YamlDocument, name: string): string[] => {
  const table = isObject(value) ? value[name] : undefined;
  return isObject(table) ? Object.keys(table) : [];
};

function* namesOf({ request, token, consents, grants, expect }: Scenario): Generator<Named> {
  for (const [header, value] of Object.entries(request.headers ?? {})) {
    const kind = /^sluice-(purpose|recipient)$/i.exec(header)?.[1]?.toLowerCase();
    if (kind) yield { kind: kind as Kind, name: value, path: ['request', 'headers', header] };
  }
  const record = expect.record as { readonly [member: string]: unknown } | undefined;
  for (const kind of ['purpose', 'recipient'] as const)
    yield* listed(kind, record?.[kind], ['expect', 'record', kind]);
  const claims = token as { readonly [claim: string]: unknown } | null;
  yield* listed('role', claims?.['roles'], ['token', 'roles']);
  yield* listed('purpose', claims?.['purpose'], ['token', 'purpose']);
  for (const [id, { flags, consents: given }] of Object.entries(consents ?? {})) {
    yield* listed('flag', flags, ['consents', id, 'flags']);
    for (const [i, consent] of (given ?? []).entries()) {
      const path = ['consents', id, 'consents', i];
      yield { kind: 'purpose', name: consent.purpose, path: [...path, 'purpose'] };
      yield { kind: 'recipient', name: consent.recipient, path: [...path, 'recipient'] };
      yield* listed('category', consent.categories, [...path, 'categories']);
    }
  }
  for (const [i, grant] of ((grants ?? []) as readonly { readonly [key: string]: unknown }[]).entries()) {
    yield* listed('purpose', grant['purpose'], ['grants', i, 'purpose']);
    yield* listed('recipient', grant['recipient'], ['grants', i, 'recipient']);
    yield* listed('category', grant['categories'], ['grants', i, 'categories']);
  }
}

/** One name, a text with several, or a list, as in tokens. */
function* listed(kind: Kind, value: unknown, path: Path): Generator<Named> {
  if (Array.isArray(value))
    for (const [i, name] of (value as unknown[]).entries()) yield { kind, name, path: [...path, i] };
  else if (typeof value === 'string') for (const name of value.split(' ')) yield { kind, name, path };
}
