/** Compiles configured routes for matching, and reports all their faults at start. The file is long: it has one check for each member of the section. */
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import { LISTS, READS, SENDS_RECORD } from '../model/actions.ts';
import { identifierNames } from '../model/identifiers.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import { tokensOf } from '../model/pointer.ts';
import {
  type BodyRules,
  type BodyShape,
  type RequestFormat,
  shapeOf,
  shareType,
  typeOfAnother,
} from './body/index.ts';
import { type Condition, compileConditions, exclude, refines } from './conditions.ts';
import type { NameTable } from './domain.ts';
import { pagingFaults } from './paging.ts';
import type { Steps } from './pointer.ts';
import { ANY, compileSearch, type QueryPlan, queryPlan, type Search } from './searches.ts';
import { isOverride } from './query.ts';
import { erasesOf } from './replacing.ts';
import { isUtf8, type StoredPlan, storedPlan } from './stored.ts';
import { collide, parseTemplate, shape, type Template } from './template.ts';
import type { CompiledRoute } from './types.ts';
import { isUninspected, uninspectedMembers, uninspectedSegments } from './uninspected.ts';
import { namesIn, parseValue, type ValueTemplate } from './value.ts';

export interface RouteFault {
  readonly route: number;
  readonly key: readonly (string | number)[];
  readonly message: string;
}

/** A compiled route. */
export interface MatchableRoute {
  readonly route: CompiledRoute;
  readonly template: Template;
  readonly conditions: readonly Condition[];
  /** attributes of the resource, as the policy sees them */
  readonly properties: { readonly [key: string]: unknown };
  readonly id: ValueTemplate | null;
  /** folded names, besides `id`, with which a write could identify its record */
  readonly idNames: ReadonlySet<string>;
  readonly dataSubject: ValueTemplate | null;
  /** fields that every request of the route searches by in its path */
  readonly pathFields: readonly string[];
  readonly query: QueryPlan;
  /** label of the charset of query and body; null: UTF-8 */
  readonly charset: string | null;
  readonly body: BodyPlan | null;
  readonly stored: StoredPlan | null;
}

/** How a body is read; null if a request of this route must not have one. */
export interface BodyPlan {
  readonly rules: BodyRules;
  /** equal for plans that parse a body in the same way */
  readonly key: string;
  readonly elements: boolean;
  /** members of the record that, by the route, touch no field; used if the entire body is the record */
  readonly exempt: ReadonlySet<string>;
  readonly fields: readonly { readonly steps: Steps; readonly pointers: readonly string[] }[];
  readonly domains: readonly { readonly steps: Steps; readonly table: NameTable }[];
  readonly searches: readonly { readonly steps: Steps; readonly search: Search }[];
  /** reads the parameters of a form that no other list names */
  readonly dialect: Search | null;
  /** pointer to the written record; null for a request that writes none */
  readonly record: Steps | null;
  /** every scalar of the body must be at one of these pointers */
  readonly allowed: readonly Steps[];
  /** those of them that accept members of any name, in a request that reads: no member may have the name of a query language */
  readonly loose: readonly Steps[];
}

/** @param configs null for a route with faults; it keeps its index */
export function compileRoutes(configs: readonly (RouteConfig | null)[]): {
  readonly routes: readonly MatchableRoute[];
  readonly faults: readonly RouteFault[];
} {
  const faults: RouteFault[] = [];
  const routes = configs.map(
    (config, route) => config && compileRoute(config, (key, message) => faults.push({ route, key, message })),
  );
  const shapes = routes.map((r) => r && shape(r.template));
  for (const [i, a] of routes.entries()) {
    const other = routes.findIndex((b, j) => j < i && a && b && ambiguous(a, b, shapes[i] === shapes[j]));
    if (other !== -1)
      faults.push({
        route: i,
        key: ['match'],
        message: `a request may match both this route and routes[${other}], and neither is more specific: add "when" conditions or "params" patterns that exclude each other`,
      });
  }
  return { routes: routes.filter((r) => r !== null), faults };
}

