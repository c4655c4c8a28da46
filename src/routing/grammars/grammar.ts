/**
 * A grammar parses a search in its own language (`sort=-name`, `where={"phone":…}`, `$filter=…`) and reports the fields that the
 * search uses. It rejects whatever it does not fully understand, because an upstream might understand more.
 */

/** Receives what a grammar finds. Every function except `listed` throws if the search is not allowed. */
export interface Reading {
  /** The search uses this field, as the upstream names it. Throws if the route does not list it. */
  field(name: string): void;
  /** The name affects only the result, but must be listed: a relation, a computed column. */
  returned(name: string): void;
  /** The search uses every field that the route lists: full text. */
  everything(): void;
  listed(name: string): boolean;
  /** @param what completes a sentence that begins with the place, e.g. `has an operator that is not known` */
  refuse(what: string): never;
}

export interface Grammar {
  /** Reads the value of a parameter of any name; in a body, the parsed member. */
  value?(value: unknown, reading: Reading): void;
  /** Reads the brackets after a name: `filter[phone][_eq]=…` has the path `phone`, `_eq`; `a[]` has an empty step. */
  member?(path: readonly string[], value: string, reading: Reading): void;
  /** Reads a parameter by its name. False: the name does not belong to this language. */
  parameter?(name: string, value: string, reading: Reading): boolean;
  /** `;` belongs to the language. Otherwise it is rejected, since some servers start a new parameter at it. */
  readonly hasSemicolons?: boolean;
  /** The same name may repeat. Only for languages that define what it means. */
  repeats?(name: string): boolean;
}

/** One step of a name that need not be listed. Listed names are looked up unchanged. */
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
 * Splits a list at separators outside brackets and quotes. Rejects unbalanced brackets and quotes, and empty items.
 * @param quote the quote of the language; with another one the upstream would parse what looks like a text
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
    // In OData a doubled quote within a text leaves and reenters the text.
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
