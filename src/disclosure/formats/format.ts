/**
 * The contract of a format. A format knows how a body is spelled; the rest of the disclosure stage knows data subjects, consents, the policy's
 * answers, parts and summaries, and nothing about bytes. Longer than most: the contract is in one place.
 *
 *     body bytes ─▶ BodyReader.push ─▶ Piece, Piece, Piece … (in the order of the body)
 *                                        │ record pieces: subjects + attributes ─▶ consents ─▶ ask ─▶ Program
 *                                        ▼
 *                                      Piece.render(out, …)   each piece exactly once, in the same order
 *
 * A reader gets the body in chunks that may be cut anywhere (within a character, a quote, a CRLF) and returns the pieces that are complete.
 * It keeps at most `limits.record_bytes` between two calls. It throws `record_too_large` beyond that, `response_too_deep` beyond
 * `limits.depth`, and `response_malformed` for what its grammar does not allow. After an error it is not called again. Pieces that it
 * returned before stay valid, so it must not return a piece before all bytes of the piece are known to be well-formed. Error messages
 * state what is wrong and at which offset or line; they never contain a value.
 *
 * Three kinds of pieces:
 * - `frame`: bytes around the records (declarations, envelopes, header line, closing tags), without what the catalog's `envelope` does not
 *   keep. By default that is everything but the structure that leads to the records.
 * - `record`: one record. Its scopes say whose data it contains. `render` gets a program for each scope, or null for a withheld one. A
 *   withheld record writes nothing and leaves no gap, separators included; a reader may keep state between renders for this, since they
 *   happen in order. A withheld embedded scope is dropped like a field.
 * - `count`: a number in the envelope that depends on how many records are released (`record_count`, `total`). If it precedes the records,
 *   the session holds the answer back until the number is known, up to a limit; beyond the limit the number becomes null.
 *
 * ## How a value finds its field
 * A `Matcher` is a catalog compiled to an automaton. A format walks through a record from `matcher.root`, one step for each name, index
 * or attribute:
 *
 *     let state = m.root;                             // the record itself
 *     state = m.step(state, 'orders');                // member of an object, child element, column …
 *     state = m.item(state, 0);                       // element of an array
 *     state = m.step(state, 'amount', '#3');          // several names for the same value: a column's name and position
 *     if (m.selectors(state)) state = m.select(state, (sibling) => textOfSibling(sibling) ?? undefined);
 *
 * `select` resolves `[key=value]` steps. Call it once for a value that is an object (an element with children, …), right after the step to
 * it, with a function that returns the decoded text of its scalar member `key`, or undefined. If an object has the key twice, the format
 * must throw `response_malformed`, since readers differ in which one they use.
 *
 * Then, for the state of a value:
 * - `m.field(state)`: the field that it belongs to, by the deepest catalog line for the value or a container of it; -1: no field, to be dropped.
 * - `m.inner(state)`: a catalogued field may be deeper. A container is walked into and keeps its structure. Otherwise the subtree is one
 *   value of `field(state)` and is treated or dropped as a unit.
 * - `m.whole(state)`: the catalog line covers objects (`whole: true`). Otherwise an object here, or in an array here, is dropped
 *   (`counter.notWhole`) wherever it would be released unchanged: disclosed, or within a container that a treatment takes.
 * - `m.through(state)`: the field is inherited from a container, with an object in between. Treatments for strings do not apply through
 *   objects: such a value is dropped (`not_applicable`) unless the action is disclose, nullify or drop, or takes containers.
 *   `Program.treat` checks this by the state.
 * - `m.positional(state)`: the catalog addresses elements of this array by number. A dropped element becomes the format's null, so that
 *   the others keep their positions. In other arrays it is removed with its separator.
 * - `m.scope(state)`: the value is an embedded resource (-1: it is not). The object, or each object of the array, begins a new scope whose
 *   root is `m.entry(scope)`. Anything else here is dropped.
 * - `m.marks(state)`: the value is a data subject's id or an attribute of its scope, whatever is done to it as a field.
 *
 * ## Rendering
 * `render` walks through the record, or its index, again with `rendering.matcher`. That matcher may know more paths than the one used for
 * reading, since the answer can name fields that the catalog does not. States, fields and scope ids of one matcher are meaningless to
 * another. A place that began a scope while reading may be a plain field now (never the reverse), so scopes are identified by where they
 * begin, not by counting. For every value, by `program.action(field)`:
 *
 *     DISCLOSE  copy the source bytes                                counter.released(field)
 *     DROP      leave it out with its name and separator             counter.withheld(field)
 *     NULLIFY   the format's null (JSON null, empty element, empty column)
 *     TREAT     program.treat(state, value): a Treated, or 'drop'
 *
 * Every value is counted exactly once through `program.counter` (`treat` does it itself). A value without a field is counted with
 * `unknown(path)`, where array indices are written as `*`. Bytes go to `out`.
 */
