/**
 * What a route may say and seldom means, and what it names that no catalog has. Only the catalogs show it, so it is said once they are
 * there: at the start, and by `sluice check`, for which a name that is not there is a fault.
 */
import type { RouteConfig } from '../config/sections/routes.ts';
import { didYouMean } from '../errors.ts';
import { LISTS, SENDS_RECORD } from '../model/actions.ts';
import type { Catalog } from '../model/catalog.ts';
import { identifies } from '../model/identifiers.ts';
import type { RouteFault } from './compile.ts';
import { languageName } from './language-names.ts';
import { isPagingName } from './paging.ts';
import { isPut, leavesOut } from './replacing.ts';
import { isUninspected } from './searches.ts';

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

/** A new record need not be about anybody who is known; one that has an id is, as one that is changed. */
function aboutAStranger(
  { action, id, data_subject, request }: RouteConfig,
  catalog: Catalog,
  warn: Warn,
): void {
  const changes = action === 'update' || action === 'delete' || (action === 'create' && id !== undefined);
  if (!changes || data_subject !== undefined || catalog.data_subject.length === 0) return;
  warn(
    ['action'],
    `nothing but the body (${catalog.data_subject.join(', ')}) says whose data this writes: one that does not is judged as about a stranger, without that person's refusals and flags (restricted …); say it on the route, e.g. data_subject: "${id ?? `{body:${request.record ?? ''}${catalog.data_subject[0]}}`}"`,
  );
}

/** Where the whole body is the record, a member that the route says touches no field is not looked at. */
function writesUnseen({ action, request }: RouteConfig, { resource, fields }: Catalog, warn: Warn): void {
  if (!SENDS_RECORD.has(action) || (request.record ?? '') !== '') return;
  for (const [i, pointer] of request.params.entries()) {
    const name = pointer.replace(/\/\*\*$/, '');
    const field = Object.keys(fields).find((path) => path === name || path.startsWith(`${name}/`));
    if (field !== undefined)
      warn(
        ['request', 'params', i],
        `the catalog of ${resource} has a line ${field}: a caller may write it unseen, since request.params says that it touches no field; leave it out`,
      );
  }
}

function searchesByNothing(
  { path_fields, query_fields, query_grammar, request }: RouteConfig,
  { resource, fields }: Catalog,
  fault: Warn,
): void {
  const tables: readonly (readonly [RouteFault['key'], Searched])[] = [
    [['path_fields'], path_fields],
    [['query_fields'], query_fields],
    [['request', 'fields'], request.fields],
    ...Object.entries(request.domains).map(([at, table]) => [['request', 'domains', at], table] as const),
    ...Object.entries(query_grammar).map(
      ([name, { fields: table }]) => [['query_grammar', name, 'fields'], table] as const,
    ),
    ...Object.entries(request.grammar).map(
      ([at, { fields: table }]) => [['request', 'grammar', at, 'fields'], table] as const,
    ),
  ];
  for (const [key, table] of tables)
    for (const [name, pointers] of Object.entries(table))
      for (const pointer of [pointers].flat()) {
        const entry = Object.hasOwn(fields, pointer) ? fields[pointer] : undefined;
        if (entry === undefined || 'resource' in entry)
          fault(
            [...key, name],
            `the catalog of ${resource} has no line ${pointer}: a search by it is refused${didYouMean(pointer, Object.keys(fields))}`,
          );
      }
}

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

