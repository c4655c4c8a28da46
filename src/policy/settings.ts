/** Types, limits and defaults of the `policy` section of the configuration. */
import { ASYMMETRIC_ALGORITHMS, SYMMETRIC_ALGORITHMS } from '../model/algorithms.ts';
import type { PolicySection } from './section.ts';

const MiB = 1024 * 1024;

/** of bundles: whoever deploys Sluice may also sign them, so that a shared secret is possible */
export const SIGNING_ALGORITHMS = [...SYMMETRIC_ALGORITHMS, ...ASYMMETRIC_ALGORITHMS] as const;
/** Without shared secrets: whoever can verify an approval could also make one. */
export const APPROVAL_ALGORITHMS = ASYMMETRIC_ALGORITHMS;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** every member may be absent or undefined, as after validation */
type Loose<T> = {
  readonly [K in keyof T]?: NonNullable<T[K]> extends object
    ? Loose<NonNullable<T[K]>> | undefined
    : T[K] | undefined;
};
export type PolicyConfig = Loose<PolicySection>;
export type PolicyShadowConfig = Loose<NonNullable<PolicySection['shadow']>>;

export interface PolicyLimits {
  readonly evaluation_ms: number;
  readonly memory_mb: number;
  readonly input_bytes: number;
  readonly bundle_bytes: number;
  readonly expanded_bytes: number;
  readonly ratio: number;
}

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly time_step_ms: number;
}

export const DEFAULT_LIMITS: PolicyLimits = {
  evaluation_ms: 100,
  memory_mb: 256,
  input_bytes: 4 * MiB,
  bundle_bytes: 64 * MiB,
  expanded_bytes: 256 * MiB,
  ratio: 200,
};

export const DEFAULT_CACHE: CacheLimits = { entries: 20_000, bytes: 32 * MiB, time_step_ms: 1000 };

/** fills in defaults for absent values */
export const settle = <T extends object>(
  defaults: T,
  given: { readonly [K in keyof T]?: T[K] | undefined } | undefined,
): T => {
  const settled = { ...defaults };
  for (const key of Object.keys(defaults) as (keyof T)[]) {
    const value = given?.[key];
    if (value !== undefined) settled[key] = value;
  }
  return settled;
};

/** The entrypoint that is asked where the policy has it: without it, nobody may use the admin API. */
export const ADMIN = 'sluice/admin';
