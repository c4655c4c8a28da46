/** Selects the route of a request by method, canonical path, query, headers and body, and returns resource, action and used fields. */
import type { RouteConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { SENDS_RECORD, WRITES } from '../model/actions.ts';
import { type Identifier, othersAround, otherNamed } from '../model/identifiers.ts';
import { tokensOf } from '../model/pointer.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import { type Coding, codingOf, decoded } from './body/coding.ts';
import { parseBody } from './body/index.ts';
import { rewritten } from './body/rewrite.ts';
import { type CodecOf, unreadable } from './body/text.ts';
import { type Charsets, charsetsOf } from './charsets.ts';
import { withAlways } from './always-fetch.ts';
import { compileRoutes, type MatchableRoute } from './compile.ts';
import { holdsInBody, holdsOutside } from './conditions.ts';
import { examine, untouched, withoutExempt } from './examine.ts';
import { readPaging } from './paging.ts';
import { withFilter } from './record-filter.ts';
import { readTarget, type Target, writePath } from './path.ts';
import { at } from './pointer.ts';
import { type Parameters, refuseOverrideHeaders, writeQuery } from './query.ts';
import { readParameters } from './searches.ts';
import { storedAt } from './stored.ts';
import { createTable } from './table.ts';
import { matchTemplate } from './template.ts';
import type { Headers, RouteCandidates, Router, Selected } from './types.ts';
import { evaluate, namesSeveral, piecesOf, pointersIn } from './value.ts';

export type { CodecOf } from './body/text.ts';
export type { ListRequest } from './paging.ts';
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
export { type RouteFinding, routeWarnings } from './warnings.ts';

/** Result of `match`, the input of `select`. */
interface Narrowed extends RouteCandidates {
  readonly remaining: readonly MatchableRoute[];
  readonly target: Target;
  /** in the charset of the route */
  readonly parametersOf: (route: MatchableRoute) => Parameters;
  readonly headers: Headers;
}

/** @throws SluiceError `config_invalid` for routes that `loadConfig` would have rejected */
export function createRouter(configs: readonly RouteConfig[], limits: Limits, codecOf: CodecOf): Router {
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
  const charsets = charsetsOf(routes, codecOf);

  return {
    routes: routes.map((r) => r.route),
    match(method, target, headers = {}): Narrowed {
      refuseOverrideHeaders(headers);
      const read = readTarget(target, text(headers['host']), limits.target);
      const parametersOf = charsets.readers(read.query);
      const asked = method === 'HEAD' ? 'GET' : method;
      const remaining = table
        .find(asked, read.segments)
        .filter((r) =>
          r.conditions.every((c) => c.source === 'body' || holdsOutside(c, parametersOf(r), headers)),
        );
      const [first, ...more] = remaining;
      if (!first) throw table.find(asked, read.segments).length > 0 ? unknown() : notRouted(methodsAt(read));
      const decided = more.length === 0 && first.conditions.every((c) => c.source !== 'body');
      return {
        remaining,
        target: read,
        parametersOf,
        headers,
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
        // The path is invalid, so use what all routes have in common.
      }
      return inCommon(routes);
    },
    select: (candidates, body) => select(candidates as Narrowed, body ?? null, limits, charsets),
  };
}

/** of the section `limits` */
interface Limits {
  readonly target: number;
  readonly depth: number;
  readonly request_body: number;
  readonly decoded_ratio: number;
}

const EMPTY = new Uint8Array(0);

function select(
  { remaining, target, parametersOf, headers }: Narrowed,
  given: Uint8Array | null,
  limits: Limits,
  charsets: Charsets,
): Selected {
  const { chosen, body, bytes } = choose(remaining, given ?? EMPTY, headers, limits, charsets);
  const { route, template } = chosen;
  const parameters = parametersOf(chosen);
  const params = matchTemplate(template, target.segments) ?? {};
  const used = new Set(chosen.pathFields);
  readParameters(chosen.query, parameters, used);
  const sources = { params, parameters, body };
  const id = chosen.id ? evaluate(chosen.id, sources) : undefined;
  if (chosen.id && id === undefined)
    throw new SluiceError('request_malformed', 'The request does not say which record it is about.');
  const dataSubject = chosen.dataSubject ? evaluate(chosen.dataSubject, sources) : undefined;
  // The response to a read may still say it; a write would be judged as one about an unknown data subject.
  if (chosen.dataSubject && dataSubject === undefined && WRITES.has(route.action))
    throw new SluiceError('request_malformed', 'The request does not say whose data it writes.');
  const identifier =
    chosen.id && id !== undefined && WRITES.has(route.action)
      ? { values: [id, ...piecesOf(chosen.id, sources)], names: chosen.idNames }
      : null;
  const ownName = (name: string): boolean =>
    chosen.id?.some((part) => part.from === 'query' && part.name === name && part.pattern !== null) === true;
  // The id C1 was taken from `id=eq.C1`.
  const others = parameters.filter(([name]) => !ownName(name));
  if (identifier !== null && otherNamed(others, identifier) !== undefined)
    throw new SluiceError(
      'identifier_conflict',
      'A query parameter names another record than the route does. Leave it out, or send what the route says.',
    );
  if (
    WRITES.has(route.action) &&
    namesSeveral([...(chosen.id ?? []), ...(chosen.dataSubject ?? [])], sources, route)
  )
    throw new SluiceError(
      'identifier_conflict',
      'The request names several records where its route takes one id. Send one request for each.',
    );
  const written = new Set<string>();
  const value = chosen.body === null ? body : withoutExempt(body, chosen.body.exempt);
  if (identifier !== null) refuseOthers(body, value, chosen, identifier);
  if (chosen.body && body !== undefined) examine(chosen.body, body, value, used, written);
  const asked = withAlways(route.config.always_fetch, parameters);
  const codec = charsets.of(chosen);
  const sent = (parameters: Parameters): Pick<Selected, 'paging' | 'upstreamTarget'> => ({
    paging: () =>
      readPaging(chosen, {
        parameters,
        inBody: body === undefined ? [] : untouched(chosen, body),
        at: (pointer) => at(body, tokensOf(pointer)),
        write: (others, changes) => {
          const written =
            changes.length === 0 || chosen.body === null
              ? null
              : rewritten(bytes, chosen.body.rules, codec, changes);
          if (changes.length > 0 && written === null) return null;
          return { target: writePath(target.segments) + writeQuery(others, codec), body: written };
        },
      }),
    upstreamTarget: writePath(target.segments) + writeQuery(parameters, codec),
  });
  const { filter_params } = route.config;
  const selected: Selected = {
    ...sent(asked.parameters),
    filtered: (filter) => {
      const parameters = withFilter(filter_params, route.resource, filter, asked.parameters);
      return parameters.length === 0 ? selected : { ...selected, ...sent(parameters) };
    },
    route,
    params,
    resource:
      id === undefined
        ? { properties: chosen.properties, type: route.resource }
        : { id, properties: chosen.properties, type: route.resource },
    action: route.action,
    dataSubject: dataSubject ?? null,
    identifier,
    stored: chosen.stored && storedAt(chosen.stored, params, target.segments),
    queryFields: [...used].sort(),
    bodyFields: [...written].sort(),
    added: asked.added,
    body,
    written: value,
    bytes: given === null ? null : bytes,
  };
  return selected;
}

/** The routes are in order of specificity. Routes with one template may parse bodies differently; each parses it in its own way. */
function choose(
  remaining: readonly MatchableRoute[],
  given: Uint8Array,
  headers: Headers,
  limits: Limits,
  charsets: Charsets,
): { chosen: MatchableRoute; body: unknown; bytes: Uint8Array } {
  let failure: unknown = null;
  let understood = false;
  // Most routes take no body, and need neither map.
  let read: Map<string, unknown> | null = null;
  let plain: Map<Coding, Uint8Array> | null = null;
  const encoding = text(headers['content-encoding']);
  const decode = (coding: Coding): Uint8Array => {
    plain ??= new Map();
    const known = plain.get(coding) ?? decoded(given, coding, limits);
    plain.set(coding, known);
    return known;
  };
  for (const chosen of remaining) {
    const conditions = chosen.conditions.filter((c) => c.source === 'body');
    try {
      const coding = encoding === null ? null : codingOf(encoding, chosen.body?.rules.codings ?? []);
      if (chosen.body === null) {
        if (given.byteLength > 0) failure ??= unreadable('is not expected: its route takes none');
        else return { chosen, body: undefined, bytes: given };
        continue;
      }
      const { rules, key } = chosen.body;
      const bytes = coding === null ? given : decode(coding);
      read ??= new Map();
      if (!read.has(key))
        read.set(
          key,
          parseBody(
            bytes,
            { contentType: text(headers['content-type']), soapAction: text(headers['soapaction']) },
            rules,
            limits.depth,
            charsets.of(chosen),
            charsets.is(chosen),
          ),
        );
      const body = read.get(key);
      understood = true;
      if (conditions.every((c) => holdsInBody(c, body))) return { chosen, body, bytes };
    } catch (e) {
      failure ??= e;
    }
  }
  // If a route's format fits the body but its conditions do not hold, faults of other formats are not reported.
  throw understood ? unknown() : (failure ?? unknown());
}

const text = (value: Headers[string]): string | null =>
  value === undefined ? null : typeof value === 'string' ? value : value.join(', ');

function inCommon(routes: readonly MatchableRoute[]): ErrorFormat {
  const [first, ...more] = new Set(routes.map((r) => r.route.response.errors));
  return first === undefined || more.length > 0 ? 'problem' : first;
}

/** RFC 9110 §15.5.6: the methods of the path, and nothing else about the routes. */
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

/**
 * Checks what a body has outside the written record. The guard checks the record itself, because it knows the stored one.
 * @param written the body without the members that touch no field
 * @throws SluiceError `identifier_conflict`
 */
function refuseOthers(
  body: unknown,
  written: unknown,
  { route, dataSubject }: MatchableRoute,
  identifier: Identifier,
): void {
  const subjects = pointersIn(dataSubject ?? []);
  const place = tokensOf(route.written.record);
  const paths = !SENDS_RECORD.has(route.action)
    ? othersAround(body, identifier, null, subjects)
    : place.length > 0
      ? othersAround(body, identifier, place, subjects)
      : othersAround(without(body, written), identifier, null, subjects);
  if (paths.length === 0) return;
  throw new SluiceError('identifier_conflict', {
    message: `The request's body names another record than its route does: ${paths.join(', ')}. Leave it out, or send what the route says.`,
    paths,
  });
}

/** members that only one of the two has */
const without = (body: unknown, written: unknown): unknown =>
  Object.fromEntries(Object.entries(body ?? {}).filter(([name]) => !Object.hasOwn(Object(written), name)));
