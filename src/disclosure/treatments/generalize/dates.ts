/** Dates as legacy systems spell them, read without guessing: what could be two dates is none, unless an order is given. */

export interface CalendarDate {
  readonly year: number;
  /** 1–12; null where the text does not say, or not unambiguously */
  readonly month: number | null;
  readonly day: number | null;
}

export type DateOrder = 'ymd' | 'dmy' | 'mdy';

const TIME = '(?:[T ]\\s*[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?\\s*(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?';
const YEAR_FIRST = new RegExp(`^([0-9]{4})([-/.])([0-9]{1,2})(?:\\2([0-9]{1,2})${TIME})?$`, 'i');
const TOGETHER = /^([0-9]{4})([0-9]{2})([0-9]{2})(?:T?[0-9]{6}(?:Z|[+-][0-9]{4})?)?$/;
const CHINESE =
  /^([0-9]{4})年(?:([0-9]{1,2})月(?:([0-9]{1,2})[日号號])?)?(?:\s*[0-9]{1,2}[:：时時].{0,20})?$/;
const YEAR_LAST = new RegExp(`^([0-9]{1,2})([-/.])([0-9]{1,2})\\2([0-9]{4})${TIME}$`, 'i');
const YEAR_ONLY = /^([0-9]{4})$/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const NAMED =
  /^(?:[a-z]{3,9},? )?(?:([0-9]{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})|([a-z]{3,9})\.? ([0-9]{1,2})(?:st|nd|rd|th)?),?[ -]([0-9]{4})(?: .{0,24})?$/i;

const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

function checked(year: string, month?: string, day?: string): CalendarDate | null {
  const y = Number(year);
  const m = month === undefined ? null : Number(month);
  const d = day === undefined ? null : Number(day);
  if (y < 1000 || (m !== null && (m < 1 || m > 12))) return null;
  if (d !== null && (m === null || d < 1 || d > daysIn(y, m))) return null;
  return { year: y, month: m, day: d };
}

function yearLast(first: string, second: string, year: string, order: DateOrder | null): CalendarDate | null {
  const dmy = checked(year, second, first);
  const mdy = checked(year, first, second);
  if (order === 'dmy') return dmy;
  if (order === 'mdy') return mdy;
  if (dmy === null || mdy === null || first === second) return dmy ?? mdy;
  return { year: Number(year), month: null, day: null };
}

export function parseDate(raw: string, order: DateOrder | null): CalendarDate | null {
  if (raw.length > 64) return null;
  const text = raw.normalize('NFKC').trim();
  let found = YEAR_FIRST.exec(text);
  if (found !== null) return checked(found[1]!, found[3], found[4]);
  found = TOGETHER.exec(text) ?? CHINESE.exec(text);
  if (found !== null) return checked(found[1]!, found[2], found[3]);
  found = YEAR_LAST.exec(text);
  if (found !== null) return yearLast(found[1]!, found[3]!, found[4]!, order);
  found = NAMED.exec(text);
  if (found !== null) {
    const month = MONTHS.indexOf((found[2] ?? found[3])!.slice(0, 3).toLowerCase()) + 1;
    return checked(found[5]!, String(month), found[1] ?? found[4]);
  }
  found = YEAR_ONLY.exec(text);
  return found === null ? null : checked(found[1]!);
}

/** Whole years between a birth date and a day, both in UTC; null for a date without a day or in the future. */
export function ageAt(born: CalendarDate, at: Date): number | null {
  if (born.month === null || born.day === null) return null;
  const had =
    at.getUTCMonth() + 1 > born.month || (at.getUTCMonth() + 1 === born.month && at.getUTCDate() >= born.day);
  const age = at.getUTCFullYear() - born.year - (had ? 0 : 1);
  return age < 0 ? null : age;
}
