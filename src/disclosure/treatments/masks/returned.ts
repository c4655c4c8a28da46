/**
 * Recognises masked values in writes. A client may have changed the number of stars, replaced them by other signs, inserted blanks or invisible
 * characters, or sent full-width forms. The text is normalized, and each kind has a pattern for it. A pattern is more permissive than the mask: a
 * text with a sign at that position is no real value of the kind.
 */
export interface Shape {
  /** applies to the text with each run of signs as one star; must be linear */
  readonly pattern: RegExp;
  /** the input of the pattern: only letters, digits and stars, or words with blanks and punctuation */
  readonly sees: 'characters' | 'words';
  /** a field may contain several values */
  readonly list?: true;
  /** matches a mask within a longer text, such as one with a remark; applies to the NFKC text with `*` for stars and bullets */
  readonly within?: RegExp;
  /** number of consecutive x that count as a sign, since fewer may be part of a value; default 2 */
  readonly fewestX?: number;
}

/** stars; bullets and circles; crosses; blocks */
const SIGNS =
  /[*＊﹡\u066d\u203b\u204e\u2051\u2055\u2217\u2605\u2606\u2731-\u2736\u273b\u273d\u2022\u2219\u25cb\u25cf\u25e6\u26aa\u26ab\u2b24\u00d7\u2573\u2613\u2715-\u2718\u274c\u2a2f\u2588\u2591-\u2593\u25a0\u25a1\u25aa\u25ab\u25c6\u25c7]/gu;
/** zero-width and format characters, fillers, selectors, controls, keycaps */
const UNSEEN = /\ufeff|(?!\s)[\p{Cf}\p{Cc}\p{Me}\p{Default_Ignorable_Code_Point}]/gu;
const LIST = /[,;/|\n、，；]/;
const PUNCTUATION = /[^\p{L}\p{M}\p{N}*]/gu;
const IDEOGRAPH = /\p{Script=Han}/u;
/** only x: as many as a completely hidden value has, since fewer may be a code or a size */
const ONLY_X = /^x{4,}$/i;

/** Longer values are hidden completely, so that a longer text (without repeated signs and blanks) is no mask. */
const LONGEST = 1024;

const visible = (text: string): string => text.replace(UNSEEN, '').replace(SIGNS, '*');

/** Normalizes a text: no invisible or full-width characters, one kind of dash, no surrounding blanks or quotes. */
export function plainly(text: string): string {
  const bare = text.replace(UNSEEN, '').normalize('NFKC').replace(DASHES, '-');
  // no regular expression: one anchored at the end is quadratic for a long run of blanks
  let start = 0;
  let end = bare.length;
  while (start < end && AROUND.test(bare[start]!)) start += 1;
  while (end > start && AROUND.test(bare[end - 1]!)) end -= 1;
  return bare.slice(start, end);
}
const AROUND = /[\s"'“”‘’「」]/u;
const DASHES = /[\p{Pd}\u2212~〜～]/gu;

/** The text with every sign as a star and without invisible characters; runs and blanks are kept. */
export const withStars = (text: string): string => visible(text).normalize('NFKC');

export const isReturned = (text: string, shape: Shape): boolean =>
  (shape.list === true ? text.split(LIST) : [text]).some((part) => isOne(part, shape)) ||
  (shape.within !== undefined && isWithin(text, shape.within));

/** a longer text is more than a value with a remark */
const LONGEST_AROUND = 4096;
/** fewer signs than in a value alone, since a note may contain ornaments */
const STARS = /[*＊﹡\u2217\u2022\u25cf]/gu;
const EVERY_STAR = new RegExp(STARS.source, 'u');

function isWithin(text: string, within: RegExp): boolean {
  if (text.length > LONGEST_AROUND || !EVERY_STAR.test(text)) return false;
  const plain = text
    .replace(UNSEEN, '')
    .replace(STARS, '*')
    .normalize('NFKC')
    .replace(/\* +(?=\*)/g, '*');
  return within.test(plain) || ALL_HIDDEN.test(plain);
}

/** a completely hidden value with a word before or after it */
const ALL_HIDDEN = /^[\s"'([<]*\*{4,}(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}*@.])\*{4,}[\s"')\]>.。]*$/u;

/** A masked number within a text: stars with a limited number of letters and digits around them: `电话138****5678（已核实）`. */
export const NUMBER_WITHIN =
  /(?<![A-Za-z0-9*]|[A-Za-z0-9][ .-])(?:[A-Za-z0-9][ .-]?){1,8}(?<!\*)\*{3,}|(?<!\*)\*{3,}[ .-]?[A-Za-z0-9]{1,4}(?![A-Za-z0-9])/u;

function isOne(text: string, shape: Shape): boolean {
  const short = visible(text).replace(/\s+/gu, ' ').replaceAll(' *', '*').replace(/\*+/g, '*').trim();
  if (short.length > LONGEST) return false;
  const drawn = short.normalize('NFKC').replace(/\s+/gu, ' ').trim();
  const bare = drawn.replace(PUNCTUATION, '');
  const seen = shape.sees === 'words' ? drawn : bare;
  if (fits(seen, shape)) return true;
  if (/^x*$/i.test(bare)) return ONLY_X.test(bare);
  const other = crossed(seen, shape.fewestX ?? 2);
  return other !== seen && fits(other, shape);
}

function fits(seen: string, { pattern }: Shape): boolean {
  const words = seen.replaceAll(' *', '*').replace(/\*+/g, '*');
  return (
    words.includes('*') &&
    (words === '*' || pattern.test(words) || pattern.test(words.replaceAll(' ', '').replace(/\*+/g, '*')))
  );
}

/** Replaces x by stars: any after an ideograph, otherwise at least `fewest` in a row. */
const crossed = (text: string, fewest: number): string =>
  text.replace(/x+/gi, (run, at: number) =>
    run.length >= fewest || (at > 0 && IDEOGRAPH.test(text[at - 1]!)) ? '*' : run,
  );
