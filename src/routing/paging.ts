/**
 * How a request cuts a list into pages. Where it narrows the list as well, a withheld record would take a place on its page, and tell by
 * the gap that it matched. So the upstream is asked for the list from its beginning, and the page is cut from what is disclosed of it
 * (`Refill`); or the request is refused, by what it says and never by what is found.
 */
import type { PagingConfig } from '../config/sections/paging.ts';
import type { RouteConfig } from '../config/sections/routes.ts';
import { didYouMean } from '../errors.ts';
import type { Condition } from './conditions.ts';
import type { Parameters } from './query.ts';
import type { QueryPlan } from './searches.ts';

/**
 * Names that applications give to the parameters by which a list is cut into pages, in lower case and without anything but letters:
 * `page[size]` as `pagesize`.
 */
const NAMES =
  /^(?:limit|offset|page|pages?size|pagenumber|pageno|pageindex|pagenum|pagelimit|pageoffset|pagecursor|pageafter|pagebefore|pagetoken|perpage|size|pagestart|top|skip|take|first|last|after|before|cursor|start|startindex|startat|startfrom|end|rows|max|maxresults|maxitems|maxrecords|maxrows|results|resultsperpage|recordsperpage|rowsperpage|itemsperpage|itemcount|range|marker|next|nextpage|nextpagetoken|nexttoken|continue|continuation|continuationtoken|skiptoken|skipcount|sysparmlimit|sysparmoffset|getpagesoffset|length|rowcount|firstresult|listsize|num|batchsize|scroll|current|currentpage|curpage|nowpage|pn|ps|maxresultcount|idisplaystart|idisplaylength|jtstartindex|jtpagesize)$/;

export function isPagingName(name: string): boolean {
  if (name === '_count') return true;
  const isPaging = (text: string): boolean => NAMES.test(text.toLowerCase().replace(/[^a-z]/g, ''));
  // `pagination[limit]`, `filter[skip]`: what stands last says what it is.
  return isPaging(name) || isPaging(/\[([^[\]]+)\]$/.exec(name)?.[1] ?? '');
}

/** A page of what is disclosed: `limit` records, behind `offset` others. */
export interface Refill {
  readonly offset: number;
  /** null: all that there are */
  readonly limit: number | null;
  /** so many records the upstream is asked for, from the first */
  readonly fetch: number;
  /** how it is asked for that */
  readonly target: string;
}

/** Why a request is not answered. */
export interface Refused {
  readonly refused: string;
}

export interface Paging {
  /** some parameter may ask for a page */
  readonly paged: boolean;
  /** what a narrowed request is: answered as it is, or if that is all of the list, or with its page refilled, or refused for this reason */
  readonly narrowed: 'as_it_is' | 'whole' | Refill | Refused;
}

type Route = {
  readonly query: QueryPlan;
  readonly conditions: readonly Condition[];
  readonly route: { readonly config: RouteConfig };
};

/** @returns faults of a route's `paging` */
export function pagingFaults(
  { paging }: RouteConfig,
  { names, dialect }: QueryPlan,
  report: (key: readonly string[], message: string) => void,
): void {
  if (paging === undefined) return;
  const { limit, offset, page, narrowed } = paging;
  if (narrowed === 'refill' && limit === undefined)
    report(
      ['paging', 'limit'],
      'name the parameter that says how many records a page has, or say what narrowed requests are (paging.narrowed)',
    );
  if (offset !== undefined && page !== undefined)
    report(
      ['paging', 'page'],
      'a page begins behind so many records (offset) or has a number (page): not both',
    );
  for (const [key, name] of Object.entries({ limit, offset, page }))
    if (name !== undefined && dialect === null && !names.has(name))
      report(
        ['paging', key],
        `the route names no such query parameter${didYouMean(name, names)}: add it to query_params`,
      );
}

/** Whether a parameter of a request may ask for a page: it touches no field, and the route does not hold it to a value. */
function mayPage({ query, conditions }: Route, name: string): boolean {
  if (query.fields.has(name)) return false;
  if (isPagingName(name)) return true;
  if (!query.names.has(name)) return false;
  return !conditions.some((c) => c.source === 'query' && c.key === name);
}

