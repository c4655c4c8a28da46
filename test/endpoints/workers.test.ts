/** Several workers' answers as one: the worst of them. */
import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/observability/metrics.ts';
import { kept, summed } from '../../src/observability/totals.ts';
import { livenessOf, type Status, type WorkerReport, worstOf } from '../../src/endpoints/admin/workers.ts';

const says = (worker: number, status: Status, checks: object = {}): WorkerReport<'ready'> =>
  ({ worker, state: 'up', answer: { status, checks } }) as WorkerReport<'ready'>;

describe('readiness of several workers', () => {
  test('is ready if all workers are', () => {
    expect(worstOf([says(1, 'ready'), says(2, 'ready')]).status).toBe('ready');
  });

  test('is that of the worst worker, and shows the worst finding of each check with its worker', () => {
    const fine = { ok: true };
    const found = worstOf([
      says(1, 'degraded', { journal: fine, policy: { ok: true, degraded: true } }),
      says(2, 'not ready', { journal: { ok: false, detail: 'full' }, policy: fine }),
      says(3, 'ready', { journal: fine, policy: fine }),
    ]);
    expect(found).toEqual({
      status: 'not ready',
      checks: {
        journal: { ok: false, detail: 'full', worker: 2 },
        policy: { ok: true, degraded: true, worker: 1 },
      },
      workers: { 1: { status: 'degraded' }, 2: { status: 'not ready' }, 3: { status: 'ready' } },
    });
  });

  test('is degraded while a worker is down, and not ready while one is silent', () => {
    const down = { worker: 2, state: 'down', detail: 'ended by SIGKILL' } as const;
    const silent = { worker: 2, state: 'silent' } as const;
    expect(worstOf([says(1, 'ready'), down])).toMatchObject({
      status: 'degraded',
      workers: { 2: { status: 'down', detail: 'ended by SIGKILL' } },
    });
    expect(worstOf([says(1, 'ready'), silent]).status).toBe('not ready');
    expect(worstOf([says(1, 'not ready'), down]).status).toBe('not ready');
  });

  test('reports them alive while every running worker answers', () => {
    const up = { worker: 1, state: 'up', answer: null } as const;
    expect(livenessOf([up, { worker: 2, state: 'down' }]).ok).toBe(true);
    expect(livenessOf([up, { worker: 2, state: 'silent' }])).toEqual({
      ok: false,
      workers: { 1: 'up', 2: 'silent' },
    });
  });
});

describe('metrics of several workers', () => {
  const worker = (ok: number, requests: number) => {
    const metrics = createMetrics();
    metrics.gauge('lag', 'Behind.', () => requests);
    metrics.gauge('healthy', '1 while it is.', () => ok, 'min');
    for (let i = 0; i < requests; i++) {
      metrics.request('GET /a', 'allowed', 200, null);
      metrics.stages({ identity: 60, policy: 2_000_000 });
    }
    return metrics.report();
  };
  // The channel between processes carries JSON.
  const sent = <T>(report: T): T => JSON.parse(JSON.stringify(report)) as T;

  test('are added up, histograms by bucket; a gauge is summed or its minimum taken, as it declares', async () => {
    const page = await summed(sent([await worker(1, 2), await worker(0, 3)]));
    expect(page).toContain('sluice_requests_total{route="GET /a",status="200",code=""} 5');
    expect(page).toContain('sluice_stage_duration_seconds_bucket{le="0.0001",stage="identity"} 5');
    expect(page).toContain('sluice_stage_duration_seconds_bucket{le="0.0001",stage="policy"} 0');
    expect(page).toContain('sluice_stage_duration_seconds_count{stage="policy"} 5');
    expect(page).toContain('sluice_stage_duration_seconds_sum{stage="policy"} 10');
    expect(page).toMatch(/^lag 5$/m);
    expect(page).toMatch(/^healthy 0$/m);
  });

  test('of one worker are the same as its own page', async () => {
    const metrics = createMetrics();
    metrics.request('GET /a', 'denied', 403, 'policy_denied');
    metrics.stages({ identity: 60 });
    const lines = (page: string) =>
      page
        .split('\n')
        .filter((l) => l !== '' && !l.startsWith('#'))
        .sort();
    expect(lines(await summed([sent(await metrics.report())]))).toEqual(
      lines(await metrics.registry.metrics()),
    );
  });

  test('keep the counters of workers that have ended, and not their gauges', async () => {
    const gone = await kept(sent([await kept([await worker(1, 1)]), await worker(0, 2)]));
    const page = await summed(sent([gone, await worker(1, 4)]));
    expect(page).toContain('sluice_decisions_total{outcome="allowed"} 7');
    expect(page).toContain('sluice_stage_duration_seconds_count{stage="identity"} 7');
    expect(page).toMatch(/^lag 4$/m);
    expect(page).toMatch(/^healthy 1$/m);
  });
});
