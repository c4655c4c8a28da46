/**
 * The layout of the index of a JSON value: entries of four 32-bit integers in document order. A subtree that is one field, or no field, is one
 * entry.
 *
 *     0  state << 8 | kind
 *     1  start of the member: the quote of its key, or the value itself in an array
 *     2  start of the value
 *     3  end of the value; for an OPEN entry the number of its CLOSE entry, whose slot 3 has the end
 */
export const STRIDE = 4;

export const CLOSE = 0;
export const STRING = 1;
/** a string with a backslash */
export const ESCAPED = 2;
export const NUMBER = 3;
export const TRUE = 4;
export const FALSE = 5;
export const NULL = 6;
/** containers without entries for their members: an array that contains no object at any depth, … */
export const ARRAY = 7;
export const OBJECT = 8;
/** … and an array that contains one */
export const MIXED = 9;
/** containers followed by entries for their members and a CLOSE entry */
export const OPEN_OBJECT = 10;
export const OPEN_ARRAY = 11;
/** an OPEN_OBJECT that is an embedded resource */
export const OPEN_SCOPE = 12;

/** results of a scan instead of an end */
export const MORE = -1;
export const MALFORMED = -2;
export const TOO_DEEP = -3;
/** an object has the key of a selector twice */
export const AMBIGUOUS = -4;

/** The entries of values that were scanned together; slot 3 of an OPEN entry is relative to the page. They stay in the scanner's memory if possible. */
export interface JsonPage {
  /** what was scanned */
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
  count: number;
  /** a copy, made when the scanner's memory is needed for another page */
  entries: Int32Array | null;
  /** the page is no longer used */
  done: boolean;
}
