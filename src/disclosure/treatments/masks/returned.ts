/**
 * A masked value as it comes back in a write: a client may have changed the number of its stars, drawn them as other signs, put blanks or
 * invisible characters between, or sent full-width forms. All of these are one text here, and a kind says by a pattern where in it
 * the sign stands. A pattern asks less than the mask writes: what has a sign in that place is no value of the kind.
 */
export interface Shape {
  /** of the text with each run of signs as one star; linear in its length */
  readonly pattern: RegExp;
  /** what the pattern is given: letters, digits and stars alone, or words with a blank between them and what punctuates them */
  readonly sees: 'characters' | 'words';
  /** several values may stand in one field */
  readonly list?: true;
  /** one in a longer text, such as a note that somebody put behind it; of a text with NFKC's letters and `*` for stars and bullets */
  readonly within?: RegExp;
  /** how many x in a row are a sign, since fewer may be part of a value; 2 unless given */
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
/** nothing but x: as many as hide a value whole, since fewer are a code or a size */
const ONLY_X = /^x{4,}$/i;

/** Masks hide a longer value whole: what is longer without repeated signs and blanks is none of ours. */
const LONGEST = 1024;

const visible = (text: string): string => text.replace(UNSEEN, '').replace(SIGNS, '*');

/** A text as it was typed first: no invisible or full-width characters, one dash, no blanks or quotes around it. */
export function plainly(text: string): string {
  const bare = text.replace(UNSEEN, '').normalize('NFKC').replace(DASHES, '-');
  // not by a pattern: one that is bound to the end reads a long run of blanks from each of them
  let start = 0;
  let end = bare.length;
  while (start < end && AROUND.test(bare[start]!)) start += 1;
  while (end > start && AROUND.test(bare[end - 1]!)) end -= 1;
  return bare.slice(start, end);
}
const AROUND = /[\s"'“”‘’「」]/u;
const DASHES = /[\p{Pd}\u2212~〜～]/gu;

/** The text with every sign a star and without what nobody sees; runs and blanks stay. */
export const withStars = (text: string): string => visible(text).normalize('NFKC');

export const isReturned = (text: string, shape: Shape): boolean =>
  (shape.list === true ? text.split(LIST) : [text]).some((part) => isOne(part, shape)) ||
  (shape.within !== undefined && isWithin(text, shape.within));

/** What is longer holds more than a value and a word about it. */
const LONGEST_AROUND = 4096;
/** fewer than in a value by itself: an ornament in a note is none of ours */
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

/** a value that was hidden whole, with a word before or behind it */
const ALL_HIDDEN = /^[\s"'([<]*\*{4,}(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}*@.])\*{4,}[\s"')\]>.。]*$/u;

/** Stars of a number, at most so many letters and digits before them and behind: `电话138****5678（已核实）`. What is whole has none beside it. */
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

/** x for a star: any behind an ideograph, else `fewest` in a row */
const crossed = (text: string, fewest: number): string =>
  text.replace(/x+/gi, (run, at: number) =>
    run.length >= fewest || (at > 0 && IDEOGRAPH.test(text[at - 1]!)) ? '*' : run,
  );
