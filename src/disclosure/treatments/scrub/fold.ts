/**
 * Normalizes a text for searching without changing the positions of its UTF-16 code units: full-width forms and digits of other scripts become ASCII,
 * unusual blanks and dashes become the usual ones, and invisible characters between digits (zero-width and control characters, combining marks,
 * keycaps) become a filler that the finders skip.
 */
export const FILLER = '\x01';

const DECIMAL = /^\p{Nd}$/u;
const UNSEEN = /^[\p{M}\p{Cf}\p{Cc}]$/u;
const BLANK = /^[\p{Zs}\p{Zl}\p{Zp}]$/u;
const DASH = /^[\p{Pd}\u2212\u30fc]$/u;

function digitOf(point: number): string {
  let before = 0;
  for (let other = point - 1; DECIMAL.test(String.fromCodePoint(other)); other -= 1) before += 1;
  return String(before % 10);
}

function plain(char: string): string {
  const point = char.codePointAt(0)!;
  if (point >= 0xff01 && point <= 0xff5e) return String.fromCharCode(point - 0xfee0);
  if (DECIMAL.test(char)) return digitOf(point) + FILLER.repeat(char.length - 1);
  if (UNSEEN.test(char)) return FILLER.repeat(char.length);
  if (BLANK.test(char)) return ' ';
  return DASH.test(char) ? '-' : char;
}

/** Characters that folding does not change: ideographs, `、`, `。`, ASCII without control characters, and white space. */
export const isPlainUnit = (unit: number): boolean =>
  (unit >= 0x20 && unit < 0x7f) ||
  (unit >= 0x4e00 && unit <= 0x9fff) ||
  unit === 0x3001 ||
  unit === 0x3002 ||
  (unit >= 9 && unit <= 13);

/** cache: the folded form of each code unit of the basic plane; 0: not computed yet */
const BECOMES = new Uint16Array(0x10000);

function learned(unit: number): number {
  const folded = plain(String.fromCharCode(unit)).charCodeAt(0);
  BECOMES[unit] = folded;
  return folded;
}

export function fold(text: string): string {
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (isPlainUnit(unit)) continue;
    if (unit >= 0xd800 && unit < 0xdc00) {
      const pair = text.codePointAt(i)!;
      if (pair < 0x10000) continue;
      out += text.slice(from, i) + plain(String.fromCodePoint(pair));
      i += 1;
    } else {
      const folded = BECOMES[unit]! || learned(unit);
      if (folded === unit) continue;
      out += text.slice(from, i) + String.fromCharCode(folded);
    }
    from = i + 1;
  }
  return from === 0 ? text : out + text.slice(from);
}
