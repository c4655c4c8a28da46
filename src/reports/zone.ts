/** Days and hours in a time zone. */
import { SluiceError } from '../errors.ts';

export interface Zone {
  /** IANA name */
  readonly name: string;
  /** `2026-11-30 18:58` @param ms since 1970 */
  moment(ms: number): string;
  /** `2026-11-30` */
  day(ms: number): string;
  /** 0 to 23 */
  hour(ms: number): number;
  /** ms since 1970 */
  startOfHour(ms: number): number;
  /** Saturday or Sunday */
  isWeekend(ms: number): boolean;
}

/** Offsets are multiples of it. */
const QUARTER = 900_000;
const HOUR = 3_600_000;

/** @throws SluiceError `usage_invalid` */
export function zoneOf(name: string): Zone {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  } catch {
    throw new SluiceError(
      'usage_invalid',
      `--time-zone ${name} is no time zone: write an IANA name such as Asia/Shanghai.`,
    );
  }
  const offsets = new Map<number, number>();
  const offset = (ms: number): number => {
    const quarter = Math.floor(ms / QUARTER);
    let found = offsets.get(quarter);
    if (found === undefined) {
      const text = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
      const [, sign, hours, minutes] = /^GMT([+-])(\d\d):(\d\d)/.exec(text) ?? [];
      found = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
      if (offsets.size === 100_000) offsets.clear();
      offsets.set(quarter, found);
    }
    return found;
  };
  const local = (ms: number): Date => new Date(ms + offset(ms));
  return {
    name,
    moment: (ms) => local(ms).toISOString().slice(0, 16).replace('T', ' '),
    day: (ms) => local(ms).toISOString().slice(0, 10),
    hour: (ms) => local(ms).getUTCHours(),
    startOfHour: (ms) => Math.floor((ms + offset(ms)) / HOUR) * HOUR - offset(ms),
    isWeekend: (ms) => local(ms).getUTCDay() % 6 === 0,
  };
}
