/** Metrics that are read from the parts when Prometheus scrapes. */
import type { Config } from '../config/index.ts';
import type { StoreStatus } from '../decision-log/index/copies.ts';
import type { MaskCounts } from '../decision-log/sinks/masking.ts';
import type { OpenTracing } from '../observability/tracing.ts';
import type { Parts } from './build.ts';
import type { RunningRecipients } from './recipients.ts';

export function registerGauges({
  config,
  metrics,
  log,
  policy,
  identity,
  consents,
  channel,
  quotas,
  deliveries,
  tracing,
}: Pick<Parts, 'metrics' | 'log' | 'policy' | 'identity' | 'consents' | 'channel' | 'quotas'> & {
  readonly config: Pick<Config, 'decision_log'>;
  readonly deliveries: Pick<RunningRecipients, 'counts'>;
  readonly tracing: Pick<OpenTracing, 'counts'> | null;
}): void {
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
  if (config.decision_log.sinks.length > 0) {
    const ofSinks = (read: (copy: StoreStatus) => number): Readonly<Record<string, number>> =>
      Object.fromEntries(
        Object.entries(log.status().copies).flatMap(([name, copy]) =>
          name === 'sqlite' || name === 'postgres' ? [] : [[name, read(copy)]],
        ),
      );
    const ofMasked = (read: (counts: MaskCounts) => number): Readonly<Record<string, number>> => {
      const { masked } = log.status();
      const counts = (sink: string): number => {
        const known = masked.get(sink);
        return known === undefined ? 0 : read(known);
      };
      return Object.fromEntries(Object.keys(ofSinks(() => 0)).map((sink) => [sink, counts(sink)]));
    };
    metrics.totals(
      'sluice_sink_position',
      'Records that a sink has acknowledged, up to this seq.',
      'sink',
      () => ofSinks(({ seq }) => seq),
    );
    metrics.totals(
      'sluice_sink_lag_records',
      'Records in the journal that a sink does not have yet.',
      'sink',
      () => ofSinks(({ lag }) => lag),
    );
    metrics.totals(
      'sluice_sink_failed',
      'Processes whose sink fails (1 without workers); /readyz tells the last error.',
      'sink',
      () => ofSinks(({ ok }) => Number(!ok)),
    );
    metrics.totals(
      'sluice_sink_dropped_total',
      'Records that the policy (sluice/log) has kept from a sink.',
      'sink',
      () => ofMasked(({ dropped }) => dropped),
    );
    metrics.totals(
      'sluice_sink_masked_total',
      'Records of which the policy (sluice/log) has masked a part for a sink.',
      'sink',
      () => ofMasked(({ masked }) => masked),
    );
    metrics.totals(
      'sluice_sink_mask_errors_total',
      'Records that a sink got without what tells of the request, since the policy could not say what it may have.',
      'sink',
      () => ofMasked(({ failed }) => failed),
    );
    metrics.totals(
      'sluice_copies_lost_total',
      'Records that an index or a sink will never get, by cause. unreadable: damaged in the journal. There is no other: the journal is the queue, and a sink that refuses a record stops.',
      'cause',
      () => ({ unreadable: log.status().unreadable }),
    );
  }
  if (config.decision_log.checkpoints !== undefined) {
    metrics.gauge(
      'sluice_checkpoint_lag_records',
      'Records in the journal that no signed checkpoint covers yet.',
      () => log.status().unsigned,
    );
    metrics.gauge(
      'sluice_checkpoint_ok',
      '1 while checkpoints are signed and every witness takes them.',
      () => Number(isSigned(log)),
      'min',
    );
  }
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
  metrics.totals(
    'sluice_quota_events_total',
    'Requests under a quota: reserved, near the limit, cut, exceeded, refused without the store (unavailable), not counted (unsettled).',
    'event',
    () => ({ ...quotas.events }),
  );
  const { counts } = deliveries;
  if (counts !== null)
    metrics.totals(
      'sluice_notice_deliveries_total',
      'Deliveries of notices to recipients and of alerts, by result.',
      'result',
      () => ({ ...counts }),
    );
  if (tracing !== null)
    metrics.totals(
      'sluice_spans_total',
      'Spans that a collector has taken (exported), or that were given up (failed).',
      'result',
      () => ({ ...tracing.counts }),
    );
  if (channel !== null)
    metrics.gauge(
      'sluice_announcements_up',
      '1 while announcements of changes in the store arrive.',
      () => Number(channel.isUp()),
      'min',
    );
  const hintsUp = channel?.hintsUp?.bind(channel);
  if (hintsUp !== undefined)
    metrics.gauge(
      'sluice_announcement_hints_up',
      '1 while hints of changes arrive through Redis; else a change counts at the next heartbeat.',
      () => Number(hintsUp()),
      'min',
    );
  if (consents.cache === undefined) return;
  const cache = consents.cache.bind(consents);
  metrics.totals(
    'sluice_consent_cache_lookups_total',
    'Data subjects and aliases looked up in the cache of consents, by result.',
    'result',
    () => {
      const { hits, misses } = cache();
      return { hit: hits, miss: misses };
    },
  );
  metrics.gauge(
    'sluice_consent_cache_entries',
    'Data subjects in the cache of consents.',
    () => cache().entries,
  );
  metrics.gauge(
    'sluice_consent_cache_channel_up',
    '1 while announcements of changed consents arrive; else every look-up asks the source.',
    () => Number(cache().isUp),
    'min',
  );
  metrics.gauge(
    'sluice_consent_cache_bound_seconds',
    'Nothing is disclosed on an agreement that was withdrawn longer ago.',
    () => cache().bound / 1000,
    'min',
  );
}

/** Also before the first checkpoint. */
function isSigned(log: Parts['log']): boolean {
  const { checkpoints } = log.status();
  return (
    checkpoints === null ||
    (checkpoints.problem === null && checkpoints.witnesses.every(({ problem }) => problem === null))
  );
}
