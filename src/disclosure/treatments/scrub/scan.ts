/** Scans each character of a text once to determine which finders must run: most notes contain few characters that any finder could use. */
import { PLATE_PROVINCES } from '../masks/plate.ts';
import { TITLE_LETTERS } from './english-names.ts';
import { isPlainUnit } from './fold.ts';
import { CHINESE_LABELS, TITLES } from './labels.ts';
import { LABEL_CHARS } from './labelled.ts';
import { NUMERALS } from './spoken.ts';

const DIGIT = 1;
/** folding may change it */
const FOLDS = 2;
/** folding may change it to a digit */
const ODD = 4;
const AT = 8;
const LATIN = 16;
/** ſ and the Kelvin sign, which match s and k if case is ignored */
const LATIN_ODD = 32;
const LABEL = 64;
const TITLE = 128;
const PROVINCE = 256;
const NUMERAL = 512;
/** may be between numerals */
const BETWEEN = 1024;
/** may begin an English title */
const TITLED = 2048;
/** may begin the label of a document or an account */
const DOCUMENT = 4096;

/** The blocks of the basic plane with digits of other scripts, and the surrogates. */
const mayBeDigit = (unit: number): boolean =>
  (unit >= 0x0660 && unit < 0x2000) || (unit >= 0xa000 && unit < 0xe000) || unit > 0xff5e;

const CLASSES = new Uint16Array(0x10000);
for (let unit = 0; unit < 0x10000; unit += 1) {
  if (isPlainUnit(unit)) continue;
  CLASSES[unit] = mayBeDigit(unit) ? FOLDS | ODD : FOLDS;
}
const mark = (chars: Iterable<string>, flag: number): void => {
  for (const char of chars) CLASSES[char.charCodeAt(0)]! |= flag;
};
mark('0123456789０１２３４５６７８９', DIGIT);
mark('@＠', AT);
mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', LATIN);
mark('\u017f\u212a', LATIN | LATIN_ODD);
mark(CHINESE_LABELS.first, LABEL);
mark(TITLES.first, TITLE);
mark(PLATE_PROVINCES, PROVINCE);
mark(Object.keys(NUMERALS), NUMERAL);
mark(' -', BETWEEN);
mark(TITLE_LETTERS, TITLED);
mark(LABEL_CHARS, DOCUMENT);

const HAN = /[\u4e00-\u9fff]{2}/;

export interface Traits {
  /** folding changes the text */
  readonly folds: boolean;
  readonly at: boolean;
  /** enough digits for the shortest number */
  readonly numbers: boolean;
  /** enough numerals and digits in a row for the shortest number */
  readonly spoken: boolean;
  readonly plates: boolean;
  /** enough digits for the shortest number behind a label */
  readonly digits: boolean;
  /** first possible position of the label of a document or an account; -1: none */
  readonly document: number;
  /** first possible position of a label or title; -1: none */
  readonly label: number;
  readonly title: number;
  readonly latin: boolean;
  /** two ideographs in a row, or more */
  readonly han: boolean;
  /** has the first letter of an English title */
  readonly titled: boolean;
  /** has letters that are Latin only after case folding */
  readonly oddLatin: boolean;
}

const FEWEST_DIGITS = 7;
const FEWEST_LABELLED = 4;
const FEWEST_SPOKEN = 11;

export function scan(text: string): Traits {
  let seen = 0;
  let digits = 0;
  let label = -1;
  let title = -1;
  let document = -1;
  let plates = false;
  let spoken = false;
  let run = 0;
  let numerals = 0;
  for (let i = 0; i < text.length; i += 1) {
    const flags = CLASSES[text.charCodeAt(i)]!;
    if (flags === LATIN || flags === 0) {
      seen |= flags;
      run = 0;
      continue;
    }
    seen |= flags;
    digits += flags & DIGIT;
    if ((flags & LABEL) !== 0 && label < 0) label = i;
    if ((flags & TITLE) !== 0 && title < 0) title = i;
    if ((flags & DOCUMENT) !== 0 && document < 0) document = i;
    if ((flags & PROVINCE) !== 0 && isLetter(text.charCodeAt(i + 1))) plates = true;
    if ((flags & (DIGIT | NUMERAL)) !== 0) {
      if (run === 0) numerals = 0;
      run += 1;
      numerals |= flags & NUMERAL;
      if (run >= FEWEST_SPOKEN && numerals !== 0) spoken = true;
    } else if ((flags & BETWEEN) === 0) run = 0;
  }
  return {
    folds: (seen & FOLDS) !== 0,
    at: (seen & AT) !== 0,
    numbers: digits >= FEWEST_DIGITS || (seen & ODD) !== 0,
    digits: digits >= FEWEST_LABELLED || (seen & ODD) !== 0,
    document,
    spoken,
    plates,
    label,
    title,
    han: HAN.test(text),
    latin: (seen & LATIN) !== 0,
    titled: (seen & TITLED) !== 0,
    oddLatin: (seen & LATIN_ODD) !== 0,
  };
}

/** ASCII or full-width; NaN (the end of the text) is none */
const isLetter = (unit: number): boolean => {
  const lower = (unit >= 0xff21 ? unit - 0xfee0 : unit) | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
};
