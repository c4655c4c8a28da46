/**
 * What a treatment is. `disclose`, `nullify` and `drop` are carried out by the engine itself; every other name of
 * `TREATMENTS` has one file here, listed in `registry.ts`.
 *
 * `prepare` runs once for a field under an answer (its result is kept as long as the answer is), so everything that can be
 * worked out ahead (parameters, keys, patterns) belongs there. The function it returns runs once a value and must be
 * synchronous, must not keep or log the value, and must not throw for a value it cannot treat: it answers `'drop'`.
 *
 * The engine never hands over a null (nothing to disguise: it stays null), nor an object or array unless
 * `containers` is set; arrays of scalars are treated element by element.
 */
import type { TreatmentChoice, TreatmentName } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';
import type { Clock } from '../../observability/clock.ts';

/** Keys of the treatments, by use and id; a recipient's own public key for `encrypt`. */
export interface TreatmentKeys {
  /**
   * The secret for a use; without an id the current one. Old ones stay readable by id so that keys can rotate.
   * @throws SluiceError `treatment_key_unknown`
   */
  secret(use: SecretUse, id?: string): TreatmentKey;
  /**
   * The public key (JWK or SPKI PEM) a recipient gave us; without an id its current one.
   * @throws SluiceError `treatment_key_unknown`
   */
  recipient(recipient: string, id?: string): RecipientKey;
}

/** `data_subject` is the key of the decision record's data-subject digests, not of a treatment. */
export type SecretUse = 'pseudonymize' | 'tokenize' | 'data_subject';

export interface TreatmentKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface RecipientKey {
  readonly id: string;
  readonly key: import('node:crypto').KeyObject;
}

export interface TreatmentContext {
  readonly recipient: string;
  readonly purpose: string;
  readonly keys: TreatmentKeys;
  /** for ages; the system's unless given */
  readonly clock?: Clock;
}

/** An object or array as the upstream spelled it; given only to treatments that take `containers`. */
export interface Container {
  readonly kind: 'container';
  readonly text: string;
}

/** A piece of a document that was changed: a range of the original text, or new text in the spelling of the document's format. */
export type Segment = { readonly from: number; readonly to: number } | { readonly text: string };

/** A document that is the text of a field, after some of it was left out or replaced. */
export interface ChangedDocument {
  readonly before: string;
  readonly segments: readonly Segment[];
}

/**
 * What replaces a value. The `text` of a string is not escaped: the format escapes it. The `text` of a number is spelled as in JSON.
 * `document` says which ranges of a document in a string are unchanged, so that the format can keep their spelling.
 */
export type Treated =
  | { readonly kind: 'string'; readonly text: string; readonly document?: ChangedDocument | undefined }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'null' }
  | 'drop';

/** A note in which nothing was found, for one: it leaves as the upstream spelled it. */
export const isUntouched = (value: Scalar | Container, treated: Treated): boolean =>
  treated !== 'drop' &&
  treated.kind === value.kind &&
  (treated.kind === 'string' || treated.kind === 'number') &&
  treated.text === value.text;

export interface Treat {
  (value: Scalar | Container): Treated;
  /** the same from bytes to bytes, if it is worth it */
  readonly bytes?: TreatBytes;
}

/**
 * A string's text in UTF-8, in the spelling that most values of its kind have, to what stands in its place: decoding and encoding a short text
 * costs several times what masking it does. Writes at most `LONGER` bytes more than it read, and nothing that a JSON string would have to escape
 * unless it read it.
 * @returns where what it wrote ends; -1: another spelling, for `Treat` itself, and what was written counts for nothing
 */
export type TreatBytes = (
  source: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
) => number;
export const LONGER = 8;

export interface Treatment {
  readonly name: TreatmentName;
  /** can stand in for a whole object or array (`encrypt`) */
  readonly containers?: boolean;
  /**
   * Parameters: the answer's `choice.with` over the catalog's `entry[name]`. Parameters that make no sense are answered by a
   * function that drops, never by one that lets the value through.
   * @throws SluiceError `treatment_key_unknown`: the whole answer is refused, since the operator must mend it
   */
  prepare(entry: FieldEntry, choice: TreatmentChoice, context: TreatmentContext): Treat;
  /**
   * Whether a value of a write has the shape that this field is shown in under this answer: such a value must not overwrite the
   * real one. Where a shape cannot be told from a real value (`tokenize`), every value that could be one is recognised. Same
   * parameters as `prepare`; parameters that make no sense give a function that recognises everything.
   */
  recognise(entry: FieldEntry, choice: TreatmentChoice): Recognise;
}

export type Recognise = (value: Scalar) => boolean;
