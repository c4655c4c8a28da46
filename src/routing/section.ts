/** Section `routes`. A request without a route is denied. The file is long because a route is one section. */
import { REQUEST_FORMAT_NAMES, type RequestFormat } from './body/formats.ts';
import { ACTIONS } from '../model/actions.ts';
import { ERROR_FORMATS, type ErrorFormat } from '../model/exchange.ts';
import type { ActionName } from '../model/input.ts';
import type { Report } from '../documents/faults.ts';
import { compileRoutes } from './compile.ts';
import { languageName } from './language-names.ts';
import { isPagingName } from './paging.ts';
import {
  defaulted,
  oneOrMore,
  optional,
  pointer,
  section,
  type Static,
  table,
  Type,
} from '../documents/kinds.ts';
export { type PurposeConfig, purposeSchema } from './section/purpose.ts';
import { keepMasked } from './section/keep-masked.ts';
import { alwaysFetchSchema, pagingSchema } from './section/paging.ts';

const REQUEST_CODINGS = ['gzip', 'deflate', 'br'] as const;

export const GRAMMARS = [
  'sort',
  'select',
  'include',
  'text',
  'parse',
  'mongo',
  'directus',
  'rsql',
  'fiql',
  'odata',
  'fhir',
  'postgrest',
] as const;

const word = Type.String({ minLength: 1, maxLength: 128 });
const template = (description: string) =>
  Type.String({
    minLength: 1,
    description: `${description}: text with \`{param}\`, \`{query:name}\` or \`{body:/pointer}\``,
  });

const condition = Type.Unsafe<
  string | number | boolean | readonly (string | number | boolean)[] | { present: boolean }
>({
  anyOf: [
    Type.String(),
    Type.Number(),
    Type.Boolean(),
    Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { minItems: 1 }),
    section({ present: Type.Boolean() }),
  ],
});

const search = section({
  grammar: Type.Unsafe<(typeof GRAMMARS)[number]>(
    Type.Enum([...GRAMMARS], { description: 'the language, see docs/searches.md' }),
  ),
  fields: defaulted(
    table(oneOrMore(pointer()), { description: 'name in the language → field(s) that it searches by' }),
    {},
  ),
});

