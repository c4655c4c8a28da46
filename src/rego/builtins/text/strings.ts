/** `strings.*`, `indexof_n`, `glob.quote_meta`. They count characters (Go's runes), not UTF-16 units. */
import { compare, sorted } from '../../order.ts';
import { bytesOf, numberOf, numberText, type RegoNumber, type RegoValue, stringOf } from '../../values.ts';
import { parseFloat64, truncated } from '../numbers/bigfloat.ts';
import { fail, int, items, number, object, string, stringOrStrings, tooLarge } from '../operands.ts';
import type { EvaluationContext, Family } from '../types.ts';

const runes = (text: string): string[] => [...text];

/** positions, in characters, of all occurrences, including overlapping ones */
const positions = (text: string, search: string): number[] => {
  if (search === '') return fail('an empty search string');
  const out: number[] = [];
  let rune = 0;
  let unit = 0;
  for (let at = text.indexOf(search); at >= 0; at = text.indexOf(search, at + 1)) {
    while (unit < at) {
      unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
      rune += 1;
    }
    if (unit === at) out.push(rune);
  }
  return out;
};

const splitN = (text: string, delimiter: string, n: number): string[] => {
  const parts = delimiter === '' ? runes(text) : text.split(delimiter);
  return n < 0 ? parts.slice(n) : parts.slice(0, n);
};

const reversed = (text: string): string => text.split('').reverse().join('');

/** Binary search in the sorted prefixes: only the last prefix that sorts before a string can be its prefix. */
const anyStarts = (values: readonly string[], prefixes: readonly string[]): boolean => {
  const kept: string[] = [];
  // Prefixes that start with another prefix are left out; otherwise one could sort between a prefix and its strings.
  for (const prefix of [...prefixes].sort()) {
    const last = kept.at(-1);
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix);
  }
  return values.some((text) => {
    let low = 0;
    let high = kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((kept[middle] as string) <= text) low = middle + 1;
      else high = middle;
    }
    return low > 0 && text.startsWith(kept[low - 1] as string);
  });
};

/** larger than a policy's memory */
const MAX_LENGTH = 1 << 26;
const BETWEEN_CHECKS = 4096;

/**
 * Go's strings.Replacer, on bytes: at each position the first key that matches is replaced. The empty key matches everywhere,
 * but not twice at the same position.
 */
const replaceAll = (
  text: string,
  pairs: readonly (readonly [string, string])[],
  context: EvaluationContext,
): string => {
  const source = latin1(text);
  const byFirst = new Map<string, (readonly [string, string])[]>();
  let everywhere: string | undefined;
  for (const [key, value] of pairs) {
    const pair = [latin1(key), latin1(value)] as const;
    const first = pair[0][0];
    if (first === undefined) everywhere ??= pair[1];
    else byFirst.set(first, [...(byFirst.get(first) ?? []), pair]);
  }
  let out = '';
  let last = 0;
  let filled = false;
  const put = (at: number, value: string): void => {
    out += source.slice(last, at) + value;
    last = at;
    if (out.length > MAX_LENGTH)
      tooLarge(`A text of more than ${MAX_LENGTH} bytes would be the result of a replacement`);
  };
  for (let at = 0, steps = 1; at <= source.length; steps++) {
    if (steps % BETWEEN_CHECKS === 0) context.check();
    if (everywhere !== undefined && !filled) {
      put(at, everywhere);
      filled = true;
      continue;
    }
    filled = false;
    const found = byFirst.get(source[at] ?? '')?.find(([key]) => source.startsWith(key, at));
    if (found === undefined) at += 1;
    else {
      put(at, found[1]);
      at += found[0].length;
      last = at;
    }
  }
  return stringOf(Buffer.from(out + source.slice(last), 'latin1'));
};

/** the UTF-8 bytes of a text, one character a byte */
const latin1 = (text: string): string => Buffer.from(bytesOf(text)).toString('latin1');

