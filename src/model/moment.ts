/** Dates and times in RFC 3339 format. They must exist in the calendar. */

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
