import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scenarioGate } from '../../src/cli/policy/gate.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { createPolicyStore } from '../../src/policy/store.ts';

const POLICIES = new URL('../../policies', import.meta.url).pathname;
let dir = '';

beforeAll(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'sluice-gate-')), 'policies');
  await cp(POLICIES, dir, { recursive: true });
});
afterAll(() => rm(join(dir, '..'), { recursive: true, force: true }));

const open = () =>
  createPolicyStore(
    { dir, watch: false },
    { logger: silentLogger, clock: systemClock, baseDir: dir, gate: scenarioGate },
  );

test('a policy whose own scenarios fail does not go live, and the last good one stays', async () => {
  const store = await open();
  try {
    const live = store.status().revision;
    const roles = join(dir, 'data/roles.yaml');
    const text = await readFile(roles, 'utf8');
    await writeFile(roles, text.replaceAll('identity: recognise', 'identity: use'));
    await store.reload();
    expect(store.status().error).toMatchObject({ code: 'policy_scenario_failed' });
    expect(store.status().revision).toBe(live);
    await writeFile(roles, text);
    await store.reload();
    expect(store.status().error).toBeNull();
  } finally {
    await store.close();
  }
}, 60_000);

test('at the first start it is refused, with the scenario and its place', async () => {
  const roles = join(dir, 'data/roles.yaml');
  const text = await readFile(roles, 'utf8');
  await writeFile(roles, text.replaceAll('identity: recognise', 'identity: use'));
  await expect(open()).rejects.toMatchObject({
    code: 'policy_scenario_failed',
    message: expect.stringMatching(/scenarios\/\w+\.yaml:\d+ "/),
  });
  await writeFile(roles, text);
}, 60_000);
