/** Consents of data subjects, and the interface of their sources. */

export interface Consent {
  readonly id?: string;
  readonly purpose: string;
  readonly categories: readonly string[];
  /** `internal`, or the partner's name: a consent for one does not cover the other */
  readonly recipient: string;
  /** resolved against the clock: a `given` consent is `expired` after its `until` and `pending` before its `from`; `unknown`: the source has another value */
  readonly status: 'given' | 'withdrawn' | 'expired' | 'pending' | 'unknown';
  readonly explicit?: boolean;
  /** RFC 3339; present in the policy's input only if the policy reads them */
  readonly from?: string;
  readonly until?: string;
}

/** The state of one data subject as the policy sees it. Data subjects in the same state get the same treatment. */
export interface DataSubjectState {
  readonly consents: readonly Consent[];
  /** e.g. `opt_out`, `deceased`, `restricted` */
  readonly flags: readonly string[];
}

export const NO_STATE: DataSubjectState = Object.freeze({
  consents: Object.freeze([]),
  flags: Object.freeze([]),
});

/** states by the id of the data subject */
export type States = ReadonlyMap<string, DataSubjectState>;

/** An identifier of a person other than the one that consents are stored under. */
export interface Alias {
  /** of the policy's data (identifiers.yaml) */
  readonly type: string;
  readonly text: string;
}

export const aliasKey = ({ type, text }: Alias): string => `${type}\n${text}`;

export interface ConsentCache {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
  /** false: announcements may be lost, so that every look-up asks the source */
  readonly isUp: boolean;
  /** milliseconds: nothing is disclosed on an agreement that was withdrawn longer ago */
  readonly bound: number;
}

export interface ConsentSource {
  /**
   * States of several data subjects; an unknown one is absent from the map. A source that has them in memory answers at once.
   * @throws SluiceError `consent_unavailable` if the source cannot answer: the caller must refuse.
   */
  lookup(ids: readonly string[], at: Date): States | Promise<States>;
  /**
   * The ids under which the persons are stored that values of identifiers name, by `aliasKey`; an unknown alias is absent. Answers at once or
   * later, and throws, as `lookup` does.
   */
  aliases?(values: readonly Alias[]): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>;
  /** `detail` is for operators */
  ready(): Promise<{ readonly ok: boolean; readonly degraded?: boolean; readonly detail?: unknown }>;
  /** of a source that remembers what it was told */
  cache?(): ConsentCache;
  /** checks for changes now, if the source needs polling */
  refresh?(): void;
  close(): Promise<void>;
}

/** A flag that another part of Sluice puts on a data subject, beside those of their entry. */
export interface Mark {
  readonly flag: string;
  /** ms since the epoch, the last at which it holds; null: until it is removed */
  readonly until: number | null;
}

export interface MarkSource {
  /** Marks of several data subjects in one round trip; who has none is absent. @throws SluiceError `store_unavailable` */
  marks(ids: readonly string[]): Promise<ReadonlyMap<string, readonly Mark[]>>;
}
