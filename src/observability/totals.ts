/** Combines the metrics of several workers: counters and histograms are added; a gauge states how. */
import { AggregatorRegistry, type Registry } from 'prom-client';

/** One metric of one process, in prom-client's JSON format. */
export interface MetricValues {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly metricName?: string;
  }[];
}

export type MetricsReport = readonly MetricValues[];

export const reportOf = async (registry: Registry): Promise<MetricsReport> =>
  (await registry.getMetricsAsJSON()) as unknown as MetricsReport;

const aggregated = (reports: readonly MetricsReport[]): Registry =>
  AggregatorRegistry.aggregate(reports as MetricsReport[]);

/** In the format that Prometheus reads. */
export const summed = (reports: readonly MetricsReport[]): Promise<string> => aggregated(reports).metrics();

/**
 * Counts of processes that have ended. They stay part of the sums: Prometheus would take a decreasing total for a
 * restart, and count everything a second time.
 */
export const kept = async (reports: readonly MetricsReport[]): Promise<MetricsReport> =>
  (await reportOf(aggregated(reports))).filter(({ type }) => type === 'counter' || type === 'histogram');
