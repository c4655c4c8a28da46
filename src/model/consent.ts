/** What a data subject has agreed to, and where that is kept. */

export interface Consent {
  readonly id?: string;
  readonly purpose: string;
  readonly categories: readonly string[];
  /** `internal`, or the partner's name: a consent for one never covers the other */
  readonly recipient: string;
  /** after resolution against the clock: a `given` consent past its `until` reads `expired`, before its `from` `pending`; `unknown`: the source has another word */
  readonly status: 'given' | 'withdrawn' | 'expired' | 'pending' | 'unknown';
  readonly explicit?: boolean;
  /** RFC 3339; present in the policy's input only if the policy reads them */
  readonly from?: string;
  readonly until?: string;
}

/** The state of one data subject as the policy sees it. Two data subjects in the same state get the same treatment. */
export interface DataSubjectState {
  readonly consents: readonly Consent[];
  /** e.g. `opt_out`, `deceased`, `restricted` */
  readonly flags: readonly string[];
}

export const NO_STATE: DataSubjectState = Object.freeze({
  consents: Object.freeze([]),
  flags: Object.freeze([]),
});

export interface ConsentSource {
  /**
   * States of many data subjects at once; one that is not known is absent from the map.
   * @throws SluiceError `consent_unavailable` when the source cannot answer: the caller must refuse, never assume.
   */
  lookup(ids: readonly string[], at: Date): Promise<ReadonlyMap<string, DataSubjectState>>;
  /** the id that somebody is kept under whom a value of this type names; undefined: the source knows no such alias. Throws as `lookup` rejects. */
  alias?(type: string, value: string): string | undefined;
  ready(): Promise<{ ok: boolean; detail?: string }>;
  /** looks for changes now, where the source is one that has to look */
  refresh?(): void;
  close(): Promise<void>;
}
