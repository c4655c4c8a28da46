/**
 * Ids of data subjects as they are asked about. Columns of fixed width come padded (`"C1        "`), and whoever pads an id must not get
 * another person's consents for it, that is, none; an id of nothing but blanks names nobody.
 */
const isPadding = (c: string): boolean => c === '\0' || c.trim() === '';

/** The id without blanks and null characters around it; empty: it names nobody. */
export function idOf(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPadding(text[start]!)) start++;
  while (end > start && isPadding(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** The very list where there is nothing to take away, as nearly always. */
export function idsOf(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (text === '' || isPadding(text[0]!) || isPadding(text.at(-1)!)) return bare(texts);
  return texts;
}

const bare = (texts: readonly string[]): readonly string[] =>
  [...new Set(texts.map(idOf))].filter((id) => id !== '');
