/**
 * Reads query parameters and returns the fields that the request searches by. The route must name every parameter and allow its
 * value. A grammar parses values in a query language.
 */
import { compilePattern } from '../documents/pattern.ts';
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import { SluiceError } from '../errors.ts';
import type { Condition } from './conditions.ts';
import { type Grammar, grammars, type Reading } from './grammars/index.ts';
import type { Parameters } from './query.ts';
import { uninspectedLanguages } from './uninspected.ts';

export interface Search {
  readonly grammar: Grammar;
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

export interface QueryPlan {
  /** parameter → fields that it searches by, for any value (`query_fields`) */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** parameter → the language of its value (`query_grammar`) */
  readonly searches: ReadonlyMap<string, Search>;
  /** a language with many parameters (`query_grammar: { "*": … }`): reads parameters that no other member of the plan names */
  readonly dialect: Search | null;
  /** all other parameters that the query may have */
  readonly names: ReadonlySet<string>;
  /** parameter → predicate for its value (`query_values`) */
  readonly values: ReadonlyMap<string, (value: string) => boolean>;
  /** parameters that may appear more than once */
  readonly repeatable: ReadonlySet<string>;
}

type Report = (key: readonly (string | number)[], message: string) => void;

/** the key in `query_grammar` of a language with many parameters */
export const ANY = '*';

/**
 * @param conditions on the query
 * @param taken parameters that provide an id or a data subject
 */
export function queryPlan(
  config: RouteConfig,
  conditions: readonly Condition[],
  taken: readonly string[],
  report: Report,
): QueryPlan {
  const fields = new Map(Object.entries(config.query_fields));
  const searches = new Map<string, Search>();
  let dialect: Search | null = null;
  for (const [name, given] of Object.entries(config.query_grammar)) {
    const search = compileSearch(given, name, (message) => report(['query_grammar', name], message));
    if (name === ANY) dialect = search;
    else searches.set(name, search);
    if (fields.has(name)) report(['query_grammar', name], 'is already in query_fields');
    if (config.query_params.includes(name)) report(['query_grammar', name], 'is already in query_params');
  }
  for (const name of config.query_params)
    if (fields.has(name)) report(['query_params'], `"${name}" is already in query_fields`);
  const names = new Set([
    ...fields.keys(),
    ...config.query_params,
    ...conditions.map((c) => c.key),
    ...taken,
  ]);
  const values = new Map<string, (value: string) => boolean>();
  for (const [name, allowed] of Object.entries(config.query_values)) {
    const known = [...names, ...searches.keys()];
    if (!known.includes(name))
      report(['query_values', name], `the route has no query parameter "${name}"${didYouMean(name, known)}`);
    const check = compileValues(allowed);
    if (check === null) report(['query_values', name], 'is not an RE2 pattern');
    else values.set(name, check);
  }
  uninspectedLanguages(config, conditions, names, report);
  return { fields, searches, dialect, names, values, repeatable: new Set(config.repeatable) };
}

export function compileSearch(
  { grammar: name, fields }: RouteConfig['query_grammar'][string],
  parameter: string | null,
  report: (message: string) => void,
): Search {
  const grammar = grammars[name];
  if (parameter === ANY && !grammar.parameter)
    report(`${name} is the language of one parameter, so it cannot be given for "*": name the parameter`);
  if (parameter === null && !grammar.value)
    report(`${name} is a language of a query. In a body it is only read if the body is a form, at "/*"`);
  return { grammar, fields: new Map(Object.entries(fields)) };
}

function compileValues(allowed: string | readonly string[]): ((value: string) => boolean) | null {
  if (typeof allowed !== 'string') {
    const values = new Set(allowed);
    return (value) => values.has(value);
  }
  try {
    const pattern = compilePattern(allowed);
    return (value) => pattern.matches(value);
  } catch {
    return null;
  }
}

/**
 * @param used receives the fields that the request searches by
 * @throws SluiceError `query_parameter_unknown`, `request_malformed` for a name twice
 */
export function readParameters(plan: QueryPlan, parameters: Parameters, used: Set<string>): void {
  if (parameters.length === 0) return;
  const seen = new Set<string>();
  // Servers disagree which of `filter=…` and `filter[phone]=…` counts, so both together are rejected.
  const spread = new Map<string, boolean>();
  for (const [i, [name, value]] of parameters.entries()) {
    // Messages give the position, because the name is the caller's text.
    const place = `Query parameter ${i + 1}`;
    let repeats = plan.repeatable.has(name);
    const allows = plan.values.get(name);
    if (allows && !allows(value))
      throw unknown(place, 'has a value that the route does not allow (query_values)');
    const refuseSeparator = (): void => {
      if (!allows && SEPARATOR.test(value)) throw unknown(place, `${SEPARATES} (query_values)`);
    };
    if (plan.names.has(name)) {
      refuseSeparator();
      for (const pointer of plan.fields.get(name) ?? []) used.add(pointer);
    } else {
      const { base, path } = brackets(name);
      const own = plan.searches.get(name);
      const search = own ?? plan.searches.get(base);
      if (search && (own !== undefined || path !== null)) {
        if (spread.has(base) && spread.get(base) !== (own === undefined))
          throw unknown(place, 'is there both as one value and in brackets');
        spread.set(base, own === undefined);
        if (!own || !search.grammar.hasSemicolons) refuseSeparator();
        read(search, own ? null : path, name, value, reading(search, place, used));
      } else if (plan.dialect) {
        const { grammar } = plan.dialect;
        if (!grammar.hasSemicolons) refuseSeparator();
        if (!grammar.parameter?.(name, value, reading(plan.dialect, place, used))) throw notNamed(place);
        repeats ||= grammar.repeats?.(name) ?? false;
      } else throw notNamed(place);
    }
    if (seen.has(name) && !repeats)
      throw new SluiceError('request_malformed', `${place} repeats one that stands only once (repeatable).`);
    seen.add(name);
  }
}

/**
 * Reads a parameter of a form by a language with many parameters.
 * @throws SluiceError `query_parameter_unknown`
 */
export function readFormParameter(search: Search, name: string, value: unknown, used: Set<string>): void {
  const place = 'A parameter in the body';
  const { grammar } = search;
  for (const text of [value].flat()) {
    if (!grammar.hasSemicolons && SEPARATOR.test(text as string)) throw unknown(place, SEPARATES);
    if (!grammar.parameter?.(name, text as string, reading(search, place, used)))
      throw unknown(place, 'is not one that the route names (request.grammar, request.params)');
  }
}

/** @throws SluiceError `query_parameter_unknown` */
export function readMember(search: Search, value: unknown, used: Set<string>): void {
  if (value === null) return;
  const place = 'A search in the body';
  read(search, null, '', value, reading(search, place, used));
}

function read(
  { grammar }: Search,
  path: readonly string[] | null,
  name: string,
  value: unknown,
  reading: Reading,
): void {
  if (path !== null) {
    if (grammar.member) grammar.member(path, value as string, reading);
    else reading.refuse('has brackets in its name');
  } else if (grammar.value) grammar.value(value, reading);
  else if (!grammar.parameter?.(name, value as string, reading))
    reading.refuse('is not a parameter of its language');
}

/** `filter[a][]` → base `filter`, path `a` and an empty step. A name that does not end in brackets has no path. */
function brackets(name: string): { readonly base: string; readonly path: readonly string[] | null } {
  const m = /^([^[\]]+)((?:\[[^[\]]*\])+)$/.exec(name);
  return m ? { base: m[1]!, path: m[2]!.slice(1, -1).split('][') } : { base: name, path: null };
}

const SEPARATES =
  'has a ";" or a doubly encoded "&" in its value, which some servers take for the begin of another parameter';

/** Some servers start a new parameter at `;`, and others decode `%26` and `%3b` a second time. */
const SEPARATOR = /;|%(?:26|3b|00)/i;

function reading({ fields }: Search, place: string, used: Set<string>): Reading {
  const take = (name: string): readonly string[] => {
    const pointers = fields.get(name);
    if (!pointers) throw unknown(place, 'searches by a name that the route does not list (query_grammar)');
    return pointers;
  };
  return {
    field: (name) => {
      for (const pointer of take(name)) used.add(pointer);
    },
    returned: (name) => void take(name),
    everything: () => {
      for (const pointers of fields.values()) for (const pointer of pointers) used.add(pointer);
    },
    listed: (name) => fields.has(name),
    refuse: (what) => {
      throw unknown(place, what);
    },
  };
}

const notNamed = (place: string): SluiceError =>
  unknown(place, 'is not one that the route names (query_fields, query_params, query_grammar)');

const unknown = (place: string, what: string): SluiceError =>
  new SluiceError('query_parameter_unknown', `${place} ${what}.`);
