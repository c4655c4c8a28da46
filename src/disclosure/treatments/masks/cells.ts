/**
 * Numbers as people write them: digits of any script, full-width forms, separators. A text is mapped to a `shape` with one ASCII character for each
 * code point, so that a match in the shape gives the code points to hide.
 */

const DECIMAL = /\p{Nd}/u;

/** Decimal digits are in blocks of ten in order (Unicode 4.6), so that the value is the offset in the block. */
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
  /** the code points; for ASCII the text itself */
  readonly chars: ArrayLike<string>;
  /** ASCII, as long as `chars`; `?` for characters that cannot be part of a number */
  readonly shape: string;
}

const ASCII = /^[\x20-\x7e]*$/;

export function cellsOf(text: string): Cells {
  if (ASCII.test(text)) return { chars: text, shape: text };
  const chars = Array.from(text);
  return { chars, shape: chars.map(shapeOf).join('') };
}

/** The positions of characters that are no separators, and these characters. */
export function compact(
  shape: string,
  separators: string,
): { readonly at: readonly number[]; readonly text: string } {
  const at: number[] = [];
  let text = '';
  let from = 0;
  for (let i = 0; i < shape.length; i += 1) {
    if (!separators.includes(shape[i]!)) at.push(i);
    else {
      text += shape.slice(from, i);
      from = i + 1;
    }
  }
  return { at, text: from === 0 ? shape : text + shape.slice(from) };
}

/** The text with a star for each of the given code points, which are in order. */
export function starred(cells: Cells, hidden: readonly number[]): string {
  const { chars } = cells;
  let out = '';
  let next = 0;
  for (let i = 0; i < chars.length; i += 1) {
    if (hidden[next] === i) {
      out += '*';
      next += 1;
    } else out += chars[i]!;
  }
  return out;
}

/** The text with stars for all positions of `at` but the first `first` and the last `last`. */
export const starredBetween = (cells: Cells, at: readonly number[], first: number, last: number): string =>
  starred(cells, at.slice(first, at.length - last));
