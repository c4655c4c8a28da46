/**
 * Warnings about routes: settings that are allowed but rarely intended, and names that no catalog has. They need the catalogs, so they are
 * reported once these are loaded: at start, and by `sluice check`, which treats an unknown name as a fault.
 */
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import type { Catalog } from '../model/catalog.ts';
import type { LayoutOf } from '../model/disclosure.ts';
import type { RouteFault } from './compile.ts';
import {
  goesUninspected,
  pagesUndescribed,
  searchesByNothing,
  searchesInPath,
  searchesInQuery,
  takesPageForOne,
} from './search-warnings.ts';
import { unknownDataSubject, erasesUnseen, picksByLess, writesUnseen } from './write-warnings.ts';

export interface RouteFinding extends RouteFault {
  /** `fault`: it names something that no catalog has; requests that use it are refused */
  readonly severity: 'fault' | 'warning';
}

/**
 * @param catalogs by resource
 * @param consents whether consents are used: they are looked up by ids of data subjects
 */
export function routeWarnings(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
  layoutOf: LayoutOf,
  consents = false,
): readonly RouteFinding[] {
  return [...(consents ? untypedSubjects(routes, catalogs) : []), ...eachRoute(routes, catalogs, layoutOf)];
}

function eachRoute(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
  layoutOf: LayoutOf,
): readonly RouteFinding[] {
  return routes.flatMap((config, route) => {
    const found: RouteFinding[] = [];
    const say =
      (severity: RouteFinding['severity']): Warn =>
      (key, message) =>
        void found.push({ route, key, message, severity });
    const [warn, fault] = [say('warning'), say('fault')];
    const catalog = catalogs.get(config.resource);
    if (catalog === undefined)
      fault(
        ['resource'],
        `the policy has no catalog for the resource "${config.resource}", so every request of this route is refused${didYouMean(config.resource, catalogs.keys())}`,
      );
    else {
      unknownDataSubject(config, catalog, warn);
      searchesByNothing(config, catalog, fault);
      wholeBodyWithoutField(config, catalog, warn, fault);
      searchesInPath(config, catalog, warn);
      searchesInQuery(config, catalog, warn);
      takesPageForOne(config, catalog, layoutOf, warn);
      writesUnseen(config, catalog, warn);
      pagesUndescribed(config, catalog, warn);
      filtersByUnknown(config, catalog, fault);
      picksByLess(config, catalog, warn);
      omitsJsonRpcMembers(config, catalog, warn);
    }
    renamesFields(config, warn);
    erasesUnseen(config, warn);
    goesUninspected(config, warn);
    return found;
  });
}

/**
 * If any text is an id, another form of it (`c1`, `Ｃ1`) is a different data subject without refusals, and formats may use different
 * identifiers of one person. Reported once for each resource that a route reaches, also within another.
 */
function untypedSubjects(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
): readonly RouteFinding[] {
  const reported = new Set<string>();
  const found: RouteFinding[] = [];
  const visit = (resource: string, route: number): void => {
    const catalog = catalogs.get(resource);
    if (catalog === undefined || reported.has(resource)) return;
    reported.add(resource);
    const untyped =
      catalog.subject_places?.flatMap(({ at, type }) => (type === null ? [at] : [])) ?? catalog.data_subject;
    if (untyped.length > 0)
      found.push({
        route,
        severity: 'warning',
        key: ['resource'],
        message: `the catalog of ${resource} gives the ids of its data subjects (${untyped.join(', ')}) no type, so consents and flags of C1 are not found for another form of the id, such as c1, Ｃ1 or a login: define a type, e.g. customer_no: { title: Customer number, pattern: "C[0-9]{6}" } in data/identifiers.yaml, and use it in the catalog, data_subject: { at: ${untyped[0]}, type: customer_no } (docs/catalog.md, Identifiers)`,
      });
    for (const other of Object.values(catalog.variants?.of ?? {})) visit(other, route);
    for (const entry of Object.values(catalog.fields)) if ('resource' in entry) visit(entry.resource, route);
  };
  for (const [route, { resource }] of routes.entries()) visit(resource, route);
  return found;
}

