/**
 * What tools and resources of an MCP server ask for, guessed from their names, schemas and annotations, and from the catalogs. A guess that
 * is not certain has a remark. A tool whose resource or action is unknown gets no mapping, so that it is neither listed nor called.
 */
import { isMembers, type Members } from '../../endpoints/mcp/message.ts';
import { WRITES } from '../../model/actions.ts';
import type { Catalog } from '../../model/catalog.ts';
import type { ActionName } from '../../model/input.ts';
import { pointerOf, tokensOf } from '../../model/pointer.ts';

export interface Mapping {
  readonly resource: string;
  readonly action: ActionName;
  readonly id?: string;
  readonly data_subject?: string;
  readonly records?: string;
  readonly query_fields?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, string>>;
  readonly params?: readonly string[];
}

export interface Proposal<T> {
  readonly name: string;
  /** null: not to be used before somebody has written it */
  readonly mapping: T | null;
  /** what a person must look at */
  readonly checks: readonly string[];
}

export interface ResourceMapping {
  readonly uri: string;
  readonly resource: string;
  readonly action: 'read';
  readonly id?: string;
  readonly data_subject?: string;
}

const VERBS: ReadonlyMap<string, ActionName> = new Map(
  (
    [
      ['read', ['get', 'read', 'show', 'view', 'fetch', 'retrieve', 'lookup', 'describe', 'load']],
      ['search', ['search', 'list', 'find', 'query', 'filter']],
      ['export', ['export', 'dump', 'download']],
      ['create', ['create', 'add', 'new', 'insert', 'register']],
      ['update', ['update', 'set', 'change', 'edit', 'modify', 'patch', 'rename', 'move', 'merge', 'assign']],
      ['delete', ['delete', 'remove', 'erase', 'purge']],
    ] as const
  ).flatMap(([action, verbs]) => verbs.map((verb) => [verb, action] as const)),
);

const PAGING: ReadonlySet<string> = new Set(
  ['limit', 'offset', 'page', 'page_size', 'per_page', 'cursor', 'size', 'page_token', 'max_results'].map(
    (name) => name.replaceAll('_', ''),
  ),
);

/** `getCustomer`, `get-customer` and `customers.get` in words; a plural loses its s. */
const wordsOf = (name: string): readonly string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
const singular = (word: string): string =>
  word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.replace(/(?<=[^s])s$/, '');
const plain = (name: string): string => wordsOf(name).join('');

/** @param sample the result of a call, of which only the names of members are used */
export function proposeTool(tool: Members, catalogs: readonly Catalog[], sample: unknown): Proposal<Mapping> {
  const name = String(tool['name']);
  const checks: string[] = [];
  const given = argumentsOf(tool['inputSchema']);
  const catalog = catalogOf([name, ...given], catalogs);
  if (catalog === null)
    return {
      name,
      mapping: null,
      checks: ['neither its name nor its arguments name a resource of the catalogs'],
    };
  const action = actionOf(name, tool['annotations'], checks);
  if (action === null) return { name, mapping: null, checks };

  const id = given.find((argument) => isIdOf(argument, catalog));
  const searches = action === 'search' || action === 'export';
  const query: Record<string, string> = {};
  const body: Record<string, string> = {};
  const params: string[] = [];
  for (const argument of given) {
    if (argument === id && !searches) continue;
    const pointer = pointerOf([argument]);
    const fields = argument === id ? idFields(catalog) : fieldsNamed(argument, catalog);
    if (PAGING.has(plain(argument)) && !WRITES.has(action)) params.push(pointer);
    else if (fields.length === 0)
      checks.push(`the argument ${JSON.stringify(argument)} is of no known field, so callers cannot send it`);
    else {
      (WRITES.has(action) ? body : query)[pointer] = fields[0]!;
      if (fields.length > 1)
        checks.push(`the argument ${JSON.stringify(argument)} may be any of ${fields.join(', ')}`);
    }
  }
  if (id === undefined && !searches && action !== 'create') {
    checks.push(`no argument looks like the id of a ${catalog.resource}`);
    if (WRITES.has(action)) return { name, mapping: null, checks };
  }
  const sends = action === 'create' || action === 'update';
  if (sends && Object.keys(body).length === 0) {
    checks.push('it writes, and no argument names a field of the catalog');
    return { name, mapping: null, checks };
  }
  if (action === 'delete' && Object.keys(body).length > 0)
    checks.push('it deletes, and has arguments that name fields: they are left out');
  const records = recordsOf(tool['outputSchema'], sample, searches, catalog, checks);
  const pointer = id === undefined || searches ? undefined : pointerOf([id]);
  return {
    name,
    mapping: {
      resource: catalog.resource,
      action,
      ...(pointer === undefined ? {} : { id: pointer }),
      ...(pointer !== undefined && idIsPerson(catalog) ? { data_subject: pointer } : {}),
      ...(records === null ? {} : { records }),
      ...(Object.keys(query).length > 0 ? { query_fields: query } : {}),
      ...(sends ? { body } : {}),
      ...(params.length > 0 ? { params } : {}),
    },
    checks,
  };
}