/** position of the first occurrence, in characters; an empty search string fails */
const firstOf = (text: string, search: string): number => {
  if (search === '') return fail('an empty search string');
  if (isAscii(text)) return text.indexOf(search);
  for (let at = text.indexOf(search); at >= 0; at = text.indexOf(search, at + 1)) {
    // not in the middle of a surrogate pair
    const before = text.slice(0, at);
    if (before.isWellFormed() || !text.isWellFormed()) return runes(before).length;
  }
  return -1;
};

const isAscii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

const BASES: { readonly [base: string]: number } = { 2: 2, 8: 8, 10: 10, 16: 16 };

const formatInt = (n: RegoNumber, base: RegoNumber): string => {
  const radix = BASES[numberText(base)] ?? fail('the base must be 2, 8, 10 or 16');
  const text = numberText(n);
  // exact, whatever the length
  if (/^-?\d+$/.test(text)) return BigInt(text).toString(radix);
  return truncated(parseFloat64(n)).toString(radix);
};

const FLOAT = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)$/;
const HEX_FLOAT = /^([+-]?)0[xX]([\da-fA-F_]*)(?:\.([\da-fA-F_]*))?[pP]([+-]?\d+)$/;

/** Go's strconv.ParseFloat; the number keeps its text */
const parseNumber = (text: string): RegoNumber => {
  const hex = HEX_FLOAT.exec(text);
  if (hex !== null) {
    const digits = `${hex[2]}${hex[3] ?? ''}`.replaceAll('_', '');
    if (digits === '') return fail('not a number');
    const value =
      Number(BigInt(`0x${digits}`)) * 2 ** (Number(hex[4]) - 4 * (hex[3]?.replaceAll('_', '').length ?? 0));
    return Number.isFinite(value) ? (hex[1] === '-' ? -value : value) : fail('out of range');
  }
  // underscores between digits
  if (/\d_\d/.test(text)) return parseNumber(text.replaceAll(/(?<=\d)_(?=\d)/g, ''));
  if (!FLOAT.test(text) || !Number.isFinite(Number(text))) return fail('not a number');
  const m = /^([+-]?)0*(\d*)((?:\.\d*)?)(.*)$/.exec(text)!;
  return numberOf(`${m[1] === '-' ? '-' : ''}${m[2] || '0'}${m[3] === '.' ? '' : m[3]}${m[4]}`);
};

const toNumber = (v: RegoValue | undefined): RegoNumber => {
  if (v === null || v === false) return 0;
  if (v === true) return 1;
  return typeof v === 'string' ? parseNumber(v) : number(v);
};

export const strings: Family = {
  'strings.any_prefix_match': ([values, prefixes]) =>
    anyStarts(stringOrStrings(values), stringOrStrings(prefixes)),
  'strings.any_suffix_match': ([values, suffixes]) =>
    anyStarts(stringOrStrings(values).map(reversed), stringOrStrings(suffixes).map(reversed)),
  'strings.count': ([text, search]) => {
    const s = string(text);
    const wanted = string(search);
    return wanted === '' ? runes(s).length + 1 : s.split(wanted).length - 1;
  },
  'strings.split_n': ([text, delimiter, n]) => splitN(string(text), string(delimiter), int(n)),
  indexof_n: ([text, search]) => positions(string(text), string(search)),
  concat: ([separator, list]) =>
    (list instanceof Set ? sorted(list) : items(list)).map(string).join(string(separator)),
  indexof: ([text, search]) => firstOf(string(text), string(search)),
  replace: ([text, old, value], context) => replaceAll(string(text), [[string(old), string(value)]], context),
  'strings.replace_n': ([patterns, text], context) =>
    replaceAll(
      string(text),
      [...object(patterns)]
        .sort(([a], [b]) => compare(a, b))
        .map(([key, value]) => [string(key), string(value)] as const),
      context,
    ),
  format_int: ([n, base]) => formatInt(number(n), number(base)),
  to_number: ([v]) => toNumber(v),
  'glob.quote_meta': ([pattern]) => string(pattern).replace(/[*?\\[\]{}]/g, '\\$&'),
};
