/** Prometheus metrics (prom-client). Labels come from the configuration or from closed lists, never from values of a request. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Outcome } from '../model/record.ts';
import { Durations } from './durations.ts';
import { type MetricsReport, reportOf } from './totals.ts';

export interface Metrics {
  readonly registry: Registry;
  /** current contents of the registry, for `summed` in another process */
  report(): Promise<MetricsReport>;
  /** one finished request; `code` is an error code or null */
  request(route: string | null, outcome: Outcome, status: number, code: string | null): void;
  /** microseconds by step */
  stages(timings: Readonly<Record<string, number>>): void;
  recordsWithheld(count: number): void;
  /** counts responses to a narrowed list that reveal more than the disclosed records: see `docs/inference.md` */
  inferenceRisk(route: string, how: 'gap' | 'unfilled' | 'write'): void;
  /** a gauge that is read on scrape; `over` says how values of several workers are combined */
  gauge(name: string, help: string, read: () => number, over?: 'sum' | 'min'): void;
  /** counters that are read on scrape, by a label from a closed list */
  totals(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void;
  count(
    name:
      | 'policy_reload_failures'
      | 'shadow_differences'
      | 'shadow_evaluations'
      | 'clock_steps'
      | 'journal_commits'
      | 'journal_records'
      | 'journal_bytes'
      | 'journal_seconds',
    by?: number,
  ): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'sluice_requests_total',
    help: 'Requests answered, by route, HTTP status and error code.',
    labelNames: ['route', 'status', 'code'],
    registers,
  });
  const decisions = new Counter({
    name: 'sluice_decisions_total',
    help: 'Decisions by outcome (allowed, modified, denied, observed, error).',
    labelNames: ['outcome'],
    registers,
  });
  const durations = new Durations(
    registry,
    'sluice_stage_duration_seconds',
    'Time spent in each stage of a request.',
    'stage',
  );
  const withheld = new Counter({
    name: 'sluice_records_withheld_total',
    help: 'Records that the policy withheld from answers.',
    registers,
  });
  const narrowed = new Counter({
    name: 'sluice_narrowed_lists_told_total',
    help: 'Answers to searches that told of withheld records: by a gap on a page (gap), a page that could not be filled (unfilled), or a write to all that was found (write).',
    labelNames: ['route', 'how'],
    registers,
  });
  const named = {
    policy_reload_failures: new Counter({
      name: 'sluice_policy_reload_failures_total',
      help: 'Policies that did not load; the last good one stayed.',
      registers,
    }),
    shadow_differences: new Counter({
      name: 'sluice_shadow_differences_total',
      help: 'Requests that the shadow policy would have answered otherwise.',
      registers,
    }),
    shadow_evaluations: new Counter({
      name: 'sluice_shadow_evaluations_total',
      help: 'Requests that the shadow policy was asked about.',
      registers,
    }),
    journal_commits: new Counter({
      name: 'sluice_journal_commits_total',
      help: 'Writes to the journal; each holds the records that came during the write before it.',
      registers,
    }),
    journal_records: new Counter({
      name: 'sluice_journal_records_total',
      help: 'Records written to the journal. Divided by the commits: the size of a group.',
      registers,
    }),
    journal_bytes: new Counter({
      name: 'sluice_journal_bytes_total',
      help: 'Bytes written to the journal.',
      registers,
    }),
    journal_seconds: new Counter({
      name: 'sluice_journal_commit_seconds_total',
      help: 'Time that writes to the journal have taken.',
      registers,
    }),
    clock_steps: new Counter({
      name: 'sluice_clock_steps_total',
      help: 'Times at which the clock was set back or forward by 5 seconds or more, as each worker saw it.',
      registers,
    }),
  };
  // The child of a set of labels is looked up once, not at every request.
  const requestChildren = new Map<string, Counter.Internal>();
  const outcomeChildren = new Map<string, Counter.Internal>();

  return {
    registry,
    report: () => reportOf(registry),
    request(route, outcome, status, code) {
      const key = `${route ?? ''}\n${status}\n${code ?? ''}`;
      let child = requestChildren.get(key);
      if (!child) {
        child = requests.labels(route ?? '', String(status), code ?? '');
        requestChildren.set(key, child);
      }
      child.inc();
      let decided = outcomeChildren.get(outcome);
      if (!decided) {
        decided = decisions.labels(outcome);
        outcomeChildren.set(outcome, decided);
      }
      decided.inc();
    },
    stages(timings) {
      for (const stage in timings) durations.observe(stage, (timings[stage] ?? 0) / 1e6);
    },
    recordsWithheld: (count) => withheld.inc(count),
    inferenceRisk: (route, how) => narrowed.labels(route, how).inc(),
    gauge(name, help, read, over = 'sum') {
      new Gauge({
        name,
        help,
        aggregator: over,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    totals(name, help, label, read) {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          for (const [value, total] of Object.entries(read())) this.set({ [label]: value }, total);
        },
      });
    },
    count: (name, by = 1) => named[name].inc(by),
  };
}
