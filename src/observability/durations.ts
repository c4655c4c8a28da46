/**
 * A histogram of durations, kept in plain numbers and serialized when it is scraped. A request observes each of its eight stages. An
 * observation takes 11 to 18 ns of processor time here and 270 to 280 ns in prom-client's histogram (`npm run bench -- durations`): 2 µs a
 * request, of some 75 µs in the pipeline.
 */
import type { Metric, Registry } from 'prom-client';

/** seconds, upper bounds; one more cell counts what is longer than all */
export const BOUNDS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10,
];

interface Series {
  readonly cells: number[];
  sum: number;
}

export class Durations {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry, name: string, help: string, label: string) {
    // The registry calls `get` on every metric.
    registry.registerMetric({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      get: async () => ({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: this.#values(name, label),
      }),
      reset: () => this.#series.clear(),
    } as unknown as Metric);
  }

  /** @param of value of the label, from a closed list */
  observe(of: string, seconds: number): void {
    let series = this.#series.get(of);
    if (series === undefined) {
      series = { cells: new Array<number>(BOUNDS.length + 1).fill(0), sum: 0 };
      this.#series.set(of, series);
    }
    let at = 0;
    while (at < BOUNDS.length && seconds > BOUNDS[at]!) at++;
    series.cells[at]! += 1;
    series.sum += seconds;
  }

  #values(name: string, label: string) {
    return [...this.#series].flatMap(([of, { cells, sum }]) => {
      let below = 0;
      const buckets = [...BOUNDS, '+Inf'].map((le, i) => {
        below += cells[i]!;
        return { metricName: `${name}_bucket`, labels: { le, [label]: of }, value: below };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: { [label]: of }, value: sum },
        { metricName: `${name}_count`, labels: { [label]: of }, value: below },
      ];
    });
  }
}
