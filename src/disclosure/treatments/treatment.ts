/**
 * The contract of a treatment. `disclose`, `nullify` and `drop` are executed by the session; every other name of `TREATMENTS` has a file here,
 * listed in `registry.ts`.
 *
 * `prepare` runs once for a field under an answer, and its result is cached as long as the answer, so parameters, keys and patterns are processed
 * there. The function that it returns runs once for each value. It must be synchronous, must not keep or log the value, and must return `'drop'`
 * instead of throwing for a value that it cannot treat.
 *
 * It never gets a null, which stays null, nor an object or array unless `containers` is set; arrays of scalars are treated element by element.
 */
import type { TreatmentChoice, TreatmentName } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';
import type { Clock } from '../../observability/clock.ts';

/** Keys of the treatments, by use and id; a recipient's own public key for `encrypt`. */
export interface TreatmentKeys {
  /**
   * The secret for a use: the current one, or that of an id, so that keys can be rotated.
   * @throws SluiceError `treatment_key_unknown`
   */
  secret(use: SecretUse, id?: string): TreatmentKey;
  /**
   * The public key of a recipient: the current one, or that of an id.
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

/** Whether a treatment changed nothing (such as a note without findings): the value keeps its spelling. */
export const isUntouched = (value: Scalar | Container, treated: Treated): boolean =>
  treated !== 'drop' &&
  treated.kind === value.kind &&
  (treated.kind === 'string' || treated.kind === 'number') &&
  treated.text === value.text;

export interface Treat {
  (value: Scalar | Container): Treated;
  /** the same from bytes to bytes, if it is faster */
  readonly bytes?: TreatBytes;
}

/**
 * Treats a UTF-8 string with the usual spelling of its kind without decoding it, since decoding and encoding a short text cost several times as
 * much as masking it. Writes at most `LONGER` bytes more than it reads, and no byte that needs an escape in JSON unless it read it.
 * @returns the end of the output; -1: another spelling, to be treated by `Treat`; the output is then discarded
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
  /** can treat an object or array as a unit (`encrypt`) */
  readonly containers?: boolean;
  /**
   * Parameters are the answer's `choice.with` over the catalog's `entry[name]`. With invalid parameters the function must drop every value.
   * @throws SluiceError `treatment_key_unknown`: the answer is refused, since the operator must add the key
   */
  prepare(entry: FieldEntry, choice: TreatmentChoice, context: TreatmentContext): Treat;
  /**
   * Whether a value of a write can be a result of this treatment, which must not overwrite the real value. If results cannot be distinguished from
   * real values (`tokenize`), every value that could be one is recognised. Parameters as in `prepare`; with invalid ones everything is recognised.
   */
  recognise(entry: FieldEntry, choice: TreatmentChoice): Recognise;
}

export type Recognise = (value: Scalar) => boolean;
