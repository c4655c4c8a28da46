/** Exact decimal numbers: an amount of 30 digits is rounded exactly, not as a double. */

export interface Decimal {
  /** value = units · 10^-scale */
  readonly units: bigint;
  readonly scale: number;
}

const NUMBER = /^([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?$/;
const GROUPED = /^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$/;
/** limits for digits and exponents of amounts */
const LONGEST = 400;

/** `1234.50`, `-7`, `1e3`, `1,234.50`; null for anything else. */
export function parseDecimal(text: string): Decimal | null {
  const plain = GROUPED.test(text) ? text.replaceAll(',', '') : text;
  if (plain.length > LONGEST) return null;
  const found = NUMBER.exec(plain);
  if (found === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = found;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > LONGEST) return null;
  const units = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale };
}

const CURRENCIES = new Set([
  ...Intl.supportedValuesOf('currency'),
  ...[
    'RMB',
    'US$',
    'HK$',
    'NT$',
    'A$',
    'C$',
    'S$',
    '元',
    '元整',
    '圆',
    '圆整',
    '圓',
    '圓整',
    '港元',
    '美元',
    '欧元',
    '日元',
    '円',
  ],
]);
/** `¥`, `CNY `, ` 元`: a sign or word of the list; multipliers (万, k) are none */
const isMoney = (word: string): boolean => /^(?:\p{Sc}|)$/u.test(word.trim()) || CURRENCIES.has(word.trim());
const AMOUNT =
  /^(\(?)([+-]?)([^0-9().,+-]{0,4})([+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,4})?)([^0-9().,+-]{0,4})(\)?)$/u;

export interface Amount {
  readonly value: Decimal;
  /** the text before and after the number, blanks included */
  readonly before: string;
  readonly after: string;
}

/** Parses a number with or without a currency; a number in brackets is negative, as in accounting. */
export function parseAmount(text: string): Amount | null {
  if (text.length > LONGEST) return null;
  const found = AMOUNT.exec(text.normalize('NFKC').trim());
  if (found === null) return null;
  const [, open, sign, before = '', number = '', after = '', close] = found;
  const value = parseDecimal(number);
  if (
    value === null ||
    !isMoney(before) ||
    !isMoney(after) ||
    (open === '') !== (close === '') ||
    (sign !== '' && /^[+-]/.test(number))
  )
    return null;
  const negative = (open !== '' ? 1 : 0) + (sign === '-' ? 1 : 0);
  if (negative === 2 || (before.trim() !== '' && after.trim() !== '')) return null;
  return { value: negative === 1 ? { ...value, units: -value.units } : value, before, after };
}

export function formatDecimal({ units, scale }: Decimal): string {
  if (scale === 0) return units.toString();
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const fraction = digits.slice(-scale).replace(/0+$/, '');
  const sign = units < 0n ? '-' : '';
  return `${sign}${digits.slice(0, -scale)}${fraction === '' ? '' : `.${fraction}`}`;
}

const aligned = (a: Decimal, b: Decimal): readonly [bigint, bigint, number] => {
  const scale = Math.max(a.scale, b.scale);
  return [a.units * 10n ** BigInt(scale - a.scale), b.units * 10n ** BigInt(scale - b.scale), scale];
};

export function compareDecimals(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Rounds to the nearest multiple of a positive step, half away from zero. */
export function roundDecimal(value: Decimal, step: Decimal): Decimal {
  const [units, by, scale] = aligned(value, step);
  const size = units < 0n ? -units : units;
  const rounded = ((2n * size + by) / (2n * by)) * by;
  return { units: units < 0n ? -rounded : rounded, scale };
}
