/** E-mail addresses in a folded text. Each `@` is looked at from both sides up to the next one, so every character is read at most twice. */
import type { Span } from './span.ts';

const LOCAL = /[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\u00c0-\u024f-]/;
const HOST = /[A-Za-z0-9.\u00c0-\u024f-]/;
const DOMAIN =
  /^(?:[A-Za-z0-9\u00c0-\u024f](?:[A-Za-z0-9\u00c0-\u024f-]{0,62})\.)+(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{1,59})/;
/** the domain may be in another script: then the end is not to be told from the text that follows, and the host stays out of the span */
const FOREIGN = /^[\p{L}\p{N}-]{1,63}\.[\p{L}]{2,}/u;

export function findEmails(text: string): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > from && LOCAL.test(text[start - 1]!)) start -= 1;
    // what quotes or brackets the address is not part of it
    while (start < at && /[.'`*/|{}=?!&#]/.test(text[start]!)) start += 1;
    let end = at + 1;
    while (end < text.length && HOST.test(text[end]!)) end += 1;
    from = at + 1;
    if (start === at) continue;
    const domain = DOMAIN.exec(text.slice(at + 1, Math.min(end, at + 256)));
    if (domain !== null) spans.push({ entity: 'email', start, end: at + 1 + domain[0].length });
    else if (FOREIGN.test(text.slice(at + 1, at + 130))) spans.push({ entity: 'email', start, end: at });
  }
  return spans;
}
