/** Which parameters of a request ask for a page of what is found. */
import type { Condition } from './conditions.ts';
import type { QueryPlan } from './searches.ts';

/**
 * Names that applications give to the parameters by which a list is cut into pages, in lower case and without anything but letters: `_count`
 * and `page[size]` as `count` … and `pagesize`.
 */
const NAMES =
  /^(?:limit|offset|page|pages?size|pagenumber|pageno|pageindex|pagenum|pagelimit|pageoffset|pagecursor|pageafter|pagebefore|pagetoken|perpage|size|pagestart|top|skip|take|first|last|after|before|cursor|start|startindex|startat|startfrom|end|rows|max|maxresults|maxitems|maxrecords|maxrows|results|resultsperpage|recordsperpage|rowsperpage|itemsperpage|itemcount|range|marker|next|nextpage|nextpagetoken|nexttoken|continue|continuation|continuationtoken|skiptoken|skipcount|sysparmlimit|sysparmoffset|getpagesoffset|length|rowcount|firstresult|listsize|num|batchsize|scroll)$/;

export function isPagingName(name: string): boolean {
  if (name === '_count') return true;
  return NAMES.test(name.toLowerCase().replace(/[^a-z]/g, ''));
}

/** Whether a parameter of a request may ask for a page: it touches no field, and the route does not hold it to a value. */
export function mayPage(
  { query, conditions }: { readonly query: QueryPlan; readonly conditions: readonly Condition[] },
  name: string,
): boolean {
  if (query.fields.has(name) || isPagingName(name)) return isPagingName(name) && !query.fields.has(name);
  if (query.names.has(name)) return !conditions.some((c) => c.source === 'query' && c.key === name);
  return false;
}
