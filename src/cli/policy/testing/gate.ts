/**
 * The last check before a policy goes live: its unit tests must pass on the production engine, and its scenarios must have the
 * expected results. If one fails, the last good policy stays live. A process of lower priority tries a policy that replaces another,
 * since requests would wait for it. The scenarios of the first policy are played on the main thread: nobody waits yet, and the code that answers requests is
 * compiled by then.
 */
import { fork } from 'node:child_process';
import { SluiceError } from '../../../errors.ts';
import { giveWay } from '../../../observability/background.ts';
import type { Gate, Trial } from '../../../policy/gate.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { GateSaid, GateWork } from './gate-process.ts';
import { tryScenarios, type UnitTests } from './trials.ts';

/** A policy whose trial takes longer does not go live. */
const TRIAL_MINUTES = 10;

/** @throws SluiceError `policy_unit_test_failed`, `policy_scenario_failed` */
export const policyGate: Gate = gateWithin(TRIAL_MINUTES * 60_000);

export function gateWithin(ms: number): Gate {
  return (candidate, trial) => gate(candidate, trial, ms);
}

async function gate(
  candidate: LivePolicy,
  { isFirst, signal, ...settings }: Trial,
  ms: number,
): Promise<UnitTests> {
  const work = { bundle: candidate.source, scenarios: !isFirst, ...settings };
  const late = AbortSignal.timeout(ms);
  const [inProcess, here] = await Promise.allSettled([
    isFirst && !hasUnitTests(candidate) ? {} : tried(work, { isFirst, signal, ms }),
    isFirst
      ? scenariosHere(candidate, signal === undefined ? late : AbortSignal.any([late, signal]), ms)
      : undefined,
  ]);
  for (const tried of [inProcess, here]) if (tried.status === 'rejected') throw tried.reason;
  return inProcess.status === 'fulfilled' ? inProcess.value : {};
}

const hasUnitTests = ({ source: { tests } }: LivePolicy): boolean => (tests?.tests.length ?? 0) > 0;

/** Does not wait for a scenario that hangs; the others are not begun. */
async function scenariosHere(candidate: LivePolicy, stop: AbortSignal, ms: number): Promise<void> {
  const stopped = Promise.withResolvers<never>();
  const onAbort = (): void => stopped.reject(new SluiceError('policy_scenario_failed', lateMessage(ms)));
  stop.addEventListener('abort', onAbort);
  if (stop.aborted) onAbort();
  try {
    await Promise.race([stopped.promise, tryScenarios(candidate, stop)]);
  } finally {
    stop.removeEventListener('abort', onAbort);
  }
}

const lateMessage = (ms: number): string =>
  `The policy's unit tests and scenarios did not end within ${ms / 1000} s: run "sluice test" on the policy, and shorten those that take long.`;

interface Trying {
  readonly isFirst: boolean;
  readonly signal: AbortSignal | undefined;
  readonly ms: number;
}

function tried(work: GateWork, { isFirst, signal, ms }: Trying): Promise<UnitTests> {
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
    // The first word counts. It is passed on when the process has ended, so that no process outlives its trial.
    let outcome: (() => void) | null = null;
    const refuse = (message: string, cause?: unknown): void => {
      const details = { message, ...(cause === undefined ? {} : { cause }) };
      outcome ??= () => reject(new SluiceError('policy_unit_test_failed', details));
    };
    const ended = (cause?: unknown): void =>
      refuse('The process that tries the policy ended before it had said whether the policy passes.', cause);
    // It may be busy in a single test, so that it would not hear a word.
    const kill = (message: string): void => {
      refuse(message);
      child.kill('SIGKILL');
    };
    const onAbort = (): void =>
      kill('The trial of the policy was stopped: its result is not needed any more.');
    const timer = setTimeout(() => kill(lateMessage(ms)), ms);
    signal?.addEventListener('abort', onAbort);
    const settle = (cause?: unknown): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      ended(cause);
      outcome?.();
    };
    // Without an exit where it could not be started.
    child.on('error', settle);
    child.on('exit', () => settle());
    child.on('message', (said: GateSaid) => {
      outcome ??=
        'passed' in said
          ? () => resolve(said.passed)
          : () => reject(new SluiceError(said.failure.code, said.failure.message));
    });
    child.send(work, (e) => {
      if (e !== null) ended(e);
    });
    if (signal?.aborted) onAbort();
  });
}
