/**
 * A grammar takes apart a search that is written in a language of its own (`sort=-name`, `where={"phone":…}`, `$filter=…`) and says which
 * fields it goes by. Whatever a grammar does not fully understand it refuses: an upstream might understand more.
 */

/** What a grammar reports to, and refuses with. Every function but `listed` throws where the search may not go on. */
export interface Reading {
  /** The search goes by this name, as the upstream spells it. Refused if the route does not list it. */
  field(name: string): void;
  /** The name only says what comes back, and is one that must be listed: a relation, a computed column. */
  returned(name: string): void;
  /** The search goes by every field that the route lists: full text. */
  everything(): void;
  listed(name: string): boolean;
  /** @param what ends a sentence that begins with the place, e.g. `has an operator that is not known` */
  refuse(what: string): never;
}

export interface Grammar {
  /** Reads the value of a parameter of any name; of a body, the member as it was parsed. */
  value?(value: unknown, reading: Reading): void;
  /** Reads what stands in brackets behind the name: `filter[phone][_eq]=…` has the path `phone`, `_eq`; `a[]` an empty step. */
  member?(path: readonly string[], value: string, reading: Reading): void;
  /** Reads a parameter by its name. False: the name is none of this language. */
  parameter?(name: string, value: string, reading: Reading): boolean;
  /** `;` is a sign of the language. Elsewhere it is refused, since some servers take it for the begin of another parameter. */
  readonly hasSemicolons?: boolean;
  /** May the same name stand more than once? Only for languages that give that a meaning. */
  repeats?(name: string): boolean;
}

/** One step of a name. What is in the table is looked up as it stands; this is for names that need not be listed. */
export const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_-]*$/u;

export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** A scalar, or a list of scalars. */
export const isPlain = (value: unknown): boolean =>
  Array.isArray(value) ? value.every(isScalar) : isScalar(value);

/**
 * Text of a list, split where no bracket and no quote is open. Refused: what does not match, empty items.
 * @param quote the one that the language has: with any other, what looks like a text would be read as more by the upstream
 */
export function splitList(
  text: string,
  separator: string,
  quote: string,
  reading: Reading,
): readonly string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    // In OData, a quote within a text is written twice, which leaves and enters the text again.
    if (c === quote) {
      const end = text.indexOf(c, i + 1);
      if (end === -1) reading.refuse('has a quote that is not closed');
      i = end;
    } else if (c === '(') depth++;
    else if (c === ')') {
      if (--depth < 0) reading.refuse('has a bracket that does not match');
    } else if (c === separator && depth === 0) {
      items.push(text.slice(start, i));
      start = i + 1;
    }
  }
  if (depth !== 0) reading.refuse('has a bracket that does not match');
  items.push(text.slice(start));
  const trimmed = items.map((item) => item.trim());
  if (trimmed.some((item) => item === '')) reading.refuse('has an empty item');
  return trimmed;
}
