/** Types that the pipeline and the disclosure module exchange. */
import type { DisclosureAnswer, Obligations } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { DataSubjectState, States } from './consent.ts';
import type { DisclosureSummary } from './record.ts';
import type { RecordFilter } from './record-filter.ts';
import type { RetentionRule } from './retention.ts';

/** Name of a format registered in `disclosure/formats/formats.ts`. */
export type FormatName = string;

/**
 * The position of records in a body of a format:
 * - `value`: within one value, as the route or the catalog states. Otherwise, and for a pointer without a wildcard, the body is one record
 * - `elements`: as `value`, but elements may repeat at each step of a pointer
 * - `rows`: each row, line or entry is a record
 * - `single`: the body is one record
 * - `events`: the body may never end. Each event is a record, or has them where the route says
 */
export type Layout = 'value' | 'elements' | 'rows' | 'single' | 'events';

/** Null: the format is known only when the answer comes. */
export type LayoutOf = (format: FormatName | null) => Layout | null;

export type Scalar =
  | { readonly kind: 'string'; readonly text: string }
  /** a number as the upstream wrote it */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'boolean'; readonly text: 'true' | 'false' }
  | { readonly kind: 'null'; readonly text: 'null' };

/** A value at a place where a catalog expects an identifier of a type. */
export interface TypedId {
  readonly type: string;
  readonly text: string;
}

/** Everything needed to disclose one response body. */
export interface DisclosurePlan {
  readonly format: FormatName;
  /** charset of the body, IANA name; empty: the body declares it, or it is UTF-8. Only text formats other than JSON allow one */
  readonly charset: string;
  /** the route names the charset: what the body declares (XML) is ignored */
  readonly charsetCertain?: boolean;
  readonly catalog: Catalog;
  /** for embedded resources */
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** pointer (with `*`) to the records; null: the entire body is one record */
  readonly records: string | null;
  /** data subject named by the request (a path id), used if the record names none */
  readonly dataSubject: string | null;
  /**
   * Pointers of fields that the request searched, filtered or sorted by. A record that does not show all of them unchanged is withheld,
   * because finding it reveals their values.
   */
  readonly searched?: readonly string[];
  /** What the caller gets depends on whether a record is released: no part is created before one is. */
  readonly recordFirst?: boolean;
  /** the response may be one page of the results: a list that the request narrowed, or that must hold groups, then states no total */
  readonly paged?: boolean;
  /** pointers of fields that the caller did not select: they are read, but removed from the response */
  readonly unasked?: readonly string[];
  /** what the response headers state about the length of the list */
  readonly announced?: { readonly total: number | null; readonly more: boolean };
  /** tells whether the upstream has records after the first `met`; used if it does not state a total; null: it cannot be asked */
  more?(met: number): Promise<boolean | null>;
  /** which disclosed records to send, if the body has more than the requested page */
  readonly page?: Page | null;
  readonly obligations: Obligations;
  /** every record outside it is withheld; null: there is no limit */
  readonly filter?: RecordFilter | null;
  /** fields of a category are dropped in records that are older; absent: there is no limit */
  readonly retention?: readonly RetentionRule[];
  /** the one data subject whose records may be disclosed, since the caller has proven to deal with them; null: any */
  readonly provenSubject?: string | null;
  readonly recipient: string;
  readonly purpose: string;
  readonly decisionId: string;
  /** options of the format: `header: false`, `separator: ";"`, `namespaces`… */
  readonly options: { readonly [name: string]: unknown };
  /** attributes of records that answers may depend on; null: any */
  readonly attributesRead?: readonly string[] | null;
  /**
   * Resolves values to the ids under which consents are stored, by type, line break and value. A value without an entry names nobody, and its
   * record is withheld. Answers at once where nothing has to be waited for, as `consents` and `discloseBuffer` do.
   * @throws SluiceError consent_unavailable
   */
  identify?(values: readonly TypedId[]): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>;
  /** states of data subjects; @throws SluiceError consent_unavailable */
  consents(ids: readonly string[]): States | Promise<States>;
  /**
   * A body that may never end: the plan for what has arrived now, by the policy that is in force now.
   * @throws SluiceError what refuses the rest
   */
  renew?(): DisclosurePlan | Promise<DisclosurePlan>;
  /** asks the policy; cached by the caller's policy snapshot; `resource` is the catalog's name */
  ask(
    resource: string,
    state: DataSubjectState,
    attributes: { readonly [name: string]: string | number | boolean | null },
  ): DisclosureAnswer;
}

/**
 * A part of the response. Its bytes may be released once a record with its summary is durable.
 * The summary of a part covers exactly its bytes, so summaries add up.
 */
export interface DisclosurePart {
  readonly chunks: readonly Uint8Array[];
  readonly summary: DisclosureSummary;
  readonly last: boolean;
  readonly lookups: LookupRange;
  /** Keeps the connection alive: its bytes are Sluice's own and tell of nothing, so that no record covers them. */
  readonly heartbeat?: true;
}

/** The calls of `plan.consents` whose states a part rests on, counted from 0; `to` is not one of them. Two parts may rest on the same call. */
export interface LookupRange {
  readonly from: number;
  readonly to: number;
}

/** A page of the disclosed records of a body that starts with the first record. */
export interface Page {
  /** disclosed records before it */
  readonly offset: number;
  /** null: all records */
  readonly limit: number | null;
  /** maximum records of the body; if it has as many, there may be more */
  readonly fetch: number;
}

export interface DisclosureStage {
  /**
   * Processes a body as a stream. Yields at least one part, the final one with `last: true`. Memory is bounded by the
   * record limit and the part size, whatever the body's size.
   * @throws SluiceError `response_malformed`, `response_too_deep`, `record_too_large`, `response_charset_unknown`, …;
   *   bytes of parts already yielded stay valid and contain nothing of the offending record.
   */
  disclose(body: AsyncIterable<Uint8Array>, plan: DisclosurePlan): AsyncGenerator<DisclosurePart, void, void>;
  /** The same for a short body that has arrived completely, without a stream. */
  discloseBuffer(
    body: Uint8Array,
    plan: DisclosurePlan,
  ): readonly DisclosurePart[] | Promise<readonly DisclosurePart[]>;
}
