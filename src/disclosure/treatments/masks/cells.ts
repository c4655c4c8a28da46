/**
 * Numbers as people write them: any script's digits, full-width forms, separators inside. A text is turned into a `shape` with
 * one ASCII character a code point, so that a pattern found in the shape says which code points of the text to hide.
 */

const DECIMAL = /\p{Nd}/u;

/** Decimal digits stand in blocks of ten in code point order (Unicode 4.6), so the value is the distance to the block's start. */
function digitOf(char: string): string {
  let before = 0;
  for (let point = char.codePointAt(0)! - 1; DECIMAL.test(String.fromCodePoint(point)); point -= 1)
    before += 1;
  return String(before % 10);
}

const SEPARATORS: { readonly [char: string]: string } = Object.assign(Object.create(null), {
  '\t': ' ',
  '\xa0': ' ',
  '\u2002': ' ',
  '\u2003': ' ',
  '\u2009': ' ',
  '\u202f': ' ',
  '\u3000': ' ',
  '\u2010': '-',
  '\u2011': '-',
  '\u2012': '-',
  '\u2013': '-',
  '\u2014': '-',
  '\u2212': '-',
  '\u30fb': '.',
  '\xb7': '.',
  '\u2022': '.',
});

function shapeOf(char: string): string {
  const point = char.codePointAt(0)!;
  if (point >= 0x20 && point < 0x7f) return char;
  if (point >= 0xff01 && point <= 0xff5e) return String.fromCharCode(point - 0xfee0);
  const separator = SEPARATORS[char];
  if (separator !== undefined) return separator;
  return DECIMAL.test(char) ? digitOf(char) : '?';
}

export interface Cells {
  /** code points as they stand */
  readonly chars: readonly string[];
  /** as long as `chars`, ASCII; `?` for whatever cannot be part of a number */
  readonly shape: string;
}

const ASCII = /^[\x20-\x7e]*$/;

export function cellsOf(text: string): Cells {
  if (ASCII.test(text)) return { chars: text.split(''), shape: text };
  const chars = Array.from(text);
  return { chars, shape: chars.map(shapeOf).join('') };
}

/** Positions in a shape of what is not a separator, and those characters together. */
export function compact(
  shape: string,
  separators: RegExp,
): { readonly at: readonly number[]; readonly text: string } {
  const at: number[] = [];
  let text = '';
  for (let i = 0; i < shape.length; i += 1) {
    const char = shape[i]!;
    if (separators.test(char)) continue;
    at.push(i);
    text += char;
  }
  return { at, text };
}

/** The text with a star in place of each of the named code points. */
export function starred(cells: Cells, hidden: readonly number[]): string {
  const out = cells.chars.slice();
  for (const index of hidden) out[index] = '*';
  return out.join('');
}

/** The text with stars for all of `at` but the first `first` and the last `last`. */
export const starredBetween = (cells: Cells, at: readonly number[], first: number, last: number): string =>
  starred(cells, at.slice(first, at.length - last));
