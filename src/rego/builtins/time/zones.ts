/** Time zones by IANA name, from the tables that Node.js carries (ICU). */
import { LRUCache } from 'lru-cache';
import { abbreviationOf, isZoneName } from './zone-names.ts';

export interface ZoneState {
  /** seconds east of UTC */
  readonly offset: number;
  /** abbreviation, e.g. `CET`; empty if the zone has none */
  readonly name: string;
}

export interface Zone {
  /** @param seconds since 1970, UTC */
  at(seconds: number): ZoneState;
}

export const fixedZone = (name: string, offset: number): Zone => {
  const state = { offset, name };
  return { at: () => state };
};

export const UTC: Zone = fixedZone('UTC', 0);

const clock = (name: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });

const offsetAt = (format: Intl.DateTimeFormat, seconds: number): number => {
  const shown: { [type: string]: string } = {};
  for (const { type, value } of format.formatToParts(seconds * 1000)) shown[type] = value;
  const n = (type: string): number => Number(shown[type]);
  const year = shown['era'] === 'BC' ? 1 - n('year') : n('year');
  const date = new Date(0);
  date.setUTCFullYear(year, n('month') - 1, n('day'));
  date.setUTCHours(n('hour'), n('minute'), n('second'));
  return date.getTime() / 1000 - seconds;
};

const known = new LRUCache<string, Zone>({ max: 500 });

/** @returns undefined if there is no such zone */
export const zoneOf = (name: string): Zone | undefined => {
  if (name === '' || name === 'UTC') return UTC;
  let zone = known.get(name);
  if (zone === undefined) {
    const local = name === 'Local' ? new Intl.DateTimeFormat().resolvedOptions().timeZone : name;
    if (name !== 'Local' && !isZoneName(name)) return undefined;
    let format: Intl.DateTimeFormat;
    try {
      format = clock(local);
    } catch {
      return undefined;
    }
    // A query of ICU takes microseconds. No zone changes twice within a quarter of an hour.
    const states = new LRUCache<number, ZoneState>({ max: 200 });
    zone = {
      at(seconds) {
        const quarter = Math.floor(seconds / 900);
        let state = states.get(quarter);
        if (state === undefined) {
          const offset = offsetAt(format, quarter * 900);
          state = { offset, name: abbreviationOf(local, quarter * 900, offset) };
          states.set(quarter, state);
        }
        return state;
      },
    };
    known.set(name, zone);
  }
  return zone;
};
