/** Metrics that are read from the parts when Prometheus scrapes. */
import type { Parts } from './build.ts';

export function registerGauges({
  metrics,
  log,
  policy,
  identity,
}: Pick<Parts, 'metrics' | 'log' | 'policy' | 'identity'>): void {
  metrics.gauge(
    'sluice_journal_lag_records',
    'Records in the journal that index and sinks do not have yet.',
    () => log.status().lag,
  );
  metrics.gauge(
    'sluice_journal_ok',
    '1 while the journal takes records.',
    () => Number(log.status().ok),
    'min',
  );
  metrics.gauge(
    'sluice_policy_ok',
    '1 while the newest policy is the live one.',
    () => Number(policy.status().ok && policy.status().error === null),
    'min',
  );
  metrics.gauge('sluice_policy_memory_bytes', 'WebAssembly memory of the live policy.', () =>
    policy.current().memoryBytes(),
  );
  metrics.totals(
    'sluice_policy_cache_lookups_total',
    'Answers of the live policy remembered, by result.',
    'result',
    () => {
      const { hits, misses } = policy.current().stats();
      return { hit: hits, miss: misses };
    },
  );
  metrics.totals('sluice_token_cache_lookups_total', 'Credentials remembered, by result.', 'result', () => ({
    hit: identity.remembered.hits,
    miss: identity.remembered.misses,
  }));
}
