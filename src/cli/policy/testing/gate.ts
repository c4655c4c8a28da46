/**
 * The last check before a policy goes live: its unit tests must pass on the production engine, and its scenarios must have the
 * expected results. If one fails, the last good policy stays live. A thread tries a policy that replaces another, since requests would
 * wait for it. The scenarios of the first policy are played on the main thread: nobody waits yet, and the code that answers requests is
 * compiled by then.
 */
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../../errors.ts';
import type { Gate } from '../../../policy/gate.ts';
import type { GateSaid, GateWork } from './gate-worker.ts';
import { tryScenarios, type UnitTests } from './trials.ts';

/** @throws SluiceError `policy_unit_test_failed`, `policy_scenario_failed` */
export const policyGate: Gate = async (candidate, { isFirst, ...settings }) => {
  const [inThread, here] = await Promise.allSettled([
    triedInThread({ bundle: candidate.source, scenarios: !isFirst, ...settings }),
    isFirst ? tryScenarios(candidate) : undefined,
  ]);
  for (const tried of [inThread, here]) if (tried.status === 'rejected') throw tried.reason;
  return inThread.status === 'fulfilled' ? inThread.value : {};
};

function triedInThread(workerData: GateWork): Promise<UnitTests> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './gate-worker.ts' : './gate-worker.js',
    import.meta.url,
  );
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData, name: 'policy-gate' });
    const ended = (cause?: unknown): void =>
      reject(
        new SluiceError('policy_unit_test_failed', {
          message: 'The thread that tries the policy ended before it had said whether the policy passes.',
          ...(cause === undefined ? {} : { cause }),
        }),
      );
    worker.on('error', ended);
    worker.on('exit', () => ended());
    worker.on('message', (said: GateSaid) => {
      if ('passed' in said) resolve(said.passed);
      else reject(new SluiceError(said.failure.code, said.failure.message));
    });
  });
}
