/** Strings in a text of JSON, for those who read it at their own positions. */

/** @param start of the quotation mark that opens a string @returns the length of the text if the string is not closed */
export function closingQuote(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return i;
    i += c === 0x5c ? 2 : 1;
  }
  return text.length;
}

/** In valid JSON a string is a name exactly when a colon follows. @param end of the string, behind its quotation mark */
export function isName(text: string, end: number): boolean {
  let i = end;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === 0x3a;
}
