/** Method + canonical path (+ query, headers, body) → route, resource, action, fields used. */
import type { LimitsConfig } from '../config/sections/listen.ts';
import type { RouteConfig } from '../config/sections/routes.ts';
import { SluiceError } from '../errors.ts';
import { otherNamed } from '../model/identifiers.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import { parseBody } from './body/index.ts';
import { unreadable } from './body/json.ts';
import { type BodyPlan, compileRoutes, type MatchableRoute } from './compile.ts';
import { holdsInBody, holdsOutside } from './conditions.ts';
import { domainFields } from './domain.ts';
import { mayPage } from './paging.ts';
import { readTarget, type Target, writePath } from './path.ts';
import { all, at, covered, holdsObject, leaves } from './pointer.ts';
import { type Parameters, readQuery, refuseOverrideHeaders, writeQuery } from './query.ts';
import { readMember, readParameters } from './searches.ts';
import { createTable } from './table.ts';
import { matchTemplate } from './template.ts';
import type { Headers, RouteCandidates, Router, Selected } from './types.ts';
import { evaluate, piecesOf } from './value.ts';

export { knownFrom, resolvePurpose } from './purpose.ts';
export type {
  CompiledRoute,
  Headers,
  Known,
  PurposeOfUse,
  RouteCandidates,
  Router,
  Selected,
} from './types.ts';
export { routeWarnings } from './warnings.ts';

/** What `match` hands to `select`. */
interface Narrowed extends RouteCandidates {
  readonly remaining: readonly MatchableRoute[];
  readonly target: Target;
  readonly parameters: Parameters;
  readonly headers: Headers;
}

/** @throws SluiceError `config_invalid` for routes that `loadConfig` would have refused */
export function createRouter(
  configs: readonly RouteConfig[],
  limits: Pick<LimitsConfig, 'target' | 'depth'>,
): Router {
  const { routes, faults } = compileRoutes(configs);
  const [fault] = faults;
  if (fault)
    throw new SluiceError(
      'config_invalid',
      `routes[${fault.route}].${fault.key.join('.')}: ${fault.message}`,
    );
  const table = createTable(routes);
  const methodsAt = ({ segments }: Target): readonly string[] => {
    const methods = [...table.all(segments).keys()];
    return (methods.includes('GET') ? [...methods, 'HEAD'] : methods).sort();
  };

  return {
    routes: routes.map((r) => r.route),
    match(method, target, headers = {}): Narrowed {
      refuseOverrideHeaders(headers);
      const read = readTarget(target, text(headers['host']), limits.target);
      const parameters = readQuery(read.query);
      const asked = method === 'HEAD' ? 'GET' : method;
      const remaining = table
        .find(asked, read.segments)
        .filter((r) =>
          r.conditions.every((c) => c.source === 'body' || holdsOutside(c, parameters, headers)),
        );
      const [first, ...more] = remaining;
      if (!first) throw table.find(asked, read.segments).length > 0 ? unknown() : notRouted(methodsAt(read));
      const decided = more.length === 0 && first.conditions.every((c) => c.source !== 'body');
      return {
        remaining,
        target: read,
        parameters,
        headers,
        needsBody: remaining.some((r) => r.body !== null),
        route: decided ? first.route : null,
      };
    },
    methodsOf: (target, headers = {}) => methodsAt(readTarget(target, text(headers['host']), limits.target)),
    errorsOf(method, target, headers = {}) {
      try {
        const { segments } = readTarget(target, text(headers['host']), limits.target);
        const own = table.find(method === 'HEAD' ? 'GET' : method, segments);
        const near = own.length > 0 ? own : [...table.all(segments).values()].flat();
        if (near.length > 0) return inCommon(near);
      } catch {
        // No path can be made of it: what all routes have in common is left.
      }
      return inCommon(routes);
    },
    select: (candidates, body) => select(candidates as Narrowed, body ?? EMPTY, limits.depth),
  };
}

const EMPTY = new Uint8Array(0);
const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'delete']);

