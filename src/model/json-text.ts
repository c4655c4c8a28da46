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

/**
 * What readers may read differently in a text that is valid JSON: which of two equal names in one object counts; and what is nested too deep for some.
 * @returns null: nothing
 */
export function ambiguityOf(text: string, depth: number): 'repeated name' | 'depth' | null {
  const open: (Set<string> | null)[] = [];
  let i = 0;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      const end = closingQuote(text, i);
      const names = open[open.length - 1];
      if (names && isName(text, end + 1)) {
        const name = JSON.parse(text.slice(i, end + 1)) as string;
        if (names.has(name)) return 'repeated name';
        names.add(name);
      }
      i = end + 1;
      continue;
    }
    if (c === 0x7b) open.push(new Set());
    else if (c === 0x5b) open.push(null);
    else if (c === 0x7d || c === 0x5d) open.pop();
    if (open.length > depth) return 'depth';
    i++;
  }
  return null;
}
