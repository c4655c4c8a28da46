/** Equality and order of values as in OPA: null < booleans < numbers < strings < arrays < objects < sets. */
import { bytesOf, encode, isNumber, numberText, type RegoNumber, type RegoValue } from './values.ts';

/** `digits` × 10^`exponent`, digits without leading and trailing zeros */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

const ZERO = 48;
const SHAPE = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

const decimalOf = (text: string): Decimal => {
  const m = SHAPE.exec(text);
  if (m === null) throw new SyntaxError('not a number');
  const fraction = m[3] ?? '';
  const all = (m[2] ?? '') + fraction;
  // Not /0+$/, which takes quadratic time on a long run of zeros in the middle.
  let end = all.length;
  while (end > 0 && all.charCodeAt(end - 1) === ZERO) end -= 1;
  const digits = all.slice(0, end).replace(/^0+/, '');
  if (digits === '') return { negative: false, digits: '', exponent: 0 };
  const trailing = all.length - end;
  return { negative: m[1] === '-', digits, exponent: Number(m[4] ?? 0) - fraction.length + trailing };
};

const sign = (d: Decimal): number => (d.digits === '' ? 0 : d.negative ? -1 : 1);

const magnitude = (a: Decimal, b: Decimal): number => {
  const top = a.digits.length + a.exponent - (b.digits.length + b.exponent);
  if (top !== 0) return top;
  const width = Math.max(a.digits.length, b.digits.length);
  const x = a.digits.padEnd(width, '0');
  const y = b.digits.padEnd(width, '0');
  return x < y ? -1 : x > y ? 1 : 0;
};

/** Compares the exact values: `1`, `1.0` and `10e-1` are equal. */
export const compareNumbers = (a: RegoNumber, b: RegoNumber): number => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const x = decimalOf(numberText(a));
  const y = decimalOf(numberText(b));
  const signs = sign(x) - sign(y);
  return signs !== 0 ? signs : sign(x) * magnitude(x, y);
};

/** The integer that a number is, or undefined if it has a fraction. */
export const integerOf = (n: RegoNumber): bigint | undefined => {
  if (typeof n === 'number') return Number.isSafeInteger(n) ? BigInt(n) : integerOfText(String(n));
  return integerOfText(n.text);
};

/** 10^4096 is larger than every integer that a built-in accepts, and small enough to compute. */
const MAX_ZEROS = 4096;

const integerOfText = (text: string): bigint | undefined => {
  const d = decimalOf(text);
  if (d.exponent < 0 || d.exponent > MAX_ZEROS) return undefined;
  const value = BigInt(d.digits || '0') * 10n ** BigInt(d.exponent);
  return d.negative ? -value : value;
};

const rank = (v: RegoValue): number =>
  v === null
    ? 0
    : typeof v === 'boolean'
      ? 1
      : isNumber(v)
        ? 2
        : typeof v === 'string'
          ? 3
          : Array.isArray(v)
            ? 4
            : v instanceof Map
              ? 5
              : 6;

/** As in Go, by bytes of UTF-8. UTF-16 order differs from that beyond the basic plane. */
const compareStrings = (a: string, b: string): number => {
  if (a === b) return 0;
  return Buffer.compare(bytesOf(a), bytesOf(b));
};

const compareLists = (a: readonly RegoValue[], b: readonly RegoValue[]): number => {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const c = compare(a[i] as RegoValue, b[i] as RegoValue);
    if (c !== 0) return c;
  }
  return a.length - b.length;
};

export const sorted = (values: Iterable<RegoValue>): RegoValue[] => [...values].sort(compare);

export const compare = (a: RegoValue, b: RegoValue): number => {
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === 'string') return compareStrings(a, b as string);
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (a === null) return 0;
  if (isNumber(a)) return compareNumbers(a, b as RegoNumber);
  if (Array.isArray(a)) return compareLists(a, b as RegoValue[]);
  if (a instanceof Set) return compareLists(sorted(a), sorted(b as Set<RegoValue>));
  const other = b as Map<RegoValue, RegoValue>;
  // Objects are compared by their sorted keys first, key by key with its value.
  const mine = [...a].sort(([x], [y]) => compare(x, y));
  const theirs = [...other].sort(([x], [y]) => compare(x, y));
  for (let i = 0; i < Math.min(mine.length, theirs.length); i++) {
    const [k1, v1] = mine[i] as [RegoValue, RegoValue];
    const [k2, v2] = theirs[i] as [RegoValue, RegoValue];
    const c = compare(k1, k2) || compare(v1, v2);
    if (c !== 0) return c;
  }
  return mine.length - theirs.length;
};

export const equal = (a: RegoValue, b: RegoValue): boolean => compare(a, b) === 0;

/** A text that is the same for two values if and only if they are equal. */
export const identity = (v: RegoValue): string => {
  if (typeof v === 'string') return JSON.stringify(v);
  if (v === null || typeof v === 'boolean') return String(v);
  if (isNumber(v)) {
    const d = decimalOf(numberText(v));
    return `${d.negative ? '-' : ''}${d.digits}e${d.exponent}`;
  }
  if (Array.isArray(v)) return `[${v.map(identity).join()}]`;
  if (v instanceof Set) return `<${[...v].map(identity).sort().join()}>`;
  return `{${[...v]
    .map(([key, item]) => `${identity(key)}:${identity(item)}`)
    .sort()
    .join()}}`;
};

const inKey: { readonly [character: string]: string } = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};
const keyText = (key: RegoValue): string =>
  typeof key === 'string' ? key : jsonOf(key).replace(/[<>&\u2028\u2029]/g, (c) => inKey[c]!);

/** JSON as OPA writes it: a set as a sorted array, a key that is not a string as a string that holds its JSON. */
export const jsonOf = (v: RegoValue): string => {
  if (v instanceof Set) return jsonOf(sorted(v));
  if (Array.isArray(v)) return `[${v.map(jsonOf).join(',')}]`;
  if (!(v instanceof Map)) return encode(v);
  const members = [...v].map(([key, item]) => `${encode(keyText(key))}:${jsonOf(item)}`);
  return `{${members.join(',')}}`;
};
