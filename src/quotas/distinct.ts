/** Counts distinct texts: exactly up to a limit, and beyond it by HyperLogLog (Flajolet et al. 2007) with the 2^14 registers that Redis uses. */
import { createHash } from 'node:crypto';

const BITS = 14;
const REGISTERS = 1 << BITS;
/** the constant of the paper for this many registers */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

export class Distinct {
  readonly #limit: number;
  #texts: Set<string> | null = new Set();
  #registers: Uint8Array | null = null;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get exact(): boolean {
    return this.#texts !== null;
  }

  add(text: string): void {
    const texts = this.#texts;
    if (texts === null) {
      this.#estimate(text);
      return;
    }
    texts.add(text);
    if (texts.size <= this.#limit) return;
    this.#texts = null;
    for (const one of texts) this.#estimate(one);
  }

  #estimate(text: string): void {
    this.#registers ??= new Uint8Array(REGISTERS);
    const digest = createHash('sha256').update(text).digest();
    const register = digest.readUInt16BE(0) >> (16 - BITS);
    // 32 further bits are enough for 10^9 texts.
    const rank = Math.clz32(digest.readUInt32BE(2)) + 1;
    if (rank > this.#registers[register]!) this.#registers[register] = rank;
  }

  count(): number {
    if (this.#texts !== null) return this.#texts.size;
    let sum = 0;
    let empty = 0;
    for (const rank of this.#registers!) {
      sum += 2 ** -rank;
      if (rank === 0) empty++;
    }
    const estimate = (ALPHA * REGISTERS * REGISTERS) / sum;
    // Linear counting, where many registers are empty.
    return Math.round(
      estimate <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : estimate,
    );
  }
}
