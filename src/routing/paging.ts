/**
 * How a request divides a list into pages. If it also narrows the list, a withheld record would leave a gap on its page and so
 * reveal that it matched. Then Sluice requests the list from its beginning and builds the page from the disclosed records
 * (`Refill`), or refuses the request. A refusal depends only on the request, never on the records.
 */
import type { PagingConfig } from './section/paging.ts';
import type { RouteConfig } from './section.ts';
import { didYouMean } from '../documents/near-name.ts';
import { tokensOf } from '../model/pointer.ts';
import { type Change, REWRITABLE } from './body/rewrite.ts';
import type { Condition } from './conditions.ts';
import { covers } from './pointer.ts';
import type { Parameters } from './query.ts';
import type { QueryPlan } from './searches.ts';

/**
 * Names that applications use for paging parameters, in lower case and letters only:
 * `page[size]` as `pagesize`.
 */
const NAMES =
  /^(?:limit|offset|page|pages?size|pagenumber|pageno|pageindex|pagenum|pagelimit|pageoffset|pagecursor|pageafter|pagebefore|pagetoken|perpage|size|pagestart|top|skip|take|first|last|after|before|cursor|start|startindex|startat|startfrom|end|rows|max|maxresults|maxitems|maxrecords|maxrows|results|resultsperpage|recordsperpage|rowsperpage|itemsperpage|itemcount|range|marker|next|nextpage|nextpagetoken|nexttoken|continue|continuation|continuationtoken|skiptoken|skipcount|sysparmlimit|sysparmoffset|getpagesoffset|length|rowcount|firstresult|listsize|num|batchsize|scroll|current|currentpage|curpage|nowpage|pn|ps|maxresultcount|idisplaystart|idisplaylength|jtstartindex|jtpagesize)$/;

export function isPagingName(name: string): boolean {
  if (name === '_count') return true;
  const isPaging = (text: string): boolean => NAMES.test(text.toLowerCase().replace(/[^a-z]/g, ''));
  // The last part decides: `pagination[limit]`, `filter[skip]`.
  return isPaging(name) || isPaging(/\[([^[\]]+)\]$/.exec(name)?.[1] ?? '');
}

/** A request to the upstream for a part of the list. */
export interface ListRequest {
  /** path and query */
  readonly target: string;
  /** null: unchanged */
  readonly body: Uint8Array | null;
}

/** A page of the disclosed records: `limit` records after `offset` others. */
export interface Refill {
  readonly offset: number;
  /** null: all records */
  readonly limit: number | null;
  /** number of records to request from the upstream, from the first */
  readonly fetch: number;
  /** the request for them */
  readonly first: ListRequest;
  /** the request for what follows the first `met` records; null: the route cannot express it */
  next(met: number): ListRequest | 'none' | null;
}

/** Why a request is refused. */
export interface Refused {
  readonly refused: string;
}

export interface Paging {
  /** some parameter may request a page */
  readonly paged: boolean;
  /** treatment of a narrowed request: pass, pass unless the upstream returns a part, refill the page, or refuse for this reason */
  readonly narrowed: 'as_it_is' | 'whole' | Refill | Refused;
  /** maximum records that the upstream returns, if it limits lists itself */
  readonly most: number | null;
}

type Route = {
  readonly query: QueryPlan;
  readonly conditions: readonly Condition[];
  readonly route: { readonly config: RouteConfig };
};

/** The parts of a request that may request a page, and how to rewrite it. */
export interface PageSource {
  readonly parameters: Parameters;
  /** pointers of the parts of the body that touch no field */
  readonly inBody: readonly string[];
  /** the value at a pointer into the body; undefined: none */
  at(pointer: string): unknown;
  /** @returns null if the body cannot be rewritten */
  write(parameters: Parameters, changes: readonly Change[]): ListRequest | null;
}

const isPointer = (name: string): boolean => name.startsWith('/');

