/** `strings.*`, `indexof_n`, `glob.quote_meta`: on characters (Go's runes), not on UTF-16 units. */
import { fail, int, string, stringOrStrings } from './operands.ts';
import type { Family } from './types.ts';

const runes = (text: string): string[] => [...text];

/** positions, in characters, of every occurrence, overlapping ones too */
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

/** Each string is looked up between the prefixes in order: of those before it, only the last kept can begin it. */
const anyStarts = (values: readonly string[], prefixes: readonly string[]): boolean => {
  const kept: string[] = [];
  // What begins with another prefix adds nothing; without those, no prefix lies between another and what it begins.
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
  'glob.quote_meta': ([pattern]) => string(pattern).replace(/[*?\\[\]{}]/g, '\\$&'),
};
