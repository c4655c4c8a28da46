/**
 * Proof that the caller deals with the data subject: a case number, a one-time code, a signed assertion. Checked before the policy is asked, and
 * never told apart to the caller: an unknown case, one of somebody else and a wrong code fail alike.
 */
import { SluiceError } from '../errors.ts';
import {
  PROOF_HEADERS,
  type Proof,
  type SubjectVerification,
  VERIFICATION_METHODS,
  type VerificationMethod,
  type Verifications,
} from '../model/verification.ts';
import { createAssertions, type VerifyAssertion } from './assertions.ts';
import { type Ask, createCases } from './cases.ts';
import type { Codes } from './codes.ts';
import { createFailures } from './failures.ts';
import { FAILED, type Finding } from './finding.ts';
import type { VerificationConfig } from './section.ts';

export type { VerifyAssertion } from './assertions.ts';
export { type Codes, createCodes, type NewCode, type Send, VERIFICATION_MIGRATIONS } from './codes.ts';

export interface VerificationDependencies {
  readonly ask: Ask;
  /** null: `verification.assertion` is not configured */
  readonly verifyAssertion: VerifyAssertion | null;
  /** null: `verification.code` is not configured */
  readonly codes: Codes | null;
}

type Check = (value: string, caller: string, at: Date) => Promise<Finding>;

export function createVerifications(
  config: VerificationConfig,
  { ask, verifyAssertion, codes }: VerificationDependencies,
): Verifications {
  const checks = new Map<VerificationMethod, Check>();
  if (config.case !== undefined) checks.set('case', createCases(config.case, ask));
  if (config.assertion !== undefined && verifyAssertion !== null)
    checks.set('assertion', createAssertions(config.assertion, verifyAssertion));
  if (codes !== null) checks.set('code', codes.check);
  const failures = createFailures(config.failures);

  async function checked(
    method: VerificationMethod,
    value: string,
    caller: string,
    at: Date,
  ): Promise<Proof> {
    const check = checks.get(method);
    const isBlocked = failures.isBlocked(caller);
    // Counted before it is checked: else all of many requests at once would be tried.
    failures.count(caller);
    if (check === undefined || isBlocked) return proofOf(method, FAILED, at);
    let finding: Finding;
    try {
      finding = await check(value, caller, at);
    } catch (e) {
      failures.forgive(caller);
      throw e;
    }
    if (!('failure' in finding)) failures.forgive(caller);
    return proofOf(method, finding, at);
  }

  return {
    methods: [...checks.keys()].sort(),
    check({ headers, caller, at }) {
      const brought = VERIFICATION_METHODS.flatMap((method) => {
        const value = headers[PROOF_HEADERS[method].toLowerCase()];
        return value === undefined ? [] : [[method, value] as const];
      });
      const [first, ...others] = brought;
      if (first === undefined) return null;
      const [method, value] = first;
      if (others.length > 0 || typeof value !== 'string')
        throw new SluiceError(
          'request_malformed',
          `The request brings several proofs that the caller deals with the data subject. Send one of ${Object.values(PROOF_HEADERS).join(', ')}.`,
        );
      return checked(method, value.trim(), caller, at);
    },
    mismatched: (caller) => failures.count(caller),
  };
}

function proofOf(method: VerificationMethod, finding: Finding, at: Date): Proof {
  const checked = at.toISOString();
  const state: SubjectVerification =
    'failure' in finding
      ? { at: checked, failure: finding.failure, method, verified: false }
      : { at: checked, data_subject: finding.data_subject, method, verified: true };
  return 'use' in finding && finding.use !== undefined ? { state, use: finding.use } : { state };
}