/** A template, or a resource without names in its URI. */
export function proposeResource(of: Members, catalogs: readonly Catalog[]): Proposal<ResourceMapping> {
  const uri = String(of['uriTemplate'] ?? of['uri']);
  const names = [...uri.matchAll(/\{([^}]*)\}/g)].map(([, part]) => part!);
  if (names.some((part) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(part)))
    return {
      name: uri,
      mapping: null,
      checks: ['its template has an expression that the section cannot say'],
    };
  const catalog = catalogOf([uri.replace(/\{[^}]*\}/g, ' ')], catalogs);
  if (catalog === null)
    return { name: uri, mapping: null, checks: ['its URI names no resource of the catalogs'] };
  const checks: string[] = [];
  const id = names.find((part) => isIdOf(part, catalog));
  if (id === undefined) checks.push(`no part of its URI looks like the id of a ${catalog.resource}`);
  return {
    name: uri,
    mapping: {
      uri,
      resource: catalog.resource,
      action: 'read',
      ...(id === undefined ? {} : { id: `{${id}}` }),
      ...(id !== undefined && idIsPerson(catalog) ? { data_subject: `{${id}}` } : {}),
    },
    checks,
  };
}

const argumentsOf = (schema: unknown): readonly string[] =>
  isMembers(schema) && isMembers(schema['properties']) ? Object.keys(schema['properties']) : [];

/** The catalog of the first text that names one. */
function catalogOf(texts: readonly string[], catalogs: readonly Catalog[]): Catalog | null {
  for (const text of texts) {
    const words = wordsOf(text).map(singular).join('_');
    const found = catalogs.find(({ resource }) =>
      `_${words}_`.includes(`_${wordsOf(resource).map(singular).join('_')}_`),
    );
    if (found !== undefined) return found;
  }
  return null;
}

/** Annotations are hints of the server: one that contradicts the name is told, and the more dangerous one is taken. */
function actionOf(name: string, annotations: unknown, checks: string[]): ActionName | null {
  const hints = isMembers(annotations) ? annotations : {};
  const verbs = wordsOf(name).flatMap((word) => VERBS.get(word) ?? []);
  const verb = verbs.find((one) => WRITES.has(one)) ?? verbs[0] ?? null;
  if (verb === null) {
    if (hints['readOnlyHint'] === true) {
      checks.push('its name has no known verb: taken to read, as readOnlyHint says');
      return 'read';
    }
    checks.push('its name has no known verb, and readOnlyHint does not say that it reads');
    return null;
  }
  const writes = WRITES.has(verb);
  if (writes && hints['readOnlyHint'] === true)
    checks.push(`its name says ${verb}, and readOnlyHint says that it writes nothing`);
  if (!writes && hints['readOnlyHint'] === false)
    checks.push(`its name says ${verb}, and readOnlyHint says that it writes`);
  if (!writes && hints['readOnlyHint'] !== true && hints['destructiveHint'] === true)
    checks.push(`its name says ${verb}, and destructiveHint says that it destroys`);
  return verb;
}

