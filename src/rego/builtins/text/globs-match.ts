/**
 * `regex.globs_match`: whether two patterns of characters, `.`, `[a-z]`, `+` and `*` can match the same text.
 *
 * OPA (package glob-intersection) joins repetitions of the same characters and then compares the patterns from left to right.
 * Its answer is not always the mathematical one: no for `a*` and the empty pattern, yes for `a` and `a+a+`. The same algorithm is used
 * here, but each pair of positions is computed once.
 */
import { fail } from '../operands.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

interface Token {
  /** `[a]` is not the same as `a` */
  readonly kind: 'character' | 'any' | 'set';
  /** null: any character; otherwise sorted ranges that do not overlap */
  readonly characters: readonly Range[] | null;
  readonly flag: '' | '+' | '*';
}

const FLAGS = '+*';

const joined = (ranges: readonly Range[]): Range[] => {
  const out: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = out.at(-1);
    if (before === undefined || range.first > before.last + 1) out.push(range);
    else out[out.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return out;
};

const one = (rune: string): Range[] => {
  const c = rune.codePointAt(0) as number;
  return [{ first: c, last: c }];
};

const tokenize = (pattern: string): Token[] => {
  const runes = [...pattern];
  let at = 0;

  const next = (): { readonly rune: string; readonly escaped: boolean } => {
    const rune = runes[at++] ?? fail('the set is not closed');
    if (rune !== '\\') return { rune, escaped: false };
    return { rune: runes[at++] ?? fail('an escape at the end'), escaped: true };
  };

  const set = (): Range[] => {
    const out: Range[] = [];
    let previous: number | undefined;
    for (;;) {
      const { rune, escaped } = next();
      if (!escaped && rune === ']') return joined(out);
      if (escaped || rune !== '-') {
        previous = rune.codePointAt(0) as number;
        out.push({ first: previous, last: previous });
        continue;
      }
      if (previous === undefined) return fail('a range without a start');
      const end = next();
      if (!end.escaped && (end.rune === ']' || end.rune === '-')) return fail('a range without an end');
      const last = end.rune.codePointAt(0) as number;
      if (last < previous) return fail('a range out of order');
      out.push({ first: previous, last });
      previous = undefined;
    }
  };

  const tokens: Token[] = [];
  while (at < runes.length) {
    const { rune, escaped } = next();
    if (!escaped && (rune === ']' || FLAGS.includes(rune))) return fail(`${rune} is not allowed here`);
    const kind = escaped ? 'character' : rune === '.' ? 'any' : rune === '[' ? 'set' : 'character';
    const characters = kind === 'any' ? null : kind === 'set' ? set() : one(rune);
    const flag = FLAGS.includes(runes[at] ?? ' ') ? (runes[at++] as '+' | '*') : '';
    tokens.push({ kind, characters, flag });
  }
  return tokens;
};

const overlap = (a: Token, b: Token): boolean => {
  if (a.characters === null || b.characters === null) return true;
  let i = 0;
  let j = 0;
  for (;;) {
    const x = a.characters[i];
    const y = b.characters[j];
    if (x === undefined || y === undefined) return false;
    if (x.last < y.first) i += 1;
    else if (y.last < x.first) j += 1;
    else return true;
  }
};

const isSame = (a: Token, b: Token): boolean => {
  if (a.kind !== b.kind || a.characters?.length !== b.characters?.length) return false;
  const other = b.characters ?? [];
  return (a.characters ?? []).every(
    ({ first, last }, i) => other[i]?.first === first && other[i]?.last === last,
  );
};

/** joins repetitions: a*a+ → a+ */
const simplify = (tokens: readonly Token[]): Token[] => {
  const out: Token[] = [];
  for (const token of tokens) {
    const last = out.at(-1);
    if (last !== undefined && last.flag !== '' && token.flag !== '' && isSame(last, token)) {
      out[out.length - 1] = { ...last, flag: last.flag === '+' || token.flag === '+' ? '+' : '*' };
    } else out.push(token);
  }
  return out;
};

export const globsIntersect = (left: string, right: string): boolean => {
  const a = simplify(tokenize(left));
  const b = simplify(tokenize(right));
  const known = new Map<string, boolean>();

  /** whether `one` from position i and `two` from position j can match the same text */
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
    let step = 0;
    for (; i + step < one.length && j + step < two.length; step++) {
      const x = one[i + step] as Token;
      const y = two[j + step] as Token;
      if (x.flag !== '') return repeated(one, i + step, two, j + step);
      if (y.flag !== '') return repeated(two, j + step, one, i + step);
      if (!overlap(x, y)) return false;
    }
    return i + step === one.length && j + step === two.length;
  };

  const repeated = (one: readonly Token[], i: number, two: readonly Token[], j: number): boolean => {
    if ((one[i] as Token).flag === '*') return starred(one, i, two, j);
    const first = two[j] as Token;
    if (!overlap(one[i] as Token, first)) return false;
    // A repeated token of the other pattern may match again.
    return starred(one, i, two, j + 1) || (first.flag !== '' && from(one, i + 1, two, j));
  };

  const starred = (one: readonly Token[], i: number, two: readonly Token[], j: number): boolean => {
    const star = one[i] as Token;
    const next = one[i + 1];
    for (let k = j; k < two.length; k++) {
      const token = two[k] as Token;
      if (next !== undefined && overlap(token, next) && from(one, i + 1, two, k)) return true;
      if (!overlap(token, star)) return false;
    }
    return next === undefined;
  };

  return from(a, 0, b, 0);
};
