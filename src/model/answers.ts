/** Answers of the policy (design §5.2, §5.3). */

import type { RetentionCondition } from './retention.ts';
import type { RecordCondition } from './record-filter.ts';
import type { VerificationMethod } from './verification.ts';

export interface Reason {
  readonly code: string;
  readonly message?: string;
}

export interface Obligations {
  readonly max_records?: number | null;
  readonly watermark?: boolean | null;
  readonly min_group_size?: number | null;
  /** the only records that may be disclosed: all conditions hold for them */
  readonly record_filter?: readonly RecordCondition[] | null;
  /** how long categories may be disclosed, by a date of the record */
  readonly retention?: readonly RetentionCondition[] | null;
  /** methods, of which one must have proven that the caller deals with the data subject; no other data subject's record is disclosed */
  readonly subject_verification?: readonly VerificationMethod[] | null;
  readonly step_up?: string | null;
  /** emergency access, for example: allowed, but somebody must review it afterwards */
  readonly review?: boolean | null;
  readonly [extra: string]: unknown;
}

export interface DecisionAnswer {
  readonly allow: boolean;
  readonly reasons: readonly Reason[];
  readonly tier: 1 | 2 | 3 | null;
  readonly obligations: Obligations;
}

export const TREATMENTS = [
  'disclose',
  'mask',
  'scrub',
  'generalize',
  'pseudonymize',
  'tokenize',
  'encrypt',
  'nullify',
  'drop',
] as const;
export type TreatmentName = (typeof TREATMENTS)[number];

/** The treatment of a field, and the reason. The catalog gives parameters of the treatment; the answer may override them in `with`. */
export interface TreatmentChoice {
  readonly do: TreatmentName;
  readonly because: string;
  readonly with?: { readonly [parameter: string]: unknown };
}

export interface DisclosureAnswer {
  /** false: the entire record is withheld */
  readonly disclose: boolean;
  readonly reasons: readonly Reason[];
  /** by class, e.g. `contact/3`; fields of a class that is not named are dropped */
  readonly classes: { readonly [cls: string]: TreatmentChoice };
  /** by field pointer; takes precedence over its class */
  readonly fields: { readonly [pointer: string]: TreatmentChoice };
}

/** The answer if the policy gives none: nothing is disclosed. */
export const WITHHOLD_ALL = (code: string, message?: string): DisclosureAnswer => ({
  disclose: false,
  reasons: [message === undefined ? { code } : { code, message }],
  classes: {},
  fields: {},
});
