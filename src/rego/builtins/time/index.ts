/** `time.*`, on nanoseconds since the epoch and Go's layouts. */
import { numberOf, type RegoValue } from '../../values.ts';
import { fail, int, int64, string } from '../operands.ts';
import type { Family } from '../types.ts';
import { type Civil, civilOf, daysIn, type Moment, momentOf, weekdayOf } from './civil.ts';
import { formatTime, layoutOf, parseDuration, parseTime, RFC3339, RFC3339_NANO } from './layouts.ts';
import { UTC, zoneOf } from './zones.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const MIN_INT64 = -(1n << 63n);
const MAX_INT64 = (1n << 63n) - 1n;

/** ns, [ns, zone] or [ns, zone, layout] */
const moment = (v: RegoValue | undefined): Moment & { readonly layout: string } => {
  if (!Array.isArray(v)) return { ns: int64(v), zone: UTC, layout: '' };
  const [ns, zone, layout] = v;
  return {
    ns: int64(ns),
    zone: zone === undefined ? UTC : (zoneOf(string(zone)) ?? fail('unknown time zone')),
    layout: layout === undefined ? '' : string(layout),
  };
};

/** a number within Go's int64: 1677 … 2262 */
const nanoseconds = (ns: bigint): RegoValue =>
  ns < MIN_INT64 || ns > MAX_INT64 ? fail('the time is out of range') : numberOf(String(ns));

/** far more years than int64 nanoseconds can represent; bounds the arithmetic */
const MAX_YEARS = 1_000_000;

const added = (v: RegoValue | undefined, years: number, months: number, days: number): RegoValue => {
  const from = moment(v);
  if ([years, months, days].some((n) => Math.abs(n) > MAX_YEARS * 366))
    return fail('the time is out of range');
  const c = civilOf(from);
  return nanoseconds(
    momentOf({ ...c, year: c.year + years, month: c.month + months, day: c.day + days }, from.zone).ns,
  );
};

const fields = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const satisfies (keyof Civil)[];

/** years, months, days, hours, minutes and seconds between two times, in the zone of the first one */
const difference = (a: RegoValue | undefined, b: RegoValue | undefined): RegoValue => {
  const one = moment(a);
  const two = { ...moment(b), zone: one.zone };
  const [early, late] = one.ns > two.ns ? [two, one] : [one, two];
  const from = civilOf(early);
  const to = civilOf(late);
  const d = fields.map((f) => to[f] - from[f]) as [number, number, number, number, number, number];
  const borrow = (field: number, size: number): void => {
    if (d[field]! >= 0) return;
    d[field]! += size;
    d[field - 1]! -= 1;
  };
  borrow(5, 60);
  borrow(4, 60);
  borrow(3, 24);
  borrow(2, daysIn(from.year, from.month));
  borrow(1, 12);
  return d;
};

export const time: Family = {
  'time.now_ns': (_args, context) => numberOf(String(context.nowNs)),
  'time.parse_ns': ([layout, text]) => nanoseconds(parseTime(layoutOf(string(layout)), string(text))),
  'time.parse_rfc3339_ns': ([text]) => nanoseconds(parseTime(RFC3339, string(text))),
  'time.parse_duration_ns': ([text]) => numberOf(String(parseDuration(string(text)))),
  'time.format': ([v]) => {
    const m = moment(v);
    return formatTime(m, m.layout === '' ? RFC3339_NANO : layoutOf(m.layout));
  },
  'time.date': ([v]) => {
    const { year, month, day } = civilOf(moment(v));
    return [year, month, day];
  },
  'time.clock': ([v]) => {
    const { hour, minute, second } = civilOf(moment(v));
    return [hour, minute, second];
  },
  'time.weekday': ([v]) => WEEKDAYS[weekdayOf(civilOf(moment(v)))] as string,
  'time.add_date': ([v, years, months, days]) => added(v, int(years), int(months), int(days)),
  'time.diff': ([a, b]) => difference(a, b),
};