import type { SubjectPlace } from '../../model/catalog.ts';
import type { FormatName, Layout, Scalar } from '../../model/disclosure.ts';
import type { Arrived } from '../../model/event-stream.ts';
import type { NamedSubject } from '../subjects/places.ts';
import type { Container, TreatBytes, Treated } from '../treatments/treatment.ts';

export {
  type ChangedDocument,
  type Container,
  isUntouched,
  LONGER,
  type Segment,
  type TreatBytes,
  type Treated,
} from '../treatments/treatment.ts';

export interface Format {
  /** the name of the format in a route's `response.format` */
  readonly name: FormatName;
  readonly layout: Layout;
  readonly media: FormatMedia;
  /** @throws SluiceError `response_charset_unknown`, `config_invalid` for options it does not know */
  open(setup: FormatSetup): BodyReader;
  /** A body may never end: it is cut into groups, and each is disclosed as a body of its own, with a plan of its own, as soon as it has arrived. */
  endless?(limits: DisclosureLimits): { push(chunk: Uint8Array): Arrived };
}

/** Which Content-Types belong to a format, and what a disclosed body of it is labelled with. */
export interface FormatMedia {
  /** the first is sent with a disclosed body if the upstream's own type is not passed on */
  readonly types: readonly string[];
  /** every other type with this structured syntax suffix (RFC 6838 §4.2.8) belongs to the format too, e.g. `+json` */
  readonly suffix?: {
    readonly name: string;
    /** registered types with the suffix, which are passed on */
    readonly registered: readonly string[];
    /** types with the suffix that are pages or pictures */
    readonly except?: readonly string[];
  };
  /** A body of type `text/html` is accepted if the route names the format: a page cannot be parsed as this format. */
  readonly html?: true;
  /** The body can declare its charset: without a label its own declaration counts, not UTF-8. */
  readonly declaresCharset?: true;
  /** when the Content-Type of a disclosed body has a charset parameter */
  readonly charsetParameter: 'if_stated' | 'unless_utf8' | 'never';
  /** parameters of the Content-Type that the reader takes as options, and that are passed on, e.g. `boundary` */
  readonly parameters?: readonly string[];
  /** Only the types that the route's options name are accepted, instead of `types`. @throws SluiceError `config_invalid` */
  typesOf?(options: { readonly [name: string]: unknown }): readonly string[];
}

export interface FormatSetup {
  /** for the records */
  readonly matcher: Matcher;
  /** for the fields around the records */
  readonly envelope: Envelope;
  readonly charset: string;
  /** the charset is the route's: what the body declares does not contradict it */
  readonly charsetCertain?: boolean;
  /** An empty list must have one spelling, so that a list whose records were all withheld reads like one that had none. */
  readonly uniform?: boolean;
  readonly options: { readonly [name: string]: unknown };
  readonly limits: DisclosureLimits;
}

export interface BodyReader {
  /** Takes the next bytes, which the reader then owns, and returns the pieces that are complete. */
  push(chunk: Uint8Array): readonly Piece[];
  /** All pieces returned so far are rendered and no longer used. */
  settled?(): void;
  /** Ends the body. @throws SluiceError `response_malformed` if it is truncated */
  end(): readonly Piece[];
  /** Takes the whole body, instead of `push` and `end`. */
  pushAll?(body: Uint8Array): readonly Piece[];
}

export type Piece = FramePiece | RecordPiece | CountPiece;

export interface FramePiece {
  readonly kind: 'frame';
  /** bytes held for it, if there are many */
  readonly size?: number;
  /** it states that the list has more records than the body */
  readonly more?: boolean;
  render(out: Output, counter: FrameCounter): void;
}

export interface CountPiece {
  readonly kind: 'count';
  readonly role: 'record_count' | 'total';
  /** of the field in the envelope, for the counter */
  readonly path: string;
  /** the records that it counts, if not all of the body's: those of one element of a list */
  readonly counted?: Counted | undefined;
  /** the upstream's number; null: it cannot be read exactly */
  readonly value: number | null;
  /** writes the separator and name before the number, in the order of the pieces */
  begin(out: Output): void;
  /** writes the number, possibly later: the upstream's own bytes (`keep`), another number, or null */
  render(out: Output, value: 'keep' | number | null): void;
}

/** How many records were released and withheld so far. */
export interface Counted {
  readonly released: number;
  readonly withheld: number;
  /** there are no more of them */
  readonly closed: boolean;
}

