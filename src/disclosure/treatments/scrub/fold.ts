/**
 * A text made plain for searching, with every UTF-16 unit in its old place, so that what is found there is cut here: full-width forms
 * and other scripts' digits become ASCII, odd blanks and dashes the usual ones, and what is invisible between two digits (zero-width
 * and control characters, combining marks, keycaps) a filler that the searches skip.
 */
export const FILLER = '\x01';

const FOLDABLE = /[\x00-\x08\x0e-\x1f\x7f]|[^\x00-\x7f\u4e00-\u9fff\u3001\u3002]/gu;
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

export const fold = (text: string): string => text.replace(FOLDABLE, plain);
