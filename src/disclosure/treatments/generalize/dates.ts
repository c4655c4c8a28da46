/** Dates as legacy systems spell them, read without guessing: what could be two dates is none, unless an order is given. */

export interface CalendarDate {
  readonly year: number;
  /** 1–12; null where the text does not say, or not unambiguously */
  readonly month: number | null;
  readonly day: number | null;
}

export type DateOrder = 'ymd' | 'dmy' | 'mdy';

/** how a field's numbers count from 1970, and how far its days are from UTC's, in minutes; a number is no date unless that is said */
export interface Epoch {
  readonly unit: 'seconds' | 'millis';
  readonly offset: number;
}

export interface DateReading {
  readonly order: DateOrder | null;
  readonly epoch: Epoch | null;
}

const ZONE = '(?:\\s*(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))';
const HALF = '(?:上午|下午|凌晨|早上|中午|晚上|AM|PM)';
const TIME = `(?:(?:T|\\s)?\\s*(?:${HALF}\\s*)?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:\\s*${HALF})?${ZONE}?(?:\\s[A-Z]{2,5})?|${ZONE})?`;
const YEAR_FIRST = new RegExp(`^([0-9]{4})([-/.])([0-9]{1,2})(?:\\2([0-9]{1,2})${TIME})?$`, 'i');
const TOGETHER = /^([0-9]{4})([0-9]{2})([0-9]{2})(?:T?[0-9]{6}(?:Z|[+-][0-9]{4})?)?$/;
const CHINESE = new RegExp(
  `^((?:民国|民國)?[0-9]{1,4})\\s?年\\s?(?:([0-9]{1,2})\\s?月\\s?(?:([0-9]{1,2})\\s?[日号號])?)?(?:\\s*${HALF}?\\s*[0-9]{1,2}[:：时時点點].{0,20})?$`,
  'i',
);
/** of Taiwan's calendar, where nothing else begins with three digits: 079/03/07 */
const REPUBLIC_FIRST = new RegExp(`^([01][0-9]{2})([-/.])([0-9]{1,2})\\2([0-9]{1,2})${TIME}$`, 'i');
const REPUBLIC = 1911;
const YEAR_LAST = new RegExp(`^([0-9]{1,2})([-/.])([0-9]{1,2})\\2([0-9]{4})${TIME}$`, 'i');
const YEAR_ONLY = /^([0-9]{4})$/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const NAMED =
  /^(?:[a-z]{3,9},? )?(?:([0-9]{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})|([a-z]{3,9})\.?[ -]([0-9]{1,2})(?:st|nd|rd|th)?),?[ -]([0-9]{4})(?: .{0,40})?$/i;
const NAMED_MONTH = /^([a-z]{3,9})\.?,?[ -]([0-9]{4})$/i;
/** of .NET's and WCF's JSON: milliseconds, and whose clock they were read on */
const NET = /^\/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)\/$/;
const COUNTED = /^-?[0-9]{1,16}(?:\.[0-9]{1,9})?$/;

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

const monthNamed = (name: string): string => String(MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1);

/** `1990`, or `民国79` */
const yearOf = (text: string): string =>
  /^民[国國]/.test(text) ? String(REPUBLIC + Number(text.slice(2))) : text;

function counted(since: number, offset: number): CalendarDate | null {
  const at = new Date(since + offset * 60_000);
  return Number.isNaN(at.getTime())
    ? null
    : checked(String(at.getUTCFullYear()), String(at.getUTCMonth() + 1), String(at.getUTCDate()));
}

/** `+0800` and `+08:00`, in minutes; null for none */
export function offsetOf(text: string): number | null {
  const found = /^([+-])([0-9]{2}):?([0-9]{2})$/.exec(text);
  if (found === null) return null;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  return minutes > 14 * 60 || Number(found[3]) > 59 ? null : found[1] === '-' ? -minutes : minutes;
}

export function parseDate(raw: string, { order, epoch }: DateReading): CalendarDate | null {
  if (raw.length > 64) return null;
  const text = raw.normalize('NFKC').trim();
  if (epoch !== null && COUNTED.test(text))
    return counted(Number(text) * (epoch.unit === 'seconds' ? 1000 : 1), epoch.offset);
  const net = NET.exec(text);
  if (net !== null)
    return counted(Number(net[1]), (net[2] === undefined ? epoch?.offset : offsetOf(net[2])) ?? 0);
  let found = YEAR_FIRST.exec(text);
  if (found !== null) return checked(found[1]!, found[3], found[4]);
  found = TOGETHER.exec(text);
  if (found !== null) return checked(found[1]!, found[2], found[3]);
  found = CHINESE.exec(text);
  if (found !== null) return checked(yearOf(found[1]!), found[2], found[3]);
  found = REPUBLIC_FIRST.exec(text);
  if (found !== null) return checked(String(REPUBLIC + Number(found[1])), found[3], found[4]);
  found = YEAR_LAST.exec(text);
  if (found !== null) return yearLast(found[1]!, found[3]!, found[4]!, order);
  found = NAMED.exec(text);
  if (found !== null) {
    return checked(found[5]!, monthNamed((found[2] ?? found[3])!), found[1] ?? found[4]);
  }
  found = NAMED_MONTH.exec(text);
  if (found !== null) return checked(found[2]!, monthNamed(found[1]!));
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
