/**
 * Go's time layouts (https://pkg.go.dev/time#pkg-constants): formatting and parsing by example. Longer than most files:
 * both directions share one table of chunks.
 */
import { fail } from '../operands.ts';
import {
  type Civil,
  civilOf,
  daysIn,
  isLeap,
  type Moment,
  momentOf,
  SECOND,
  split,
  weekdayOf,
  yearDayOf,
} from './civil.ts';
import { fixedZone, UTC, type Zone } from './zones.ts';

const NAMED: { readonly [name: string]: string } = {
  ANSIC: 'Mon Jan _2 15:04:05 2006',
  UnixDate: 'Mon Jan _2 15:04:05 MST 2006',
  RubyDate: 'Mon Jan 02 15:04:05 -0700 2006',
  RFC822: '02 Jan 06 15:04 MST',
  RFC822Z: '02 Jan 06 15:04 -0700',
  RFC850: 'Monday, 02-Jan-06 15:04:05 MST',
  RFC1123: 'Mon, 02 Jan 2006 15:04:05 MST',
  RFC1123Z: 'Mon, 02 Jan 2006 15:04:05 -0700',
  RFC3339: '2006-01-02T15:04:05Z07:00',
  RFC3339Nano: '2006-01-02T15:04:05.999999999Z07:00',
};

export const RFC3339 = '2006-01-02T15:04:05Z07:00';
export const RFC3339_NANO = '2006-01-02T15:04:05.999999999Z07:00';

/** a layout by its name in Go's time package, or the layout itself */
export const layoutOf = (name: string): string =>
  Object.hasOwn(NAMED, name) ? (NAMED[name] as string) : name;

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** Longest first. A name (`Jan`, `Mon`) is a chunk only if no lower-case letter follows. */
const CHUNK =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|(?<=_)2006|__2|_2(?!006)|3|4|5|PM|pm|[-Z](?:070000|07:00:00|0700|07:00|07)|[.,](?:0+|9+)(?!\d)/y;

interface Piece {
  readonly literal: string;
  /** empty at the end of the layout */
  readonly chunk: string;
}

const pieces = (layout: string): Piece[] => {
  const out: Piece[] = [];
  let from = 0;
  for (let at = 0; at < layout.length; ) {
    CHUNK.lastIndex = at;
    const chunk = CHUNK.exec(layout)?.[0];
    if (chunk === undefined) {
      at += 1;
      continue;
    }
    out.push({ literal: layout.slice(from, at), chunk });
    at += chunk.length;
    from = at;
  }
  out.push({ literal: layout.slice(from), chunk: '' });
  return out;
};

const two = (n: number): string => String(n).padStart(2, '0');

const year4 = (year: number): string =>
  year < 0 ? `-${String(-year).padStart(4, '0')}` : String(year).padStart(4, '0');

const offsetText = (chunk: string, offset: number): string => {
  if (chunk.startsWith('Z') && offset === 0) return 'Z';
  const minutes = Math.trunc(offset / 60);
  const sign = minutes < 0 || (minutes === 0 && offset < 0) ? '-' : '+';
  const total = Math.abs(offset);
  const colon = chunk.includes(':') ? ':' : '';
  const digits = chunk.replace(/\D/g, '').length;
  let text = sign + two(Math.floor(total / 3600));
  if (digits >= 4) text += colon + two(Math.floor(total / 60) % 60);
  if (digits >= 6) text += colon + two(total % 60);
  return text;
};

const chunkText = (chunk: string, c: Civil, offset: number, name: string): string => {
  switch (chunk) {
    case 'January':
      return MONTHS[c.month - 1] as string;
    case 'Jan':
      return (MONTHS[c.month - 1] as string).slice(0, 3);
    case 'Monday':
      return DAYS[weekdayOf(c)] as string;
    case 'Mon':
      return (DAYS[weekdayOf(c)] as string).slice(0, 3);
    case 'MST':
      return name !== '' ? name : offsetText('-0700', offset);
    case '2006':
      return year4(c.year);
    case '06':
      return two(((c.year % 100) + 100) % 100);
    case '1':
      return String(c.month);
    case '01':
      return two(c.month);
    case '2':
      return String(c.day);
    case '_2':
      return String(c.day).padStart(2, ' ');
    case '02':
      return two(c.day);
    case '__2':
      return String(yearDayOf(c)).padStart(3, ' ');
    case '002':
      return String(yearDayOf(c)).padStart(3, '0');
    case '15':
      return two(c.hour);
    case '3':
      return String(c.hour % 12 || 12);
    case '03':
      return two(c.hour % 12 || 12);
    case '4':
      return String(c.minute);
    case '04':
      return two(c.minute);
    case '5':
      return String(c.second);
    case '05':
      return two(c.second);
    case 'PM':
      return c.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return c.hour >= 12 ? 'pm' : 'am';
    default:
      return /^[-Z]/.test(chunk) ? offsetText(chunk, offset) : fractionText(chunk, c.nanosecond);
  }
};

