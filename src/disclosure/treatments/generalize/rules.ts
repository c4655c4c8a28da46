/** The rules of `generalize`, one function each: from parameters to a rule for values. */
import type { Clock } from '../../../observability/clock.ts';
import { divisionOf } from '../masks/china.ts';
import { graphemes } from '../masks/mask.ts';
import { withStars } from '../masks/returned.ts';
import { fault, natural, oneOf, onlyKnown, type Parameters } from '../parameters.ts';
import { ageAt, type DateReading, offsetOf, PRECISIONS, parseDate } from './dates.ts';
import {
  compareDecimals,
  type Decimal,
  formatDecimal,
  parseAmount,
  parseDecimal,
  roundDecimal,
} from './decimal.ts';

/** The replacement of a value, or null if the rule does not apply; `number` only for numbers that remain numbers. */
export interface Rule {
  apply(text: string): string | null;
  /** a number in gives a number out */
  readonly numeric: boolean;
  /** recognises results of `apply`, as far as they differ from real values */
  recognises(text: string): boolean;
}

type RuleFactory = (parameters: Parameters, clock: Clock) => Rule;

const READING = ['order', 'epoch', 'offset'];

/** `order: dmy | mdy` for dates such as 03/07/1990; `epoch: seconds | millis` for numbers, with `offset: "+08:00"` where days are not UTC's. */
function readingOf(parameters: Parameters): DateReading {
  const order =
    parameters['order'] === undefined ? null : oneOf(parameters, 'order', 'ymd', ['ymd', 'dmy', 'mdy']);
  const given = parameters['offset'];
  const offset = given === undefined ? 0 : typeof given === 'string' ? offsetOf(given) : null;
  if (offset === null) throw fault('offset: a distance from UTC is wanted, such as "+08:00"');
  if (parameters['epoch'] === undefined) {
    if (given !== undefined) throw fault('offset: only with epoch');
    return { order, epoch: null };
  }
  return { order, epoch: { unit: oneOf(parameters, 'epoch', 'millis', ['seconds', 'millis']), offset } };
}

/** `{ date: year | quarter | month | day }` */
const date: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['date', ...READING]);
  const unit = oneOf(parameters, 'date', 'year', ['year', 'quarter', 'month', 'day']);
  const reading = readingOf(parameters);
  const shape = {
    year: /^\d{4}年?$/,
    quarter: /^\d{4}[ -]?Q[1-4]$/i,
    month: /^\d{4}[-/.年]\d{1,2}月?$/,
    day: /^\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?$/,
  }[unit];
  const two = (value: number): string => String(value).padStart(2, '0');
  return {
    numeric: false,
    apply(text) {
      const found = parseDate(text, reading);
      if (found === null) return null;
      const { year, month, day, precision } = found;
      if (PRECISIONS.indexOf(precision) <= PRECISIONS.indexOf(unit)) return null;
      if (unit === 'year') return String(year);
      if (month === null) return null;
      if (unit === 'quarter') return `${year}-Q${Math.ceil(month / 3)}`;
      if (unit === 'month') return `${year}-${two(month)}`;
      return day === null ? null : `${year}-${two(month)}-${two(day)}`;
    },
    recognises: (text) => shape.test(text),
  };
};

/** an age limit: an earlier date is no birth date */
const OLDEST = 130;
/** an age in complete years; fractions are ignored: `34`, `34.5`, `34岁`, `34周岁` */
const AGE = /^([0-9]{1,3})(?:\.[0-9]{1,4})?(?: ?(?:周?[岁歲]|週歲|years?(?: old)?|yrs?|y\/?o))?$/i;

/** `{ age: 10 }`: bands of that many years, from a birth date or an age; `top` (90) and above are one band (45 CFR 164.514). */
const age: RuleFactory = (parameters, clock) => {
  onlyKnown(parameters, ['age', 'top', ...READING]);
  const width = natural(parameters, 'age', 10, 100);
  const top = natural(parameters, 'top', 90, OLDEST);
  if (width === 0) throw fault('age: a width of at least one year is wanted');
  const reading = readingOf(parameters);
  const bandOf = (years: number): string => {
    if (years >= top) return `${top}+`;
    const low = years - (years % width);
    const high = Math.min(low + width, top) - 1;
    return low === high ? String(low) : `${low}-${high}`;
  };
  /** a band of one year is the age */
  const isSingle = (years: number): boolean =>
    bandOf(years) === String(years) || (years >= top && top === OLDEST);
  const bands = new Set(Array.from({ length: OLDEST + 1 }, (_, years) => bandOf(years)));
  return {
    numeric: false,
    apply(text) {
      // with `epoch` a number is a date, not an age
      const given = reading.epoch === null ? AGE.exec(text.normalize('NFKC').trim())?.[1] : undefined;
      const born = given === undefined ? parseDate(text, reading) : null;
      if (given !== undefined && !/\.\d/.test(text) && isSingle(Number(given))) return null;
      const years = given !== undefined ? Number(given) : born === null ? null : ageAt(born, clock.now());
      return years === null || years > OLDEST ? null : bandOf(years);
    },
    recognises: (text) => bands.has(text.replace(/[ 岁歲]/g, '')),
  };
};

