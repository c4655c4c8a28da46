/** What response headers state about the length of a list: `X-Total-Count`, `Content-Range: items 0-9/57`, `Link: <…>; rel="next"`. */

export interface Announced {
  /** number of records in the entire list; null: no header states it */
  readonly total: number | null;
  /** there are more records than the response has */
  readonly more: boolean;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const TOTAL = /total|matched|found/;
const COUNT = /count|results?|hits|records|items/;
/** counts of pages, of one page, or of something else than the list */
const OTHER =
  /pages|page-?count|per-|limit|remaining|reset|time|duration|length|size|current|offset|next|prev/;
const NUMBER = /^[0-9]{1,15}$/;
const RANGE = /^[a-z-]* ?(?:[0-9]+-[0-9]+|\*)\/([0-9]{1,15})$/i;

export function announced(headers: Headers): Announced {
  const totals: number[] = [];
  const counts: number[] = [];
  let more = false;
  for (const [name, given] of Object.entries(headers)) {
    const value = typeof given === 'string' ? given.trim() : (given?.join(', ') ?? '');
    if (name === 'link') more ||= /;\s*rel="?[^";,]*\bnext\b/i.test(value);
    else if (name === 'content-range') {
      const total = RANGE.exec(value)?.[1];
      if (total !== undefined) totals.push(Number(total));
    } else if (/^(?:x-)?(?:next-page|next-link|has-more|has-next|more)$/.test(name))
      more ||= value !== '' && !/^(?:false|null|0)$/i.test(value);
    else if (NUMBER.test(value) && !OTHER.test(name)) {
      if (TOTAL.test(name)) totals.push(Number(value));
      else if (COUNT.test(name)) counts.push(Number(value));
    } else if (/paginat|paging|page/.test(name) && value.startsWith('{'))
      for (const [, key, number] of value.matchAll(/"([A-Za-z_-]+)"\s*:\s*"?([0-9]{1,15})/g))
        if (/^total(?:_?(?:count|items|records|elements|results))?$/i.test(key!)) totals.push(Number(number));
  }
  // A count may be that of the page, so it is used only if no header states a total.
  const said = totals.length > 0 ? totals : counts;
  return { total: said.length === 0 ? null : Math.min(...said), more };
}
