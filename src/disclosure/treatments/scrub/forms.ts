/**
 * Finds second forms of a name: in Latin letters and ideographs, or a former, English or short form after it: `Zhang San（张三）`, `张三(ZHANG SAN)`,
 * `张三/Zhang San`, `张三（曾用名：张小三）`. Reads only a few dozen characters next to each name that was found.
 */
import { chineseNameAt, isWholeName } from './chinese-names.ts';
import { CAPITALISED, isNoNameWord, trimmed } from './english-words.ts';
import { otherNameAt } from './other-scripts.ts';
import type { Span } from './span.ts';

const REACH = 72;
/** characters between two forms; a bracket is the strongest indication */
const OPENING = /^[ \t\u3000]{0,2}[（(［[【〔「『<《|/／,，、;；:：\\-—=“"'‘]{0,2}[ \t\u3000]{0,2}/u;
const BRACKET = /[（(［[【〔「『<《]/;
/** words for the kind of form */
const CALLED =
  /^(?:又名|曾用名|别名|別名|原名|本名|英文名|中文名|姓名|拼音|外文名|小名|昵称|化名|英文|中文|名字|aka|a\.k\.a\.|formerly|née|nee|also|known as|English name|Chinese name|name|in Chinese|in English)[ \t]?[:：=是为]?[ \t]?/iu;
const HAN_WORD = /^\p{Script=Han}{1,4}(?:[ \u3000·•・‧]\p{Script=Han}{1,8})?/u;
/** after a form in brackets */
const CLOSING = /^[ \t]?[）)］\]】〕」』>》,，、;；/／]/u;
const LATIN = /\p{Script=Latin}/u;
const HAN = /\p{Script=Han}/u;
const ALL_CAPITALS = /^\p{Lu}{2,}(?:[ ,\-']{1,2}\p{Lu}+){0,4}(?![\p{L}\p{N}])/u;
const GIVEN_BEHIND =
  /^, ?\p{Lu}\p{L}+(?:[ -]\p{Lu}\p{L}+){0,2}(?=[ \t]{0,2}(?:[（(［[【/"'|<]|\p{Script=Han}|$))/u;
const ONE_WORD = /^\p{Lu}[\p{L}'’-]*$/u;
const MOST_FORMS = 3;

/** The other form at `at`, in the other script or, in brackets, in the same; null: none. */
function formAt(text: string, at: number, latin: boolean): Span | null {
  const opening = OPENING.exec(text.slice(at, at + 8))?.[0] ?? '';
  if (opening === '' && !latin && !LATIN.test(text[at] ?? ' ')) return null;
  const bracketed = BRACKET.test(opening);
  const listed = /[,，、;；:：]/.test(opening);
  let start = at + opening.length;
  const called = bracketed || listed ? (CALLED.exec(text.slice(start, start + 24))?.[0] ?? '') : '';
  if (listed && called === '') return null;
  start += called.length;
  const ahead = text.slice(start, start + REACH);
  const unsplit = HAN_WORD.exec(ahead)?.[0] ?? '';
  if (unsplit !== '') {
    const word = unsplit.replace(/[ \u3000·•・‧]/g, '');
    const closed = CLOSING.test(ahead.slice(unsplit.length));
    const name =
      (bracketed && closed && called !== '' && word.length >= 2) ||
      (latin && bracketed && closed && chineseNameAt(text, start, false) === unsplit.length) ||
      (isWholeName(word) &&
        (latin ? opening !== '' || closed || ends(ahead, unsplit.length) : bracketed && closed));
    return name ? { entity: 'person_name', start, end: start + unsplit.length } : null;
  }
  // 金哲洙(김철수)
  const other = otherNameAt(ahead, 0);
  if (other > 0)
    return bracketed && CLOSING.test(ahead.slice(other))
      ? { entity: 'person_name', start, end: start + other }
      : null;
  if (!LATIN.test(ahead[0] ?? ' ')) return null;
  if (latin && !bracketed) return null;
  const capitals = CAPITALISED.exec(ahead)?.[0] ?? ALL_CAPITALS.exec(ahead)?.[0] ?? '';
  let length = trimmed(capitals);
  if (length <= 1) {
    // without capitals, in separate brackets: 张三（zhang san）
    const small = /^\p{Ll}{2,}(?:[ ,'-]{1,2}\p{Ll}+){0,3}/u.exec(ahead)?.[0] ?? '';
    length =
      /[（(]/.test(opening) && small !== '' && CLOSING.test(ahead.slice(small.length)) ? small.length : 0;
  }
  const words = ahead.slice(0, length).split(/[ ,\t]+/);
  if (length <= 1 || words.some((word) => isNoNameWord(word) || NO_FORM.test(word))) return null;
  // one word in brackets after a Latin name may be a place
  if (latin && called === '' && words.length < 2) return null;
  // surname first, with a comma: ZHANG, San
  const comma = /^, ?\p{Lu}[\p{L}'’-]*/u.exec(ahead.slice(length))?.[0].length ?? 0;
  return { entity: 'person_name', start, end: start + length + comma };
}

const ends = (ahead: string, at: number): boolean => !/^[\p{L}\p{N}]/u.test(ahead.slice(at, at + 1));

/** words in capitals after a name that are no names */
const NO_FORM =
  /^(?:HKID|USD|RMB|CNY|HKD|TWD|VIP|SVIP|PDF|SMS|MMS|KYC|ETC|POS|ATM|NFC|SIM|VAT|OTP|DOB|TEL|QQ|OK|NA|N\/A|EMS|COD|CEO|CFO|CTO|HR|IT|PM|AM)$/;

/** Adds the other forms to the names that were found. */
export function findOtherForms(text: string, spans: Span[]): void {
  const found = spans.length;
  for (let i = 0; i < found; i += 1) {
    let { start, end } = spans[i]!;
    // Zhang, San: only what stands before the comma was found
    const given = ONE_WORD.test(text.slice(start, end)) ? GIVEN_BEHIND.exec(text.slice(end, end + 24)) : null;
    if (given !== null) {
      end += given[0].length;
      spans.push({ entity: 'person_name', start, end });
    }
    for (let n = 0; n < MOST_FORMS; n += 1) {
      const form = formAt(text, end, !HAN.test(text.slice(start, end)));
      if (form === null) break;
      spans.push(form);
      ({ start, end } = form);
      if (CLOSING.test(text.slice(end, end + 2))) end += 1;
    }
  }
}
