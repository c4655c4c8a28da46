/** A seeded generator (mulberry32), so that a corpus is the same on every machine. */
export interface Random {
  /** a whole number from 0 to below `n` */
  below(n: number): number;
  pick<T>(from: readonly T[] | string): T | string;
  digits(n: number): string;
  chance(p: number): boolean;
}

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    pick: (from) => from[below(from.length)]!,
    digits: (n) => Array.from({ length: n }, () => String(below(10))).join(''),
    chance: (p) => next() < p,
  };
}
