/** Arguments of built-ins, narrowed as OPA narrows them: an argument of the wrong type makes the call undefined. */
import { RegoError } from '../errors.ts';
import { integerOf } from '../order.ts';
import {
  bytesOf,
  isNumber,
  numberText,
  type RegoNumber,
  type RegoObject,
  type RegoValue,
} from '../values.ts';
import { BuiltinFailure } from './types.ts';

/** makes the call undefined */
export const fail = (why: string): never => {
  throw new BuiltinFailure(why);
};

/** Ends the evaluation where OPA would answer with more data than an evaluation may hold: undefined would be a wrong answer. */
export const tooLarge = (what: string): never => {
  throw new RegoError('memory_exceeded', `${what}.`);
};

/** Ends the evaluation before work that cannot be interrupted and may take longer than an evaluation may. */
export const tooLong = (what: string): never => {
  throw new RegoError('deadline_exceeded', `${what}: that takes longer than an evaluation may.`);
};

/** whether an exception is a limit that was reached, and not a fault of the text that is being read */
export const isLimit = (e: unknown): boolean => e instanceof RegoError || e instanceof RangeError;

export const string = (v: RegoValue | undefined): string =>
  typeof v === 'string' ? v : fail('operand must be a string');

/** a string as its bytes in Go */
export const bytes = (v: RegoValue | undefined): Uint8Array => bytesOf(string(v));

export const boolean = (v: RegoValue | undefined): boolean =>
  typeof v === 'boolean' ? v : fail('operand must be a boolean');

export const number = (v: RegoValue | undefined): RegoNumber =>
  v !== undefined && isNumber(v) ? v : fail('operand must be a number');

/** an integer of any size */
export const integer = (v: RegoValue | undefined): bigint =>
  integerOf(number(v)) ?? fail('operand must be an integer');

/** an integer that Go's int (64 bits) holds, however it is written */
export const int64 = (v: RegoValue | undefined): bigint => {
  const n = integer(v);
  return BigInt.asIntN(64, n) === n ? n : fail('operand is out of range');
};

/** an integer that is used as a count or an index; `1.0` is not one */
export const int = (v: RegoValue | undefined): number =>
  /^-?\d+$/.test(numberText(number(v))) ? Number(int64(v)) : fail('operand must be an integer');

export const array = (v: RegoValue | undefined): readonly RegoValue[] =>
  Array.isArray(v) ? v : fail('operand must be an array');

export const object = (v: RegoValue | undefined): RegoObject =>
  v instanceof Map ? v : fail('operand must be an object');

/** an array or a set */
export const items = (v: RegoValue | undefined): readonly RegoValue[] =>
  Array.isArray(v) ? v : v instanceof Set ? [...v] : fail('operand must be an array or a set');

/** an array or a set of strings */
const strings = (v: RegoValue | undefined): readonly string[] => items(v).map(string);

/** one string, or an array or a set of them */
export const stringOrStrings = (v: RegoValue | undefined): readonly string[] =>
  typeof v === 'string' ? [v] : strings(v);