function decimalOf(value: unknown, name: string): Decimal {
  const found = typeof value === 'number' || typeof value === 'string' ? parseDecimal(String(value)) : null;
  if (found === null) throw fault(`${name}: a number is wanted`);
  return found;
}

/** `{ round: 100 }`: the nearest multiple, exactly, whatever the number's length. */
const round: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['round']);
  const step = decimalOf(parameters['round'], 'round');
  if (step.units <= 0n) throw fault('round: a number above 0 is wanted');
  const apply = (text: string): string | null => {
    const amount = parseAmount(text);
    return amount === null
      ? null
      : `${amount.before}${formatDecimal(roundDecimal(amount.value, step))}${amount.after}`;
  };
  // a rounded amount may be a real one, so that results cannot be recognised
  const recognises = (text: string): boolean => {
    const value = parseAmount(text)?.value;
    return value !== undefined && compareDecimals(roundDecimal(value, step), value) === 0;
  };
  return { numeric: true, apply, recognises };
};

/** `{ ranges: [0, 1000, 5000] }`: `<0`, `0-1000` (from 0, below 1000), `1000-5000`, `5000+`. */
const ranges: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['ranges']);
  const given = parameters['ranges'];
  if (!Array.isArray(given) || given.length === 0 || given.length > 1000)
    throw fault('ranges: a list of bounds is wanted');
  const bounds = given.map((bound: unknown) => decimalOf(bound, 'ranges'));
  for (let i = 1; i < bounds.length; i += 1)
    if (compareDecimals(bounds[i - 1]!, bounds[i]!) >= 0) throw fault('ranges: the bounds must ascend');
  const negative = bounds[0]!.units < 0n;
  const names = bounds.map(formatDecimal);
  const labels = names.map((name, i) => {
    const next = names[i + 1];
    return next === undefined ? `${name}+` : negative ? `${name} to ${next}` : `${name}-${next}`;
  });
  const below = `<${names[0]}`;
  const all = new Set([below, ...labels].map((label) => label.replaceAll(' ', '')));
  return {
    numeric: false,
    apply(text) {
      const value = parseAmount(text)?.value;
      if (value === undefined) return null;
      let label = below;
      for (const [i, bound] of bounds.entries()) {
        if (compareDecimals(value, bound) < 0) break;
        label = labels[i]!;
      }
      return label;
    },
    recognises: (text) => all.has(text.replace(/\s/g, '')),
  };
};

const REST = '***';

/** `{ prefix: 3 }`: the first characters and three stars; a value that is not longer is refused. */
const prefix: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['prefix']);
  const kept = natural(parameters, 'prefix', 0, 32);
  return {
    numeric: false,
    apply(text) {
      if (text.length > 1024) return null;
      const parts = graphemes(text);
      const head = parts.slice(0, kept).join('');
      return parts.length <= kept || /\p{C}/u.test(head) || head.length > 8 * kept ? null : `${head}${REST}`;
    },
    recognises(text) {
      const drawn = withStars(text).replace(/(?<!\s)\s+(?=\*)/gu, '');
      const head = drawn.replace(/(?<!\*)\*+$/, '');
      // a single star may be the end of a real value
      return drawn.length - head.length >= 2 && head.length <= 8 * kept && graphemes(head).length <= kept;
    },
  };
};

/** `{ address: province | city }`: a Chinese address to its division, in full (`广东深圳南山…` → `广东省`), so that equal places are spelled equally. */
const address: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['address']);
  const level = oneOf(parameters, 'address', 'province', ['province', 'city']);
  // only a division, in any spelling of its name
  const isDivision = (text: string): boolean => {
    const found = text.length > 1024 ? null : divisionOf(text);
    if (found === null) return false;
    const named = text.slice(0, level === 'province' ? found.provinceEnd : found.cityEnd);
    return named === text && named !== '';
  };
  const apply = (text: string): string | null => {
    const found = text.length > 1024 ? null : divisionOf(text);
    if (found === null || isDivision(text.trim())) return null;
    if (level === 'province') return found.province.full;
    return found.city === null ? found.province.full : `${found.province.full}${found.city}`;
  };
  return { numeric: false, apply, recognises: isDivision };
};

export const RULES: { readonly [name: string]: RuleFactory } = { date, age, round, ranges, prefix, address };
export const RULE_NAMES = Object.keys(RULES);
