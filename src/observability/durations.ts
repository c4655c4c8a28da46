/**
 * A histogram of durations kept in plain numbers and spelled out when it is scraped. Every request observes each of its
 * stages; through prom-client's own histogram that cost as much as hashing the decision record.
 */
import type { Metric, Registry } from 'prom-client';

/** seconds, upper bounds; one more cell counts what is longer than all */
const BOUNDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10];

interface Series {
  readonly cells: number[];
  sum: number;
}

export class Durations {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry, name: string, help: string, label: string) {
    // The registry asks its metrics for `get`, whoever made them.
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

  /** @param of from a closed list */
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
