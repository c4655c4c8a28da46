/**
 * Proof that the caller deals with the data subject: what a request brings, what the policy sees of it, and what the obligation
 * `subject_verification` demands.
 */
import type { DecisionAnswer, Reason } from './answers.ts';
import type { PolicyInput } from './input.ts';

export const VERIFICATION_METHODS = ['assertion', 'case', 'code'] as const;
export type VerificationMethod = (typeof VERIFICATION_METHODS)[number];

/** `context.subject_verification`, members in the order of canonical JSON; absent: the request brings no proof */
export interface SubjectVerification {
  /** RFC 3339: when it was checked */
  readonly at: string;
  /** whom the caller deals with; only if verified */
  readonly data_subject?: string;
  /** why it is not verified. `expired`: the proof was right, and its time is over */
  readonly failure?: 'failed' | 'expired';
  readonly method: VerificationMethod;
  readonly verified: boolean;
}

export interface Proof {
  readonly state: SubjectVerification;
  /**
   * Of a proof that is good for a limited number of requests: uses it, once the policy permits the request.
   * @returns false: it was used in between
   * @throws SluiceError `store_unavailable`
   */
  use?(at: Date): Promise<boolean>;
}

/** Who brings a proof, and in which header fields (names in lower case; a list means that the field was repeated). */
export interface ProofRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `subject.id` */
  readonly caller: string;
  readonly at: Date;
}

export interface Verifications {
  /** those that are configured */
  readonly methods: readonly VerificationMethod[];
  /**
   * Null: the request brings no proof. A proof that proves nothing is no error: the policy decides whether one is needed.
   * @throws SluiceError `verification_unavailable` where it cannot be checked; `request_malformed` for several proofs
   */
  check(request: ProofRequest): Proof | null | Promise<Proof | null>;
  /** The proof was about somebody else than the request: it counts as a failed one. */
  mismatched(caller: string): void;
}

/** Header fields of the proofs. */
export const PROOF_HEADERS: { readonly [method in VerificationMethod]: string } = {
  assertion: 'Sluice-Assertion',
  case: 'Sluice-Case',
  code: 'Sluice-Code',
};

const IN_WORDS: { readonly [method in VerificationMethod]: string } = {
  assertion: 'a signed assertion (Sluice-Assertion)',
  case: 'the number of a case about the data subject (Sluice-Case)',
  code: 'a code that the data subject was sent (Sluice-Code)',
};

/** Whether an obligation `subject_verification` can be read. An empty list could never be fulfilled. */
export const areMethods = (value: unknown): value is readonly VerificationMethod[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((method) => (VERIFICATION_METHODS as readonly unknown[]).includes(method));

/** The methods that both the policy and the route accept; null: neither asks for a proof. */
export function acceptedMethods(
  { obligations }: DecisionAnswer,
  ofRoute: readonly VerificationMethod[] | null,
): readonly VerificationMethod[] | null {
  const ofPolicy = obligations.subject_verification ?? null;
  if (ofPolicy === null || ofRoute === null) return ofPolicy ?? ofRoute;
  return ofPolicy.filter((method) => ofRoute.includes(method));
}

/** Why the proof of a request does not do; null: it does. Nothing depends on whether there is such a data subject, case or code. */
export function lackingProof(
  methods: readonly VerificationMethod[],
  { subject_verification: proof }: PolicyInput['context'],
): Reason | null {
  if (proof === undefined || !methods.includes(proof.method))
    return {
      code: 'verification_required',
      message:
        methods.length === 0
          ? 'Proof is needed that the caller deals with the data subject, and the policy and the route accept none in common.'
          : `Proof is needed that the caller deals with the data subject: ${methods.map((method) => IN_WORDS[method]).join(', or ')}.`,
    };
  if (proof.verified && proof.data_subject !== undefined) return null;
  return proof.failure === 'expired' ? EXPIRED : UNPROVEN;
}

const EXPIRED: Reason = Object.freeze({
  code: 'verification_expired',
  message: 'The proof that the caller deals with the data subject has expired. Get another.',
});

/** The same for every proof that proves nothing about whom the request is about. */
export const UNPROVEN: Reason = Object.freeze({
  code: 'verification_failed',
  message: 'What the request brings does not prove that the caller deals with the data subject it is about.',
});
