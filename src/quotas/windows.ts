/** Windows of the calendar, in UTC: a quota counts from the start of the hour, the day or the month. */
export const PERIODS = ['hour', 'day', 'month'] as const;
export type Period = (typeof PERIODS)[number];

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** the longest window of each, in milliseconds */
export const LONGEST: Readonly<Record<Period, number>> = { hour: HOUR, day: DAY, month: 31 * DAY };

/** Milliseconds since 1970 of the start of the window that `now` is in. */
export function windowStart(per: Period, now: number): number {
  if (per === 'hour') return now - (now % HOUR);
  if (per === 'day') return now - (now % DAY);
  const date = new Date(now);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}
