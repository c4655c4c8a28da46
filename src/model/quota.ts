/** Limits on volume: how many records, or how many people's, somebody may get in a time. The policy's data define them (`quotas.yaml`). */
import type { Subject } from './input.ts';

/** `context.quota`. Members that change with every request are in `counts` alone, so that a policy that does not read them is cached. */
export interface QuotaState {
  readonly counts: { readonly [name: string]: QuotaCount };
  /** sorted names of the quotas with `over: deny` of which less is left than the request may take */
  readonly exceeded: readonly string[];
  /** what is reserved: the most records that the answer may have */
  readonly max_records: number;
  /** sorted names of the quotas whose `warn` is reached with this request */
  readonly near: readonly string[];
}

/** Of several counters of one quota (a caller with several roles): the one of which least is left. */
export interface QuotaCount {
  /** false: `used` is an estimate of distinct data subjects (HyperLogLog, standard error 0.81 %) */
  readonly exact: boolean;
  readonly limit: number;
  /** what is neither used nor reserved by requests under way, before this request */
  readonly remaining: number;
  readonly used: number;
}

export interface QuotaRequest {
  /** base document of the policy */
  readonly data: { readonly [name: string]: unknown };
  readonly subject: Subject;
  /** id of the agent; absent or null: the subject itself asks */
  readonly agent?: string | null;
  readonly purpose: string;
  /** the answer is one record, as far as the route says */
  readonly single: boolean;
}

export interface QuotaReservation {
  readonly state: QuotaState;
  /**
   * Counts what was disclosed and gives back the rest. Does not wait and does not fail: it is repeated, and logged and counted if it is lost.
   * @param dataSubjects their keyed digests, as the decision record has them
   */
  settle(records: number, dataSubjects: ReadonlySet<string>): void;
}

export interface Quotas {
  /**
   * Reserves what the request may take. Null: no quota is about it; then there is no round trip.
   * @throws SluiceError `quota_unavailable`: then the request must be refused
   */
  reserve(request: QuotaRequest): Promise<QuotaReservation> | null;
  /**
   * What is left of the quotas that such a request would be about, by name; nothing is reserved.
   * @throws SluiceError `quota_unavailable`
   */
  remaining(request: Omit<QuotaRequest, 'single'>): Promise<{ readonly [name: string]: QuotaCount }>;
}
