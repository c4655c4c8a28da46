/**
 * The index of one JSON value: four 32-bit integers an entry, in document order. Only what the automaton looks into has entries: a subtree that is
 * one field, or none, is one entry.
 *
 *     0  state << 8 | kind
 *     1  where the member begins: its key's quote, or the value itself in an array
 *     2  where the value begins
 *     3  where the value ends; for OPEN entries the number of their CLOSE entry, whose own slot 3 has the end
 */
export const STRIDE = 4;

export const CLOSE = 0;
export const STRING = 1;
/** a string with a backslash in it */
export const ESCAPED = 2;
export const NUMBER = 3;
export const TRUE = 4;
export const FALSE = 5;
export const NULL = 6;
/** containers that are not looked into: an array without an object in it, at any depth, … */
export const ARRAY = 7;
export const OBJECT = 8;
/** … and an array with one */
export const MIXED = 9;
/** containers that are: their members follow, then a CLOSE */
export const OPEN_OBJECT = 10;
export const OPEN_ARRAY = 11;
/** an OPEN_OBJECT that is an embedded resource */
export const OPEN_SCOPE = 12;

/** what a scan answers instead of an end */
export const MORE = -1;
export const MALFORMED = -2;
export const TOO_DEEP = -3;
/** a selector's key is spelled twice in one object */
export const AMBIGUOUS = -4;

/** The entries of the values that were scanned together; links are numbers of its entries. They stay in the scanner's memory while they can. */
export interface JsonPage {
  /** what was scanned */
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
  count: number;
  /** a copy, made when the scanner's memory is wanted for something else */
  entries: Int32Array | null;
  /** its records are rendered, or nobody wants them any more */
  done: boolean;
}
