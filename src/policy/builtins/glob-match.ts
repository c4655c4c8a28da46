/**
 * `glob.match` of a text with line breaks, as gobwas/glob matches it: `*`, `**` and `?` take them like any other character.
 * The module, which answers all other texts, stops at them (RE2 without the flag `s`), so that a line break in a name would
 * keep it from being recognised.
 */
import { RE2JS } from 're2js';
import type { RegoValue } from '../values.ts';
import { fail, items, string } from './operands.ts';
import { compile, searched } from './regex.ts';
import type { Family } from './types.ts';

const ANY = '(?s:.)';

const translate = (pattern: string, separators: readonly string[]): string => {
  const runes = [...pattern];
  const one = separators.length === 0 ? ANY : `[^${separators.map(inClass).join('')}]`;
  let out = '';
  let depth = 0;
  for (let i = 0; i < runes.length; i++) {
    const c = runes[i] as string;
    if (c === '\\') out += RE2JS.quote(runes[++i] ?? fail('an escape at the end'));
    else if (c === '?') out += one;
    else if (c === '*') {
      const any = runes[i + 1] === '*';
      while (runes[i + 1] === '*') i += 1;
      out += any ? `${ANY}*` : `${one}*`;
    } else if (c === '[') {
      const end = runes.indexOf(']', i + 1);
      if (end < 0) return fail('a list that is not closed');
      const negated = runes[i + 1] === '!';
      const list = runes.slice(i + (negated ? 2 : 1), end);
      if (list.length === 0) return fail('an empty list');
      const [low, dash, high] = list;
      const range = list.length === 3 && dash === '-';
      if (range && (low as string) > (high as string)) return fail('a range out of order');
      out += `[${negated ? '^' : ''}${range ? `${inClass(low as string)}-${inClass(high as string)}` : list.map(inClass).join('')}]`;
      i = end;
    } else if (c === '{') {
      depth += 1;
      out += '(?:';
    } else if (c === ',' && depth > 0) out += '|';
    else if (c === '}' && depth > 0) {
      depth -= 1;
      out += ')';
    } else out += RE2JS.quote(c);
  }
  return depth === 0 ? out : fail('alternatives that are not closed');
};

const inClass = (c: string): string => (/[\w]/.test(c) ? c : RE2JS.quote(c));

const separatorsOf = (v: RegoValue | undefined): string[] => {
  if (v === null) return [];
  const list = items(v).map((s) =>
    [...string(s)].length === 1 ? string(s) : fail('a delimiter of one character'),
  );
  return list.length === 0 ? ['.'] : list;
};

export const globMatch: Family = {
  'glob.match': ([pattern, delimiters, text]) => {
    const re = compile(translate(string(pattern), separatorsOf(delimiters)));
    return re.matches(searched(string(pattern), string(text)));
  },
};
