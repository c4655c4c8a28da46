/** What tries a policy before it goes live. The store is given one; `cli/policy/testing/gate.ts` plays the policy's own tests. */
import type { CacheLimits, PolicyLimits } from './settings.ts';
import type { LivePolicy } from './snapshot/index.ts';

/** Tests a policy before it goes live. @returns fields for the log */
export type Gate = (candidate: LivePolicy, trial: Trial) => Promise<object | undefined>;

export interface Trial {
  /** nothing is live yet */
  readonly isFirst: boolean;
  /** of the store, for another snapshot of the same policy */
  readonly limits: PolicyLimits;
  readonly cache: CacheLimits;
  /** aborted: the result is not wanted any more, and the trial may end at once with any error */
  readonly signal?: AbortSignal;
}
