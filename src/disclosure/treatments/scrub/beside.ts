/**
 * Finds names next to a number or an address: `张伟 13812345678`, `（关之琳）` after an account number, `Yuki Tanaka (yuki@example.com)`. Reads only a
 * few dozen characters next to each span that was found.
 */
import { isWholeName } from './chinese-names.ts';
import { isNoNameWord } from './english-words.ts';
import type { Span } from './span.ts';
import { isSurname } from '../masks/surnames.ts';

const REACH = 64;
/** characters between a name and its number */
const SEPARATORS = new Set(' \t\u3000,，、:：;；/／|｜-—(（<＜[【"“=＝\n☎📞📱📧✉👤');
const MOST_SEPARATORS = 4;
/** a word for the kind of number that directly follows the name */
const NAMED_NUMBER =
  /(?:的?(?:联系|聯絡|移动|移動)?(?:手机|手機|电话|電話|身份证|身份證|证件|卡|账|帳|邮箱|郵箱|微信)(?:号码|號碼|号|號)?|收)$/u;
/** ideographs of a name and such words */
const LONGEST_RUN = 10;
const LATIN_END =
  /(?:^|[^\p{L}\p{N}'’.-])(\p{Lu}[\p{Script=Latin}\p{M}'’-]*\.?(?:,? \p{Lu}[\p{Script=Latin}\p{M}'’-]*\.?){1,3})[ \t]?[,;:(<|/-]?[ \t]?(?:(?:tel|phone|mob|mobile|cell|email|e-mail)\b[ .:]{0,3})?[(<+]?$/iu;
const LINKING_WORD = /^(?:tel|phone|mob|mobile|cell|email)$/i;

const isIdeograph = (unit: number): boolean => unit >= 0x4e00 && unit <= 0x9fff;
const isLetter = (unit: number): boolean => (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;
const isCapital = (unit: number): boolean => (unit >= 0x41 && unit <= 0x5a) || (unit >= 0xc0 && unit <= 0xde);
const isWordUnit = (unit: number): boolean =>
  isIdeograph(unit) || isLetter(unit) || unit >= 0xff10 || (unit >= 0xc0 && unit <= 0x24f);

/** The start of the separators before `start`, with a sex between two of them. */
function pastSeparators(text: string, start: number): number {
  let at = start;
  for (let n = 0; n < MOST_SEPARATORS && at > 0; n += 1) {
    const wide = text.charCodeAt(at - 1) >= 0xdc00 && text.charCodeAt(at - 1) <= 0xdfff ? 2 : 1;
    if (!SEPARATORS.has(text.slice(at - wide, at))) break;
    at -= wide;
  }
  return at;
}

function chinese(text: string, end: number): Span | null {
  let from = end;
  while (from > 0 && end - from <= LONGEST_RUN && isIdeograph(text.charCodeAt(from - 1))) from -= 1;
  const length = end - from;
  if (length < 2 || length > LONGEST_RUN || !isSurname(text[from]!)) {
    // compound surnames begin with characters that are no surnames
    if (length < 3 || length > LONGEST_RUN) return null;
  }
  if (from > 0 && (isLetter(text.charCodeAt(from - 1)) || text.charCodeAt(from - 1) === 0xb7)) return null;
  const run = text.slice(from, end);
  const name = isWholeName(run) ? run : run.replace(NAMED_NUMBER, '');
  return isWholeName(name) ? { entity: 'person_name', start: from, end: from + name.length } : null;
}

function latin(text: string, start: number, end: number): Span | null {
  let word = end;
  while (word > 0 && end - word < 20 && isWordUnit(text.charCodeAt(word - 1))) word -= 1;
  if (!isCapital(text.charCodeAt(word)) && !LINKING_WORD.test(text.slice(word, end))) return null;
  const from = Math.max(0, start - REACH);
  const found = LATIN_END.exec(text.slice(from, start));
  if (found === null) return null;
  let words = found[1]!;
  const last = from + found.index + found[0].indexOf(words) + words.length;
  // Account Müller, Hans
  for (let first = FIRST.exec(words); first !== null; first = FIRST.exec(words)) {
    if (!isNoNameWord(first[1]!)) break;
    words = words.slice(first[0].length);
  }
  const parts = words.split(/[ ,]+/);
  if (parts.length < 2 || !parts.every((part) => isCapital(part.charCodeAt(0)) && !isNoNameWord(part)))
    return null;
  return { entity: 'person_name', start: last - words.length, end: last };
}
const FIRST = /^([^ ,]+)[ ,]+/;

function before(text: string, start: number): Span | null {
  let end = pastSeparators(text, start);
  // 张伟，男，110101…
  if (end < start && (text[end - 1] === '男' || text[end - 1] === '女')) {
    const past = pastSeparators(text, end - 1);
    if (past < end - 1) end = past;
  }
  const unit = text.charCodeAt(end - 1);
  if (isIdeograph(unit)) return chinese(text, end);
  return isLetter(unit) || unit === 0x2e ? latin(text, start, end) : null;
}

/** `<name>` after a number: in brackets, or between table separators */
const BEHIND = /^[ \t]?(?:[（(](\p{Script=Han}{2,4})[)）]|[/／|｜](\p{Script=Han}{2,4})(?=$|[^\p{L}\p{N}]))/u;
const OPENS = '（(/／|｜ \t';

function after(text: string, end: number): Span | null {
  if (end >= text.length || !OPENS.includes(text[end]!)) return null;
  const found = BEHIND.exec(text.slice(end, end + 8));
  const name = found?.[1] ?? found?.[2];
  if (found === null || name === undefined || !isWholeName(name)) return null;
  const start = end + found[0].indexOf(name);
  return { entity: 'person_name', start, end: start + name.length };
}

/** @param numbers spans that were found already */
export function findBeside(text: string, numbers: readonly Span[], spans: Span[]): void {
  for (const { start, end } of numbers) {
    const left = before(text, start);
    if (left !== null) spans.push(left);
    const right = after(text, end);
    if (right !== null) spans.push(right);
  }
}
