/** The process that tries a policy before activation: its unit tests, and its scenarios. */
import '../../../json-parse.ts';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, isSluiceError } from '../../../errors.ts';
import { createSnapshot } from '../../../policy/snapshot/index.ts';
import type { Trial } from '../../../policy/gate.ts';
import type { PolicyBundle } from '../../../policy/bundle/bundle.ts';
import { tryScenarios, tryUnitTests, type UnitTests } from './trials.ts';

export interface GateWork extends Omit<Trial, 'isFirst' | 'signal'> {
  readonly bundle: PolicyBundle;
  /** false: the caller plays them */
  readonly scenarios: boolean;
}

export type GateSaid =
  | { readonly passed: UnitTests }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

const say = (message: GateSaid): void => void process.send?.(message, () => process.disconnect());
// The sidecar is gone, or has its answer.
process.once('disconnect', () => process.exit());
// A single test may keep this thread busy for minutes, so that it hears of nothing: another one looks whether the sidecar is still there.
const WATCH = `const { workerData } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 500);`;
const watch = new Worker(WATCH, { eval: true, workerData: process.ppid });
// Without it a trial only lasts longer than its sidecar.
watch.on('error', () => undefined);
watch.unref();
process.once('message', async ({ bundle, scenarios, limits, cache }: GateWork) => {
  try {
    const passed = await tryUnitTests(bundle);
    if (scenarios) await tryScenarios(await createSnapshot(bundle, { limits, cache }));
    say({ passed });
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    say({ failure: { code: e.code, message: e.message } });
  }
});