const fractionText = (chunk: string, nanosecond: number): string => {
  const digits = String(nanosecond)
    .padStart(9, '0')
    .padEnd(chunk.length - 1, '0')
    .slice(0, chunk.length - 1);
  if (chunk[1] === '0') return chunk[0] + digits;
  const short = digits.replace(/0+$/, '');
  return short === '' ? '' : chunk[0] + short;
};

export const formatTime = (moment: Moment, layout: string): string => {
  const civil = civilOf(moment);
  const { offset, name } = moment.zone.at(split(moment.ns)[0]);
  return pieces(layout)
    .map(({ literal, chunk }) => literal + (chunk === '' ? '' : chunkText(chunk, civil, offset, name)))
    .join('');
};

const bad = (): never => fail('the text does not match the layout');

/** a run of spaces in the layout matches any run of spaces */
const skip = (value: string, literal: string): string => {
  let v = value;
  let p = literal;
  while (p !== '') {
    if (p[0] === ' ') {
      if (v !== '' && v[0] !== ' ') return bad();
      p = p.replace(/^ +/, '');
      v = v.replace(/^ +/, '');
      continue;
    }
    if (v[0] !== p[0]) return bad();
    p = p.slice(1);
    v = v.slice(1);
  }
  return v;
};

/** length of the text at the start that may be the abbreviation of a zone */
const zoneLength = (v: string): number => {
  if (/^(?:ChST|MeST)/.test(v)) return 4;
  const signed = (text: string): number => {
    const m = /^[+-](\d+)/.exec(text);
    return m === null || Number(m[1]) > 23 ? 0 : m[0].length;
  };
  if (v.startsWith('GMT')) return 3 + signed(v.slice(3));
  if (/^[+-]/.test(v) && v.length >= 3) return signed(v) || bad();
  const letters = /^[A-Z]*/.exec(v)?.[0].length ?? 0;
  if (letters === 3) return 3;
  if (letters === 4 && (v[3] === 'T' || v.startsWith('WITA'))) return 4;
  return letters === 5 && v[4] === 'T' ? 5 : bad();
};

const nanoseconds = (digits: string): number => Number(digits.slice(0, 9).padEnd(9, '0'));

interface Read {
  year: number;
  month: number | undefined;
  day: number | undefined;
  yearDay: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  half: 'am' | 'pm' | undefined;
  /** the text says UTC, by name or as Z, which takes precedence over an offset */
  utc: boolean;
  offset: Zone | undefined;
}

const dateOfYearDay = (r: Read): { month: number; day: number } => {
  let left = r.yearDay as number;
  if (left < 1 || left > (isLeap(r.year) ? 366 : 365)) return bad();
  let month = 1;
  while (left > daysIn(r.year, month)) {
    left -= daysIn(r.year, month);
    month += 1;
  }
  if ((r.month !== undefined && r.month !== month) || (r.day !== undefined && r.day !== left)) return bad();
  return { month, day: left };
};

