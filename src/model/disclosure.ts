/** What crosses the boundary between the pipeline and the disclosure stage. */
import type { DisclosureAnswer, Obligations } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { DataSubjectState } from './consent.ts';
import type { DisclosureSummary } from './record.ts';

/** Name of a format that is registered in `disclosure/formats/formats.ts`. */
export type FormatName = string;

/**
 * How the records of a format stand in a body:
 * - `value`: somewhere in one value; the route or the catalog says where. Without that, and with a pointer without a wildcard, the body is one record
 * - `elements`: as `value`, but elements may repeat at each step of a pointer
 * - `rows`: each row, line or entry is a record
 * - `single`: the body is one record
 */
export type Layout = 'value' | 'elements' | 'rows' | 'single';

export type Scalar =
  | { readonly kind: 'string'; readonly text: string }
  /** a number as the upstream spelled it */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'boolean'; readonly text: 'true' | 'false' }
  | { readonly kind: 'null'; readonly text: 'null' };

/** A value that stands where a catalog expects an identifier of a type. */
export interface TypedId {
  readonly type: string;
  readonly text: string;
}

/** Everything needed to disclose one response body. */
export interface DisclosurePlan {
  readonly format: FormatName;
  /** of the body, IANA name, or empty: the body says it itself or is UTF-8; only text formats but JSON take another than UTF-8 */
  readonly charset: string;
  /** the route names it: what the body declares of itself (XML) does not count */
  readonly charsetCertain?: boolean;
  readonly catalog: Catalog;
  /** for embedded resources */
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** pointer (with `*`) to the records; null: the whole body is one record */
  readonly records: string | null;
  /** data subject known from the request (a path id), used where the record itself does not say */
  readonly dataSubject: string | null;
  /**
   * Pointers of fields that the request searched, filtered or sorted by: a record that does not show all of them as they are is
   * withheld, since that it was found tells what they hold.
   */
  readonly searched?: readonly string[];
  /** the request may show a page of what it finds: a list that it narrowed, or that must hold groups, then tells no total */
  readonly paged?: boolean;
  /** pointers of fields that the caller did not select: what they are is looked at, and left out */
  readonly unasked?: readonly string[];
  /** what the headers of the answer say of the list's length */
  readonly announced?: { readonly total: number | null; readonly more: boolean };
  /** whether the upstream has records behind the first `met`; asked where it does not say how many there are; null: it cannot be asked */
  more?(met: number): Promise<boolean | null>;
  /** which of the disclosed records leave, where the body has more than the page that was asked for */
  readonly page?: Page | null;
  readonly obligations: Obligations;
  readonly recipient: string;
  readonly purpose: string;
  readonly decisionId: string;
  /** options of the format: `header: false`, `separator: ";"`, `namespaces`… */
  readonly options: { readonly [name: string]: unknown };
  /** attributes of records that an answer may depend on; null: any */
  readonly attributesRead?: readonly string[] | null;
  /**
   * The ids that consents are kept under of those whom values name, by type, line break and value; without an entry a value names nobody, and its
   * record is withheld.
   * @throws SluiceError consent_unavailable
   */
  identify?(values: readonly TypedId[]): Promise<ReadonlyMap<string, string>>;
  /** states of data subjects; @throws SluiceError consent_unavailable */
  consents(ids: readonly string[]): Promise<ReadonlyMap<string, DataSubjectState>>;
  /** asks the policy; cached by the caller's policy snapshot; `resource` is the catalog's name */
  ask(
    resource: string,
    state: DataSubjectState,
    attributes: { readonly [name: string]: string | number | boolean | null },
  ): DisclosureAnswer;
}

/**
 * A piece of the answer. Its bytes may be released once a record with its summary is durable.
 * Summaries of parts add up: the summary of a part covers exactly its bytes.
 */
export interface DisclosurePart {
  readonly chunks: readonly Uint8Array[];
  readonly summary: DisclosureSummary;
  readonly last: boolean;
}

/** A page of the disclosed records of a body that begins with the first record there is. */
export interface Page {
  /** disclosed records before it */
  readonly offset: number;
  /** null: all that there are */
  readonly limit: number | null;
  /** the body has so many records at most: if it has as many, there may be more */
  readonly fetch: number;
}

export interface DisclosureStage {
  /**
   * Treats a body as a stream. Yields at least one part, the final one with `last: true`. Memory is bounded by the
   * record limit and the part size, whatever the body's size.
   * @throws SluiceError `response_malformed`, `response_too_deep`, `record_too_large`, `response_charset_unknown`, …;
   *   bytes of parts already yielded stay valid, nothing of the offending record is among them.
   */
  disclose(body: AsyncIterable<Uint8Array>, plan: DisclosurePlan): AsyncGenerator<DisclosurePart, void, void>;
  /** The same for a short body that has arrived whole: no stream in between. */
  discloseBuffer(body: Uint8Array, plan: DisclosurePlan): Promise<readonly DisclosurePart[]>;
}
