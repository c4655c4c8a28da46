/**
 * Recognises members around records that state that the list has more records: `next`, `@odata.nextLink`, `has_more`, Spring's `"last": false`.
 * Cursors and tokens do not count: many upstreams send one with every result.
 */

const NEXT =
  /^(?:@?(?:odata\.)?_{0,2}next_?(?:link|page|url|uri|href|page_?url|records_?url)?|_?has_?(?:more|next|next_?page|more_?(?:records|items|results))|more|more_?(?:records|items|results)|is_?truncated|truncated)$/i;
const LAST = /^(?:last|is_?last|last_?page|is_?last_?page|done|complete)$/i;
/** values that state that there is no next page */
const NONE = /^(?:null|false|""|0|\[\]|\{\})$/;
/** `"relation": "next"` of FHIR, `"rel": "next"` of HATEOAS */
const RELATION = /"rel(?:ation)?"\s*:\s*"next"/;
const MEMBER = /"([^"\\]{1,40})"\s*:\s*([^\s,\]}]+)/g;

/**
 * @param name of the member
 * @param text of its value
 */
export function leadsOn(name: string, text: string): boolean {
  if (LAST.test(name)) return text === 'false';
  if (NEXT.test(name)) return !NONE.test(text);
  if (!/^[[{]/.test(text) || text.length > 64 * 1024) return false;
  if (RELATION.test(text)) return true;
  for (const [, inner, value] of text.matchAll(MEMBER))
    if (LAST.test(inner!) ? value === 'false' : NEXT.test(inner!) && !NONE.test(value!)) return true;
  return false;
}