const routeSchema = (responseFormats: readonly string[]) =>
  section({
    match: Type.String({
      description: '`METHOD /path/{param}`; `{rest...}` at the end takes several segments',
    }),
    when: optional(
      section(
        {
          query: optional(table(condition, { description: 'query parameter → value' })),
          headers: optional(
            table(condition, { key: '^[A-Za-z0-9-]+$', description: 'header → value, e.g. SOAPAction' }),
          ),
          body: optional(table(condition, { key: '^/', description: 'pointer into the body → value' })),
        },
        { description: 'what else must hold, where one URL does many things' },
      ),
    ),
    params: defaulted(
      table(Type.String(), {
        key: '^[A-Za-z_][A-Za-z0-9_]*$',
        description: 'path parameter → RE2 pattern of all of it',
      }),
      {},
    ),
    upstream: word,
    resource: word,
    action: Type.Unsafe<ActionName>(Type.Enum([...ACTIONS])),
    id: optional(template('id of the one record asked for')),
    data_subject: optional(template('whose data it is, where the answer does not say')),
    properties: defaulted(
      table(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { key: '^[a-z][a-z0-9_]*$' }),
      {},
    ),
    purpose: optional(word),
    records: optional(
      pointer({ description: 'where the records are in the answer; without it the whole answer is one' }),
    ),
    path_fields: defaulted(
      table(oneOrMore(pointer()), {
        description: 'path parameter → field(s) that it searches by: /customers/by-phone/{phone}',
      }),
      {},
    ),
    query_fields: defaulted(
      table(oneOrMore(pointer()), {
        description: 'query parameter → field(s) that it searches, filters or sorts by',
      }),
      {},
    ),
    query_params: defaulted(
      Type.Array(word, { uniqueItems: true, description: 'query parameters that touch no field' }),
      [],
    ),
    query_grammar: defaulted(
      table(search, {
        description:
          'query parameter whose value is a search in a language of its own; `*`: a language that has parameters of many names',
      }),
      {},
    ),
    query_values: defaulted(
      table(
        Type.Unsafe<string | readonly string[]>({
          anyOf: [
            Type.String({ minLength: 1 }),
            Type.Array(Type.String(), { minItems: 1, uniqueItems: true }),
          ],
        }),
        { description: 'query parameter → RE2 pattern of all of its value, or the list of its values' },
      ),
      {},
    ),
    uninspected: defaulted(
      Type.Unsafe<boolean | readonly string[]>({
        anyOf: [Type.Boolean(), Type.Array(word, { uniqueItems: true })],
        description:
          'parameters (`true`: all) that have the name of a search language and are forwarded without a grammar; Sluice warns of it',
      }),
      false,
    ),
    paging: optional(pagingSchema),
    always_fetch: optional(alwaysFetchSchema),
    repeatable: defaulted(
      Type.Array(word, { uniqueItems: true, description: 'parameters that may stand more than once' }),
      [],
    ),
    request: defaulted(
      section({
        format: defaulted(Type.Unsafe<RequestFormat>(Type.Enum([...REQUEST_FORMAT_NAMES])), 'json'),
        types: defaulted(
          Type.Array(Type.String({ pattern: '^[a-z0-9.+_-]+/[a-z0-9.+_-]+$' }), {
            uniqueItems: true,
            description:
              'Content-Types that such a body may have besides those of its format, e.g. text/plain',
          }),
          [],
        ),
        charset: optional(
          Type.String({
            minLength: 1,
            maxLength: 128,
            description: 'of the body and of what is percent-encoded in the query; UTF-8 without it',
          }),
        ),
        content_encoding: defaulted(
          Type.Array(Type.Unsafe<(typeof REQUEST_CODINGS)[number]>(Type.Enum([...REQUEST_CODINGS])), {
            uniqueItems: true,
            description: 'compressions that are undone; the upstream gets the body without',
          }),
          [],
        ),
        options: optional(
          section(
            {
              separator: defaulted(Type.String({ pattern: '^[\\t !#-/:-@[-`{-~]$' }), ','),
              quote: defaulted(Type.String({ pattern: '^[!-/:-@[-`{-~]?$' }), '"'),
              header: defaulted(Type.Boolean({ description: 'false: columns are called #1, #2 …' }), true),
              null: optional(
                Type.String({
                  pattern: '^[!-~]{1,16}$',
                  description: 'how a cell without a value is spelled, besides the empty one',
                }),
              ),
              namespaces: optional(
                table(Type.String({ minLength: 1, maxLength: 512 }), {
                  key: '^[A-Za-z0-9_.-]*$',
                  description:
                    'of XML: prefix → URI; paths then say `prefix:name`, and the name alone for the namespace under "" (of none, where there is no "")',
                }),
              ),
            },
            { description: 'of CSV and XML' },
          ),
        ),
        record: optional(pointer({ description: 'where a body that writes holds the record' })),
        refused_fields: defaulted(
          Type.Unsafe<'refuse' | 'strip'>(
            Type.Enum(['refuse', 'strip'], {
              description:
                'a body that writes a field it may not: refuse it, or leave the field out (JSON only)',
            }),
          ),
          'refuse',
        ),
        replaces: optional(
          Type.Union([Type.Boolean(), Type.Literal('parts')], {
            description:
              'what the upstream erases that a body leaves out: of the whole record, all of which the catalog covers (`true`), of the lists and objects that are sent (`parts`, the default of other updates), or nothing at any depth (`false`). A PUT that does not say it is refused',
          }),
        ),
        keep_masked: optional(keepMasked),
        fields: defaulted(
          table(oneOrMore(pointer()), {
            key: '^/',
            description: 'pointer into the body → field(s) it searches by',
          }),
          {},
        ),
        params: defaulted(
          Type.Array(pointer(), {
            description: 'parts of the body that touch no field; `*` one level, `**` any',
          }),
          [],
        ),
        grammar: defaulted(
          table(search, {
            key: '^/',
            description: 'pointer into the body → the language of the search that stands there',
          }),
          {},
        ),
        domains: defaulted(
          table(table(oneOrMore(pointer()), { description: 'name in a clause → field(s)' }), {
            key: '^/',
            description:
              'pointer to a list of clauses `[name, operator, value]` (Odoo, Tryton) or `[name, "ASC"]`',
          }),
          {},
        ),
      }),
      {},
    ),
    response: defaulted(
      section({
        format: optional(
          Type.Unsafe<string>(
            Type.Enum([...responseFormats], {
              description:
                "instead of what the answer's Content-Type says; `whole`: it is one field of the catalog",
            }),
          ),
        ),
        charset: optional(word),
        statuses: defaulted(
          Type.Array(Type.Integer({ minimum: 400, maximum: 599 }), {
            uniqueItems: true,
            description: 'errors whose answers are disclosed as successes are: by the catalog',
          }),
          [],
        ),
        not_found: defaulted(
          Type.Integer({
            minimum: 400,
            maximum: 499,
            description:
              'the status with which the upstream says that there is no such record (Directus: 403); passed as such, and what a search answers where it found a withheld record',
          }),
          404,
        ),
        empty: optional(
          Type.String({
            minLength: 1,
            description:
              'JSON that a narrowed list answers with (200) where no record leaves, however the upstream says that it found nothing: 404, 204, null …',
          }),
        ),
        errors: optional(
          Type.Unsafe<ErrorFormat>(
            Type.Enum([...ERROR_FORMATS], {
              description:
                'how refusals read; without it `soap` or `xmlrpc` where request.format is that, else `problem` (RFC 9457)',
            }),
          ),
        ),
        options: defaulted(
          Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Record(Type.String(), Type.Unknown())),
          {},
        ),
      }),
      {},
    ),
  });

/** @param responseFormats what `response.format` may be */
export const routesSchema = (responseFormats: readonly string[]) =>
  Type.Array(routeSchema(responseFormats), { minItems: 1, description: 'the requests that exist' });

export type RouteConfig = Static<ReturnType<typeof routeSchema>>;

/**
 * Checks what the schema cannot express: templates, patterns, conditions, requests that two routes match.
 * @param routes null for one that has faults already
 * @param report paths start at `routes`
 */
export function checkRoutes(routes: readonly (RouteConfig | null)[], report: Report): void {
  for (const { route, key, message } of compileRoutes(routes).faults)
    report(['routes', route, ...key], message);
}

/** Whether a request header selects records: `X-Sort`, `X-Filter`, `X-Page-Size`, `Prefer: odata.maxpagesize=1`. */
export const narrowsByHeader = (header: string): boolean => {
  const name = header.replace(/^x-/i, '');
  return languageName(name) === 'search' || isPagingName(name) || /^prefer$/i.test(name);
};
