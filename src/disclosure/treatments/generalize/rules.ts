/** The ways to make a value coarser, one function each: parameters in, a rule for values out. */
import type { Clock } from '../../../observability/clock.ts';
import { divisionOf } from '../masks/china.ts';
import { graphemes } from '../masks/mask.ts';
import { fault, natural, oneOf, onlyKnown, type Parameters } from '../parameters.ts';
import { ageAt, parseDate } from './dates.ts';
import { compareDecimals, type Decimal, formatDecimal, parseDecimal, roundDecimal } from './decimal.ts';

/** What stands in the value's place, or null where the rule does not apply; `number` only for numbers that stay numbers. */
export interface Rule {
  apply(text: string): string | null;
  /** a number in gives a number out */
  readonly numeric: boolean;
  /** the shape of what `apply` gives, as far as it can be told from a real value */
  recognises(text: string): boolean;
}

type RuleFactory = (parameters: Parameters, clock: Clock) => Rule;

/** `{ date: year | quarter | month | day }`, with `order: dmy | mdy` for dates such as 03/07/1990. */
const date: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['date', 'order']);
  const unit = oneOf(parameters, 'date', 'year', ['year', 'quarter', 'month', 'day']);
  const order =
    parameters['order'] === undefined ? null : oneOf(parameters, 'order', 'ymd', ['ymd', 'dmy', 'mdy']);
  const shape = {
    year: /^\d{4}$/,
    quarter: /^\d{4}-Q[1-4]$/,
    month: /^\d{4}-\d{2}$/,
    day: /^\d{4}-\d{2}-\d{2}$/,
  }[unit];
  const two = (value: number): string => String(value).padStart(2, '0');
  return {
    numeric: false,
    apply(text) {
      const found = parseDate(text, order);
      if (found === null) return null;
      const { year, month, day } = found;
      if (unit === 'year') return String(year);
      if (month === null) return null;
      if (unit === 'quarter') return `${year}-Q${Math.ceil(month / 3)}`;
      if (unit === 'month') return `${year}-${two(month)}`;
      return day === null ? null : `${year}-${two(month)}-${two(day)}`;
    },
    recognises: (text) => shape.test(text),
  };
};

/** Nobody is older: a date that says so is not a birth date. */
const OLDEST = 130;

/** `{ age: 10 }`: bands of that many years, from a birth date at this time or from an age; `top` (90) and above are one band (45 CFR 164.514). */
const age: RuleFactory = (parameters, clock) => {
  onlyKnown(parameters, ['age', 'top', 'order']);
  const width = natural(parameters, 'age', 10, 100);
  const top = natural(parameters, 'top', 90, OLDEST);
  if (width === 0) throw fault('age: a width of at least one year is wanted');
  const order =
    parameters['order'] === undefined ? null : oneOf(parameters, 'order', 'ymd', ['ymd', 'dmy', 'mdy']);
  return {
    numeric: false,
    apply(text) {
      const born = parseDate(text, order);
      const years = /^\d{1,3}$/.test(text) ? Number(text) : born === null ? null : ageAt(born, clock.now());
      if (years === null || years > OLDEST) return null;
      if (years >= top) return `${top}+`;
      const low = years - (years % width);
      const high = Math.min(low + width, top) - 1;
      return low === high ? String(low) : `${low}-${high}`;
    },
    recognises: (text) => (width === 1 ? /^\d{1,3}\+?$/ : /^(?:\d{1,3}-\d{1,3}|\d{1,3}\+?)$/).test(text),
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
    const value = parseDecimal(text.trim());
    return value === null ? null : formatDecimal(roundDecimal(value, step));
  };
  // a rounded amount may be the real one: a write that brings a multiple of the step cannot be told from one
  return { numeric: true, apply, recognises: (text) => apply(text) === text };
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
  const all = new Set([below, ...labels]);
  return {
    numeric: false,
    apply(text) {
      const value = parseDecimal(text.trim());
      if (value === null) return null;
      let label = below;
      for (const [i, bound] of bounds.entries()) {
        if (compareDecimals(value, bound) < 0) break;
        label = labels[i]!;
      }
      return label;
    },
    recognises: (text) => all.has(text),
  };
};

const REST = '***';

/** `{ prefix: 3 }`: the first characters and three stars; a value that is no longer than that is not coarser for it. */
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
    recognises: (text) => text.endsWith(REST) && graphemes(text.slice(0, -REST.length)).length <= kept,
  };
};

/** `{ address: province | city }`: a Chinese address to its division, in full (`广东深圳南山…` → `广东省`), so that equal places are spelled equally. */
const address: RuleFactory = (parameters) => {
  onlyKnown(parameters, ['address']);
  const level = oneOf(parameters, 'address', 'province', ['province', 'city']);
  const apply = (text: string): string | null => {
    const found = text.length > 1024 ? null : divisionOf(text);
    if (found === null) return null;
    if (level === 'province') return found.province.full;
    return found.city === null ? found.province.full : `${found.province.full}${found.city}`;
  };
  return { numeric: false, apply, recognises: (text) => apply(text) === text };
};

export const RULES: { readonly [name: string]: RuleFactory } = { date, age, round, ranges, prefix, address };
export const RULE_NAMES = Object.keys(RULES);
