import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { playAll } from '../../src/cli/policy/testing/play.ts';
import { readScenarios } from '../../src/cli/policy/testing/scenario-files.ts';
import { tryScenarios } from '../../src/cli/policy/testing/trials.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { prepare } from '../support/sluice.ts';
import { gateWithin, policyGate } from '../../src/cli/policy/testing/gate.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { readBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles, compilePolicy } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { createPolicyStore } from '../../src/policy/store.ts';
import { childrenOf, type Cleaning, launch, until } from '../support/served.ts';
import { OWN, sluice } from './support.ts';

const POLICIES = new URL('../../policies', import.meta.url).pathname;
let dir = '';

beforeAll(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'sluice-gate-')), 'policies');
  // Without its unit tests, which would be the first to fail, and with the scenarios of one file.
  await cp(POLICIES, dir, {
    recursive: true,
    filter: (file) => !/_test\.rego$|scenarios\/(?!support\.yaml)/.test(file),
  });
});
afterAll(() => rm(join(dir, '..'), { recursive: true, force: true }));

const open = () =>
  createPolicyStore(
    { dir, watch: false },
    { logger: silentLogger, clock: systemClock, baseDir: dir, gate: policyGate },
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
});

test('at the first start it is refused, with the scenario and its place', async () => {
  const roles = join(dir, 'data/roles.yaml');
  const text = await readFile(roles, 'utf8');
  await writeFile(roles, text.replaceAll('identity: recognise', 'identity: use'));
  await expect(open()).rejects.toMatchObject({
    code: 'policy_scenario_failed',
    message: expect.stringMatching(/scenarios\/\w+\.yaml:\d+ "/),
  });
  await writeFile(roles, text);
});

/** A small policy with its unit tests, and no scenarios. */
const unitsOnly = async (name: string, rego: string): Promise<string> => {
  const at = join(dir, '..', name);
  await cp(OWN, at, { recursive: true });
  await writeFile(join(at, 'sluice/more_test.rego'), `package sluice.more_test\n\n${rego}\n`);
  return at;
};
const activated: unknown[] = [];
const logger = { ...silentLogger, info: (said: unknown) => void activated.push(said) } as typeof silentLogger;
const openAt = (config: { dir: string } | { bundle: string }) =>
  createPolicyStore(
    { ...config, watch: false },
    { logger, clock: systemClock, baseDir: dir, gate: policyGate },
  ).then((store) => store.close());

test.each([
  ['not true', 'test_wrong if data.sluice.decision.allow', 'it is not true'],
  ['a sub-case of a table', 'test_wrong[n] if {\n\tsome n in ["a", "b"]\n\tn == "a"\n}', 'it is not true'],
  ['an error', 'test_wrong := x if some x in [1, 2]', 'conflict'],
])('a unit test that fails on the engine keeps a policy from going live: %s', async (_what, rego, why) => {
  const at = await unitsOnly(`wrong-${why.length}-${rego.length}`, rego);
  const wanted = {
    code: 'policy_unit_test_failed',
    message: expect.stringMatching(
      new RegExp(`^1 of .*more_test\\.rego:3 sluice\\.more_test\\.test_wrong: .*${why}`),
    ),
  };
  await expect(openAt({ dir: at })).rejects.toMatchObject(wanted);
  // A bundle takes its unit tests along, so that a sidecar without OPA tries them, too.
  const bundle = join(dir, '..', `wrong-${rego.length}.tar.gz`);
  expect((await sluice(['build', at, '-o', bundle])).code).toBe(0);
  await expect(openAt({ bundle })).rejects.toMatchObject(wanted);
});

test.each([
  ['does not parse', 'test_wrong if {'],
  ['does not compile', 'test_wrong if data.sluice.decision.allow with input as nothing'],
])('a policy with a test file that %s does not go live, and is not built', async (what, rego) => {
  const at = await unitsOnly(`broken-${what.length}`, rego);
  await expect(openAt({ dir: at })).rejects.toMatchObject({
    code: 'policy_compile_failed',
    message: expect.stringContaining('sluice/more_test.rego:'),
  });
  // Alone in a folder without other tests, too: a test that cannot be read is not absent.
  for (const file of await readdir(at, { recursive: true }))
    if (file.endsWith('_test.rego') && !file.endsWith('more_test.rego')) await rm(join(at, file));
  await expect(openAt({ dir: at })).rejects.toMatchObject({ code: 'policy_compile_failed' });
  const said = await sluice(['build', at, '-o', join(dir, '..', 'broken.tar.gz')]);
  expect(said.err).toContain('[policy_compile_failed]');
});

test('a test that fails keeps a policy out though another of its name, in the same place of another file, holds', async () => {
  const at = await unitsOnly('same-name', 'test_one if true');
  for (const [name, value] of [
    ['n1', 'false'],
    ['n2', 'true'],
  ] as const)
    await writeFile(
      join(at, `sluice/${name}_test.rego`),
      `package sluice.more_test\n\ntest_one if ${value}\n`,
    );
  await expect(openAt({ dir: at })).rejects.toMatchObject({ code: 'policy_unit_test_failed' });
});

test('what goes live says how many unit tests it has, and names those that cannot be run on the engine', async () => {
  const at = await unitsOnly('fetching', 'test_fetches if opa.runtime() == {}');
  await openAt({ dir: at });
  // No process outlives its trial.
  expect(childrenOf(process.pid)).toEqual([]);
  expect(activated.at(-1)).toMatchObject({
    unit_tests: 2,
    unit_tests_not_run: ['sluice.more_test.test_fetches: it calls opa.runtime, which is refused'],
  });
});

test('a bundle that has lost the module of its unit tests is refused', async () => {
  const at = await unitsOnly('lost', 'test_right if true');
  const bundle = await compilePolicy(at, { opa: await resolveOpa(), tests: true });
  const bytes = await writeBundle({ ...bundle, tests: { ...bundle.tests!, wasm: null } });
  await expect(readBundle(bytes, { name: 'lost' })).rejects.toMatchObject({ code: 'bundle_malformed' });
});

/** It takes many minutes. */
const ENDLESS =
  'test_endless if count({x | some a in numbers.range(1, 60000); some b in numbers.range(1, 60000); x := a * b; x < 0}) == 0';

test('a trial that does not end in time keeps the policy from going live, and its process ends', async () => {
  const at = await unitsOnly('too-slow', ENDLESS);
  const store = createPolicyStore(
    { dir: at, watch: false },
    { logger: silentLogger, clock: systemClock, baseDir: dir, gate: gateWithin(500) },
  );
  await expect(store).rejects.toMatchObject({
    code: 'policy_unit_test_failed',
    message: expect.stringContaining('did not end within 0.5 s'),
  });
  expect(childrenOf(process.pid)).toEqual([]);
});

test('scenarios of the first policy that do not end in time keep it from going live', async () => {
  const store = createPolicyStore(
    { dir, watch: false },
    { logger: silentLogger, clock: systemClock, baseDir: dir, gate: gateWithin(1) },
  );
  await expect(store).rejects.toMatchObject({
    code: 'policy_scenario_failed',
    message: expect.stringContaining('did not end within 0.001 s'),
  });
});

test('scenarios that are stopped do not pass, and no further one is begun', async () => {
  const files = await readPolicyDirectory(dir);
  const candidate = await createSnapshot(await compileFiles(files, { opa: await resolveOpa() }));
  const stop = new AbortController();
  const begun: string[] = [];
  const { documents } = readScenarios('x', files.scenarios);
  const playing = playAll(
    candidate,
    documents,
    () => true,
    ({ name }) => {
      begun.push(name);
      stop.abort(new Error('stopped'));
    },
    stop.signal,
  );
  await expect(playing).rejects.toThrow('stopped');
  expect(begun).toHaveLength(1);
  await expect(tryScenarios(candidate, stop.signal)).rejects.toThrow('stopped');
});

describe('a sidecar that ends during the trial of its first policy', () => {
  const cleaning: Cleaning = [];
  afterEach(() => {
    for (const clean of cleaning.splice(0).reverse()) clean();
  });
  const started = async (config: object = {}) => {
    const at = await unitsOnly('served', ENDLESS);
    const { file } = await prepare(
      { config: { policy: { dir: at }, ...config } },
      await createDevelopmentIssuer(),
    );
    const running = launch(file, cleaning);
    const trials = (): number[] =>
      [running.child.pid!, ...childrenOf(running.child.pid!)].flatMap(gateProcesses);
    await until(() => trials().length > 0, 90);
    return { ...running, trials: trials() };
  };
  const gateProcesses = (parent: number): number[] =>
    childrenOf(parent).filter((pid) => commandOf(pid).includes('gate-process'));
  const commandOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  const goneAll = (pids: readonly number[]): Promise<void> =>
    until(() => pids.every((pid) => !commandOf(pid).includes('gate-process')));

  test.each([
    ['one process', {}],
    ['workers', { workers: 2 }],
  ])('by SIGTERM: at once and well, and the trial ends with it (%s)', async (_, config) => {
    const { child, ended, log, trials } = await started(config);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(log()).toContain('stopped while it started');
    await goneAll(trials);
  });

  test('by kill -9: the trial ends, too', async () => {
    const { child, ended, trials } = await started();
    child.kill('SIGKILL');
    await ended;
    await goneAll(trials);
  });
});

test('a store that is closed does not wait for a trial', async () => {
  const at = await unitsOnly('closed', 'test_right if true');
  const gating = Promise.withResolvers<void>();
  const store = await createPolicyStore(
    { dir: at, watch: false },
    {
      logger: silentLogger,
      clock: systemClock,
      baseDir: dir,
      gate: (candidate, trial) => {
        const tried = policyGate(candidate, trial);
        if (!trial.isFirst) gating.resolve();
        return tried;
      },
    },
  );
  const live = store.status().revision;
  await writeFile(join(at, 'sluice/more_test.rego'), `package sluice.more_test\n\n${ENDLESS}\n`);
  const reloading = store.reload();
  await gating.promise;
  await store.close();
  await reloading;
  expect(store.status()).toMatchObject({ revision: live, error: null });
  await vi.waitFor(() => expect(process.getActiveResourcesInfo()).not.toContain('ProcessWrap'), 20_000);
});
