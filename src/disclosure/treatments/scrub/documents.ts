/**
 * Finds identity numbers and accounts with letters in a folded text: identity cards of Hong Kong and Taiwan (by check digit or label) and IBANs
 * (ISO 13616, by check digits).
 */
import type { Span } from './span.ts';

const HONG_KONG = /([A-Za-z]{1,2})([0-9]{6}) ?(?:\(([0-9A-Za-z])\)|([0-9Aa])(?![A-Za-z0-9]))/y;
const TAIWAN = /([A-Za-z])([1289A-Da-d][0-9]{8})(?![A-Za-z0-9])/y;
/** countries with IBANs (SWIFT registry) */
const IBAN =
  /(?:A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMV]|T[LNR]|UA|VA|VG|XK)[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/y;

const LABEL =
  /(?:身份证|身份證|身分證|证件|證件|居留證|統一編號|统一编号|HKID|\bID)(?: ?(?:号码|号|號碼|號|字號|统一编号|統一編號|card|no|number))?[^\p{L}\p{N}]{0,4}$/iu;
const LABEL_REACH = 20;

const labelled = (text: string, start: number): boolean =>
  LABEL.test(text.slice(Math.max(0, start - LABEL_REACH), start));

/** Hong Kong: letters from A = 10, a blank in front of a single one = 36, weights 9 to 1, modulo 11 */
function hasHongKongCheck(letters: string, digits: string, check: string): boolean {
  const values = [
    ...(letters.length === 1 ? [36] : []),
    ...Array.from(letters.toUpperCase(), (letter) => letter.charCodeAt(0) - 55),
    ...Array.from(digits, Number),
    check.toUpperCase() === 'A' ? 10 : Number(check), // other letters are invalid
  ];
  return values.reduce((sum, value, i) => sum + value * (9 - i), 0) % 11 === 0;
}

/** the values of the letters, from A */
const PLACES = [
  10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33,
];
const placeOf = (letter: string): number => PLACES[letter.toUpperCase().charCodeAt(0) - 65]!;

/** Taiwan's Ministry of the Interior: both digits of the letter, then eight, weights 1, 9 to 1, 1; a resident's second letter counts by its last digit */
function hasTaiwanCheck(letter: string, rest: string): boolean {
  const place = placeOf(letter);
  const digits = Array.from(rest, (char) => (/[0-9]/.test(char) ? Number(char) : placeOf(char) % 10));
  const sum =
    Math.floor(place / 10) +
    9 * (place % 10) +
    digits.reduce((all, digit, i) => all + digit * (i < 8 ? 8 - i : 1), 0);
  return sum % 10 === 0;
}

/** ISO 7064 MOD 97-10 */
function hasIbanCheck(iban: string): boolean {
  let rest = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = char <= '9' ? Number(char) : char.charCodeAt(0) - 55;
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** The number at `at`, which has one or two letters before digits and no letter or digit before them; null: none. */
export function documentAt(text: string, at: number): Span | null {
  const found = matchAt(HONG_KONG, text, at);
  if (found !== null) {
    const [whole, letters, digits, bracketed, bare] = found;
    const check = hasHongKongCheck(letters!, digits!, bracketed ?? bare!);
    // a letter and seven digits may be a passport or an order: without brackets, label and check digit are required
    if (bracketed === undefined ? check && labelled(text, at) : check || labelled(text, at))
      return { entity: 'national_id', start: at, end: at + whole.length };
  }
  const taiwan = matchAt(TAIWAN, text, at);
  if (taiwan !== null && (hasTaiwanCheck(taiwan[1]!, taiwan[2]!) || labelled(text, at)))
    return { entity: 'national_id', start: at, end: at + taiwan[0].length };
  const iban = matchAt(IBAN, text, at);
  return iban !== null && hasIbanCheck(iban[0].replaceAll(' ', ''))
    ? { entity: 'bank_card', start: at, end: at + iban[0].length }
    : null;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
