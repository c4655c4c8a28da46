/**
 * `regex.globs_match`: whether two patterns of characters, `.`, `[a-z]`, `+` and `*` can match the same text. OPA walks
 * them left to right (package glob-intersection) and so answers no to some pairs of which a set theorist would say yes,
 * e.g. `a*` and the empty pattern; the same walk is done here, with every pair of positions looked at once.
 */
import { fail } from './operands.ts';

interface Token {
  /** null: any character */
  readonly characters: ReadonlySet<string> | null;
  readonly flag: '' | '+' | '*';
}

const FLAGS = '+*';
/** a set of more characters than Unicode's basic plane is a mistake */
const MOST_CHARACTERS = 0x11_0000;

const tokenize = (pattern: string): Token[] => {
  const runes = [...pattern];
  let at = 0;

  const next = (): { readonly rune: string; readonly escaped: boolean } => {
    const rune = runes[at++] ?? fail('the set is not closed');
    if (rune !== '\\') return { rune, escaped: false };
    return { rune: runes[at++] ?? fail('an escape at the end'), escaped: true };
  };

  const set = (): ReadonlySet<string> => {
    const out = new Set<string>();
    let previous: string | undefined;
    for (;;) {
      const { rune, escaped } = next();
      if (!escaped && rune === ']') return out;
      if (escaped || rune !== '-') {
        out.add(rune);
        previous = rune;
        continue;
      }
      if (previous === undefined) return fail('a range without a start');
      const end = next();
      if (!end.escaped && (end.rune === ']' || end.rune === '-')) return fail('a range without an end');
      const from = previous.codePointAt(0) as number;
      const to = end.rune.codePointAt(0) as number;
      if (to < from || out.size + to - from > MOST_CHARACTERS) return fail('a range out of order');
      for (let c = from; c <= to; c++) out.add(String.fromCodePoint(c));
      previous = undefined;
    }
  };

  const tokens: Token[] = [];
  while (at < runes.length) {
    const { rune, escaped } = next();
    if (!escaped && (rune === ']' || FLAGS.includes(rune))) return fail(`${rune} stands where it may not`);
    const characters = escaped
      ? new Set([rune])
      : rune === '.'
        ? null
        : rune === '['
          ? set()
          : new Set([rune]);
    const flag = FLAGS.includes(runes[at] ?? ' ') ? (runes[at++] as '+' | '*') : '';
    tokens.push({ characters, flag });
  }
  return tokens;
};

const overlap = (a: Token, b: Token): boolean => {
  if (a.characters === null || b.characters === null) return true;
  const other = b.characters;
  for (const c of a.characters) if (other.has(c)) return true;
  return false;
};

export const globsIntersect = (left: string, right: string): boolean => {
  const a = tokenize(left);
  const b = tokenize(right);
  const known = new Map<string, boolean>();

  /** whether what follows position i of the one and j of the other can match the same text */
  const from = (one: readonly Token[], i: number, two: readonly Token[], j: number): boolean => {
    const key = `${one === a}:${i}:${j}`;
    let answer = known.get(key);
    if (answer === undefined) {
      answer = walk(one, i, two, j);
      known.set(key, answer);
    }
    return answer;
  };

  const walk = (one: readonly Token[], i: number, two: readonly Token[], j: number): boolean => {
    for (; i < one.length && j < two.length; i++, j++) {
      const x = one[i] as Token;
      const y = two[j] as Token;
      if (x.flag !== '') return repeat(one, i, two, j);
      if (y.flag !== '') return repeat(two, j, one, i);
      if (!overlap(x, y)) return false;
    }
    return i === one.length && j === two.length;
  };

  const repeat = (starred: readonly Token[], i: number, other: readonly Token[], j: number): boolean => {
    const star = starred[i] as Token;
    const next = starred[i + 1];
    for (let k = j; k < other.length; k++) {
      const token = other[k] as Token;
      const first = star.flag === '+' && k === j;
      if (!first && next !== undefined && overlap(token, next) && from(starred, i + 1, other, k)) return true;
      if (!overlap(token, star)) return false;
    }
    return next === undefined;
  };

  return from(a, 0, b, 0);
};