const isIdOf = (argument: string, { resource }: Catalog): boolean =>
  ['id', 'no', 'number', 'key']
    .flatMap((word) => (word === 'id' ? [word, plain(resource) + word] : [plain(resource) + word]))
    .includes(plain(argument));

const idFields = ({ fields, data_subject }: Catalog): readonly string[] =>
  fields['/id'] === undefined ? data_subject.slice(0, 1) : ['/id'];
/** The id of a record is that of the person whom it is about. */
const idIsPerson = (catalog: Catalog): boolean =>
  catalog.data_subject.length === 1 && catalog.data_subject[0] === idFields(catalog)[0];

/** Fields whose last name, or whose whole path, the argument is; the shortest path first. */
function fieldsNamed(argument: string, { fields }: Catalog): readonly string[] {
  const wanted = plain(argument.replace(/^new[_-]?(?=.)/i, ''));
  const named = Object.keys(fields).filter((pointer) => !pointer.includes('*'));
  const whole = named.filter((pointer) => plain(pointer) === wanted);
  if (whole.length > 0) return whole;
  return named
    .filter((pointer) => plain(tokensOf(pointer).at(-1)!) === wanted)
    .sort((a, b) => tokensOf(a).length - tokensOf(b).length);
}

/** @returns null: the whole result is one record */
function recordsOf(
  schema: unknown,
  sample: unknown,
  several: boolean,
  catalog: Catalog,
  checks: string[],
): string | null {
  if (sample !== undefined) {
    const found = placeOf(sample, catalog, 0);
    if (found !== null) {
      const unknown = found.members.filter((name) => !isKnown(name, catalog));
      if (unknown.length > 0)
        checks.push(
          `the catalog has no line for ${unknown.map((name) => (/^[A-Za-z_][\w-]{0,40}$/.test(name) ? name : '(another name)')).join(', ')}: never disclosed`,
        );
      return found.place === '' ? null : found.place;
    }
    checks.push(`in the sample's result no object looks like a ${catalog.resource}`);
  }
  const found = placeOf(shapeOf(schema, 0), catalog, 0);
  if (found !== null) return found.place === '' ? null : found.place;
  if (!several) return null;
  const [place] = Object.entries(catalog.envelope).find(([, { is }]) => is === 'records') ?? ['/items'];
  checks.push('nothing says where its records are: --sample shows it');
  return `${place}/*`;
}

const isKnown = (name: string, { fields }: Catalog): boolean =>
  Object.keys(fields).some((pointer) => tokensOf(pointer)[0] === name);

/** The place of the objects most of whose members the catalog has, the outermost first. */
function placeOf(
  value: unknown,
  catalog: Catalog,
  depth: number,
): { readonly place: string; readonly members: readonly string[] } | null {
  if (depth > 4) return null;
  if (Array.isArray(value)) {
    const found = placeOf(value[0], catalog, depth + 1);
    return found === null ? null : { ...found, place: `/*${found.place}` };
  }
  if (!isMembers(value)) return null;
  const members = Object.keys(value);
  const known = members.filter((name) => isKnown(name, catalog)).length;
  if (known > 1 && known * 2 >= members.length) return { place: '', members };
  for (const [name, inner] of Object.entries(value)) {
    const found = placeOf(inner, catalog, depth + 1);
    if (found !== null) return { ...found, place: pointerOf([name]) + found.place };
  }
  return null;
}

/** A value of a JSON Schema's shape: its members, and one element of each array. */
function shapeOf(schema: unknown, depth: number): unknown {
  if (!isMembers(schema) || depth > 5) return null;
  if (isMembers(schema['properties']))
    return Object.fromEntries(
      Object.entries(schema['properties']).map(([name, inner]) => [name, shapeOf(inner, depth + 1)]),
    );
  return schema['items'] === undefined ? null : [shapeOf(schema['items'], depth + 1)];
}
