/**
 * The last check before a policy goes live: its unit tests must pass on the production engine, and its scenarios must have the
 * expected results. Scenarios run through a complete sidecar with the candidate policy. If one fails, the last good policy stays
 * live. A thread runs the unit tests, since rewriting their module on the main thread would delay requests.
 */
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../../errors.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { Gate } from '../../../policy/store.ts';
import { holds, type Ran } from '../../../policy/unit-tests/run.ts';
import type { UnitTest } from '../../../policy/unit-tests/list.ts';
import { playAll } from './play.ts';
import { readScenarios } from './scenario-files.ts';
import type { UnitRan, UnitWork } from './unit-worker.ts';

const TOLD = 5;

/** @throws SluiceError `policy_unit_test_failed`, `policy_scenario_failed` */
export const policyGate: Gate = async (candidate) => {
  const [units, scenarios] = await Promise.allSettled([tryUnitTests(candidate), tryScenarios(candidate)]);
  for (const tried of [units, scenarios]) if (tried.status === 'rejected') throw tried.reason;
  return units.status === 'fulfilled' ? units.value : {};
};

async function tryUnitTests({ source }: LivePolicy): Promise<{ readonly [name: string]: unknown }> {
  if (source.tests === undefined) return {};
  const ran = await inThread({ tests: source.tests, dataJson: source.dataJson });
  const failed = ran.flatMap(([test, r]) => {
    const why = failureOf(test, r);
    return why === null ? [] : [`${test.file}:${test.line} ${test.package}.${test.name}: ${why}`];
  });
  if (failed.length > 0)
    throw new SluiceError(
      'policy_unit_test_failed',
      `${failed.length} of the policy's ${ran.length} unit tests fail on the engine that decides: ${failed
        .slice(0, TOLD)
        .join('; ')}. Run "sluice test" on the policy to see more.`,
    );
  const unrun = ran.flatMap(([t, r]) => ('unrun' in r ? [`${t.package}.${t.name}: ${r.unrun}`] : []));
  return { unit_tests: ran.length, ...(unrun.length === 0 ? {} : { unit_tests_not_run: unrun }) };
}

/** null: it passes, or cannot be run here and is reported as such */
function failureOf(test: UnitTest, ran: Ran): string | null {
  if ('unrun' in ran) return null;
  if ('error' in ran) return ran.error;
  return holds(test, ran.value) ? null : 'it is not true';
}

function inThread(workerData: UnitWork): Promise<readonly (readonly [UnitTest, Ran])[]> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './unit-worker.ts' : './unit-worker.js',
    import.meta.url,
  );
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData, name: 'policy-unit-tests' });
    const ended = (cause?: unknown): void =>
      reject(
        new SluiceError('policy_unit_test_failed', {
          message: "The thread that runs the policy's unit tests ended before they did.",
          ...(cause === undefined ? {} : { cause }),
        }),
      );
    worker.on('error', ended);
    worker.on('exit', () => ended());
    worker.on('message', (said: UnitRan) => {
      if ('ran' in said) resolve(said.ran);
      else reject(new SluiceError(said.failure.code, said.failure.message));
    });
  });
}

async function tryScenarios(candidate: LivePolicy): Promise<void> {
  const files = Object.entries(candidate.source.sources)
    .filter(([path]) => /^scenarios\/.+\.ya?ml$/.test(path))
    .map(([path, text]) => ({ path, text }));
  if (files.length === 0) return;
  const { documents, faults } = readScenarios(candidate.bundle, files);
  if (faults.length > 0)
    throw new SluiceError(
      'policy_scenario_failed',
      `The policy's scenarios cannot be read: ${faults
        .slice(0, TOLD)
        .map((f) => `${f.file}:${f.line}: ${f.message}`)
        .join('; ')}`,
    );
  const outcomes = await playAll(candidate, documents, () => true);
  const failed = outcomes.filter((o) => o.state === 'failed');
  if (failed.length === 0) return;
  throw new SluiceError(
    'policy_scenario_failed',
    `${failed.length} of the policy's ${outcomes.length} scenarios fail: ${failed
      .slice(0, TOLD)
      .map((o) => `${o.file}:${o.line} "${o.name}"`)
      .join('; ')}. Run "sluice test" on the policy to see how.`,
  );
}
