/** Parses dates in the spellings of legacy systems. An ambiguous date is none, unless an order is given. */

/** from coarse to fine; a day with a time zone is finer than a day */
export const PRECISIONS = ['year', 'quarter', 'month', 'day', 'time'] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface CalendarDate {
  readonly year: number;
  /** 1–12; null if the text does not state it unambiguously */
  readonly month: number | null;
  readonly day: number | null;
  /** the precision of the text, even if a part is ambiguous */
  readonly precision: Precision;
}

export type DateOrder = 'ymd' | 'dmy' | 'mdy';

/** the unit of numeric dates since 1970, and the offset of its days from UTC in minutes; without it a number is no date */
export interface Epoch {
  readonly unit: 'seconds' | 'millis';
  readonly offset: number;
}

export interface DateReading {
  readonly order: DateOrder | null;
  readonly epoch: Epoch | null;
}

const ZONE_NAME =
  '(?:UTC?|GMT|[CEMP][SD]T|AK[SD]T|HST|WES?T|CES?T|EES?T|BST|IST|MSK|JST|KST|HKT|SGT|PHT|WIB|ICT|PKT|A[CEW][SD]T|NZ[SD]T|SAST|BRT|ART)';
const ZONE = `\\s*(?<zone>Z|${ZONE_NAME}|(?:UTC|GMT)?(?<offset>[+-][0-9]{2}(?::?[0-9]{2})?)(?:\\s(?:${ZONE_NAME}|\\([A-Z][A-Z ]{1,40}\\)))?)`;
const HALF = '(?:上午|下午|凌晨|早上|中午|晚上|AM|PM)';
const CLOCK = '(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2})(?::(?<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?';
const CLOCKED = `(?:(?<before>${HALF})\\s*)?${CLOCK}(?:\\s*(?<after>${HALF}))?(?:${ZONE})?`;
const TIME = `(?:(?:T|,?\\s+|(?=${HALF}))${CLOCKED}|${ZONE})?`;
const CHINESE_CLOCK = `(?<before>${HALF})?\\s*(?<hour>[0-9]{1,2})\\s?[时時点點](?:半|整|(?<minute>[0-9]{1,2})分(?:(?<second>[0-9]{1,2})秒)?)?`;
const CHINESE_DAY = '(?<day>[0-9]{1,2})\\s?[日号號]';
const YEAR_FIRST = new RegExp(`^([0-9]{4})([-/.])([0-9]{1,2})(?:\\2([0-9]{1,2})${TIME})?$`, 'i');
const TOGETHER =
  /^([0-9]{4})([0-9]{2})([0-9]{2})(?:T?(?<hour>[0-9]{2})(?<minute>[0-9]{2})(?<second>[0-9]{2})(?<zone>Z|(?<offset>[+-][0-9]{4}))?)?$/;
const CHINESE = new RegExp(
  `^((?:民国|民國)?[0-9]{1,4})\\s?年\\s?(?:([0-9]{1,2})\\s?月\\s?(?:${CHINESE_DAY}(?:,?\\s*${CLOCKED}|${ZONE})?|${CHINESE_DAY}\\s*${CHINESE_CLOCK})?)?$`,
  'i',
);
/** the calendar of Taiwan: no other date begins with three digits: 079/03/07 */
const REPUBLIC_FIRST = new RegExp(`^([01][0-9]{2})([-/.])([0-9]{1,2})\\2([0-9]{1,2})${TIME}$`, 'i');
const REPUBLIC = 1911;
const YEAR_LAST = new RegExp(`^([0-9]{1,2})([-/.])([0-9]{1,2})\\2([0-9]{4})${TIME}$`, 'i');
const YEAR_ONLY = /^([0-9]{4})$/;
/** by the first three letters */
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const WEEKDAY =
  '(?<weekday>sun(?:day)?|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?)';
const NAMED = new RegExp(
  `^(?:${WEEKDAY}[.,]{0,2} )?(?:([0-9]{1,2})(?:st|nd|rd|th)?[ -]${MONTH}\\.?|${MONTH}\\.?[ -]([0-9]{1,2})(?:st|nd|rd|th)?),?[ -]([0-9]{4})${TIME}$`,
  'i',
);
const NAMED_MONTH = new RegExp(`^${MONTH}\\.?,?[ -]([0-9]{4})$`, 'i');
/** JSON of .NET and WCF: milliseconds and an offset */
const NET = /^\/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)\/$/;
const COUNTED = /^-?[0-9]{1,16}(?:\.[0-9]{1,9})?$/;

const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