export interface RecordPiece {
  readonly kind: 'record';
  /** bytes held for it */
  readonly size: number;
  /** Pointer of the catalog line for the whole body, which is released unchanged or withheld. */
  readonly only?: string;
  /** [0] is the record itself; the others are embedded resources in document order, a parent before its children */
  readonly scopes: readonly RecordScope[];
  /** Writes the record; null: it is withheld. */
  render(out: Output, rendering: Rendering | null): void;
  /**
   * A key of the record's group for `min_group_size`: its quasi-identifiers after treatment, joined unambiguously, those of embedded
   * resources included. Dropped values are equal. Writes nothing.
   */
  group(rendering: Rendering): string;
}

/** How one record is to be rendered. */
export interface Rendering {
  /** may know more paths than the matcher used for reading; the programs are for this one */
  readonly matcher: Matcher;
  /**
   * @param scope index into the record's `scopes`
   * @param id `matcher.scope` at that place (0 for the record itself)
   * @returns null: that scope is withheld; leave the value out and call `counter.scopeWithheld(path)` of the scope around it
   */
  program(scope: number, id: number): Program | null;
}

export interface RecordScope {
  /** `Matcher.scope`; -1 for the record itself */
  readonly scope: number;
  /** ids of data subjects found in it, decoded, without repetition */
  readonly subjects: readonly string[];
  /** its catalog has a line for the name that it stands under (`/{key}`) */
  readonly keyed?: boolean | undefined;
  /** the same for places whose ids have a type or are part of a value; absent: the catalog has no such places */
  readonly named?: readonly NamedSubject[] | undefined;
  readonly attributes: { readonly [name: string]: string | number | boolean | null };
}

/** The output of a render. Bytes are copied at once, so a source may be reused afterwards. */
export interface Output {
  bytes(source: Uint8Array, start: number, end: number): void;
  /** encoded as UTF-8 (a format in another charset encodes by itself and uses `bytes`) */
  text(text: string): void;
  /** the text as a JSON string (RFC 8259 §7), quotes included */
  json(text: string): void;
}

export type StateId = number;
/** an index into the matcher's fields; -1: in no catalog */
export type FieldId = number;

/** What a scalar is in addition to a field: a data subject's id or attributes. */
export interface Mark {
  /** the scope that it belongs to: 0 its own, 1 the one around that, … */
  readonly up: number;
  readonly subject: boolean;
  /** what the id must be there; null: any */
  readonly places: readonly SubjectPlace[] | null;
  /** names of attributes that this value is */
  readonly attributes: readonly string[];
}

/** The catalog line for the name that a scope stands under in a map. */
export interface KeyLine {
  /** -1: the name is no field and is kept with its record, like structure */
  readonly field: FieldId;
  readonly mark: Mark;
}

export interface Matcher {
  readonly root: StateId;
  /** the start state of a record with this name; null: without a name */
  begin(name: string | null): StateId;
  /** the line for the name of a scope (0: the record itself); null: the catalog has none */
  key(scope: number): KeyLine | null;
  /** the state of a value that no path reaches */
  readonly nothing: StateId;
  /** number of fields, ids 0 … fields-1 */
  readonly fields: number;
  step(state: StateId, name: string, ...aliases: string[]): StateId;
  item(state: StateId, index: number): StateId;
  selectors(state: StateId): boolean;
  /** names of the members that `select` will ask for */
  selectorKeys(state: StateId): readonly string[];
  select(state: StateId, sibling: (key: string) => string | undefined): StateId;
  field(state: StateId): FieldId;
  inner(state: StateId): boolean;
  /** a data subject or attribute may be deeper: walk into the container while reading, but do not keep it for that while rendering */
  marked(state: StateId): boolean;
  through(state: StateId): boolean;
  whole(state: StateId): boolean;
  positional(state: StateId): boolean;
  scope(state: StateId): number;
  entry(scope: number): StateId;
  marks(state: StateId): readonly Mark[];
  /** path of the field from the record's root, as catalogs spell it */
  path(field: FieldId): string;
  /** path of a state's place from the record's root, as its most specific catalog line spells it */
  pathOf(state: StateId): string;
  /** the same within its scope */
  pointer(state: StateId): string;
  /** whether the `*` of a path leads here: one of several values, of a list or of a map */
  any(state: StateId): boolean;
  /** whether a scope is the record itself, as one of several record types */
  isRecord(scope: number): boolean;
  /** some embedded resource is named by the member that it stands under */
  readonly embedsByKey: boolean;
  /** Every state with its transitions, for a format that follows them by itself. Later calls of `step` and `select` may add states. */
  transitions(): readonly Transitions[];
  /** fields with `quasi_identifier` in the catalog of the record itself, in a fixed order */
  readonly quasi: readonly FieldId[];
  /** whether a field has `quasi_identifier` in its catalog, which may be that of an embedded resource */
  isQuasi(field: FieldId): boolean;
}

