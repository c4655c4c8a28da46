/** Decodes scalars of JSON that the scanner has validated. */
import type { Scalar } from '../../../model/disclosure.ts';
import { ESCAPED, FALSE, NULL, NUMBER, STRING, TRUE } from './entries.ts';

const TRUE_VALUE: Scalar = { kind: 'boolean', text: 'true' };
const FALSE_VALUE: Scalar = { kind: 'boolean', text: 'false' };
const NULL_VALUE: Scalar = { kind: 'null', text: 'null' };

/** the methods that `Buffer.toString` calls; the rest of `toString` is most of its cost for a short text */
interface Slices extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** A view on the same bytes with Buffer's methods. */
export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The text of a valid string with its quotes at `start` and `end - 1`. */
export function textAt(source: Buffer, start: number, end: number, escaped: boolean): string {
  if (escaped) return JSON.parse(source.toString('utf8', start, end)) as string;
  return isAscii(source, start, end)
    ? (source as Slices).latin1Slice(start + 1, end - 1)
    : (source as Slices).utf8Slice(start + 1, end - 1);
}

/** Whether a short text is ASCII, since ASCII is decoded in half the time. */
function isAscii(source: Buffer, start: number, end: number): boolean {
  if (end - start > 64) return false;
  for (let at = start; at < end; at++) if (source[at]! >= 0x80) return false;
  return true;
}

export function scalarAt(source: Buffer, kind: number, start: number, end: number): Scalar {
  switch (kind) {
    case STRING:
    case ESCAPED:
      return { kind: 'string', text: textAt(source, start, end, kind === ESCAPED) };
    case NUMBER:
      return { kind: 'number', text: (source as Slices).latin1Slice(start, end) };
    case TRUE:
      return TRUE_VALUE;
    case FALSE:
      return FALSE_VALUE;
    case NULL:
      return NULL_VALUE;
    default:
      throw new RangeError(`kind ${kind} is not a scalar`);
  }
}

/** The end of a valid string that begins at `start`. */
export function stringEnd(source: Buffer, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== 0x22) at += source[at] === 0x5c ? 2 : 1;
  return at + 1;
}

/** The end of a valid value that begins at `start`. */
export function valueEnd(source: Buffer, start: number): number {
  if (source[start] === 0x22) return stringEnd(source, start);
  let depth = 0;
  let at = start;
  while (at < source.length) {
    const c = source[at]!;
    if (c === 0x22) {
      at = stringEnd(source, at);
      continue;
    }
    if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (c === 0x2c || c <= 0x20)) return at;
    at++;
  }
  return at;
}

/** The kind of a valid scalar. */
export function kindAt(source: Buffer, start: number, end: number): number {
  switch (source[start]) {
    case 0x22:
      return source.subarray(start, end).includes(0x5c) ? ESCAPED : STRING;
    case 0x74:
      return TRUE;
    case 0x66:
      return FALSE;
    case 0x6e:
      return NULL;
    default:
      return NUMBER;
  }
}
