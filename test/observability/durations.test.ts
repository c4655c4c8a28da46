import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics } from '../../src/observability/metrics.ts';

const SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10];

test('stage durations read as prom-client’s own histogram would', async () => {
  const metrics = createMetrics();
  const registry = new Registry();
  const theirs = new Histogram({
    name: 'sluice_stage_duration_seconds',
    help: 'Time spent in each stage of a request.',
    labelNames: ['stage'],
    buckets: SECONDS,
    registers: [registry],
  });
  for (const micros of [0, 50, 51, 1000, 9_999_999, 60_000_000]) {
    metrics.stages({ identity: micros, record: micros * 2 });
    theirs.observe({ stage: 'identity' }, micros / 1e6);
    theirs.observe({ stage: 'record' }, (micros * 2) / 1e6);
  }
  const series = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.includes('sluice_stage_duration_seconds'))
      .sort();
  expect(series(await metrics.registry.metrics())).toEqual(series(await registry.metrics()));
});

test('a scrape without any request has the histogram’s name and type', async () => {
  expect(await createMetrics().registry.metrics()).toContain(
    '# TYPE sluice_stage_duration_seconds histogram',
  );
});
