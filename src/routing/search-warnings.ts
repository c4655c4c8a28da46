/** Warnings about searches and pages: settings that are allowed but rarely intended, and fields that no catalog has. */
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import { LISTS } from '../model/actions.ts';
import { type Catalog, isPageOfOne } from '../model/catalog.ts';
import type { LayoutOf } from '../model/disclosure.ts';
import { foldName } from '../model/identifiers.ts';
import type { RouteFault } from './compile.ts';
import { languageName } from './language-names.ts';
import { isPagingName, nameOf } from './paging.ts';
import { isUninspected } from './uninspected.ts';

type Warn = (key: RouteFault['key'], message: string) => void;
type Searched = Readonly<Record<string, string | readonly string[]>>;

/** Fields that requests of a route may search by. */
export const searchedBy = ({
  path_fields,
  query_fields,
  query_grammar,
  request: { fields, domains, grammar },
}: RouteConfig): readonly string[] => {
  const tables = [
    path_fields,
    query_fields,
    fields,
    ...Object.values(domains),
    ...[...Object.values(query_grammar), ...Object.values(grammar)].map((search) => search.fields),
  ];
  return [...new Set(tables.flatMap((table) => Object.values(table).flat()))];
};

export function searchesByNothing(
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
            `the catalog of ${resource} has no field ${pointer}, so a search by it is refused${didYouMean(pointer, Object.keys(fields))}`,
          );
      }
}

/** `/by-phone/{phone}` finds the owner of that number, so a response reveals a field that may be hidden. */
export function searchesInPath(config: RouteConfig, { fields }: Catalog, warn: Warn): void {
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
        `the path parameter {${name}} has the name of the field ${pointer}, but the route does not declare it: add path_fields: { ${name}: ${pointer} } if the path searches by this field, or id: "{${name}}" if the parameter is the id of the record`,
      );
  }
}

export function goesUninspected(config: RouteConfig, warn: Warn): void {
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
      `the parameter "${name}" is forwarded without inspection: its value can search by any field, and the response can reveal the value of a hidden field`,
    );
}

/** Reports at start what a caller would learn from its first search with a page. */
export function pagesUndescribed(config: RouteConfig, { data_subject }: Catalog, warn: Warn): void {
  const { action, paging, query_params, request } = config;
  if (paging !== undefined || !LISTS.has(action) || data_subject.length === 0) return;
  if (searchedBy(config).length === 0) return;
  const { params } = request;
  const inBody = params.findIndex((pointer) => isPagingName(nameOf(pointer)));
  if (inBody >= 0)
    warn(
      ['request', 'params', inBody],
      `"${params[inBody]}" has the name of a paging parameter, but the route has no paging, so a search that uses it is refused (narrowed_page_refused): add paging with this pointer (docs/inference.md, Pages)`,
    );
  const at = query_params.findIndex(isPagingName);
  if (at >= 0)
    warn(
      ['query_params', at],
      `"${query_params[at]}" has the name of a paging parameter, but the route has no paging, so a search that uses it is refused (narrowed_page_refused): add paging with this parameter (docs/inference.md, Pages)`,
    );
}

/** One data subject on a page who objects would withhold it entirely, and so reveal whom a search found. */
export function takesPageForOne(config: RouteConfig, catalog: Catalog, layoutOf: LayoutOf, warn: Warn): void {
  if (!isPageOfOne(catalog, config, layoutOf)) return;
  const at = catalog.data_subject.find((place) => place.split('/').includes('*'))!;
  const records = at.slice(0, at.indexOf('*') + 1);
  warn(
    ['action'],
    `the route has no pointer to the records of its responses, so a page is one record about all data subjects in it (${at}): the page is withheld if one of them is withheld, and searches are refused (narrowed_page_refused): add records: ${records} to the route, and write the pointers of the catalog relative to a record (${at.slice(records.length) || '""'})`,
  );
}

/** `?phone=138…` of a parameter that, by the route, touches no field. */
export function searchesInQuery(
  { query_params, id, data_subject }: RouteConfig,
  { fields }: Catalog,
  warn: Warn,
): void {
  for (const [i, name] of query_params.entries()) {
    if ([id, data_subject].some((text) => text?.includes(`{query:${name}}`))) continue;
    const pointer = Object.keys(fields).find((field) => foldName(field) === foldName(name));
    if (pointer !== undefined && !isPagingName(name))
      warn(
        ['query_params', i],
        `"${name}" has the name of the field ${pointer}, but query_params is for parameters that search by no field: use query_fields: { ${JSON.stringify(name)}: ${pointer} } if it searches by this field`,
      );
  }
}
