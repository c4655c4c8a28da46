/**
 * Names of persons. Keeps one initial for each word, or the surname of a Chinese name: `张三丰` → `张**`. A compound surname is kept if a given name
 * follows: `欧阳娜娜` → `欧阳**`, `司马光` → `司马*`; alone it is treated as any two characters (`欧阳` → `欧*`). A surname after a blank is kept there
 * (`伟 张` → `* 张`). Names with a middle dot (`阿卜杜拉·买买提`) have no surname: the first character is kept.
 */
import { onlyKnown } from '../parameters.ts';
import { nameBytes } from './bytes.ts';
import { graphemes, type Mask, type MaskParameters, maskOf } from './mask.ts';
import type { Shape } from './returned.ts';
import { COMPOUND_SURNAMES, isCompoundSurname, isSurname } from './surnames.ts';

const CJK = /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}々ー]/u;
const DOT = /^[·•・‧∙⋅]$/u;
const SEPARATOR = /^[ \t\xa0\u3000,，.．()（）/·•・‧∙⋅]$/u;
const IN_WORD = /^[*'’‘ʼ`-]$|^\p{L}/u;
const INITIAL = /^\p{L}[\p{L}\p{M}\u200c\u200d]{0,5}$/u;

/** a name of one script in the usual order; others need a second check */
const STABLE = /^(?:[\u4e00-\u9fff]{1,2}\*{1,4}|[A-Z]\*{1,20}(?: [A-Z]\*{1,20}){0,3})$/;

/** fast path for Chinese names of the usual length, with the same result */
const USUAL = /^[\u4e00-\u9fff]{2,3}$/;

/** words of an initial or a Chinese surname with stars; the alternatives begin differently, so that matching is unambiguous */
const SHAPE: Shape = {
  pattern:
    /^(?:[ ,.()/·‧⋅・]*(?:\p{Script=Han}{1,2}|(?!\p{Script=Han})\p{L}\p{M}*)?\*)+(?: \p{Script=Han}{1,2})?[ ,.()/·‧⋅・]*$/u,
  sees: 'words',
  // a surname with two stars, or with one and a title or no letter; an initial with two stars, or with one at the end of the word
  within:
    /\p{Script=Han}\*{2,}|\p{Script=Han}\*(?=$|[^\p{L}\p{N}*]|先生|女士|小姐|太太)|(?<![\p{L}\p{M}\p{N}*'’-])\p{L}\p{M}{0,3}\*{2,}(?![\p{L}\p{N}])/u,
};

const LONGEST_WORD = 30;
const LONGEST_CHINESE = 6;
const MOST_WORDS = 6;

const isLatin = (unit: number): boolean =>
  (unit >= 0x41 && unit <= 0x5a) ||
  (unit >= 0x61 && unit <= 0x7a) ||
  (unit >= 0xc0 && unit <= 0x24f && unit !== 0xd7 && unit !== 0xf7);
const LATIN_SEPARATORS = ' ,.()/';
const LATIN_IN_WORD = "*'`-";

/** Masks a name in Latin letters; undefined: it has other letters. */
function latin(text: string): string | null | undefined {
  let out = '';
  let words = 0;
  let begun = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const char = text[i];
    if (char !== undefined) {
      if (isLatin(text.charCodeAt(i)) || LATIN_IN_WORD.includes(char)) continue;
      if (!LATIN_SEPARATORS.includes(char)) return undefined;
    }
    if (i > begun) {
      words += 1;
      // the rest may have other letters
      if (words > MOST_WORDS || i - begun > LONGEST_WORD) return undefined;
      out +=
        i - begun > 1 && isLatin(text.charCodeAt(begun))
          ? text[begun]! + '*'.repeat(i - begun - 1)
          : '*'.repeat(i - begun);
    }
    out += char ?? '';
    begun = i + 1;
  }
  return words === 0 ? null : out;
}

/** The length of the surname of a Chinese name; -1 if the text is too long for a name. */
function surname(name: readonly string[]): number {
  if (name.length > LONGEST_CHINESE) return -1;
  if (name.length >= 3 && COMPOUND_SURNAMES.has(name[0]! + name[1]!)) return 2;
  return name.length >= 2 ? 1 : 0;
}

/** Whether a word is a surname, or begins with one followed by a given name. */
const isSurnameWord = (word: string): boolean => isCompoundSurname(word) || isSurname(word);
const beginsWithSurname = (word: string): boolean =>
  isSurname(word[0]!) || isCompoundSurname(word.slice(0, 2));

/**
 * Which word of a Chinese name of several words is or begins with the surname. If the given name is first (`伟 张`), it is the last one; if it is
 * ambiguous, the result is `unknown`.
 */
function surnameIn(
  words: readonly (readonly number[])[],
  parts: readonly string[],
): 'first' | 'last' | 'unknown' {
  const [first, last] = [words[0]!, words.at(-1)!].map((word) => word.map((index) => parts[index]!).join(''));
  if (isCompoundSurname(first!)) return 'first';
  const atLast = isSurnameWord(last!);
  // a complete word before a surname is a given name, even if it begins like a surname: 方圆 张
  if (first!.length > 1) return atLast ? 'last' : beginsWithSurname(first!) ? 'first' : 'unknown';
  if (!isSurname(first!)) return atLast ? 'last' : 'unknown';
  return atLast ? 'unknown' : 'first';
}

export function personName(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  const mask = maskOf(
    'person_name',
    'the surname of a Chinese name (one character, two if compound); else the initial of each word',
    SHAPE,
    (text) => {
      if (USUAL.test(text)) {
        const kept = text.length === 3 && COMPOUND_SURNAMES.has(text.slice(0, 2)) ? 2 : 1;
        return text.slice(0, kept) + '*'.repeat(text.length - kept);
      }
      const masked = latin(text);
      if (masked !== undefined) return masked;
      const parts = graphemes(text);
      const words: number[][] = [];
      let open: number[] | null = null;
      let dotted = false;
      let cjk = false;
      let other = false;
      for (const [index, part] of parts.entries()) {
        if (SEPARATOR.test(part)) {
          dotted ||= DOT.test(part);
          open = null;
          continue;
        }
        if (!IN_WORD.test(part)) return null;
        if (CJK.test(part)) cjk = true;
        else if (part !== '*') other = true;
        if (open === null) {
          open = [];
          words.push(open);
        }
        open.push(index);
      }
      if (words.length > MOST_WORDS) return null;
      const chinese = cjk && !other;
      const kept = new Set<number>();
      const keep = (word: readonly number[], count: number): void => {
        for (const index of word.slice(0, count)) if (INITIAL.test(parts[index]!)) kept.add(index);
      };
      const name = words.flat();
      const order = chinese && !dotted && words.length > 1 ? surnameIn(words, parts) : 'first';
      if (order === 'unknown') {
        // the kept character could be the given name
      } else if (order === 'last') {
        keep(words.at(-1)!, words.at(-1)!.length);
      } else if (chinese && !dotted) {
        const count = surname(name.map((index) => parts[index]!));
        if (count < 0) return null;
        keep(words.length > 1 ? words[0]! : name, count);
      } else {
        for (const [number, word] of words.entries()) {
          if (word.length > LONGEST_WORD) return null;
          if (word.length < 2 || (chinese && number > 0)) continue;
          const surnamed = !dotted && CJK.test(parts[word[0]!]!);
          const count = surnamed ? surname(word.map((index) => parts[index]!)) : 1;
          if (count < 0) return null;
          keep(word, count);
        }
      }
      return name.length === 0
        ? null
        : parts.map((part, index) => (kept.has(index) || SEPARATOR.test(part) ? part : '*')).join('');
    },
    STABLE,
  );
  return { ...mask, bytes: nameBytes };
}