function ambiguous(a: MatchableRoute, b: MatchableRoute, isOneTemplate: boolean): boolean {
  if (!isOneTemplate) return collide(a.template, b.template);
  if (exclude(a.conditions, b.conditions) || speakDifferently(a, b)) return false;
  return !refines(a.conditions, b.conditions) && !refines(b.conditions, a.conditions);
}

/**
 * A body is parsed only in the format of its Content-Type, so no body is both JSON and XML. That distinguishes two routes that
 * both have conditions on the body; an empty body satisfies neither.
 */
function speakDifferently(a: MatchableRoute, b: MatchableRoute): boolean {
  const asks = (r: MatchableRoute): boolean =>
    r.conditions.some((c) => c.source === 'body' && (c.values !== null || c.present));
  if (!a.body || !b.body || !asks(a) || !asks(b)) return false;
  return !shareType(a.body.rules, b.body.rules);
}

type Report = (key: readonly (string | number)[], message: string) => void;

function compileRoute(config: RouteConfig, report: Report): MatchableRoute | null {
  const template = parseTemplate(config.match, config.params);
  if (typeof template === 'string') {
    report(['match'], template);
    return null;
  }
  const params = new Set(template.segments.flatMap((s) => (s.is === 'text' ? [] : [s.name])));
  const templateOf = (key: 'id' | 'data_subject'): ValueTemplate | null => {
    const text = config[key];
    if (text === undefined) return null;
    const value = parseValue(text, params, config.query_values);
    if (typeof value !== 'string') return value;
    report([key], value);
    return null;
  };
  const id = templateOf('id');
  const dataSubject = templateOf('data_subject');
  const conditions = compileConditions(config.when);
  if (config.records?.includes('/[') === true)
    report(
      ['records'],
      'a pointer to records must not have a step with a selector ([member=value]): use member names, array indexes and *',
    );
  const values = [...(id ?? []), ...(dataSubject ?? [])];
  for (const name of Object.keys(config.path_fields))
    if (!params.has(name))
      report(
        ['path_fields', name],
        `the path in match has no parameter "${name}"${didYouMean(name, params)}`,
      );
  const query = queryPlan(
    config,
    conditions.filter((c) => c.source === 'query'),
    values.flatMap((p) => (p.from === 'query' ? [p.name] : [])),
    report,
  );
  uninspectedSegments(config, params, report);
  pagingFaults(config, query, report);
  const selection = config.always_fetch?.param;
  if (
    selection !== undefined &&
    query.dialect === null &&
    !query.names.has(selection) &&
    !query.searches.has(selection)
  )
    report(
      ['always_fetch', 'param'],
      `the route has no query parameter "${selection}"${didYouMean(selection, query.names)}`,
    );
  const taken = values.flatMap((p) => (p.from === 'body' ? [p.steps] : []));
  const body = bodyPlan(config, conditions, taken, report);
  const shape = shapeOf(config.request.format);
  const stored = storedPlan(config, params, report);
  const { format, charset, options, statuses, not_found, errors, empty } = config.response;
  if (empty !== undefined) checkEmpty(empty, config, report);
  if (format === 'whole' && LISTS.has(config.action) && searchesByFields(config))
    report(
      ['response', 'format'],
      'a response that is not parsed (whole) must not answer a search by fields, since Sluice cannot remove withheld records from it: use a format with records, or action: read if the response is about one record',
    );
  return {
    template,
    conditions,
    properties: Object.freeze({ source: config.upstream, ...config.properties }),
    id,
    idNames: identifierNames(config.resource, namesIn(id ?? [])),
    dataSubject,
    pathFields: Object.values(config.path_fields).flat(),
    query,
    charset: config.request.charset?.toLowerCase() ?? null,
    body,
    stored,
    route: Object.freeze({
      template: config.match,
      path: template.path,
      method: template.method,
      upstream: config.upstream,
      resource: config.resource,
      action: config.action,
      purpose: config.purpose ?? null,
      records: config.records ?? null,
      written: {
        record: config.request.record ?? shape.record,
        elements: shape.elements,
        erases: erasesOf(config),
      },
      response: {
        format: format ?? null,
        charset: charset?.toLowerCase() ?? null,
        statuses,
        notFound: not_found,
        errors: errors ?? errorsFor(config.request.format),
        options,
      },
      config,
    }),
  };
}

