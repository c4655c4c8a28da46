const LIKELY = 0x7ff;

/** A set of words that is searched at every position; the first character nearly always rules out a match. */
export class Words<T extends { readonly word: string }> {
  readonly first = new Set<string>();
  readonly #candidates = new Map<number, T[]>();
  /** by the low bits of the first character */
  readonly #likely = new Uint8Array(LIKELY + 1);

  /** longer words first */
  constructor(words: readonly T[]) {
    for (const word of words.toSorted((a, b) => b.word.length - a.word.length)) {
      const unit = word.word.charCodeAt(0);
      this.first.add(word.word[0]!);
      this.#likely[unit & LIKELY] = 1;
      this.#candidates.set(unit, [...(this.#candidates.get(unit) ?? []), word]);
    }
  }

  /** the word at `at` */
  at(text: string, at: number): T | null {
    const unit = text.charCodeAt(at);
    if (this.#likely[unit & LIKELY] === 0) return null;
    const candidates = this.#candidates.get(unit);
    if (candidates !== undefined)
      for (const candidate of candidates) if (text.startsWith(candidate.word, at)) return candidate;
    return null;
  }
}
