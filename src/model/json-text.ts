/**
 * JSON that somebody else wrote. V8 (13.6) reads a name that is spelled with escapes as another name if an object with that other name, and
 * the same names before it, was read earlier, the other name has a backslash, and both names begin with the same characters of the text:
 * after `{"a":1,"\\u00":2}`, the second name of `{"a":1,"\u0069d":2}` is read as `\u00`. Whoever reads the same bytes elsewhere finds `id`.
 */

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
// ES2026: the reviver's context argument is missing in TypeScript's library.
const parse = JSON.parse as (text: string, reviver?: Reviver) => unknown;

/**
 * `JSON.parse` that reads every name as RFC 8259 §7 spells it.
 * @throws SyntaxError also for a name that cannot be spelled without a backslash: with a quotation mark, a backslash, a control character or
 *   half of a surrogate pair
 */
export function parseJson(text: string, reviver?: Reviver): unknown {
  const value = parse(text, reviver);
  const plain = text.includes('\\') ? withPlainNames(text) : text;
  return plain === text ? value : parse(plain, reviver);
}

/** @param text valid JSON */
function withPlainNames(text: string): string {
  let plain = '';
  let from = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    const end = closingQuote(text, at) + 1;
    if (isName(text, end)) {
      const token = text.slice(at, end);
      if (token.includes('\\')) {
        const spelled = JSON.stringify(JSON.parse(token));
        if (spelled.includes('\\'))
          throw new SyntaxError(
            'A name with a quotation mark, a backslash or a control character is not read.',
          );
        plain += text.slice(from, at) + spelled;
        from = end;
      }
    }
    at = end;
  }
  return plain + text.slice(from);
}

/** @param start of the quotation mark that opens a string of valid JSON */
export function closingQuote(text: string, start: number): number {
  let i = start + 1;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return i;
    i += c === 0x5c ? 2 : 1;
  }
}

/** In valid JSON a string is a name exactly when a colon follows. @param end of the string, behind its quotation mark */
export function isName(text: string, end: number): boolean {
  let i = end;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === 0x3a;
}
