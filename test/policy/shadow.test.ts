import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import type { PolicyShadowConfig } from '../../src/policy/settings.ts';
import {
  createShadow,
  decisionDifferences,
  disclosureDifferences,
  type ShadowDependencies,
  type ShadowReport,
} from '../../src/policy/shadow.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { disclosureFor, FIXTURE, fixture, inputFor, opa, scratch } from './support.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const o of open.splice(0)) await o.close();
});

const beside = async (
  files: { readonly [path: string]: string },
  config: PolicyShadowConfig = {},
  more: Partial<ShadowDependencies> = {},
) => {
  const dir = await scratch();
  await cp(FIXTURE, dir, { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(dir, path), text);
  const reports: ShadowReport[] = [];
  const counts = { shadow_evaluations: 0, shadow_differences: 0 };
  const shadow = await createShadow(
    { dir, watch: false, sample: 1, cpu: 1, ...config } as PolicyShadowConfig,
    {
      logger: silentLogger,
      clock: systemClock,
      baseDir: '/',
      opa,
      report: (r) => void reports.push(r),
      metrics: {
        count: (name) => {
          counts[name] += 1;
        },
      },
      ...more,
    },
  );
  open.push(shadow);
  const live = await createSnapshot(await fixture());
  return { live, both: shadow.beside(live), reports, counts };
};

const STRICTER = { 'data/roles.yaml': 'roles: { support: { purposes: [] } }' };

describe('a shadow policy', () => {
  test('never changes an answer, and reports the differences', async () => {
    const { both, live, reports } = await beside(STRICTER);
    const input = inputFor('support', 'after_sales');
    expect(both.decide(input)).toBe(live.decide(input));
    expect(reports).toEqual([]);
    await vi.waitFor(() => expect(reports).toHaveLength(1), 20_000);
    expect(reports[0]).toMatchObject({
      question: 'decision',
      revision: { live: live.revision, shadow: expect.not.stringMatching(live.revision) },
      differences: [
        { of: 'allow', live: true, shadow: false },
        { of: 'tier', live: 2, shadow: null },
        { of: 'reasons', live: [], shadow: ['not_allowed'] },
        { of: 'obligations.max_records', live: 200, shadow: null },
        { of: 'obligations.review', live: true, shadow: null },
      ],
    });
  });

  test('reports the classes whose treatment differs', async () => {
    const { both, reports } = await beside({
      'catalog/customer.yaml': 'resource: customer\nfields: { /id: { category: reference, grade: 3 } }',
    });
    both.disclose(disclosureFor(inputFor('support', 'after_sales')));
    await vi.waitFor(() => expect(reports).toHaveLength(1), 20_000);
    expect(reports[0]!.differences).toEqual([
      { of: 'classes.contact/3', live: 'mask', shadow: 'drop' },
      { of: 'classes.identity/3', live: 'mask', shadow: 'drop' },
      { of: 'classes.reference/1', live: 'disclose', shadow: 'drop' },
      { of: 'classes.reference/3', live: 'drop', shadow: 'mask' },
      { of: 'classes.transaction/2', live: 'disclose', shadow: 'drop' },
    ]);
  });

  test('that agrees reports nothing', async () => {
    const { both, counts } = await beside({});
    both.decide(inputFor('support', 'after_sales'));
    await vi.waitFor(() => expect(counts).toEqual({ shadow_evaluations: 1, shadow_differences: 0 }), 20_000);
  });

  test('is asked about the sampled part only', async () => {
    const { both, counts } = await beside(STRICTER, { sample: 0 });
    for (let i = 0; i < 100; i++) both.decide(inputFor('support', 'after_sales'));
    await new Promise((done) => setImmediate(done));
    expect(counts).toEqual({ shadow_evaluations: 0, shadow_differences: 0 });
  });

  test('that is slow gets its share of the processor and no more', async () => {
    // Each evaluation takes 100 ms of a clock that stands still otherwise; 5 % of that is saved up again meanwhile.
    let time = 0;
    let asked = 0;
    const takesLong = {
      count: (name: string) => {
        if (name !== 'shadow_evaluations') return;
        asked += 1;
        time += 100;
      },
    };
    const { both } = await beside(STRICTER, { cpu: 0.05 }, { now: () => time, metrics: takesLong });
    const base = inputFor('support', 'after_sales');
    for (let i = 0; i < 50; i++) {
      both.decide({ ...base, subject: { ...base.subject, id: `u${i}` } });
      await new Promise((done) => setImmediate(done));
    }
    expect(asked).toBe(1);
    // what has been used up is paid back at 5 %: 1.4 s are not enough, and 2.4 s are
    time += 1_400;
    both.decide(base);
    await new Promise((done) => setImmediate(done));
    expect(asked).toBe(1);
    time += 1_000;
    both.decide(base);
    await vi.waitFor(() => expect(asked).toBe(2), 20_000);
  });
});

test('an obligation that is null equals a missing one, and drop equals a class that is not named', () => {
  const decision = { allow: true, reasons: [], tier: 2 as const, obligations: {} };
  expect(decisionDifferences(decision, { ...decision, obligations: { step_up: null } })).toEqual([]);
  const disclosure = { disclose: true, reasons: [], classes: {}, fields: {} };
  expect(
    disclosureDifferences(disclosure, { ...disclosure, classes: { 'a/1': { do: 'drop', because: 'x' } } }),
  ).toEqual([]);
});
