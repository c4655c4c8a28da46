/**
 * Normalizes ids of data subjects. Columns of fixed width are padded (`"C1        "`), and the consents of a person must be found for the padded
 * id too. An id of blanks names nobody.
 */
const isPadding = (c: string): boolean => c === '\0' || c.trim() === '';

/** The id without surrounding blanks and null characters; empty: it names nobody. */
export function idOf(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPadding(text[start]!)) start++;
  while (end > start && isPadding(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** Returns the same array if no id is padded, which is the usual case. */
export function idsOf(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (text === '' || isPadding(text[0]!) || isPadding(text.at(-1)!)) return bare(texts);
  return texts;
}

const bare = (texts: readonly string[]): readonly string[] =>
  [...new Set(texts.map(idOf))].filter((id) => id !== '');