/** One state of a matcher, and where each name and position leads from it. */
export interface Transitions {
  readonly id: StateId;
  readonly inner: boolean;
  readonly marked: boolean;
  /** `Matcher.scope` */
  readonly embeds: number;
  readonly marks: readonly Mark[];
  /** selectors that `Matcher.select` resolves here */
  readonly conditions: readonly unknown[];
  readonly names: ReadonlyMap<string, StateId>;
  readonly positions: ReadonlyMap<string, StateId>;
  /** where any other name leads, and any other position */
  readonly otherName: StateId;
  readonly otherItem: StateId;
}

/** The catalog's envelope and the place of the records, as an automaton over the body's own paths. */
export interface Envelope {
  readonly root: StateId;
  step(state: StateId, name: string, ...aliases: string[]): StateId;
  item(state: StateId, index: number): StateId;
  /** the role of the value (a `record` is taken as a unit, whatever `inner` says); null: none, drop it */
  role(state: StateId): 'record' | 'record_count' | 'total' | 'link' | 'status' | 'drop' | null;
  /** a container here leads to something named deeper: keep it and walk into it */
  inner(state: StateId): boolean;
  /** a `*` leads here: the value is one of several, of a list or of a map */
  any(state: StateId): boolean;
}

/** what is done to a field; numbers, since programs are byte arrays */
export const DROP = 0;
export const DISCLOSE = 1;
export const NULLIFY = 2;
export const TREAT = 3;
export type Action = typeof DROP | typeof DISCLOSE | typeof NULLIFY | typeof TREAT;

/** One or several answers of the policy, the strictest for each field, compiled for one matcher. */
export interface Program {
  /** for -1 too: DROP */
  action(field: FieldId): Action;
  /**
   * Treats a scalar, or a container as a unit, and counts the value: call no counter for it. Returns null for a null. For a treatment that
   * takes no containers it returns 'drop', so if `elements(field)` is true the format treats the elements of an array one by one. A
   * container must be covered by the field (`Matcher.whole`).
   */
  treat(state: StateId, value: Scalar | Container): Treated;
  /** Treats the bytes of strings of a TREAT state without decoding them; null: not possible. Count the value in `counts`. */
  bytes(state: StateId): TreatBytes | null;
  /** false: the treatment takes containers as a unit */
  elements(field: FieldId): boolean;
  readonly counter: Counter;
  /**
   * The actions by state, for a format that walks an index of states: an action or `UNKNOWN` in the low bits, flags above. Values that are
   * disclosed, dropped, nullified or treated in bytes are counted in `counts` (by state), not through `counter`.
   */
  codes(): Uint8Array;
  readonly counts: number[];
}

export const UNKNOWN = 4;
/** flag: `Matcher.inner` */
export const INNER = 8;
/** flag: an embedded resource */
export const EMBEDS = 16;
/** flag: `Matcher.positional` */
export const POSITIONAL = 32;
/** flag: `Matcher.whole` */
export const WHOLE = 64;

export interface Counter {
  /** released unchanged */
  released(field: FieldId): void;
  /** dropped or nullified as the answer says */
  withheld(field: FieldId): void;
  /** dropped because the treatment does not apply (an object, but a treatment for strings) */
  inapplicable(field: FieldId): void;
  /** an object that the field's line does not cover, dropped; see `Matcher.whole` */
  notWhole(field: FieldId): void;
  /** dropped: in no catalog */
  unknown(path: () => string): void;
  /** the same for a path from the record's root that is presentable already (`shared/presentable.ts`) */
  unknownAt(path: string): void;
  /** dropped: an embedded resource whose own answer withholds it; the path is within the scope around it */
  scopeWithheld(path: string): void;
}

export interface FrameCounter {
  /** a field around the records that was dropped or nullified, with the reason: `envelope_link`, `envelope_drop`, `uncatalogued` */
  withheld(path: string, because: string): void;
}

/** Bounds of the stage; defaults in `limits.ts`. */
export interface DisclosureLimits {
  /** nesting of containers, from the root of the body */
  readonly depth: number;
  /** bytes of one record, or of one value around the records */
  readonly record_bytes: number;
  /** values of one record (elements, attributes, pairs) in formats that hold it as a tree */
  readonly record_members: number;
  /** bytes released in one part */
  readonly part_bytes: number;
  /** records whose consents are looked up together */
  readonly batch_records: number;
  /** bytes held back for a count that precedes its records */
  readonly hold_bytes: number;
  /** bytes held back to form groups (`min_group_size`) */
  readonly group_bytes: number;
  /** distinct paths in the summary of a part; the rest is counted under `…` */
  readonly summary_paths: number;
  /** milliseconds that released bytes wait for more while the upstream is silent */
  readonly idle_ms: number;
}