function select(
  { remaining, target, parameters, headers }: Narrowed,
  bytes: Uint8Array,
  depth: number,
): Selected {
  const { chosen, body } = choose(remaining, bytes, headers, depth);
  const { route, template } = chosen;
  const params = matchTemplate(template, target.segments) ?? {};
  const used = new Set(chosen.pathFields);
  readParameters(chosen.query, parameters, used);
  const sources = { params, parameters, body };
  const id = chosen.id ? evaluate(chosen.id, sources) : undefined;
  if (chosen.id && id === undefined)
    throw new SluiceError('request_malformed', 'The request does not say which record it is about.');
  const dataSubject = chosen.dataSubject ? evaluate(chosen.dataSubject, sources) : undefined;
  // A read's answer may say it still; a write would be judged as one about a stranger.
  if (chosen.dataSubject && dataSubject === undefined && WRITES.has(route.action))
    throw new SluiceError('request_malformed', 'The request does not say whose data it writes.');
  const identifier =
    chosen.id && id !== undefined && WRITES.has(route.action)
      ? { values: [id, ...piecesOf(chosen.id, sources)], names: chosen.idNames }
      : null;
  if (identifier !== null && otherNamed(parameters, identifier) !== undefined)
    throw new SluiceError(
      'identifier_conflict',
      'A query parameter names another record than the route does. Leave it out, or send what the route says.',
    );
  const written = new Set<string>();
  if (chosen.body && body !== undefined) examine(chosen.body, body, used, written);
  return {
    route,
    params,
    resource:
      id === undefined
        ? { properties: chosen.properties, type: route.resource }
        : { id, properties: chosen.properties, type: route.resource },
    action: route.action,
    dataSubject: dataSubject ?? null,
    identifier,
    queryFields: [...used].sort(),
    bodyFields: [...written].sort(),
    paged:
      parameters.some(([name]) => mayPage(chosen, name)) ||
      (body !== undefined && route.config.request.params.length > 0),
    body,
    upstreamTarget: writePath(target.segments) + writeQuery(parameters),
  };
}

/** The routes stand in order of specificity. Routes of one template that read bodies differently each read it their way. */
function choose(
  remaining: readonly MatchableRoute[],
  bytes: Uint8Array,
  headers: Headers,
  depth: number,
): { chosen: MatchableRoute; body: unknown } {
  let failure: unknown = null;
  let understood = false;
  const read = new Map<string, unknown>();
  for (const chosen of remaining) {
    const conditions = chosen.conditions.filter((c) => c.source === 'body');
    if (chosen.body === null) {
      if (bytes.byteLength > 0) failure ??= unreadable('is not expected: its route takes none');
      else return { chosen, body: undefined };
      continue;
    }
    try {
      const { format } = chosen.body;
      const actions = format === 'soap' ? actionsOf(chosen) : NO_ACTIONS;
      const key =
        chosen.query.repeatable.size + actions.length === 0
          ? format
          : JSON.stringify([format, [...chosen.query.repeatable].sort(), actions]);
      if (!read.has(key))
        read.set(
          key,
          parseBody(
            bytes,
            {
              contentType: text(headers['content-type']),
              contentEncoding: text(headers['content-encoding']),
              soapAction: text(headers['soapaction']),
            },
            { format, depth, repeatable: chosen.query.repeatable, actions },
          ),
        );
      const body = read.get(key);
      understood = true;
      if (conditions.every((c) => holdsInBody(c, body))) return { chosen, body };
    } catch (e) {
      failure ??= e;
    }
  }
  // Where one route's format fits the body and its conditions do not, that others read another format says nothing.
  throw understood ? unknown() : (failure ?? unknown());
}

const NO_ACTIONS: readonly string[] = [];

/** Which SOAPAction goes with its operation the route says by asking for both. */
const actionsOf = ({ conditions }: MatchableRoute): readonly string[] =>
  conditions.flatMap((c) =>
    c.source === 'headers' && c.key === 'soapaction' ? (c.values ?? []).map(String) : [],
  );

function examine(plan: BodyPlan, body: unknown, used: Set<string>, written: Set<string>): void {
  if (!covered(body, plan.allowed))
    throw new SluiceError(
      'query_parameter_unknown',
      'The body has a member that the route does not name (request.fields, request.params, request.domains, request.grammar).',
    );
  for (const { steps, pointers } of plan.fields)
    for (const value of all(body, steps)) {
      // `{"name": {"$where": …}}`: an object's members may search by other fields than the one it stands for.
      if (steps.at(-1) !== '**' && holdsObject(value))
        throw new SluiceError(
          'query_parameter_unknown',
          'The body has an object where the route names a value to search by (request.fields). Name its members, or end the pointer with /**.',
        );
      for (const p of pointers) used.add(p);
    }
  for (const { steps, table } of plan.domains) domainFields(at(body, steps), table, used);
  for (const { steps, search } of plan.searches)
    for (const value of all(body, steps)) readMember(search, value, used);
  if (plan.record) for (const record of all(body, plan.record)) leaves(record, written);
}

const text = (value: Headers[string]): string | null =>
  value === undefined ? null : typeof value === 'string' ? value : value.join(', ');

function inCommon(routes: readonly MatchableRoute[]): ErrorFormat {
  const [first, ...more] = new Set(routes.map((r) => r.route.response.errors));
  return first === undefined || more.length > 0 ? 'problem' : first;
}

/** RFC 9110 §15.5.6: the methods of the path, and nothing else of the route table. */
const notRouted = (methods: readonly string[]): SluiceError =>
  methods.length === 0
    ? unknown()
    : new SluiceError('method_not_allowed', {
        message:
          'The path is known, with other methods than this one (Allow). What no route describes is denied.',
        headers: { allow: methods.join(', ') },
      });

const unknown = (): SluiceError =>
  new SluiceError('route_unknown', 'No route describes this request. What no route describes is denied.');
