/** Finds e-mail addresses in a folded text. Searches from each `@` up to the next one, so that every character is read at most twice. */
import type { Span } from './span.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const setOf = (chars: string): Uint8Array => {
  const set = new Uint8Array(0x80);
  for (const char of chars) set[char.charCodeAt(0)] = 1;
  return set;
};
const LOCAL = setOf(`${LETTERS}.!#$%&'*+/=?^_\`{|}~-`);
const HOST = setOf(`${LETTERS}.-`);
/** quotes and brackets around an address are not part of it */
const AROUND = setOf(".'`*/|{}=?!&#");
const isIn = (set: Uint8Array, unit: number): boolean =>
  unit < 0x80 ? set[unit] === 1 : unit >= 0xc0 && unit <= 0x24f;

const DOMAIN =
  /^(?:[A-Za-z0-9\u00c0-\u024f](?:[A-Za-z0-9\u00c0-\u024f-]{0,62})\.)+(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{1,59})/;
/** the domain may be in another script: then its end is unknown, and the domain is not part of the span */
const FOREIGN = /^[\p{L}\p{N}-]{1,63}\.[\p{L}]{2,}/u;

export function findEmails(text: string, spans: Span[]): void {
  let from = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > from && isIn(LOCAL, text.charCodeAt(start - 1))) start -= 1;
    while (start < at && AROUND[text.charCodeAt(start)] === 1) start += 1;
    let end = at + 1;
    while (end < text.length && isIn(HOST, text.charCodeAt(end))) end += 1;
    from = at + 1;
    if (start === at) continue;
    const domain = DOMAIN.exec(text.slice(at + 1, Math.min(end, at + 256)));
    if (domain !== null) spans.push({ entity: 'email', start, end: at + 1 + domain[0].length });
    else if (FOREIGN.test(text.slice(at + 1, at + 130))) spans.push({ entity: 'email', start, end: at });
  }
}
