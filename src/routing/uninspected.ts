/** Parameters with the name of a query-language parameter (`filter`, `sort`) for which the route declares no grammar: their values may name any field. */
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import { SENDS_RECORD } from '../model/actions.ts';
import { tokensOf } from '../model/pointer.ts';
import type { Condition } from './conditions.ts';
import { grammarHint, isHarmless, languageName } from './language-names.ts';

type Key = readonly (string | number)[];
type Report = (key: Key, message: string) => void;

/** A parameter or member without a declared grammar. */
interface Unread {
  readonly key: Key;
  /** name in the route */
  readonly name: string;
  /** suggested grammar; null: no grammar reads it */
  readonly hint: string | null;
  /** its values are listed, but not the fields that they name */
  readonly listed: boolean;
}

/**
 * Accepted without a grammar: values that are all listed together with their fields, and values that name no field.
 */
export function uninspectedLanguages(
  config: RouteConfig,
  conditions: readonly Condition[],
  names: ReadonlySet<string>,
  report: Report,
): void {
  const { uninspected, query_values, query_fields, query_params } = config;
  /** all possible values; null: any */
  const valuesOf = (name: string): readonly unknown[] | null => {
    const listed = query_values[name];
    if (typeof listed === 'object') return listed;
    return conditions.find((c) => c.key === name && c.values !== null)?.values ?? null;
  };
  if (Array.isArray(uninspected))
    for (const [i, name] of (uninspected as readonly string[]).entries())
      if (!names.has(name) && !name.startsWith('/') && !config.match.includes(`{${name}}`))
        report(['uninspected', i], `the route has no query parameter "${name}"${didYouMean(name, names)}`);
  const unread: Unread[] = [];
  for (const name of names) {
    const kind = languageName(name);
    const values = valuesOf(name);
    const hasFields = Object.hasOwn(query_fields, name);
    if (kind === null || isUninspected(config, name)) continue;
    if (values !== null && (hasFields || values.every((value) => isHarmless(kind, value)))) continue;
    const key = hasFields
      ? ['query_fields', name]
      : query_params.includes(name)
        ? ['query_params', query_params.indexOf(name)]
        : ['when', 'query', name];
    unread.push({ key, name, hint: grammarHint(name), listed: values !== null });
  }
  reportAll(unread, 'query_grammar', report);
}

/** The same for members of a body; if it is a record, only for members that, by the route, are not its fields. */
export function uninspectedMembers(
  config: RouteConfig,
  valuesOf: (pointer: string) => readonly unknown[] | null,
  report: Report,
): void {
  const { fields, params } = config.request;
  const conditions = SENDS_RECORD.has(config.action) ? [] : Object.keys(config.when?.body ?? {});
  const members: readonly (readonly [key: Key, pointer: string])[] = [
    ...Object.keys(fields).map((pointer) => [['request', 'fields', pointer], pointer] as const),
    ...params.map((pointer, i) => [['request', 'params', i], pointer] as const),
    ...conditions.map((pointer) => [['when', 'body', pointer], pointer] as const),
  ];
  const unread: Unread[] = [];
  for (const [key, pointer] of members) {
    const name = memberName(pointer);
    const kind = languageName(name);
    if (kind === null || isUninspected(config, pointer) || isGraphql(config, name)) continue;
    const values = valuesOf(pointer);
    const hasFields = Object.hasOwn(fields, pointer);
    if (values !== null && (hasFields || values.every((value) => isHarmless(kind, value)))) continue;
    const above = pointer.replace(WILD, '');
    const hint = grammarHint(tokensOf(above).at(-1) ?? '', above);
    unread.push({ key, name: pointer, hint, listed: values !== null });
  }
  reportAll(unread, 'request.grammar', report);
}

/** Reports similar parameters of a route as one fault, since one table solves all of them. */
function reportAll(
  unread: readonly Unread[],
  grammar: 'query_grammar' | 'request.grammar',
  report: Report,
): void {
  const [values, fields] =
    grammar === 'query_grammar' ? ['query_values', 'query_fields'] : ['when.body', 'request.fields'];
  for (const listed of [false, true]) {
    const alike = unread.filter((one) => one.listed === listed);
    const [first] = alike;
    if (first === undefined) continue;
    const names = alike.map(({ name }) => JSON.stringify(name)).join(', ');
    const one = alike.length === 1;
    const hints = [...new Set(alike.flatMap(({ hint }) => hint ?? []))].join(', ');
    const read = hints === '' ? grammar : `${grammar}, e.g. { ${hints} }`;
    const accept = `or accept the risk with uninspected: [${names}]`;
    report(
      first.key,
      listed
        ? `${names} ${one ? 'has the name of a query-language parameter' : 'have names of query-language parameters'}, and the listed values may name fields that the request searches or sorts by: declare these fields, ${fields}: { ${JSON.stringify(first.name)}: [/…] }, or use ${read} (docs/searches.md); ${accept}`
        : `${names} ${one ? 'has the name of a query-language parameter, so its value' : 'have names of query-language parameters, so their values'} may name any field: declare the language with ${read} (docs/searches.md); or list the values in ${values} and their fields in ${fields}; ${accept}`,
    );
  }
}

const WILD = /(?:\/\*\*?)+$/;

/** `/a/where/**` → `where`; `/filters/0/field` → `filters[0][field]`, as a form would write it. */
function memberName(pointer: string): string {
  const steps = tokensOf(pointer.replace(WILD, ''));
  const clause = steps.findIndex((step, i) => i > 0 && /^(?:\d+|\*)$/.test(step));
  if (clause === -1) return steps.at(-1) ?? '';
  return `${steps[clause - 1]!}[0]${steps
    .slice(clause + 1)
    .map((step) => `[${step}]`)
    .join('')}`;
}

/** `renamesFields` in `warnings.ts` warns of GraphQL queries. */
const isGraphql = ({ match }: RouteConfig, name: string): boolean =>
  name === 'query' && /graphql/i.test(match);

/** The same for parameters of the path: `/customers/sorted/{order}`. */
export function uninspectedSegments(config: RouteConfig, params: ReadonlySet<string>, report: Report): void {
  for (const name of params) {
    const isId = [config.id, config.data_subject].some((text) => text?.includes(`{${name}}`));
    if (languageName(name) === null || isUninspected(config, name) || isId) continue;
    if (!Object.hasOwn(config.path_fields, name))
      report(
        ['match'],
        `the path parameter {${name}} has the name of a query-language parameter, so its value may name any field: write one route per value, or list the values in params and their fields in path_fields`,
      );
    else if (!/^[\w|-]+$/.test(config.params[name] ?? ''))
      report(
        ['path_fields', name],
        `the path parameter {${name}} has the name of a query-language parameter, so its value may name any field: list its values, params: { ${name}: "a|b" }`,
      );
  }
}

export const isUninspected = ({ uninspected }: RouteConfig, name: string): boolean =>
  typeof uninspected === 'boolean' ? uninspected : uninspected.includes(name);
