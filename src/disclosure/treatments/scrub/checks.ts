/** Checks that distinguish kinds of numbers from other numbers of the same length: check digits, dates, assigned prefixes. Digits are ASCII. */

/** GB/T 2260 province codes */
const PROVINCE = /^(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91)/;
/** a foreigner's permanent residence card: 9, the province of issue, the country's number of ISO 3166-1 */
const FOREIGNER = /^9(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5])/;

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Whether area and birth date of an 18-digit identity number are possible; the check digit is not checked. */
export function hasIdentityShape(id: string): boolean {
  const year = Number(id.slice(6, 10));
  return (
    (PROVINCE.test(id) || FOREIGNER.test(id)) &&
    year >= 1880 &&
    year <= 2100 &&
    isDate(year, Number(id.slice(10, 12)), Number(id.slice(12, 14)))
  );
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** ISO 7064 MOD 11-2, by GB 11643-1999. */
export function hasIdentityCheck(id: string): boolean {
  let sum = 0;
  for (let i = 0; i < 17; i += 1) sum += (id.charCodeAt(i) - 48) * WEIGHTS[i]!;
  return '10X98765432'[sum % 11] === id[17]!.toUpperCase();
}

/** The identity number of 15 digits, which has no check digit: area, and a date of the 20th century. */
export const isOldIdentity = (id: string): boolean =>
  PROVINCE.test(id) &&
  isDate(1900 + Number(id.slice(6, 8)), Number(id.slice(8, 10)), Number(id.slice(10, 12)));

/** ISO/IEC 7812-1 annex B */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    let value = digits.charCodeAt(digits.length - 1 - i) - 48;
    if (i % 2 === 1) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 === 0;
}

/** Issuer prefixes with the lengths of their schemes; a date or counter at the start of an order number matches none. */
const CARD =
  /^(?:62\d{14,17}|81\d{14,17}|4(?:\d{12}|\d{15}|\d{18})|5[0-8]\d{14,17}|6(?:[03457-9])\d{14,17}|3[47]\d{13}|35\d{14}|3(?:0[0-5]|[689]\d)\d{11}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|(?:9558|103\d)\d{15})$/;

export const hasCardShape = (digits: string): boolean => CARD.test(digits);
export const isCard = (digits: string): boolean => hasCardShape(digits) && isLuhn(digits);

/** MIIT's mobile prefixes: 13x to 19x */
export const isMobile = (digits: string): boolean =>
  digits.length === 11 && digits[0] === '1' && digits.charCodeAt(1) >= 0x33;

/** trunk 0, area code, a subscriber number that begins with 2 to 8 */
export const isLandline = (digits: string): boolean =>
  digits[0] === '0' && /^0(?:10|2[0-57-9]|[3-9]\d\d)[2-8]\d{6,7}$/.test(digits);
