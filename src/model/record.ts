/** The durable, chained account of one decision and its disclosure (design §5.6). */
import type { Reason } from './answers.ts';
import type { Consent } from './consent.ts';
import type { Action, PolicyInput, Resource, Subject, Tier } from './input.ts';

export type RecordKind = 'disclosure' | 'authzen' | 'admin' | 'consent' | 'grant' | 'policy';
/** the OCSF actions */
export type Outcome = 'allowed' | 'modified' | 'denied' | 'observed' | 'error';

/** One path with what was done to it and why; never a value. */
export interface FieldAccount {
  readonly path: string;
  readonly class?: string;
  readonly do: string;
  readonly because: string;
  /** in how many places of the answer */
  readonly count: number;
}

/**
 * One state of data subjects that the policy was asked about, and what it answered: enough to ask another policy the same.
 * Attributes of records are values and never on record: a policy that reads them cannot be asked again exactly.
 */
export interface AskedState {
  readonly resource: string;
  /** as the policy saw them, without their ids */
  readonly consents: readonly Omit<Consent, 'id'>[];
  readonly flags: readonly string[];
  /** false: records in this state were withheld */
  readonly disclose: boolean;
  /** treatment → classes and single fields, as the answer named them */
  readonly treatments: { readonly [treatment: string]: readonly string[] };
  /** how often: records, and resources embedded in them */
  readonly count: number;
}

export interface DisclosureSummary {
  readonly records: number;
  readonly records_withheld: number;
  /** paths that left undisguised */
  readonly released: readonly string[];
  /** paths that did not, or that left disguised, with what was done */
  readonly withheld: readonly FieldAccount[];
  /** class → treatment → count */
  readonly by_class: { readonly [cls: string]: { readonly [treatment: string]: number } };
  /** keyed HMACs of data-subject ids, `hmac:<key id>:<hex>` */
  readonly data_subjects: readonly string[];
  readonly withheld_reasons?: { readonly [code: string]: number };
  /** ids of the consents the treatment rested on */
  readonly consents?: readonly string[];
  /** once a distinct state and answer; a bounded number of them */
  readonly answers?: readonly AskedState[];
  /** states beyond those listed */
  readonly answers_omitted?: number;
}

export interface DecisionRecordDraft {
  readonly decision_id: string;
  readonly timestamp: string;
  readonly kind: RecordKind;
  readonly outcome: Outcome;
  readonly subject: Subject | null;
  readonly action: Action['name'] | null;
  readonly resource: Resource | null;
  readonly purpose: string | null;
  readonly tier: Tier | null;
  readonly recipient: string | null;
  readonly justification: string | null;
  readonly grant_id: string | null;
  /** members above that the caller stated and nothing verified, sorted; absent in records of before they were told apart */
  readonly claimed?: readonly string[];
  readonly reasons: readonly Reason[];
  readonly disclosure: DisclosureSummary | null;
  readonly request: {
    readonly method: string;
    readonly route: string | null;
    /** the path with ids replaced by their parameter names; never the query's values */
    readonly path: string | null;
    readonly client_ip: string | null;
  } | null;
  readonly upstream: { readonly name: string; readonly status: number | null } | null;
  readonly response: { readonly status: number; readonly bytes: number | null } | null;
  readonly policy: { readonly revision: string; readonly bundle: string } | null;
  /** what the policy saw, masked */
  readonly input: PolicyInput | { readonly [key: string]: unknown } | null;
  readonly timings_us: { readonly [stage: string]: number };
  readonly trace_id: string | null;
  readonly labels: { readonly [key: string]: string };
  /**
   * A long answer is recorded in parts, each on disk before its bytes leave: part 1, 2, … share `decision_id`, the
   * final one has `last: true`. A short answer is one part.
   */
  readonly part: {
    readonly number: number;
    readonly last: boolean;
    /** set by the log where a part was too long for one record and was written as several */
    readonly piece?: number;
    readonly pieces?: number;
  };
}

export interface DecisionRecord extends DecisionRecordDraft {
  /** names the chain: one a process */
  readonly origin: string;
  /** 1, 2, 3 … within the origin, without a gap */
  readonly seq: number;
  /** `hash` of the origin's record before this one; 64 zeros for the first */
  readonly prev_hash: string;
  /** SHA-256, hex, over the RFC 8785 canonical JSON of the record without this member */
  readonly hash: string;
}

export interface DecisionLog {
  /**
   * Resolves when the record is durable (as `durability` says).
   * @throws SluiceError `journal_unwritable`, `journal_full`: nothing may be released then.
   */
  append(draft: DecisionRecordDraft): Promise<DecisionRecord>;
  /** throws what `append` would throw now, without writing: asked before the upstream is bothered */
  check(): void;
  status(): { ok: boolean; detail?: string; lag: number };
  close(): Promise<void>;
}
