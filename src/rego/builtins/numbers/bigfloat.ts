/** The arithmetic of OPA's interpreter: Go's `big.Float` with a mantissa of 64 bits, rounded to nearest even. */
import { numberOf, numberText, type RegoNumber } from '../../values.ts';
import { tooLarge } from '../operands.ts';

/** `mantissa` × 2^`exponent`; the mantissa of zero is 0 */
export interface BigFloat {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

const PRECISION = 64;
/** limit for the decimal digits before and after the point */
const MAX_DIGITS = 5000;

const bits = (n: bigint): number => {
  const hex = n.toString(16);
  return n === 0n ? 0 : (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)));
};

/** Rounds to `precision` bits, halves to even. `rest`: bits below those of `value` are not all zero. */
const rounded = (value: BigFloat, precision: number, rest = false): BigFloat => {
  const extra = bits(value.mantissa) - precision;
  if (extra <= 0) return value;
  const shift = BigInt(extra);
  let mantissa = value.mantissa >> shift;
  const low = value.mantissa & ((1n << shift) - 1n);
  const half = 1n << (shift - 1n);
  if (low > half || (low === half && (rest || (mantissa & 1n) === 1n))) mantissa += 1n;
  return { negative: value.negative, mantissa, exponent: value.exponent + extra };
};

export const fromInteger = (n: bigint): BigFloat => ({
  negative: n < 0n,
  mantissa: n < 0n ? -n : n,
  exponent: 0,
});

const quotient = (a: BigFloat, b: BigFloat, precision: number): BigFloat => {
  const shift = Math.max(0, precision + 2 + bits(b.mantissa) - bits(a.mantissa));
  const over = a.mantissa << BigInt(shift);
  const mantissa = over / b.mantissa;
  return rounded(
    { negative: a.negative !== b.negative, mantissa, exponent: a.exponent - b.exponent - shift },
    precision,
    over % b.mantissa !== 0n,
  );
};

const SHAPE = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Go's Float.SetString of a decimal number */
export const parseFloat64 = (n: RegoNumber): BigFloat => {
  const m = SHAPE.exec(numberText(n));
  if (m === null) throw new SyntaxError('not a number');
  const fraction = m[3] ?? '';
  const digits = m[2] + fraction;
  const tens = Number(m[4] ?? 0) - fraction.length;
  if (digits.length > MAX_DIGITS || Math.abs(tens) > MAX_DIGITS)
    tooLarge(`Numbers of more than ${MAX_DIGITS} digits are not supported`);
  const whole = rounded({ negative: m[1] === '-', mantissa: BigInt(digits), exponent: 0 }, PRECISION);
  if (whole.mantissa === 0n || tens === 0) return whole;
  const power = rounded(
    { negative: false, mantissa: 5n ** BigInt(Math.abs(tens)), exponent: 0 },
    PRECISION + 64,
  );
  const scaled = { ...whole, exponent: whole.exponent + tens };
  return tens < 0 ? quotient(scaled, power, PRECISION) : multiply(scaled, power);
};

const signed = (x: BigFloat): bigint => (x.negative ? -x.mantissa : x.mantissa);

export const add = (x: BigFloat, y: BigFloat): BigFloat => {
  const exponent = Math.min(x.exponent, y.exponent);
  const sum = (signed(x) << BigInt(x.exponent - exponent)) + (signed(y) << BigInt(y.exponent - exponent));
  return rounded({ negative: sum < 0n, mantissa: sum < 0n ? -sum : sum, exponent }, PRECISION);
};

export const negated = (x: BigFloat): BigFloat => ({ ...x, negative: !x.negative });

export const multiply = (x: BigFloat, y: BigFloat): BigFloat =>
  rounded(
    {
      negative: x.negative !== y.negative,
      mantissa: x.mantissa * y.mantissa,
      exponent: x.exponent + y.exponent,
    },
    PRECISION,
  );

export const divide = (x: BigFloat, y: BigFloat): BigFloat => quotient(x, y, PRECISION);

/** the integer part */
export const truncated = (x: BigFloat): bigint => {
  const n = x.exponent >= 0 ? x.mantissa << BigInt(x.exponent) : x.mantissa >> BigInt(-x.exponent);
  return x.negative ? -n : n;
};

export const isInteger = (x: BigFloat): boolean =>
  x.exponent >= 0 || (x.mantissa & ((1n << BigInt(-x.exponent)) - 1n)) === 0n;

interface Decimal {
  /** without trailing zeros */
  readonly digits: string;
  /** position of the decimal point */
  readonly point: number;
}

const decimalOf = (mantissa: bigint, exponent: number): Decimal => {
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const digits = String(scaled);
  let end = digits.length;
  while (end > 1 && digits[end - 1] === '0') end -= 1;
  return { digits: digits.slice(0, end), point: digits.length + Math.min(0, exponent) };
};

/** the shortest decimal that is parsed to the same number (Go's roundShortest) */
const shortest = (x: BigFloat, precision: number): Decimal => {
  const exact = decimalOf(x.mantissa, x.exponent);
  // Twice the mantissa, extended to the precision, so that the midpoints to its neighbours are one off.
  const shift = precision + 1 - bits(x.mantissa);
  const mantissa = x.mantissa << BigInt(shift);
  const lower = decimalOf(mantissa - 1n, x.exponent - shift);
  const upper = decimalOf(mantissa + 1n, x.exponent - shift);
  const inclusive = (mantissa & 2n) === 0n;
  const digit = (d: Decimal, i: number): number => Number(d.digits[i] ?? 0);
  for (let i = 0; i < exact.digits.length; i++) {
    const [l, m, u] = [digit(lower, i), digit(exact, i), digit(upper, i)];
    const down = l !== m || (inclusive && i + 1 === lower.digits.length);
    const up = m !== u && (inclusive || m + 1 < u || i + 1 < upper.digits.length);
    if (!down && !up) continue;
    const head = BigInt(exact.digits.slice(0, i + 1));
    const rest = exact.digits.slice(i + 1);
    const half = rest[0] === '5' && rest.length === 1 ? head % 2n === 1n : (rest[0] ?? '0') >= '5';
    const text = String(up && (!down || half) ? head + 1n : head);
    const stripped = text.replace(/(?<!0)0+$/, '') || '0';
    return { digits: stripped, point: exact.point + text.length - (i + 1) };
  }
  return exact;
};

/** Go's Text('f', -1) of an integer, Text('g', -1) of any other number */
export const numberFrom = (x: BigFloat): RegoNumber => {
  if (x.mantissa === 0n) return numberOf(x.negative ? '-0' : '0');
  const { digits, point } = shortest(x, Math.max(PRECISION, bits(x.mantissa)));
  const minus = x.negative ? '-' : '';
  if (isInteger(x)) return numberOf(minus + digits.padEnd(point, '0'));
  const power = point - 1;
  if (power < -4 || power >= 6) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const size = String(Math.abs(power)).padStart(2, '0');
    return numberOf(`${minus}${digits[0]}${fraction}e${power < 0 ? '-' : '+'}${size}`);
  }
  if (point <= 0) return numberOf(`${minus}0.${'0'.repeat(-point)}${digits}`);
  return digits.length <= point
    ? numberOf(minus + digits.padEnd(point, '0'))
    : numberOf(`${minus}${digits.slice(0, point)}.${digits.slice(point)}`);
};
