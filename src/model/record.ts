/** The durable, chained record of one decision and its disclosure (design §5.6). */
import type { AdminInput } from './administration.ts';
import type { Reason } from './answers.ts';
import type { Consent } from './consent.ts';
import type { Action, Agent, PolicyInput, Resource, Subject, Tier } from './input.ts';

export type RecordKind =
  | 'disclosure'
  | 'authzen'
  | 'mcp'
  | 'admin'
  | 'consent'
  | 'grant'
  | 'policy'
  | 'erasure'
  | 'share';
/** the OCSF actions */
export type Outcome = 'allowed' | 'modified' | 'denied' | 'observed' | 'error';

/** A path that was withheld or transformed, its treatment and the reason; never a value. */
export interface WithheldPath {
  readonly path: string;
  readonly class?: string;
  readonly do: string;
  readonly because: string;
  /** number of places in the response */
  readonly count: number;
}

/**
 * A consent state for which the policy was evaluated, and its answer. A replay evaluates another policy for the same state. Attributes of records
 * are values and not recorded, so a policy that reads them cannot be replayed exactly.
 */
export interface RecordedState {
  readonly resource: string;
  /** as the policy saw them, without ids */
  readonly consents: readonly Omit<Consent, 'id'>[];
  readonly flags: readonly string[];
  /** false: records in this state were withheld */
  readonly disclose: boolean;
  /** treatment → classes and single fields, as in the answer */
  readonly treatments: { readonly [treatment: string]: readonly string[] };
  /** number of records, and of resources embedded in them */
  readonly count: number;
}

export interface DisclosureSummary {
  readonly records: number;
  readonly records_withheld: number;
  /** paths that were released unchanged */
  readonly released: readonly string[];
  /** paths that were withheld or released transformed, with their treatment */
  readonly withheld: readonly WithheldPath[];
  /** class → treatment → count */
  readonly by_class: { readonly [cls: string]: { readonly [treatment: string]: number } };
  /** keyed HMACs of data-subject ids, `hmac:<key id>:<hex>` */
  readonly data_subjects: readonly string[];
  readonly withheld_reasons?: { readonly [code: string]: number };
  /** ids of the consents on which treatments rest */
  readonly consents?: readonly string[];
  /** one entry for each distinct state and answer; limited in number */
  readonly answers?: readonly RecordedState[];
  /** number of states beyond those listed */
  readonly answers_omitted?: number;
}

export interface DecisionRecordDraft {
  readonly decision_id: string;
  readonly timestamp: string;
  readonly kind: RecordKind;
  readonly outcome: Outcome;
  readonly subject: Subject | null;
  /** who acts for the subject; absent: the subject itself, as in all older records */
  readonly agent?: Agent;
  readonly action: Action['name'] | null;
  readonly resource: Resource | null;
  readonly purpose: string | null;
  readonly tier: Tier | null;
  readonly recipient: string | null;
  readonly justification: string | null;
  readonly grant_id: string | null;
  /** members that the caller stated and nothing verified, sorted; absent in older records */
  readonly claimed?: readonly string[];
  readonly reasons: readonly Reason[];
  readonly disclosure: DisclosureSummary | null;
  readonly request: {
    readonly method: string;
    readonly route: string | null;
    /** the path with ids replaced by parameter names; never values of the query */
    readonly path: string | null;
    readonly client_ip: string | null;
  } | null;
  readonly upstream: { readonly name: string; readonly status: number | null } | null;
  readonly response: { readonly status: number; readonly bytes: number | null } | null;
  readonly policy: { readonly revision: string; readonly bundle: string } | null;
  /** input of the policy, masked */
  readonly input: PolicyInput | AdminInput | { readonly [key: string]: unknown } | null;
  readonly timings_us: { readonly [stage: string]: number };
  readonly trace_id: string | null;
  readonly labels: { readonly [key: string]: string };
  /**
   * A long response is recorded in parts, each on disk before its bytes are sent: parts 1, 2, … share `decision_id`, and the
   * final one has `last: true`. A short response has one part.
   */
  readonly part: {
    readonly number: number;
    readonly last: boolean;
    /** set by the log if a part was too long for one record and was split */
    readonly piece?: number;
    readonly pieces?: number;
  };
}

export interface DecisionRecord extends DecisionRecordDraft {
  /** name of the chain; each process has its own */
  readonly origin: string;
  /** 1, 2, 3 … within the origin, without a gap */
  readonly seq: number;
  /** `hash` of the previous record of the origin; 64 zeros for the first */
  readonly prev_hash: string;
  /** SHA-256, hex, of the record's line: see decision-log/journal/chain.ts */
  readonly hash: string;
}

/** What a complete record of version 2 needs to be verified on its own. Copies in an index, a sink or an export have it. */
export interface RecordProof {
  /** hash of the last shared document that was written for this record */
  readonly after?: string;
  readonly salt: string;
  /** kind of a shared document → salts, in the order of the record */
  readonly shared: { readonly [kind: string]: readonly string[] };
}

/** What a copy for a sink says of itself if the policy has changed it. Such a copy cannot be verified: its record in the journal can. */
export interface CopyMask {
  /** pointers to what was removed */
  readonly erased?: readonly string[];
  /** pointers to what was replaced */
  readonly masked?: readonly string[];
  /** why the policy could not say what the sink may have; everything that tells of the request is removed */
  readonly mask_error?: string;
}

export interface DecisionLog {
  /**
   * Resolves when the record is durable (see `durability`).
   * @throws SluiceError `journal_unwritable`, `journal_full`: then nothing may be released.
   */
  append(draft: DecisionRecordDraft): Promise<DecisionRecord>;
  /** throws what `append` would throw now, without a write; called before the upstream is asked */
  check(): void;
  status(): { ok: boolean; detail?: string; lag: number };
  close(): Promise<void>;
}

export const NOTHING_DISCLOSED: DisclosureSummary = Object.freeze({
  records: 0,
  records_withheld: 0,
  released: [],
  withheld: [],
  by_class: {},
  data_subjects: [],
});
