/**
 * What a format is: the half of the disclosure engine that knows how a body is spelled. The other half (`disclosure.ts`) knows
 * about data subjects, consent, the policy's answers, parts and summaries, and nothing about bytes. Longer than most: the contract is in one place.
 *
 *     body bytes ─▶ BodyReader.push ─▶ Piece, Piece, Piece … (in the order of the body)
 *                                        │ record pieces: subjects + attributes ─▶ consents ─▶ ask ─▶ Program
 *                                        ▼
 *                                      Piece.render(…, out)   each piece exactly once, in the same order
 *
 * A reader is given the body in chunks split anywhere (in the middle of a character, a quote, a CRLF) and answers with the
 * pieces that are complete. What it holds back between two calls is bounded by `limits.record_bytes`; it throws
 * `record_too_large` beyond that, `response_too_deep` beyond `limits.depth`, `response_malformed` for what its grammar refuses.
 * After a throw nothing more is asked of it: pieces returned before stay valid, so a reader must not return a piece
 * before every byte of that piece is known to be well-formed. Messages say what and at which offset or line, never a value.
 *
 * Three kinds of pieces:
 * - `frame`: bytes around the records (declarations, envelopes, header line, closing tags). The reader has already removed what
 *   the catalog's `envelope` does not keep (default: everything but the structure that leads to the records).
 * - `record`: one record. Its scopes say whose data it holds. `render` is given one program a scope, or null where that scope is
 *   withheld: a withheld record writes nothing and leaves no hole (separators included: a reader may keep state between
 *   renders, since they happen in order); a withheld embedded scope is dropped like a field.
 * - `count`: a number in the envelope that depends on how many records are released (`record_count`, `total`). If it stands before the
 *   records, the engine holds the answer back until it is known, up to a limit; then it is null.
 *
 * ## How values find their field
 * A `Matcher` is a catalog compiled to an automaton. A format walks a record from `matcher.root` with `step`, one step for a
 * name, an index, an attribute:
 *
 *     let state = m.root;                             // the record itself
 *     state = m.step(state, 'orders');                // member of an object, child element, column …
 *     state = m.item(state, 0);                       // element of an array
 *     state = m.step(state, 'amount', '#3');          // several names for the same thing: a column's name and its position
 *     if (m.selectors(state)) state = m.select(state, (sibling) => textOfSibling(sibling) ?? undefined);
 *
 * `select` resolves `[key=value]` steps: ask it once for a value that is an object (an element with children, …), right after
 * stepping onto it, with a function that gives the text of its scalar member `key` (decoded), or undefined. Where a key is
 * spelled twice in the same object the format must throw `response_malformed` (which of them is right is anyone's guess).
 *
 * Then, for the state of a value:
 * - `m.field(state)` is the field it belongs to (that of the deepest catalogued ancestor or itself), or -1: unknown, to be dropped.
 * - `m.inner(state)`: a catalogued field may stand deeper; a container with one is walked into and keeps its structure. Without
 *   it the whole subtree is one value of `field(state)`: treated (or dropped) in one piece.
 * - `m.whole(state)`: its line in the catalog covers objects. Without it an object that stands here (or in an array here) is dropped
 *   (`account.notWhole`) wherever it would leave as it is: disclosed, or in a container that a treatment takes.
 * - `m.through(state)`: the field is inherited from a container and an object's key lies between. Treatments for strings do not reach through
 *   objects: such a value is dropped (`not_applicable`) unless the action is disclose, nullify, drop or takes containers.
 *   `Program.treat` does this by itself when given the state.
 * - `m.positional(state)`: the catalog addresses the elements of this array by number: a dropped element is replaced by the format's null, so
 *   that the others keep their places. Elsewhere it is removed with its separator.
 * - `m.scope(state)`: this value is an embedded resource (-1 if not): the object (or each object of the array) starts a new scope whose
 *   `matcher root` is `m.entry(scope)`; anything else there is dropped.
 * - `m.marks(state)`: this value is a data subject's id, or an attribute of its scope, whatever happens to it as a field.
 *
 * ## Rendering
 * `render` walks the record again (or the index made of it) with `rendering.matcher`, which may know more paths than the matcher of
 * reading (the answer named fields that the catalog does not): states, fields and scope ids of one matcher mean nothing to another. A place
 * that began a scope while reading may be a plain field now (never the other way round), so scopes are recognised by where they
 * begin, not by counting. For every value: `program.action(field)`:
 *
 *     DISCLOSE  copy the source bytes, untouched                     account.released(field)
 *     DROP      leave it out with its name and separator             account.withheld(field, …)
 *     NULLIFY   the format's null (JSON null, empty element, empty column)
 *     TREAT     program.treat(state, value): a Treated, or 'drop'
 *
 * and every value is accounted for exactly once (`treat` does it by itself) through `program.account` (unknown ones with `unknown(path)`, path as the format
 * spells pointers, indices as `*`). Bytes go to `out`.
 */
