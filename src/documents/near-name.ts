/** Suggestions for misspelled names. */
import { distance } from 'fastest-levenshtein';

/** Longer names are compared without their transpositions, of which there are as many as letters. */
const LONG = 64;

/** `; did you mean "x"?` for a word that resembles one of the known names, else nothing. For every message that refuses a name. */
export function didYouMean(wanted: string, names: Iterable<string>): string {
  const spellings = spellingsOf(wanted.toLowerCase());
  let best: string | null = null;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const lower = name.toLowerCase();
    for (const [spelling, cost] of spellings) {
      const d = distance(spelling, lower) + cost;
      if (d < least) [best, least] = [name, d];
    }
  }
  return best === null ? '' : `; did you mean "${best}"?`;
}

/**
 * The word, and the word with two adjacent letters exchanged, with what the change costs. To Levenshtein's distance an exchange is two changes, which
 * is too many for a short name.
 */
function spellingsOf(word: string): readonly (readonly [spelling: string, cost: number])[] {
  if (word.length > LONG) return [[word, 0]];
  const exchanged = [...word].flatMap((letter, i, letters) => {
    const next = letters[i + 1];
    if (next === undefined || next === letter) return [];
    return [[[...letters.slice(0, i), next, letter, ...letters.slice(i + 2)].join(''), 1] as const];
  });
  return [[word, 0], ...exchanged];
}