/** `/by-phone/{phone}` finds whoever has that number: an answer tells what is in a field that may be hidden. */
function searchesInPath(config: RouteConfig, { fields }: Catalog, warn: Warn): void {
  for (const [, name] of config.match.matchAll(/\{([^{}.]+)(?:\.\.\.)?\}/g)) {
    if (
      Object.hasOwn(config.path_fields, name!) ||
      [config.id, config.data_subject].some((text) => text?.includes(`{${name}}`))
    )
      continue;
    const pointer = Object.keys(fields).find((field) =>
      field.toLowerCase().endsWith(`/${name!.toLowerCase()}`),
    );
    if (pointer !== undefined)
      warn(
        ['match'],
        `the path parameter {${name}} has the name of a field: say id: "{${name}}" if it names the record, or path_fields: { ${name}: ${pointer} } if it searches by it`,
      );
  }
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

function goesUninspected(config: RouteConfig, warn: Warn): void {
  const names = [
    ...Object.keys(config.query_fields),
    ...config.query_params,
    ...Object.keys(config.when?.query ?? {}),
  ].filter((name) => languageName(name) !== null && isUninspected(config, name));
  if (typeof config.uninspected !== 'boolean')
    names.push(...config.uninspected.filter((name) => name.startsWith('/')));
  for (const name of names)
    warn(
      ['uninspected'],
      `the parameter "${name}" is forwarded as it is: its value may search by any field, and an answer tells what is in it`,
    );
}

/** What a caller would learn from its first search with a page. */
function pagesUndescribed(config: RouteConfig, { data_subject }: Catalog, warn: Warn): void {
  const { action, paging, query_fields, query_grammar, query_params, request } = config;
  const { fields, grammar, domains, params } = request;
  const narrows = [query_fields, query_grammar, fields, grammar, domains].some(
    (table) => Object.keys(table).length > 0,
  );
  if (paging !== undefined || !narrows || !LISTS.has(action) || data_subject.length === 0) return;
  const inBody = params.findIndex((pointer) => isPagingName(pointer.slice(pointer.lastIndexOf('/') + 1)));
  if (inBody >= 0)
    warn(
      ['request', 'params', inBody],
      `"${params[inBody]}" asks for a page, and a search with a page is refused (narrowed_page_refused) until the route says how it pages: paging with that pointer, see docs/inference.md`,
    );
  const at = query_params.findIndex(isPagingName);
  if (at >= 0)
    warn(
      ['query_params', at],
      `"${query_params[at]}" asks for a page, and a search with a page is refused (narrowed_page_refused) until the route says how it pages: paging, see docs/inference.md`,
    );
}

/** A caller leaves out what it is not shown, and an upstream that replaces the record erases that. */
function erasesUnseen(config: RouteConfig, warn: Warn): void {
  const { action, request } = config;
  if (!SENDS_RECORD.has(action) || request.keep_masked !== undefined) return;
  if (request.replaces !== undefined || !isPut(config)) return;
  if (leavesOut(request)) {
    warn(
      ['request', 'refused_fields'],
      'strip leaves fields out, which an upstream would erase that replaces the record, as a PUT does: say request.replaces: parts if this one keeps the members that are not sent, replaces: false if it keeps all that a body leaves out',
    );
    return;
  }
  const ways =
    action === 'create'
      ? 'request: { replaces: false } if the upstream refuses to create what is there'
      : `${request.format === 'json' ? 'request.keep_masked, which writes what is hidden as it is stored; or ' : ''}request: { replaces: false } if the upstream keeps all that a body leaves out, replaces: parts if it keeps the members that are not sent`;
  warn(
    ['match'],
    `a PUT is taken to replace the record: callers who are not shown every field of the catalog are refused (write_erases), and what the upstream keeps and no line of the catalog covers is erased. Say what this one does: ${ways}, or replaces: true if it is so`,
  );
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

/** A list has lines for an identifier that its selectors do not ask for: what the upstream goes by, Sluice may not have checked. */
function picksByLess({ action }: RouteConfig, { resource, fields }: Catalog, warn: Warn): void {
  if (!SENDS_RECORD.has(action)) return;
  const told = new Set<string>();
  for (const pointer of Object.keys(fields)) {
    const [, list, selector, keys] = /^(.*)\/(\[([^\]]*)\])\//.exec(pointer) ?? [];
    if (list === undefined || selector === undefined || keys === undefined) continue;
    const named = keys.split(',').map((key) => key.slice(0, key.indexOf('=')));
    for (const other of Object.keys(fields)) {
      if (!other.startsWith(`${list}/*/`) && !other.startsWith(`${list}/${selector}/`)) continue;
      const member = other.slice(list.length + 1).split('/')[1]!;
      if (named.includes(member) || !identifies(member) || told.has(`${list} ${member}`)) continue;
      told.add(`${list} ${member}`);
      warn(
        ['action'],
        `the catalog of ${resource} picks from ${list} by ${named.join(', ')}, and an element has ${member}, too: a write that sends both is refused, since the upstream may go by ${member}; let the selector name both, e.g. ${list}/[${member}=…,${keys}]`,
      );
    }
  }
}

type Searched = { readonly [name: string]: string | readonly string[] };