type Warn = (key: RouteFault['key'], message: string) => void;

/** A condition names an attribute of the catalog, so such a parameter would never be sent. */
function filtersByUnknown(
  { filter_params }: RouteConfig,
  { resource, attributes }: Catalog,
  fault: Warn,
): void {
  for (const name of Object.keys(filter_params))
    if (!Object.hasOwn(attributes, name))
      fault(
        ['filter_params', name],
        `the catalog of ${resource} has no attribute "${name}"${didYouMean(name, Object.keys(attributes))}`,
      );
}

/** A response that is not inspected cannot name its data subject, and its class comes only from the line that the route names. */
function wholeBodyWithoutField(
  { id, data_subject, response }: RouteConfig,
  catalog: Catalog,
  warn: Warn,
  fault: Warn,
): void {
  if (response.format !== 'whole') return;
  const { field } = response.options;
  const entry = Object.hasOwn(catalog.fields, String(field)) ? catalog.fields[String(field)] : undefined;
  if (entry === undefined || 'resource' in entry)
    fault(
      ['response', 'options', 'field'],
      `the catalog of ${catalog.resource} has no field ${String(field)}, so the response is withheld${didYouMean(String(field), Object.keys(catalog.fields))}`,
    );
  if (data_subject === undefined && catalog.data_subject.length > 0)
    warn(
      ['response'],
      `the route does not name the data subject of a response that is not parsed (whole), so the response is withheld: add data_subject, e.g. data_subject: "${id ?? '{param}'}"`,
    );
}

/** A GraphQL query can rename fields (aliases): a caller who writes the query could get any field under the name of a visible one. */
function renamesFields({ match, when, request, query_params }: RouteConfig, warn: Warn): void {
  const named = when?.body?.['/query'];
  const isPinned = named !== undefined && !(typeof named === 'object' && 'present' in named);
  if (!/graphql/i.test(match) || isPinned) return;
  const free = (key: RouteFault['key']): void =>
    warn(
      key,
      'callers can send any GraphQL query here, and aliases in a query can give a hidden field the name of a visible one: list the permitted queries, when: { body: { /query: "…" } }, and remove this parameter',
    );
  for (const [i, pointer] of request.params.entries())
    if (['/query', '/*', '/**'].includes(pointer)) free(['request', 'params', i]);
  if (query_params.includes('query')) free(['query_params', query_params.indexOf('query')]);
}

/** Members that JSON-RPC 2.0 §5 requires in a response; none of them is in its records. */
const RPC_MEMBERS = ['/jsonrpc', '/id', '/error/code'];

/** Outside the records only what the catalog's envelope names is disclosed. A JSON-RPC client waits for a response with its `id`. */
function omitsJsonRpcMembers(
  { records, request, response, when }: RouteConfig,
  { resource, envelope, fields }: Catalog,
  warn: Warn,
): void {
  const speaks =
    response.errors === 'jsonrpc' ||
    request.params.includes('/jsonrpc') ||
    when?.body?.['/jsonrpc'] !== undefined;
  if (!speaks) return;
  const named = records === undefined ? { ...fields, ...envelope } : envelope;
  const missing = RPC_MEMBERS.filter((pointer) => !Object.hasOwn(named, pointer));
  if (missing.length === 0) return;
  warn(
    ['response'],
    `JSON-RPC clients need ${missing.join(', ')} in a response, but the catalog of ${resource} does not disclose ${missing.length === 1 ? 'it' : 'them'}: add envelope: { ${missing.map((pointer) => `${pointer}: { is: status }`).join(', ')} } to the catalog, and records (e.g. /result/*) to the route`,
  );
}
