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
import { VERIFICATION_METHODS, type VerificationMethod } from '../model/verification.ts';
import { filterParamsSchema } from './section/filter-params.ts';
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
    Type.Enum([...GRAMMARS], { description: 'name of the query language; see docs/searches.md' }),
  ),
  fields: defaulted(
    table(oneOrMore(pointer()), { description: 'name in the query language → fields that it searches by' }),
    {},
  ),
});

const routeSchema = (responseFormats: readonly string[]) =>
  section({
    match: Type.String({
      description: '`METHOD /path/{param}`; `{rest...}` at the end matches several segments',
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
        { description: 'further conditions, for a URL that serves several operations' },
      ),
    ),
    params: defaulted(
      table(Type.String(), {
        key: '^[A-Za-z_][A-Za-z0-9_]*$',
        description: 'path parameter → RE2 pattern that must match the whole value',
      }),
      {},
    ),
    upstream: word,
    resource: word,
    action: Type.Unsafe<ActionName>(Type.Enum([...ACTIONS])),
    id: optional(template('id of the requested record')),
    data_subject: optional(template('data subject, if the answer does not name it')),
    properties: defaulted(
      table(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { key: '^[a-z][a-z0-9_]*$' }),
      {},
    ),
    purpose: optional(word),
    records: optional(
      pointer({
        description: 'place of the records in the answer; without it, the whole answer is one record',
      }),
    ),
    path_fields: defaulted(
      table(oneOrMore(pointer()), {
        description: 'path parameter → fields that it searches by, e.g. for `/customers/by-phone/{phone}`',
      }),
      {},
    ),
    query_fields: defaulted(
      table(oneOrMore(pointer()), {
        description: 'query parameter → fields that it searches, filters or sorts by',
      }),
      {},
    ),
    query_params: defaulted(
      Type.Array(word, { uniqueItems: true, description: 'query parameters that refer to no field' }),
      [],
    ),
    query_grammar: defaulted(
      table(search, {
        description:
          'query parameter whose value is a search in a query language; `*`: a language whose parameters can have any name',
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
        {
          description:
            'query parameter → RE2 pattern that must match its whole value, or the list of permitted values',
        },
      ),
      {},
    ),
    uninspected: defaulted(
      Type.Unsafe<boolean | readonly string[]>({
        anyOf: [Type.Boolean(), Type.Array(word, { uniqueItems: true })],
        description:
          'parameters (`true`: all) whose names belong to a query language and that are forwarded without a grammar; Sluice prints a warning',
      }),
      false,
    ),
    verification: optional(
      Type.Array(Type.Unsafe<VerificationMethod>(Type.Enum([...VERIFICATION_METHODS])), {
        minItems: 1,
        uniqueItems: true,
        description:
          'every request must prove, in one of these ways, that the caller deals with the data subject',
      }),
    ),
    filter_params: defaulted(filterParamsSchema, {}),
    paging: optional(pagingSchema),
    always_fetch: optional(alwaysFetchSchema),
    repeatable: defaulted(
      Type.Array(word, { uniqueItems: true, description: 'parameters that may occur more than once' }),
      [],
    ),
    request: defaulted(
      section({
        format: defaulted(Type.Unsafe<RequestFormat>(Type.Enum([...REQUEST_FORMAT_NAMES])), 'json'),
        types: defaulted(
          Type.Array(Type.String({ pattern: '^[a-z0-9.+_-]+/[a-z0-9.+_-]+$' }), {
            uniqueItems: true,
            description:
              'Content-Types that such a body may have in addition to those of its format, e.g. text/plain',
          }),
          [],
        ),
        charset: optional(
          Type.String({
            minLength: 1,
            maxLength: 128,
            description: 'charset of the body and of percent-encoded text in the query; default: UTF-8',
          }),
        ),
        content_encoding: defaulted(
          Type.Array(Type.Unsafe<(typeof REQUEST_CODINGS)[number]>(Type.Enum([...REQUEST_CODINGS])), {
            uniqueItems: true,
            description: 'content codings that are decoded; the upstream receives the decoded body',
          }),
          [],
        ),
        options: optional(
          section(
            {
              separator: defaulted(Type.String({ pattern: '^[\\t !#-/:-@[-`{-~]$' }), ','),
              quote: defaulted(Type.String({ pattern: '^[!-/:-@[-`{-~]?$' }), '"'),
              header: defaulted(
                Type.Boolean({
                  description: '`false`: there is no header row, and columns are named #1, #2 …',
                }),
                true,
              ),
              null: optional(
                Type.String({
                  pattern: '^[!-~]{1,16}$',
                  description: 'text of a cell without a value, in addition to the empty text',
                }),
              ),
              namespaces: optional(
                table(Type.String({ minLength: 1, maxLength: 512 }), {
                  key: '^[A-Za-z0-9_.-]*$',
                  description:
                    'namespaces of XML: prefix → URI. A path names an element as `prefix:name`; the name alone means the namespace under "" (no namespace, if there is no "")',
                }),
              ),
            },
            { description: 'options of CSV and XML' },
          ),
        ),
        record: optional(pointer({ description: 'place of the record in the body of a write' })),
        refused_fields: defaulted(
          Type.Unsafe<'refuse' | 'strip'>(
            Type.Enum(['refuse', 'strip'], {
              description:
                'for a body that writes a field without permission: `refuse` the request, or `strip` the field from the body (JSON only)',
            }),
          ),
          'refuse',
        ),
        replaces: optional(
          Type.Union([Type.Boolean(), Type.Literal('parts')], {
            description:
              'what the upstream erases if the body omits it: members of the whole record, which the catalog covers completely (`true`), members of the lists and objects that are sent (`parts`, the default of other updates), or nothing at any depth (`false`). A PUT without this key is refused',
          }),
        ),
        keep_masked: optional(keepMasked),
        fields: defaulted(
          table(oneOrMore(pointer()), {
            key: '^/',
            description: 'pointer into the body → fields that it searches by',
          }),
          {},
        ),
        params: defaulted(
          Type.Array(pointer(), {
            description:
              'parts of the body that refer to no field; `*` matches one level, `**` any number of levels',
          }),
          [],
        ),
        grammar: defaulted(
          table(search, {
            key: '^/',
            description: 'pointer into the body → query language of the search at that place',
          }),
          {},
        ),
        domains: defaulted(
          table(table(oneOrMore(pointer()), { description: 'name in a clause → fields' }), {
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
                'format of the answer, instead of the one that its Content-Type names; `whole`: the answer is one field of the catalog',
            }),
          ),
        ),
        charset: optional(word),
        statuses: defaulted(
          Type.Array(Type.Integer({ minimum: 400, maximum: 599 }), {
            uniqueItems: true,
            description:
              'error statuses whose answers are disclosed by the catalog, as those of successes are',
          }),
          [],
        ),
        not_found: defaulted(
          Type.Integer({
            minimum: 400,
            maximum: 499,
            description:
              'status with which the upstream answers if there is no such record (Directus: 403); it is passed on, and a search that found only a withheld record is answered with it as well',
          }),
          404,
        ),
        empty: optional(
          Type.String({
            minLength: 1,
            description:
              'JSON body (status 200) of a narrowed list of which no record is disclosed, whichever answer the upstream gives if it found nothing: 404, 204, null …',
          }),
        ),
        errors: optional(
          Type.Unsafe<ErrorFormat>(
            Type.Enum([...ERROR_FORMATS], {
              description:
                'format of refusals; default: `soap` or `xmlrpc` if `request.format` is that, else `problem` (RFC 9457)',
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
  Type.Array(routeSchema(responseFormats), {
    description: 'the requests that are permitted at all, beside those of `mcp`; every other one is refused',
  });

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
