/**
 * The last check before a policy goes live: its unit tests must pass on the production engine, and its scenarios must have the
 * expected results. If one fails, the last good policy stays live. A process of lower priority tries a policy that replaces another,
 * since requests would wait for it. The scenarios of the first policy are played on the main thread: nobody waits yet, and the code that answers requests is
 * compiled by then.
 */
import { fork } from 'node:child_process';
import { SluiceError } from '../../../errors.ts';
import { giveWay } from '../../../observability/background.ts';
import type { Gate } from '../../../policy/gate.ts';
import type { GateSaid, GateWork } from './gate-process.ts';
import { tryScenarios, type UnitTests } from './trials.ts';

/** @throws SluiceError `policy_unit_test_failed`, `policy_scenario_failed` */
export const policyGate: Gate = async (candidate, { isFirst, ...settings }) => {
  const [inProcess, here] = await Promise.allSettled([
    tried({ bundle: candidate.source, scenarios: !isFirst, ...settings }, isFirst),
    isFirst ? tryScenarios(candidate) : undefined,
  ]);
  for (const tried of [inProcess, here]) if (tried.status === 'rejected') throw tried.reason;
  return inProcess.status === 'fulfilled' ? inProcess.value : {};
};

function tried(work: GateWork, isFirst: boolean): Promise<UnitTests> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './gate-process.ts' : './gate-process.js',
    import.meta.url,
  );
  return new Promise((resolve, reject) => {
    const child = fork(file, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    if (!isFirst) giveWay(child);
    const ended = (cause?: unknown): void =>
      reject(
        new SluiceError('policy_unit_test_failed', {
          message: 'The process that tries the policy ended before it had said whether the policy passes.',
          ...(cause === undefined ? {} : { cause }),
        }),
      );
    child.on('error', ended);
    child.on('exit', () => ended());
    child.on('message', (said: GateSaid) => {
      if ('passed' in said) resolve(said.passed);
      else reject(new SluiceError(said.failure.code, said.failure.message));
    });
    child.send(work, (e) => {
      if (e !== null) ended(e);
    });
  });
}