import type { SubjectPlace } from '../../model/catalog.ts';
import type { FormatName, Layout, Scalar } from '../../model/disclosure.ts';
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
  /** of the records */
  readonly matcher: Matcher;
  /** what the fields around the records are */
  readonly envelope: Envelope;
  readonly charset: string;
  /** what the body declares of itself does not count against it */
  readonly charsetCertain?: boolean;
  /** a list without records is spelled one way, so that one whose records were all withheld cannot be told from one that had none */
  readonly uniform?: boolean;
  readonly options: { readonly [name: string]: unknown };
  readonly limits: DisclosureLimits;
}

export interface BodyReader {
  /** Takes the next bytes (owned by the reader from now on) and answers with the pieces that are complete. */
  push(chunk: Uint8Array): readonly Piece[];
  /** All pieces it has answered with so far are rendered, and nobody will ask anything of them again. */
  settled?(): void;
  /** The body is over. @throws SluiceError `response_malformed` if it is cut short */
  end(): readonly Piece[];
  /** In place of `push` and `end`, for a body that is there as a whole: what both would answer. */
  pushAll?(body: Uint8Array): readonly Piece[];
}

export type Piece = FramePiece | RecordPiece | CountPiece;

export interface FramePiece {
  readonly kind: 'frame';
  /** bytes held for it, where they are many */
  readonly size?: number;
  /** it says that the list has more records than the body */
  readonly more?: boolean;
  render(out: Output, counter: FrameCounter): void;
}

export interface CountPiece {
  readonly kind: 'count';
  readonly role: 'record_count' | 'total';
  /** of the field in the envelope, for the account */
  readonly path: string;
  /** of the records that it counts, if they are not all of the body's: those of one element of a list */
  readonly counted?: Counted | undefined;
  /** the number as the upstream has it; null: it has none that can be read exactly */
  readonly value: number | null;
  /** what stands before the number (separator, name), in its turn like every piece */
  begin(out: Output): void;
  /** the number itself, perhaps later. `keep`: the upstream's own bytes (nothing was withheld); a number; or null */
  render(out: Output, value: 'keep' | number | null): void;
}

/** What became of records so far. */
export interface Counted {
  readonly released: number;
  readonly withheld: number;
  /** no more of them come */
  readonly closed: boolean;
}

export interface RecordPiece {
  readonly kind: 'record';
  /** bytes held for it */
  readonly size: number;
  /**
   * The catalog's line that the whole body is: it is disclosed as it is, or the record is withheld, and all that comes behind it is
   * nobody's.
   */
  readonly only?: string;
  /** [0] is the record itself; the others are embedded resources in document order, a parent before its children */
  readonly scopes: readonly RecordScope[];
  /** Writes the record; null: it is withheld, so nothing is written. */
  render(out: Output, rendering: Rendering | null): void;
  /**
   * The values (as they would leave) that decide its group for `min_group_size`, by quasi-identifier, those of embedded resources
   * included, joined unambiguously. Dropped ones count as the same. Writes nothing.
   */
  group(rendering: Rendering): string;
}

/** How one record is to be rendered. */
export interface Rendering {
  /** may know more paths than the matcher of reading; all programs of the rendering are for it */
  readonly matcher: Matcher;
  /**
   * @param scope index into the record's `scopes`
   * @param id what `matcher.scope` says there (0 for the record itself)
   * @returns null: that scope is withheld: leave the value out and account it with `account.scopeWithheld(path)` of the scope around it
   */
  program(scope: number, id: number): Program | null;
}

export interface RecordScope {
  /** -1 for the record itself, else what `Matcher.scope` said */
  readonly scope: number;
  /** ids of data subjects found in it, decoded, without repetition */
  readonly subjects: readonly string[];
  /** it stands under a name of which its catalog says something */
  readonly keyed?: boolean | undefined;
  /** the same of places whose ids have a type or are a part of the value; absent: the catalog has none of those */
  readonly named?: readonly NamedSubject[] | undefined;
  readonly attributes: { readonly [name: string]: string | number | boolean | null };
}

/** Where bytes go. Ranges of a source are copied at once; the source may be reused afterwards. */
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

/** What a scalar is besides a field. */
export interface Mark {
  /** of which scope: 0 the one the value stands in, 1 the one around that, … */
  readonly up: number;
  readonly subject: boolean;
  /** what the id must be there; null: any */
  readonly places: readonly SubjectPlace[] | null;
  /** names of attributes that this value is */
  readonly attributes: readonly string[];
}

/** What the name is that a scope stands under in a map. */
export interface KeyLine {
  /** -1: the catalog has no line for it, and it stays with its record like any structure */
  readonly field: FieldId;
  readonly mark: Mark;
}

