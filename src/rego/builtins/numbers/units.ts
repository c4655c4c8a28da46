/** `units.parse` (SI, `m` is milli) and `units.parse_bytes`: exact, over fractions of big integers. */
import { numberOf, type RegoValue } from '../../values.ts';
import { fail, string, tooLong } from '../operands.ts';
import type { Family } from '../types.ts';

interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

/** Go's strings.ToLower, which maps one character to one */
const lower = (text: string): string => text.replaceAll('İ', 'i').toLowerCase();

const LETTERS = 'kmgtpe';
const MAX_EXPONENT_DIGITS = 6;

/** "10.5Gi" → ["10.5", "Gi"]; an `e` is part of the number only if digits follow */
const split = (text: string): readonly [string, string] => {
  let i = 0;
  for (; i < text.length; i++) {
    const c = text[i] as string;
    if (!/[\d.eE+-]/.test(c)) break;
    if (c !== 'e' && c !== 'E') continue;
    if (!/[\d+-]/.test(text[i + 1] ?? '')) break;
    if (/[+-]/.test(text[i + 1] as string)) i += 1;
    const digits = /^\d*/.exec(text.slice(i + 1))?.[0].length ?? 0;
    if (digits > MAX_EXPONENT_DIGITS) return fail('the exponent is too large');
  }
  return [text.slice(0, i), text.slice(i)];
};

/** limit that bounds the time; OPA computes fractions of up to a million digits */
const MAX_EXPONENT = 4096;

const fraction = (text: string): Fraction => {
  const m = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (m === null || `${m[2]}${m[3] ?? ''}` === '') return fail('not a number');
  const decimals = m[3] ?? '';
  const exponent = Number(m[4] ?? 0) - decimals.length;
  if (Math.abs(exponent) > MAX_EXPONENT) return fail('the exponent is too large');
  const digits = BigInt(`${m[2]}${decimals}`) * (m[1] === '-' ? -1n : 1n);
  return exponent >= 0
    ? { over: digits * 10n ** BigInt(exponent), under: 1n }
    : { over: digits, under: 10n ** BigInt(-exponent) };
};

/** the power of 1000 or 1024 that the letter of a unit means */
const power = (unit: string): number => LETTERS.indexOf(unit[0] as string) + 1;

/** the double nearest to 0.001, as in OPA */
const MILLI: Fraction = { over: 4611686018427388n, under: 1n << 62n };

const siFactor = (unit: string): Fraction | undefined => {
  if (unit === '') return { over: 1n, under: 1n };
  if (unit === 'm') return MILLI;
  const low = lower(unit);
  if (!LETTERS.includes(low[0] as string)) return undefined;
  if (low.length === 1) return { over: 1000n ** BigInt(power(low)), under: 1n };
  return low.slice(1) === 'i' ? { over: 1024n ** BigInt(power(low)), under: 1n } : undefined;
};

const byteFactor = (unit: string): bigint | undefined => {
  if (unit === '') return 1n;
  if (!LETTERS.includes(unit[0] as string)) return undefined;
  if (/^.b?$/.test(unit)) return 1000n ** BigInt(power(unit));
  return /^.ib?$/.test(unit) ? 1024n ** BigInt(power(unit)) : undefined;
};

/** limit that bounds the time of exact arithmetic, which is quadratic */
const MAX_LENGTH = 4096;

const amount = (text: string): readonly [string, string] => {
  if (text.length > MAX_LENGTH) return tooLong(`An amount of more than ${MAX_LENGTH} characters is not read`);
  if (text.includes(' ')) return fail('spaces are not allowed');
  const [number, unit] = split(text);
  return number === '' ? fail('no amount') : [number, unit];
};

const DECIMALS = 10;

/** ten decimals, halves rounded away from zero (Go's Rat.FloatString(10)) */
const spell = ({ over, under }: Fraction): string => {
  const negative = over < 0n;
  const scaled = (negative ? -over : over) * 10n ** BigInt(DECIMALS) * 2n;
  const rounded = (scaled / under + 1n) / 2n;
  const digits = String(rounded).padStart(DECIMALS + 1, '0');
  return `${negative ? '-' : ''}${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
};

/** Rounds to 64 bits, halves to even: OPA computes bytes with Go's big.Float. */
const MANTISSA = 64;
const toMantissa = (n: bigint): bigint => {
  const extra = n.toString(2).length - MANTISSA;
  if (extra <= 0) return n;
  const unit = 1n << BigInt(extra);
  const down = n / unit;
  const rest = n % unit;
  const up = rest * 2n > unit || (rest * 2n === unit && down % 2n === 1n);
  return (down + (up ? 1n : 0n)) * unit;
};

const parse = (text: string): RegoValue => {
  const [number, unit] = amount(text.replaceAll('"', ''));
  const factor = siFactor(unit) ?? fail('unknown unit');
  const { over, under } = fraction(number);
  const product = { over: over * factor.over, under: under * factor.under };
  return numberOf(
    product.over % product.under === 0n ? String(product.over / product.under) : spell(product),
  );
};

/** bits kept after the point, far more than a mantissa has */
const GUARD = 4096n;

const parseBytes = (text: string): RegoValue => {
  const [number, unit] = amount(lower(text).replaceAll('"', ''));
  const factor = byteFactor(unit) ?? fail('unknown unit');
  const { over, under } = fraction(number);
  const negative = over < 0n;
  const mantissa = toMantissa(((negative ? -over : over) << GUARD) / under);
  const total = toMantissa(mantissa * factor) >> GUARD;
  return numberOf(String(negative ? -total : total));
};

export const units: Family = {
  'units.parse': ([v]) => parse(string(v)),
  'units.parse_bytes': ([v]) => parseBytes(string(v)),
};
