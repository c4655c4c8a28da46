/** The process that tries a policy before activation: its unit tests, and its scenarios. */
import '../../../json-parse.ts';
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