/** @returns faults of a route's `paging` */
export function pagingFaults(
  { paging, request }: RouteConfig,
  { names, dialect }: QueryPlan,
  report: (key: readonly string[], message: string) => void,
): void {
  if (paging === undefined) return;
  const { limit, offset, page, size, narrowed } = paging;
  if (narrowed === 'refill' && limit === undefined && size === undefined)
    report(
      ['paging', 'limit'],
      'is required unless the upstream limits lists itself: set it to the parameter for the number of records of a page, or set paging.size to the limit of the upstream, or set paging.narrowed to refuse or pass',
    );
  if (offset !== undefined && page !== undefined)
    report(
      ['paging', 'page'],
      'use either offset (number of records before the page) or page (number of the page), not both',
    );
  const params = [...request.params, ...Object.keys(request.grammar)].map(tokensOf);
  for (const [key, name] of Object.entries({ limit, offset, page }))
    if (name === undefined) continue;
    else if (isPointer(name)) {
      if (!REWRITABLE.has(request.format))
        report(
          ['paging', key],
          `is a pointer into a ${request.format} body, but Sluice can rewrite paging parameters only in JSON, form and XML bodies: remove it and set paging.narrowed: refuse`,
        );
      else if (!params.some((pattern) => covers(pattern, tokensOf(name))))
        report(['paging', key], `the route does not declare ${name}: add it to request.params`);
    } else if (dialect === null && !names.has(name))
      report(
        ['paging', key],
        `the route has no query parameter "${name}"${didYouMean(name, names)}: add it to query_params`,
      );
}

/** True if a parameter may request a page: it touches no field, and the route does not fix its value. */
function mayPage({ query, conditions }: Route, name: string): boolean {
  if (query.fields.has(name)) return false;
  if (isPagingName(name)) return true;
  if (!query.names.has(name)) return false;
  return !conditions.some((c) => c.source === 'query' && c.key === name);
}

export function readPaging(route: Route, source: PageSource): Paging {
  const { paging } = route.route.config;
  const { parameters, inBody } = source;
  const inBodyNamed = inBody.filter((pointer) => isPagingName(nameOf(pointer)));
  if (paging === undefined || paging.narrowed !== 'refill' || paging.limit === undefined) {
    const most = paging?.narrowed === 'refill' ? (paging.size ?? null) : null;
    const others = parameters.filter(([name]) => mayPage(route, name));
    const paged = others.length > 0 || inBody.length > 0;
    if (paging?.narrowed === 'pass') return { paged, narrowed: 'as_it_is', most };
    const refused =
      paging?.narrowed === 'refuse'
        ? paged
        : others.some(([name, value]) => isPagingName(name) && !ZERO.test(value)) || inBodyNamed.length > 0;
    if (refused) return { paged, narrowed: UNDESCRIBED, most };
    if (others.some(([name, value]) => ZERO.test(value) && isPagingName(name) && !POSITION.test(name)))
      return { paged, narrowed: none(source, Number.POSITIVE_INFINITY), most };
    return { paged, narrowed: 'whole', most };
  }
  const own = [paging.limit, paging.offset, paging.page].filter((name) => name !== undefined);
  const stray =
    parameters.some(([name]) => !own.includes(name) && isPagingName(name) && mayPage(route, name)) ||
    inBodyNamed.some((pointer) => !own.includes(pointer));
  const paged = own.some((name) =>
    isPointer(name) ? source.at(name) !== undefined : parameters.some(([n]) => n === name),
  );
  return { paged, narrowed: stray ? UNDESCRIBED : refillOf(paging, source), most: null };
}

/** the member that a pointer names */
export const nameOf = (pointer: string): string => tokensOf(pointer).at(-1) ?? '';

/** A page without records. */
const none = (source: PageSource, fetch: number): Refill => ({
  offset: 0,
  limit: 0,
  fetch,
  first: source.write(source.parameters, [])!,
  next: () => null,
});

/** Names of where a page begins: 0 is the beginning. For a limit, 0 requests no record, and some upstreams then return as many as they like. */
const POSITION = /offset|skip|start|first|after|before|cursor|marker|token|page(?!s|.*(?:size|limit))/i;
const ZERO = /^0+$/;
const NUMBER = /^\d{1,9}$/;

