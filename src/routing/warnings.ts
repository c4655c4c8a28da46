/**
 * What a route may say and seldom means, and what it names that no catalog has. Only the catalogs show it, so it is said once they are
 * there: at the start, and by `sluice check`, for which a name that is not there is a fault.
 */
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import type { Catalog } from '../model/catalog.ts';
import type { RouteFault } from './compile.ts';
import {
  goesUninspected,
  pagesUndescribed,
  searchesByNothing,
  searchesInPath,
  searchesInQuery,
  takesPageForOne,
} from './search-warnings.ts';
import { aboutAStranger, erasesUnseen, picksByLess, writesUnseen } from './write-warnings.ts';

export interface RouteFinding extends RouteFault {
  /** `fault`: it names what no catalog has; requests that use it are refused */
  readonly severity: 'fault' | 'warning';
}

/**
 * @param catalogs by resource
 * @param consents whether there are any: what data subjects have agreed to is looked up by their ids
 */
export function routeWarnings(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
  consents = false,
): readonly RouteFinding[] {
  return [...(consents ? untypedSubjects(routes, catalogs) : []), ...eachRoute(routes, catalogs)];
}

function eachRoute(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
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
        `the policy has no catalog of a resource "${config.resource}": its requests are refused${didYouMean(config.resource, catalogs.keys())}`,
      );
    else {
      aboutAStranger(config, catalog, warn);
      searchesByNothing(config, catalog, fault);
      takesWholeForNothing(config, catalog, warn, fault);
      searchesInPath(config, catalog, warn);
      searchesInQuery(config, catalog, warn);
      takesPageForOne(config, catalog, warn);
      writesUnseen(config, catalog, warn);
      pagesUndescribed(config, catalog, warn);
      picksByLess(config, catalog, warn);
      answersNoMessage(config, catalog, warn);
    }
    renamesFields(config, warn);
    erasesUnseen(config, warn);
    goesUninspected(config, warn);
    return found;
  });
}

/**
 * Where any text is an id, another spelling of one (`c1`, `Ｃ1`) is somebody else, of whom nothing is refused, and one format may carry another
 * identifier of a person than the next. Once for each resource that a route leads to, also within another.
 */
function untypedSubjects(
  routes: readonly RouteConfig[],
  catalogs: ReadonlyMap<string, Catalog>,
): readonly RouteFinding[] {
  const told = new Set<string>();
  const found: RouteFinding[] = [];
  const visit = (resource: string, route: number): void => {
    const catalog = catalogs.get(resource);
    if (catalog === undefined || told.has(resource)) return;
    told.add(resource);
    const untyped =
      catalog.subject_places?.flatMap(({ at, type }) => (type === null ? [at] : [])) ?? catalog.data_subject;
    if (untyped.length > 0)
      found.push({
        route,
        severity: 'warning',
        key: ['resource'],
        message: `the catalog of "${resource}" takes any text for the id of a data subject (${untyped.join(', ')}): consents and flags of C1 are not found for c1, Ｃ1 or a login; say what an id looks like, e.g. customer_no: { title: Customer number, pattern: "C[0-9]{6}" } in data/identifiers.yaml and data_subject: { at: ${untyped[0]}, type: customer_no } in the catalog (docs/catalog.md, Identifiers)`,
      });
    for (const other of Object.values(catalog.variants?.of ?? {})) visit(other, route);
    for (const entry of Object.values(catalog.fields)) if ('resource' in entry) visit(entry.resource, route);
  };
  for (const [route, { resource }] of routes.entries()) visit(resource, route);
  return found;
}

type Warn = (key: RouteFault['key'], message: string) => void;

/** An answer that is not looked into cannot say whose it is, and is of a class only by the line that the route names. */
function takesWholeForNothing(
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
      `the catalog of ${catalog.resource} has no line ${String(field)}: the answer is withheld${didYouMean(String(field), Object.keys(catalog.fields))}`,
    );
  if (data_subject === undefined && catalog.data_subject.length > 0)
    warn(
      ['response'],
      `nothing says whose data a body is that is taken as a whole, so it is withheld; say it on the route, e.g. data_subject: "${id ?? '{param}'}"`,
    );
}

/** A GraphQL query renames what it asks for (aliases): whoever may write it sees any field under the name of one that may be seen. */
function renamesFields({ match, when, request, query_params }: RouteConfig, warn: Warn): void {
  const named = when?.body?.['/query'];
  const isPinned = named !== undefined && !(typeof named === 'object' && 'present' in named);
  if (!/graphql/i.test(match) || isPinned) return;
  const free = (key: RouteFault['key']): void =>
    warn(
      key,
      'a GraphQL query that the caller writes may call any field by the name of another (aliases), which no catalog can tell: name the queries in when ({ body: { /query: "…" } }) and leave this out',
    );
  for (const [i, pointer] of request.params.entries())
    if (['/query', '/*', '/**'].includes(pointer)) free(['request', 'params', i]);
  if (query_params.includes('query')) free(['query_params', query_params.indexOf('query')]);
}

/** JSON-RPC 2.0 §5: what an answer must have to be one, and nothing of which is in its records. */
const RPC_MEMBERS = ['/jsonrpc', '/id', '/error/code'];

/** Around the records leaves what the catalog's envelope names: a client of JSON-RPC waits for the answer with its `id`. */
function answersNoMessage(
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
    `its clients take an answer without ${missing.join(', ')} for no answer to their call, and the catalog of ${resource} does not let that leave: envelope: { ${missing.map((pointer) => `${pointer}: { is: status }`).join(', ')} }, and records (e.g. /result/*) on the route`,
  );
}