export interface Matcher {
  readonly root: StateId;
  /** where a record begins that stands under this name; null: under none */
  begin(name: string | null): StateId;
  /** of a scope as `scope` counts them, 0 for the record itself; null: the catalog says nothing of its name */
  key(scope: number): KeyLine | null;
  /** the state of a value that no path leads to or through */
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
  /** like `inner`, but for data subjects and attributes: to be looked into while reading, not kept while rendering */
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
  /** fields named `quasi_identifier` in the catalog of the record itself, in a fixed order */
  readonly quasi: readonly FieldId[];
  /** whether a field is named `quasi_identifier` in its catalog, be that of an embedded resource */
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
  /** what stands here (a `record` is taken whole, whatever `inner` says); null: not named, dropped */
  role(state: StateId): 'record' | 'record_count' | 'total' | 'link' | 'status' | 'drop' | null;
  /** a container here is structure that leads to something named deeper: it stays and is walked into */
  inner(state: StateId): boolean;
  /** a `*` leads here: it is one of several, be they of a list or of a map */
  any(state: StateId): boolean;
}

/** what is done to a field; numbers, since programs are arrays of them */
export const DROP = 0;
export const DISCLOSE = 1;
export const NULLIFY = 2;
export const TREAT = 3;
export type Action = typeof DROP | typeof DISCLOSE | typeof NULLIFY | typeof TREAT;

/** One answer of the policy (or several, the strictest of each), compiled for one matcher. */
export interface Program {
  /** for -1 too: DROP */
  action(field: FieldId): Action;
  /**
   * Carries out a TREAT on a scalar, or on a whole container. Accounts for the value by itself, whatever the outcome (nothing
   * else may be called for it), and answers null for a null. A container met by a treatment that takes none is answered
   * with 'drop', unless it is an array: then `elements(field)` is true and the format treats its elements one by one. A container of a
   * treatment that takes them must be one that the field covers (`Matcher.whole`).
   */
  treat(state: StateId, value: Scalar | Container): Treated;
  /** What treats strings of a state whose action is TREAT without decoding them, if anything does; accounted for by adding to `counts`. */
  bytes(state: StateId): TreatBytes | null;
  /** false: the treatment takes containers whole */
  elements(field: FieldId): boolean;
  readonly counter: Counter;
  /**
   * The same by state, for a format that walks an index of states: the low bits are an action or `UNKNOWN`, with `INNER` and `EMBEDS` beside
   * them. What is disclosed, dropped, nullified or treated in bytes is accounted for by adding to `counts`, instead of `account`.
   */
  codes(): Uint8Array;
  readonly counts: number[];
}

export const UNKNOWN = 4;
/** a container here is walked into */
export const INNER = 8;
/** an embedded resource stands here */
export const EMBEDS = 16;
/** the elements of an array here have positions: see `Matcher.positional` */
export const POSITIONAL = 32;
/** objects here are covered: see `Matcher.whole` */
export const WHOLE = 64;

export interface Counter {
  /** left as it was */
  released(field: FieldId): void;
  /** left out, or null: for `action`s DROP and NULLIFY as the answer says */
  withheld(field: FieldId): void;
  /** could not be treated (an object met by a treatment for strings) and was left out */
  inapplicable(field: FieldId): void;
  /** an object that the field's line does not cover, left out; see `Matcher.whole` */
  notWhole(field: FieldId): void;
  /** in no catalog; the path is only built if there is room for it in the summary */
  unknown(path: () => string): void;
  /** the same for a path from the record's root that was made presentable before (`UnknownNames`) */
  unknownAt(path: string): void;
  /** an embedded resource whose own answer withholds it; the path within the scope it stands in */
  scopeWithheld(path: string): void;
}

export interface FrameCounter {
  /** a field around the records that was left out or made null, with the reason: `envelope_link`, `envelope_drop`, `uncatalogued` */
  withheld(path: string, because: string): void;
}

/** Bounds of the stage; defaults in `limits.ts`. */
export interface DisclosureLimits {
  /** containers within containers, from the root of the body */
  readonly depth: number;
  /** bytes of one record, or of one value around the records */
  readonly record_bytes: number;
  /** values of one record (elements and attributes, pairs) in formats that hold it as a tree */
  readonly record_members: number;
  /** bytes released in one part */
  readonly part_bytes: number;
  /** records whose consent is looked up together */
  readonly batch_records: number;
  /** bytes held back for a count that precedes its records */
  readonly hold_bytes: number;
  /** bytes held back to count groups (`min_group_size`) */
  readonly group_bytes: number;
  /** distinct paths in one part's summary; the rest is summed under `…` */
  readonly summary_paths: number;
  /** milliseconds that released bytes wait for company while the upstream is silent */
  readonly idle_ms: number;
}