const searchesByFields = ({ path_fields, query_fields, query_grammar, request }: RouteConfig): boolean =>
  [path_fields, query_fields, query_grammar, request.fields, request.grammar, request.domains].some(
    (table) => Object.keys(table).length > 0,
  );

/** Response formats that clients of a request format can read; JSON calls are too diverse to tell. */
const errorsFor = (format: RequestFormat): ErrorFormat =>
  format === 'soap' || format === 'xmlrpc' ? format : 'problem';

/** The response to an empty list is sent as configured, so it must be valid. */
function checkEmpty(empty: string, { action, records, response }: RouteConfig, report: Report): void {
  const at = ['response', 'empty'];
  const isList = LISTS.has(action) || (READS.has(action) && records?.includes('*') === true);
  if (!isList) report(at, `the response of this route (action: ${action}) is not a list: remove this key`);
  if (response.format !== undefined && response.format !== 'json')
    report(at, `must be JSON, but the responses of this route are ${response.format}: remove this key`);
  try {
    JSON.parse(empty);
  } catch {
    report(at, 'is not valid JSON: use for example \'{"items":[],"total":null}\'');
  }
}

function bodyPlan(
  config: RouteConfig,
  conditions: readonly Condition[],
  taken: readonly Steps[],
  report: Report,
): BodyPlan | null {
  const { action, request, repeatable } = config;
  const inBody = conditions.filter((c) => c.source === 'body');
  const writes = SENDS_RECORD.has(action);
  uninspectedMembers(
    config,
    (pointer) => inBody.find((c) => c.key === pointer && c.values !== null)?.values ?? null,
    report,
  );
  if (request.record !== undefined && !writes)
    report(
      ['request', 'record'],
      `the request of this route (action: ${action}) has no written record: remove this key`,
    );
  if (
    request.format === 'soap' &&
    inBody.length + taken.length > 0 &&
    !inBody.some((c) => c.key === '/operation' && c.values)
  )
    report(
      ['when'],
      'a SOAP route needs a body condition on /operation, since the body may have a different operation than the SOAPAction header: add body: { /operation: … }',
    );
  if (request.format === 'xml' && writes && request.record === undefined)
    report(
      ['request', 'record'],
      'a route that writes XML must have the pointer to the written record, from the root, e.g. /customer',
    );
  for (const [i, type] of request.types.entries()) {
    const other = typeOfAnother(type, request.format);
    if (other !== null)
      report(
        ['request', 'types', i],
        `is a media type of ${other}, and the upstream would parse the body as ${other}: remove it, or change request.format`,
      );
  }
  if (request.format === 'vcard' && request.charset !== undefined)
    report(['request', 'charset'], 'does not apply to vCards, which are always UTF-8: remove this key');
  const { namespaces } = request.options ?? {};
  if (request.options !== undefined && request.format !== 'csv' && request.format !== 'xml')
    report(['request', 'options'], 'applies only to CSV and XML: remove this key');
  if (namespaces !== undefined && request.format !== 'xml')
    report(['request', 'options', 'namespaces'], 'applies only to XML: remove this key');
  if (namespaces !== undefined && new Set(Object.values(namespaces)).size < Object.keys(namespaces).length)
    report(
      ['request', 'options', 'namespaces'],
      'has the same namespace under two prefixes: keep one of them',
    );
  const { separator, quote } = request.options ?? CSV;
  if (separator === quote) report(['request', 'options'], 'separator and quote must differ');
  const overrides = methodsIn(inBody, action, report);
  const fields = Object.entries(request.fields).map(([p, pointers]) => ({ steps: tokensOf(p), pointers }));
  const domains = Object.entries(request.domains).map(([p, table]) => ({ steps: tokensOf(p), table }));
  const isDialect = (pointer: string): boolean => request.format === 'form' && pointer === '/*';
  const compiled = Object.entries(request.grammar).map(([p, given]) => ({
    steps: tokensOf(p),
    isDialect: isDialect(p),
    search: compileSearch(given, isDialect(p) ? ANY : null, (message) =>
      report(['request', 'grammar', p], message),
    ),
  }));
  const searches = compiled.filter((search) => !search.isDialect);
  const dialect = compiled.find((search) => search.isDialect)?.search ?? null;
  const allowed = request.params.map(tokensOf);
  const reads = [inBody, taken, fields, domains, compiled, allowed].some((list) => list.length > 0);
  if (!writes && !reads) return null;
  const shape: BodyShape = shapeOf(request.format);
  if (request.refused_fields === 'strip' && !isUtf8(request.charset))
    report(
      ['request', 'refused_fields'],
      'strip needs a body in UTF-8: remove request.charset, or use refuse',
    );
  const record = writes ? tokensOf(request.record ?? shape.record) : null;
  const rules: BodyRules = {
    format: request.format,
    types: request.types,
    charset: request.charset?.toLowerCase() ?? null,
    codings: request.content_encoding,
    repeatable: new Set(repeatable),
    repeats: dialect?.grammar.repeats ?? null,
    overrides,
    actions: request.format === 'soap' ? actionsOf(conditions) : [],
    table: { ...CSV, ...request.options, null: request.options?.null ?? null },
    namespaces: namespaces ?? null,
  };
  return {
    rules,
    key: JSON.stringify([
      { ...rules, repeatable: [...repeatable].sort(), overrides: [...overrides].sort() },
      dialect === null ? null : request.grammar['/*']?.grammar,
    ]),
    elements: shape.elements,
    exempt: new Set(record?.length === 0 ? [...overrides, ...allowed.flatMap(memberOf)] : []),
    fields,
    domains,
    searches,
    dialect,
    record,
    loose: writes
      ? []
      : request.params.filter((p) => p.includes('*') && !isUninspected(config, p)).map(tokensOf),
    allowed: [
      ...allowed,
      ...taken,
      ...inBody.map((c) => c.steps),
      ...fields.flatMap(({ steps }) => [steps, [...steps, '**']]),
      ...domains.map(({ steps }) => [...steps, '**']),
      ...compiled.map(({ steps }) => [...steps, '**']),
      ...(record === null ? [] : [[...record, '**']]),
      // a GraphQL query has its own warning
      ...(/graphql/i.test(config.match) && request.params.some((p) => /^\/\*\*?$/.test(p))
        ? [['query']]
        : []),
      ...(request.format === 'soap' && inBody.length > 0 ? [['namespace']] : []),
    ],
  };
}