function refillOf(paging: PagingConfig, source: PageSource): Refill | Refused {
  const { fetch, first_page, size } = paging;
  const read = (name: string | undefined): number | null | undefined => {
    if (name === undefined) return null;
    const found = isPointer(name)
      ? [source.at(name)].filter((value) => value !== undefined && value !== null)
      : source.parameters.flatMap(([n, value]) => (n === name ? [value] : []));
    if (found.length === 0) return null;
    const [value] = found;
    const text = typeof value === 'string' || Number.isSafeInteger(value) ? String(value) : '';
    return found.length === 1 && NUMBER.test(text) ? Number(text) : undefined;
  };
  const [asked, offset, page] = [read(paging.limit), read(paging.offset), read(paging.page)];
  if (asked === undefined || offset === undefined || page === undefined)
    return refused(
      'The request searches by a field, and a paging parameter is not one number of at most 9 digits. Send each paging parameter once, as a number.',
    );
  // Some upstreams read 0 as "no limit" or as the default page size.
  if (asked === 0) return none(source, fetch);
  const limit = asked ?? size ?? null;
  if (page !== null && page !== first_page && limit === null)
    return refused(
      'The request searches by a field and asks for a page by its number, but not for a page size. Send the page size, too.',
    );
  const skipped = offset ?? (page === null || limit === null ? 0 : Math.max(0, page - first_page) * limit);
  if (skipped + (limit ?? 0) > fetch)
    return refused(
      `The request searches by a field, and the page ends after record ${fetch}. Sluice reads only the first ${fetch} records of such a list (paging.fetch). Search by more fields, or ask for an earlier page.`,
    );
  const first = askFor(paging, source, { [paging.limit!]: fetch }, { offset: 0, page: first_page });
  if (first === null)
    return refused(
      'The request searches by a field, and Sluice cannot rewrite the paging parameters in the body. Send each paging parameter exactly once.',
    );
  return {
    offset: skipped,
    limit,
    fetch,
    first,
    next: (met) => {
      // An upstream returns at least its own page size, so fewer records are the entire list.
      if (met < (size ?? 1)) return 'none';
      const { offset: by, page: number } = paging;
      // The upstream counts pages in its own size, so its second page begins after that many records.
      if (by !== undefined) return askFor(paging, source, { [paging.limit!]: fetch, [by]: met }, {});
      return number === undefined
        ? null
        : askFor(paging, source, { [paging.limit!]: fetch, [number]: first_page + 1 }, {});
    },
  };
}

/**
 * @param needed parameters to set, even if the request lacks them
 * @param changed parameters to change if the request has them
 */
function askFor(
  paging: PagingConfig,
  source: PageSource,
  needed: Readonly<Record<string, number>>,
  changed: { readonly offset?: number; readonly page?: number },
): ListRequest | null {
  const { offset, page } = paging;
  const values = new Map(Object.entries(needed));
  const isSaid = (name: string): boolean =>
    isPointer(name) ? source.at(name) !== undefined : source.parameters.some(([n]) => n === name);
  if (offset !== undefined && changed.offset !== undefined && isSaid(offset))
    values.set(offset, changed.offset);
  if (page !== undefined && changed.page !== undefined && isSaid(page)) values.set(page, changed.page);
  const parameters = source.parameters.map(([name, value]): [string, string] => [
    name,
    String(values.get(name) ?? value),
  ]);
  for (const [name, value] of values)
    if (!isPointer(name) && !isSaid(name)) parameters.push([name, String(value)]);
  const changes = [...values].flatMap(([name, value]) =>
    isPointer(name) ? [{ steps: tokensOf(name), value }] : [],
  );
  return source.write(parameters, changes);
}

const refused = (message: string): Refused => ({ refused: message });

const UNDESCRIBED = refused(
  'The request searches by a field and asks for a page. A missing record on the page would reveal a value of a withheld record. Send the request without paging parameters, or declare them on the route (paging).',
);
