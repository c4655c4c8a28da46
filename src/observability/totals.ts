/** Metrics of several workers as one page: counters and histograms are added up, a gauge as it says itself. */
import { AggregatorRegistry, type Registry } from 'prom-client';

/** One metric of one process, as prom-client spells it in JSON. */
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

/** As Prometheus reads it. */
export const summed = (reports: readonly MetricsReport[]): Promise<string> => aggregated(reports).metrics();

/**
 * What has been counted by processes that have ended. It stays part of the sums: a total that fell would be taken for a
 * restart of everything, and all of it counted a second time.
 */
export const kept = async (reports: readonly MetricsReport[]): Promise<MetricsReport> =>
  (await reportOf(aggregated(reports))).filter(({ type }) => type === 'counter' || type === 'histogram');
