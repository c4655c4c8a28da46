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

export const strings: Family = {
  'strings.any_prefix_match': ([values, prefixes]) => {
    const all = stringOrStrings(values);
    const wanted = stringOrStrings(prefixes);
    return all.some((s) => wanted.some((p) => s.startsWith(p)));
  },
  'strings.any_suffix_match': ([values, suffixes]) => {
    const all = stringOrStrings(values);
    const wanted = stringOrStrings(suffixes);
    return all.some((s) => wanted.some((p) => s.endsWith(p)));
  },
  'strings.count': ([text, search]) => {
    const s = string(text);
    const wanted = string(search);
    return wanted === '' ? runes(s).length + 1 : s.split(wanted).length - 1;
  },
  'strings.split_n': ([text, delimiter, n]) => splitN(string(text), string(delimiter), int(n)),
  indexof_n: ([text, search]) => positions(string(text), string(search)),
  'glob.quote_meta': ([pattern]) => string(pattern).replace(/[*?\\[\]{}]/g, '\\$&'),
};