/**
 * @param inBody pointers of the parts of the body that touch no field
 * @param write the target that has other parameters
 */
export function readPaging(
  route: Route,
  parameters: Parameters,
  inBody: readonly string[],
  write: (parameters: Parameters) => string,
): Paging {
  const { paging } = route.route.config;
  if (paging === undefined || paging.narrowed !== 'refill') {
    const others = parameters.filter(([name]) => mayPage(route, name));
    const paged = others.length > 0 || inBody.length > 0;
    if (paging?.narrowed === 'pass') return { paged, narrowed: 'as_it_is' };
    const refused =
      paging === undefined
        ? others.some(([name, value]) => isPagingName(name) && !ZERO.test(value)) ||
          inBody.some((pointer) => isPagingName(pointer.slice(pointer.lastIndexOf('/') + 1)))
        : paged;
    if (refused) return { paged, narrowed: UNDESCRIBED };
    if (others.some(([name, value]) => ZERO.test(value) && isPagingName(name) && !POSITION.test(name)))
      return {
        paged,
        narrowed: { offset: 0, limit: 0, fetch: Number.POSITIVE_INFINITY, target: write(parameters) },
      };
    return { paged, narrowed: paged ? 'as_it_is' : 'whole' };
  }
  const own = new Set([paging.limit, paging.offset, paging.page]);
  const stray = parameters.some(([name]) => !own.has(name) && isPagingName(name) && mayPage(route, name));
  const narrowed = stray ? UNDESCRIBED : refillOf(paging, parameters, write);
  return { paged: parameters.some(([name]) => own.has(name)), narrowed };
}

/** Names of where a page begins: 0 there is the beginning. Elsewhere it asks for no record, and some upstreams give as many as they like. */
const POSITION = /offset|skip|start|first|after|before|cursor|marker|token|page(?!s|.*(?:size|limit))/i;
const ZERO = /^0+$/;
const NUMBER = /^\d{1,9}$/;

function refillOf(
  paging: PagingConfig,
  parameters: Parameters,
  write: (parameters: Parameters) => string,
): Refill | Refused {
  const { fetch, first_page } = paging;
  const read = (name: string | undefined): number | null | undefined => {
    const found = name === undefined ? [] : parameters.filter(([n]) => n === name);
    if (found.length === 0) return null;
    return found.length === 1 && NUMBER.test(found[0]![1]) ? Number(found[0]![1]) : undefined;
  };
  const [asked, offset, page] = [read(paging.limit), read(paging.offset), read(paging.page)];
  if (asked === undefined || offset === undefined || page === undefined)
    return refused(
      'The request says by something other than a number which page of a narrowed list it wants.',
    );
  // Some upstreams take 0 for "as many as there are", or as their page has: none of them is on this one.
  if (asked === 0) return { offset: 0, limit: 0, fetch, target: write(parameters) };
  const limit = asked ?? paging.size ?? null;
  if (page !== null && page !== first_page && limit === null)
    return refused('The request does not say how many records a page has that it wants of a narrowed list.');
  const skipped = offset ?? (page === null || limit === null ? 0 : Math.max(0, page - first_page) * limit);
  if (skipped + (limit ?? 0) > fetch)
    return refused(
      `The page lies beyond the first ${fetch} records of a narrowed list, which are all that is looked at (paging.fetch). Narrow it further.`,
    );
  const rewritten = parameters.map(([name, value]): [string, string] =>
    name === paging.limit
      ? [name, String(fetch)]
      : name === paging.offset
        ? [name, '0']
        : name === paging.page
          ? [name, String(first_page)]
          : [name, value],
  );
  if (asked === null) rewritten.push([paging.limit!, String(fetch)]);
  return { offset: skipped, limit, fetch, target: write(rewritten) };
}

const refused = (message: string): Refused => ({ refused: message });

const UNDESCRIBED = refused(
  'The request narrows a list by a field and asks for a page of it: a gap on the page would tell what a withheld record holds. Leave the page out, or let the route say how it pages (paging).',
);
