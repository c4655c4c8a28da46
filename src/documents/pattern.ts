/** Patterns that documents hold: RE2, which matches in time that is linear in the text, whatever the pattern. */
import { RE2JS } from 're2js';

export type Pattern = RE2JS;

/** @throws Error for what is not RE2 */
export const compilePattern = (source: string): Pattern => RE2JS.compile(source);

/** null: nothing is wrong with it */
export const patternFault = (pattern: unknown): string | null => {
  if (typeof pattern !== 'string' || pattern === '') return 'pattern is a regular expression';
  try {
    compilePattern(pattern);
    return null;
  } catch {
    return 'pattern is not a regular expression of RE2 (https://github.com/google/re2/wiki/Syntax)';
  }
};
