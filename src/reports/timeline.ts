/** Counts along time, in hours, days or months, whichever gives a chart that can be read. */
import type { ChartSection } from './report.ts';
import { entryIn } from './tally.ts';
import type { Zone } from './zone.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** series of a chart; the others are one */
const MOST_SERIES = 8;

export class Timeline {
  readonly #zone: Zone;
  /** series → start of an hour → number */
  readonly #counts = new Map<string, Map<number, number>>();
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  add(series: string, at: number, n = 1): void {
    const hour = this.#zone.startOfHour(at);
    const counts = entryIn(this.#counts, series, () => new Map());
    counts.set(hour, (counts.get(hour) ?? 0) + n);
    this.#first = Math.min(this.#first, hour);
    this.#last = Math.max(this.#last, hour);
  }

  /** each hour of each series, by time */
  hours(): readonly { readonly hour: number; readonly series: string; readonly count: number }[] {
    return [...this.#counts]
      .flatMap(([series, counts]) => [...counts].map(([hour, count]) => ({ hour, series, count })))
      .sort((a, b) => a.hour - b.hour || (a.series < b.series ? -1 : 1));
  }

  /**
   * @param order of the series; others follow, the largest first
   * @param nameOf what a series is called
   * @returns null: nothing was counted
   */
  chart(
    id: string,
    title: string,
    {
      nameOf,
      others,
      order = [],
    }: { nameOf(series: string): string; others: string; order?: readonly string[] },
  ): ChartSection | null {
    if (this.#counts.size === 0) return null;
    const zone = this.#zone;
    const span = this.#last - this.#first;
    const placeOf = (hour: number): string =>
      span <= 2 * DAY
        ? `${zone.moment(hour).slice(5, 13)}:00`
        : span <= 92 * DAY
          ? zone.day(hour)
          : zone.day(hour).slice(0, 7);
    const places = new Set<string>();
    // Steps that meet every place, also where the clocks change.
    const step = span <= 92 * DAY ? HOUR : DAY;
    for (let hour = this.#first; hour < this.#last; hour += step) places.add(placeOf(hour));
    places.add(placeOf(this.#last));
    const index = new Map([...places].map((place, i) => [place, i]));
    const sizes = [...this.#counts].map(
      ([name, counts]) => [name, [...counts.values()].reduce((a, b) => a + b, 0)] as const,
    );
    const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
    const names = sizes
      .sort(([a, n], [b, m]) => rank(a) - rank(b) || m - n || (a < b ? -1 : 1))
      .map(([name]) => name);
    const kept = names.length > MOST_SERIES ? names.slice(0, MOST_SERIES - 1) : names;
    const valuesOf = (of: readonly string[]): number[] => {
      const values = Array.from({ length: places.size }, () => 0);
      for (const name of of)
        for (const [hour, n] of this.#counts.get(name)!) values[index.get(placeOf(hour))!]! += n;
      return values;
    };
    const rest = names.slice(kept.length);
    return {
      kind: 'chart',
      id,
      title,
      places: [...places],
      series: [
        ...kept.map((name) => ({ name: nameOf(name), values: valuesOf([name]) })),
        ...(rest.length > 0 ? [{ name: others, values: valuesOf(rest) }] : []),
      ],
    };
  }
}
