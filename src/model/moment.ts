/** Days and times as RFC 3339 writes them: where a configuration or a list names one, it must be one of the calendar. */

/** milliseconds since the epoch; NaN for a day or a time that does not exist */
export function startOf(moment: string): number {
  const day = moment.slice(0, 10);
  const time = Date.parse(moment);
  // `Date.parse` takes 30 February for 2 March.
  const real = new Date(`${day}T00:00:00Z`);
  return Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== day ? Number.NaN : time;
}

/** The last millisecond of a day; the time itself where there is one. */
export const endOf = (moment: string): number =>
  startOf(moment) + (moment.length === 10 ? 86_400_000 - 1 : 0);
