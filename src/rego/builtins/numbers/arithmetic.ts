/** Arithmetic. The module computes with small integers itself, except for division, `sum` and `product`. */
import { integerOf, sorted } from '../../order.ts';
import { numberOf, numberText, type RegoNumber, type RegoValue } from '../../values.ts';
import { fail, items, number, tooLarge } from '../operands.ts';
import type { Builtin, Family } from '../types.ts';
import {
  add,
  type BigFloat,
  divide,
  fromInteger,
  isInteger,
  multiply,
  negated,
  numberFrom,
  parseFloat64,
  truncated,
} from './bigfloat.ts';

/** limit for the binary digits of an exact product */
const MAX_BITS = 1 << 17;

const fromBig = (n: bigint): RegoNumber => numberOf(String(n));

const binary =
  (exact: (x: bigint, y: bigint) => bigint, float: (x: BigFloat, y: BigFloat) => BigFloat): Builtin =>
  ([a, b]) => {
    const [x, y] = [number(a), number(b)];
    const [i, j] = [integerOf(x), integerOf(y)];
    return i !== undefined && j !== undefined
      ? fromBig(exact(i, j))
      : numberFrom(float(parseFloat64(x), parseFloat64(y)));
  };

const isSmall = (n: bigint): boolean => n >= -(1n << 31n) && n < 1n << 31n;

const quotient: Builtin = ([a, b]) => {
  const [x, y] = [number(a), number(b)];
  // the common case, 2 µs faster
  if (typeof x === 'number' && typeof y === 'number' && x !== 0 && y !== 0)
    if ((x | 0) === x && (y | 0) === y && x % y === 0) return x / y;
  const [i, j] = [integerOf(x), integerOf(y)];
  if (j === 0n) return fail('division by zero');
  if (i !== undefined && j !== undefined && i !== 0n && isSmall(i) && isSmall(j) && i % j === 0n)
    return fromBig(i / j);
  return numberFrom(divide(parseFloat64(x), parseFloat64(y)));
};

const remainder: Builtin = ([a, b]) => {
  const i = integerOf(number(a)) ?? fail('modulo of a number with a fraction');
  const j = integerOf(number(b)) ?? fail('modulo of a number with a fraction');
  // OPA checks only the lowest 64 bits of the divisor.
  return BigInt.asIntN(64, j) === 0n ? fail('modulo by zero') : fromBig(i % j);
};

const unary =
  (change: (x: BigFloat) => BigFloat): Builtin =>
  ([v]) =>
    numberFrom(change(parseFloat64(number(v))));

const HALF: BigFloat = { negative: false, mantissa: 1n, exponent: -1 };
const ONE = fromInteger(1n);

const round = (x: BigFloat): BigFloat => fromInteger(truncated(add(x, { ...HALF, negative: x.negative })));

const ceil = (x: BigFloat): BigFloat => {
  const whole = fromInteger(truncated(x));
  return whole.negative || isInteger(x) ? whole : add(whole, ONE);
};

/** As OPA computes it: a number between -1 and 0 is truncated to 0 before its sign is checked. */
const floor = (x: BigFloat): BigFloat => {
  const whole = fromInteger(truncated(x));
  return !whole.negative || isInteger(x) ? whole : add(whole, negated(ONE));
};

/** the numbers of an array, or of a set in order */
const elements = (v: RegoValue | undefined): RegoNumber[] =>
  (v instanceof Set ? sorted(v) : items(v)).map(number);

const isInt = (n: RegoNumber): boolean => {
  const text = numberText(n);
  return /^-?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
};

/** the sum of integers that JavaScript adds exactly; undefined for other numbers */
const smallTotal = (all: readonly RegoNumber[]): number | undefined => {
  let sum = 0;
  for (const n of all) {
    if (typeof n !== 'number' || !Number.isSafeInteger(n)) return undefined;
    sum += n;
    if (!Number.isSafeInteger(sum)) return undefined;
  }
  return sum;
};

const total: Builtin = ([v]) => {
  const all = elements(v);
  const small = smallTotal(all);
  if (small !== undefined) return small;
  const whole = all.map(integerOf);
  if (whole.every((n) => n !== undefined)) {
    const sum = whole.reduce((total, n) => total + n, 0n);
    // OPA 1.19 adds integers of 64 bits in 64 bits, and ignores overflow.
    return fromBig(all.every(isInt) ? BigInt.asIntN(64, sum) : sum);
  }
  return numberFrom(all.reduce((sum, n) => add(sum, parseFloat64(n)), fromInteger(0n)));
};

const product: Builtin = ([v], context) => {
  const all = elements(v);
  const whole = all.map(integerOf);
  if (whole.every((n) => n !== undefined)) {
    let out = 1n;
    let bits = 0;
    for (const n of whole) {
      bits += n.toString(16).length * 4;
      if (bits > MAX_BITS) tooLarge('A product has too many digits');
      out *= n;
      context.check();
    }
    return fromBig(out);
  }
  return numberFrom(all.reduce((out, n) => multiply(out, parseFloat64(n)), ONE));
};

/** The smallest element. OPA starts with null, so null is the result only if there is no other element. */
const least = (v: RegoValue | undefined): RegoValue | undefined => {
  const [first, second] = v instanceof Set ? sorted(v) : sorted(items(v));
  return first === null && second !== undefined ? second : first;
};

export const arithmetic: Family = {
  plus: binary((x, y) => x + y, add),
  minus: binary(
    (x, y) => x - y,
    (x, y) => add(x, negated(y)),
  ),
  mul: binary(
    (x, y) => x * y,
    (x, y) => multiply(x, y),
  ),
  div: quotient,
  rem: remainder,
  abs: unary((x) => ({ ...x, negative: false })),
  round: unary(round),
  ceil: unary(ceil),
  floor: unary(floor),
  sum: total,
  product,
  min: ([v]) => least(v),
};