type Groups = Readonly<Record<string, string | undefined>>;

const FURTHEST = 14 * 60;

/** Whether a time is valid. AM and PM need twelve hours; Chinese halves of the day allow more (下午 15:00). */
function isTime({ hour = '0', minute = '0', second = '0', before, after, offset }: Groups): boolean {
  if (before !== undefined && after !== undefined) return false;
  const last = /^[AP]M$/i.test(before ?? after ?? '') ? 12 : 23;
  if (Number(hour) > last || Number(minute) > 59 || Number(second) > 60) return false;
  if (offset === undefined) return true;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(3).replace(':', ''));
  return minutes <= 59 && hours * 60 + minutes <= FURTHEST;
}

/** Null for an invalid day or time, or a wrong weekday. */
function checked(year: string, month?: string, day?: string, groups: Groups = {}): CalendarDate | null {
  const y = Number(year);
  const m = month === undefined ? null : Number(month);
  const d = day === undefined ? null : Number(day);
  if (y < 1000 || (m !== null && (m < 1 || m > 12)) || !isTime(groups)) return null;
  if (m === null) return { year: y, month: null, day: null, precision: 'year' };
  if (d === null) return { year: y, month: m, day: null, precision: 'month' };
  if (d < 1 || d > daysIn(y, m)) return null;
  const weekday = groups['weekday']?.slice(0, 3).toLowerCase();
  if (weekday !== undefined && WEEKDAYS[new Date(Date.UTC(y, m - 1, d)).getUTCDay()] !== weekday) return null;
  const isFiner = groups['hour'] !== undefined || groups['zone'] !== undefined;
  return { year: y, month: m, day: d, precision: isFiner ? 'time' : 'day' };
}

function yearLast(found: RegExpExecArray, order: DateOrder | null): CalendarDate | null {
  const [, first = '', , second = '', year = ''] = found;
  const dmy = checked(year, second, first, found.groups);
  const mdy = checked(year, first, second, found.groups);
  if (order === 'dmy') return dmy;
  if (order === 'mdy') return mdy;
  if (dmy === null || mdy === null || first === second) return dmy ?? mdy;
  return { ...dmy, month: null, day: null };
}

const monthNamed = (name: string): string => String(MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1);

/** `1990`, or `民国79` */
const yearOf = (text: string): string =>
  /^民[国國]/.test(text) ? String(REPUBLIC + Number(text.slice(2))) : text;

function counted(since: number, offset: number): CalendarDate | null {
  const at = new Date(since + offset * 60_000);
  if (Number.isNaN(at.getTime())) return null;
  const date = checked(String(at.getUTCFullYear()), String(at.getUTCMonth() + 1), String(at.getUTCDate()));
  return date && { ...date, precision: 'time' };
}

/** `+0800` and `+08:00`, in minutes; null for none */
export function offsetOf(text: string): number | null {
  const found = /^([+-])([0-9]{2}):?([0-9]{2})$/.exec(text);
  if (found === null) return null;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  return minutes > FURTHEST || Number(found[3]) > 59 ? null : found[1] === '-' ? -minutes : minutes;
}

export function parseDate(raw: string, { order, epoch }: DateReading): CalendarDate | null {
  if (raw.length > 64) return null;
  const text = raw.normalize('NFKC').trim();
  if (epoch !== null && COUNTED.test(text))
    return counted(Number(text) * (epoch.unit === 'seconds' ? 1000 : 1), epoch.offset);
  const net = NET.exec(text);
  if (net !== null) {
    const offset = net[2] === undefined ? (epoch?.offset ?? 0) : offsetOf(net[2]);
    return offset === null ? null : counted(Number(net[1]), offset);
  }
  let found = YEAR_FIRST.exec(text);
  if (found !== null) return checked(found[1]!, found[3], found[4], found.groups);
  found = TOGETHER.exec(text);
  if (found !== null) return checked(found[1]!, found[2], found[3], found.groups);
  found = CHINESE.exec(text);
  if (found !== null) return checked(yearOf(found[1]!), found[2], found.groups?.['day'], found.groups);
  found = REPUBLIC_FIRST.exec(text);
  if (found !== null) return checked(String(REPUBLIC + Number(found[1])), found[3], found[4], found.groups);
  found = YEAR_LAST.exec(text);
  if (found !== null) return yearLast(found, order);
  found = NAMED.exec(text);
  if (found !== null) {
    const [, , day, month, monthFirst, dayLast, year] = found;
    return checked(year!, monthNamed((month ?? monthFirst)!), day ?? dayLast, found.groups);
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
