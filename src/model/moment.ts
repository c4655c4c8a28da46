/** Dates and times in RFC 3339 format, which must exist in the calendar, and periods in ISO 8601 format. */

/** RFC 3339 has years of four digits; `9999-12-31T23:59:59-23:59` is of the next one in UTC, in which moments are written. */
const END = Date.parse('9999-12-31T23:59:59.999Z');

/** milliseconds since the epoch; NaN for a date or time that does not exist */
export function startOf(moment: string): number {
  const day = moment.slice(0, 10);
  const time = Date.parse(moment);
  // `Date.parse` reads 30 February as 2 March.
  const real = new Date(`${day}T00:00:00Z`);
  return Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== day || time > END
    ? Number.NaN
    : time;
}

/** The last millisecond of a date; a time is returned unchanged. */
export const endOf = (moment: string): number =>
  startOf(moment) + (moment.length === 10 ? 86_400_000 - 1 : 0);

/** years, months, weeks and days: `P5Y`, `P6M`, `P1Y6M` */
export const PERIOD = '^P(?=\\d)(?:(\\d{1,3})Y)?(?:(\\d{1,4})M)?(?:(\\d{1,4})W)?(?:(\\d{1,5})D)?$';
const PARTS = new RegExp(PERIOD);

export const isPeriod = (text: string): boolean => PARTS.test(text);

/** The start of the day (UTC) that is so long before `end`. @param period as `isPeriod` accepts it @param end milliseconds since the epoch */
export function startOfPeriod(period: string, end: number): number {
  const [, years = '0', months = '0', weeks = '0', days = '0'] = PARTS.exec(period)!;
  const day = new Date(end);
  const month = day.getUTCMonth() - Number(months) - 12 * Number(years);
  // Six months before 31 August is the last day of February.
  const last = new Date(Date.UTC(day.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const start = Date.UTC(day.getUTCFullYear(), month, Math.min(day.getUTCDate(), last));
  return start - (Number(weeks) * 7 + Number(days)) * 86_400_000;
}
