/**
 * `glob.match` as gobwas/glob matches, for arguments for which the module answers otherwise. `*`, `**` and `?` match line breaks,
 * too (in the module they stop there, so that a name with a line break would not be matched). Parentheses and `$` in a pattern
 * are literal (in the module they have their meaning in RE2: `(*)` would match everything).
 */
import { RE2JS } from 're2js';
import type { RegoValue } from '../../values.ts';
import { fail, items, string, tooLong } from '../operands.ts';
import type { Family } from '../types.ts';
import { compile, MAX_LENGTH, searched } from './regex.ts';

const ANY = '(?s:.)';

const translate = (pattern: string, separators: readonly string[]): string => {
  // gobwas reads NUL as the end of the pattern
  const runes = [...pattern.split('\0', 1).join()];
  const one = separators.length === 0 ? ANY : `[^${separators.map(inClass).join('')}]`;
  let out = '';
  let depth = 0;
  for (let i = 0; i < runes.length; i++) {
    const c = runes[i] as string;
    // an escape at the end is ignored
    if (c === '\\') out += RE2JS.quote(runes[++i] ?? '');
    else if (c === '?') out += one;
    else if (c === '*') {
      const any = runes[i + 1] === '*';
      while (runes[i + 1] === '*') i += 1;
      out += any ? `${ANY}*` : `${one}*`;
    } else if (c === '[') {
      const negated = runes[i + 1] === '!';
      const list = listFrom(runes, i + (negated ? 2 : 1));
      out += `[${negated ? '^' : ''}${list.text}]`;
      i = list.end;
    } else if (c === '{') {
      depth += 1;
      out += '(?:';
    } else if (c === ',' && depth > 0) out += '|';
    else if (c === '}' && depth > 0) {
      depth -= 1;
      out += ')';
    } else out += RE2JS.quote(c);
  }
  // groups that are not closed end with the pattern
  return out + ')'.repeat(depth);
};

/** Reads `[a-z]` or `[abc]`, whose characters may be escaped. `end` is the position of the bracket. */
const listFrom = (
  runes: readonly string[],
  start: number,
): { readonly text: string; readonly end: number } => {
  const [low, dash, high, close] = runes.slice(start, start + 4);
  if (low !== undefined && dash === '-') {
    if (high === undefined || close !== ']') return fail('a range that is not closed');
    if (low > high) return fail('a range out of order');
    return { text: `${inClass(low)}-${inClass(high)}`, end: start + 3 };
  }
  let text = '';
  for (let i = start; i < runes.length; i++) {
    const c = runes[i] as string;
    if (c === ']') return text === '' ? fail('an empty list') : { text, end: i };
    const taken = c === '\\' ? runes[++i] : c;
    if (taken !== undefined) text += inClass(taken);
  }
  return fail('a list that is not closed');
};

/** `RE2JS.quote` does not escape a dash, which would make a range within brackets */
const inClass = (c: string): string => (c === '-' ? '\\-' : RE2JS.quote(c));

const separatorsOf = (v: RegoValue | undefined): string[] => {
  if (v === null) return [];
  const list = items(v).map((s) =>
    [...string(s)].length === 1 ? string(s) : fail('a delimiter is one character'),
  );
  return list.length === 0 ? ['.'] : list;
};

export const globMatch: Family = {
  'glob.match': ([pattern, delimiters, text]) => {
    const [glob, whole] = [string(pattern), string(text)];
    // Compiling cannot be interrupted, and its time grows with the length.
    if (glob.length > MAX_LENGTH)
      return tooLong(`A pattern of ${glob.length} characters (at most ${MAX_LENGTH})`);
    searched(glob, whole);
    return compile(translate(glob, separatorsOf(delimiters))).matches(whole);
  },
};