const CSV = { separator: ',', quote: '"', header: true };

/** the member of the body that a pointer names, if it names one */
const memberOf = (steps: Steps): readonly string[] => {
  const [name, ...rest] = steps;
  return name !== undefined && !name.startsWith('*') && (rest.length === 0 || rest.join() === '**')
    ? [name]
    : [];
};

/** A route that has conditions on both states which SOAPAction belongs to its operation. */
const actionsOf = (conditions: readonly Condition[]): readonly string[] =>
  conditions.flatMap((c) =>
    c.source === 'headers' && c.key === 'soapaction' ? (c.values ?? []).map(String) : [],
  );

const CHANGES: ReadonlySet<unknown> = new Set(['PUT', 'PATCH', 'DELETE']);
const METHODS: ReadonlySet<unknown> = new Set(['GET', 'HEAD', 'POST', ...CHANGES]);

/** Members of the body by which the route selects a method: `when: { body: { /_method: GET } }`. No other member may name one. */
function methodsIn(inBody: readonly Condition[], action: string, report: Report): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { steps, values, key } of inBody) {
    const [name, ...rest] = steps;
    if (name === undefined || rest.length > 0 || !isOverride(name) || values === null) continue;
    names.add(name);
    for (const method of values)
      if (!METHODS.has(method))
        report(['when', 'body', key], 'must be an HTTP method in upper case, e.g. GET, POST or PUT');
      else if (
        READS.has(action)
          ? CHANGES.has(method)
          : method === 'GET' ||
            method === 'HEAD' ||
            (method === 'DELETE') !== (action === 'delete' && method !== 'POST')
      )
        report(
          ['when', 'body', key],
          `the method ${String(method)} does not fit the action of this route (${action}): change one of them`,
        );
  }
  return names;
}
