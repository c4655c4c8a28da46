/** Calendar arithmetic on the proleptic Gregorian calendar, between nanoseconds since 1970 and the local time of a zone. */
import type { Zone } from './zones.ts';

export interface Civil {
  readonly year: number;
  /** 1 … 12 */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
}

/** an instant, and the zone in which it is shown */
export interface Moment {
  readonly ns: bigint;
  readonly zone: Zone;
}

export const SECOND = 1_000_000_000n;
const DAY = 86_400;

const floorDiv = (a: number, b: number): number => Math.floor(a / b);
const mod = (a: number, b: number): number => a - floorDiv(a, b) * b;

/** days since 1970-01-01; the month may be out of range */
const daysOf = (year: number, month: number, day: number): number => {
  const y = year + floorDiv(month - 1, 12);
  const m = mod(month - 1, 12) + 1;
  // Years start in March, so that a leap day is the last day of a year (Hinnant, "chrono-compatible low-level date algorithms").
  const shifted = m <= 2 ? y - 1 : y;
  const era = floorDiv(shifted, 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = floorDiv(153 * (m + (m > 2 ? -3 : 9)) + 2, 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + floorDiv(yearOfEra, 4) - floorDiv(yearOfEra, 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
};

export const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

export const daysIn = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;

const dateOf = (days: number): { year: number; month: number; day: number } => {
  const shifted = days + 719_468;
  const era = floorDiv(shifted, 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = floorDiv(
    dayOfEra - floorDiv(dayOfEra, 1460) + floorDiv(dayOfEra, 36_524) - floorDiv(dayOfEra, 146_096),
    365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + floorDiv(yearOfEra, 4) - floorDiv(yearOfEra, 100));
  const m = floorDiv(5 * dayOfYear + 2, 153);
  const month = m < 10 ? m + 3 : m - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - floorDiv(153 * m + 2, 5) + 1,
  };
};

/** [whole seconds since 1970, remaining nanoseconds] */
export const split = (ns: bigint): readonly [number, number] => {
  const nanosecond = ((ns % SECOND) + SECOND) % SECOND;
  return [Number((ns - nanosecond) / SECOND), Number(nanosecond)];
};

export const civilOf = ({ ns, zone }: Moment): Civil => {
  const [seconds, nanosecond] = split(ns);
  const local = seconds + zone.at(seconds).offset;
  const days = floorDiv(local, DAY);
  const rest = local - days * DAY;
  return {
    ...dateOf(days),
    hour: floorDiv(rest, 3600),
    minute: floorDiv(rest, 60) % 60,
    second: rest % 60,
    nanosecond,
  };
};

/** 0 is Sunday */
export const weekdayOf = ({ year, month, day }: Civil): number => mod(daysOf(year, month, day) + 4, 7);

export const yearDayOf = ({ year, month, day }: Civil): number =>
  daysOf(year, month, day) - daysOf(year, 1, 1) + 1;

/**
 * The instant of a local time; out-of-range members roll over. Where the zone's offset changes, the choice is that of Go's
 * time.Date: the offset before the change is tried first.
 */
export const momentOf = (civil: Civil, zone: Zone): Moment => {
  const wall =
    daysOf(civil.year, civil.month, civil.day) * DAY + civil.hour * 3600 + civil.minute * 60 + civil.second;
  let { offset } = zone.at(wall);
  const corrected = zone.at(wall - offset).offset;
  if (offset !== 0 && corrected !== offset) offset = corrected;
  return { ns: BigInt(wall - offset) * SECOND + BigInt(civil.nanosecond), zone };
};