/** Go's time.Parse; UTC if the layout has no zone. */
export const parseTime = (layout: string, text: string): bigint => {
  const r: Read = {
    year: 0,
    month: undefined,
    day: undefined,
    yearDay: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    half: undefined,
    utc: false,
    offset: undefined,
  };
  let rest = text;

  const take = (pattern: RegExp): string => {
    const m = pattern.exec(rest) ?? bad();
    rest = rest.slice(m[0].length);
    return m[0];
  };
  const numberOf = (fixed: boolean): number => Number(take(fixed ? /^\d\d/ : /^\d\d?/));
  const within = (n: number, low: number, high: number): number => (n < low || n > high ? bad() : n);
  const name = (names: readonly string[], length?: number): number => {
    const lower = rest.toLowerCase();
    const i = names.findIndex((n) => lower.startsWith(n.slice(0, length).toLowerCase()));
    if (i < 0) return bad();
    rest = rest.slice((names[i] as string).slice(0, length).length);
    return i;
  };

  const all = pieces(layout);
  all.forEach(({ literal, chunk }, i) => {
    rest = skip(rest, literal);
    switch (chunk) {
      case '':
        if (rest !== '') bad();
        return;
      case '06': {
        const y = Number(take(/^\d\d/));
        r.year = y >= 69 ? y + 1900 : y + 2000;
        return;
      }
      case '2006':
        r.year = Number(take(/^\d{4}/));
        return;
      case 'Jan':
        r.month = name(MONTHS, 3) + 1;
        return;
      case 'January':
        r.month = name(MONTHS) + 1;
        return;
      case '1':
      case '01':
        r.month = within(numberOf(chunk === '01'), 1, 12);
        return;
      case 'Mon':
        name(DAYS, 3);
        return;
      case 'Monday':
        name(DAYS);
        return;
      case '_2':
        rest = rest.replace(/^ /, '');
        r.day = numberOf(false);
        return;
      case '2':
      case '02':
        r.day = numberOf(chunk === '02');
        return;
      case '__2':
        rest = rest.replace(/^ {1,2}/, '');
        r.yearDay = Number(take(/^\d{1,3}/));
        return;
      case '002':
        r.yearDay = Number(take(/^\d{3}/));
        return;
      case '15':
        r.hour = within(numberOf(false), 0, 23);
        return;
      case '3':
      case '03':
        r.hour = within(numberOf(chunk === '03'), 0, 12);
        return;
      case '4':
      case '04':
        r.minute = within(numberOf(chunk === '04'), 0, 59);
        return;
      case '5':
      case '05': {
        r.second = within(numberOf(chunk === '05'), 0, 59);
        const next = all[i + 1];
        // A fraction is accepted even if the layout has none.
        if (/^[.,]\d/.test(rest) && !(next?.literal === '' && /^[.,]/.test(next.chunk)))
          r.nanosecond = nanoseconds(take(/^[.,]\d+/).slice(1));
        return;
      }
      case 'PM':
        r.half = take(/^(?:AM|PM)/) === 'PM' ? 'pm' : 'am';
        return;
      case 'pm':
        r.half = take(/^(?:am|pm)/) === 'pm' ? 'pm' : 'am';
        return;
      case 'MST':
        abbreviation();
        return;
      default:
        if (/^[.,]0/.test(chunk)) {
          r.nanosecond = nanoseconds(take(new RegExp(`^[.,]\\d{${chunk.length - 1}}`)).slice(1));
        } else if (/^[.,]/.test(chunk)) {
          if (/^[.,]\d/.test(rest)) r.nanosecond = nanoseconds(take(/^[.,]\d+/).slice(1));
        } else if (chunk.startsWith('Z') && rest.startsWith('Z')) {
          rest = rest.slice(1);
          r.utc = true;
        } else {
          r.offset = numeric(chunk);
        }
    }
  });

  function abbreviation(): void {
    // The offset of other abbreviations is unknown: Go assumes zero, unless the text also has an offset.
    if (rest.startsWith('UTC')) r.utc = true;
    rest = rest.slice(rest.length < 3 ? bad() : r.utc && rest.startsWith('UTC') ? 3 : zoneLength(rest));
  }

  function numeric(chunk: string): Zone {
    const shape = new RegExp(`^[+-]${chunk.slice(1).replace(/\d\d/g, '(\\d\\d)')}`);
    const m = shape.exec(rest) ?? bad();
    rest = rest.slice(m[0].length);
    const [h = 0, min = 0, s = 0] = m.slice(1).map(Number);
    if (h > 24 || min > 60 || s > 60) bad();
    return fixedZone('', (m[0][0] === '-' ? -1 : 1) * ((h * 60 + min) * 60 + s));
  }

  if (r.half === 'pm' && r.hour < 12) r.hour += 12;
  else if (r.half === 'am' && r.hour === 12) r.hour = 0;
  const { month, day } =
    r.yearDay === undefined ? { month: r.month ?? 1, day: r.day ?? 1 } : dateOfYearDay(r);
  if (day < 1 || day > daysIn(r.year, month)) bad();
  const { year, hour, minute, second, nanosecond } = r;
  return momentOf({ year, month, day, hour, minute, second, nanosecond }, r.utc ? UTC : (r.offset ?? UTC)).ns;
};

const UNITS: { readonly [unit: string]: bigint } = {
  ns: 1n,
  us: 1000n,
  '\u00b5s': 1000n,
  '\u03bcs': 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
  d: 86_400n * SECOND,
  w: 7n * 86_400n * SECOND,
  y: 365n * 86_400n * SECOND,
};

/** the digits of a fraction that fit 63 bits; Go ignores the others */
const leading = (fraction: string): string => {
  let digits = fraction.slice(0, 19);
  if (BigInt(digits || '0') >= 1n << 63n) digits = digits.slice(0, -1);
  return digits;
};

/** Go's time.ParseDuration with days, weeks and years of 365 days, in nanoseconds */
export const parseDuration = (text: string): bigint => {
  const m = /^([+-]?)(.*)$/s.exec(text);
  const body = m?.[2] ?? '';
  if (body === '0') return 0n;
  const terms = [...body.matchAll(/(\d*)(?:\.(\d*))?([^\d.]+)/gy)];
  if (terms.length === 0 || terms.map((t) => t[0]).join('') !== body) return fail('not a duration');
  let total = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of terms) {
    const factor = Object.hasOwn(UNITS, unit) ? (UNITS[unit] as bigint) : fail('unknown unit of time');
    if (whole === '' && fraction === '') return fail('not a duration');
    total += BigInt(whole || '0') * factor;
    if (fraction !== '') {
      const digits = leading(fraction);
      // As a double, which rounds as Go does.
      total += BigInt(Math.trunc(Number(digits) * (Number(factor) / 10 ** digits.length)));
    }
    if (total > 1n << 63n) return fail('the duration is out of range');
  }
  if (m?.[1] === '-') return -total;
  return total === 1n << 63n ? fail('the duration is out of range') : total;
};
