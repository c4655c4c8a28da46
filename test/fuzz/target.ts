/**
 * What can be fuzzed: one file a target, listed in `targets.ts`. A target makes an input from a seed and says what must hold of it; the
 * runner only counts, keeps time and writes down what did not hold.
 */
export interface FuzzTarget {
  readonly name: string;
  /** Makes the case of a seed and runs it. @throws Finding for what must never happen; any other error is a finding as well */
  run(random: Random, number: number): Promise<void>;
  /** how many cases may be under way at once; one where it is not said */
  readonly parallel?: number;
  /** called after the last case */
  close?(): Promise<void>;
}

/** Something that must never happen, with the input that made it happen. */
export class Finding extends Error {
  readonly input: Uint8Array;
  constructor(what: string, input: Uint8Array, options?: ErrorOptions) {
    super(what, options);
    this.name = 'Finding';
    this.input = input;
  }
}

/** xorshift128+, seeded with splitmix64: the same seed is the same case on every machine. */
export class Random {
  #a: bigint;
  #b: bigint;

  constructor(seed: bigint) {
    this.#a = mixed(seed);
    this.#b = mixed(seed + 1n) | 1n;
  }

  /** 0 … n-1 */
  below(n: number): number {
    let a = this.#a;
    const b = this.#b;
    this.#a = b;
    a ^= (a << 23n) & MASK;
    a ^= a >> 17n;
    a ^= b ^ (b >> 26n);
    this.#b = a;
    return Number(((a + b) & MASK) % BigInt(n));
  }

  /** true once in `n` times */
  one(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  many<T>(most: number, make: (n: number) => T): T[] {
    return Array.from({ length: this.below(most + 1) }, (_, n) => make(n));
  }
}

const MASK = 0xffffffffffffffffn;

function mixed(seed: bigint): bigint {
  let z = (seed * 0x9e3779b97f4a7c15n + 0x9e3779b97f4a7c15n) & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/** A body damaged the way bodies are: bits, bytes, pieces gone, doubled, moved, or out of another body. */
export function damaged(body: Buffer, random: Random, tokens: readonly string[]): Buffer {
  let bytes = body;
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + random.below(12));
    const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
    switch (random.below(6)) {
      case 0: {
        const flipped = Buffer.from(bytes);
        if (at < flipped.length) flipped[at]! ^= 1 << random.below(8);
        bytes = flipped;
        break;
      }
      case 1:
        bytes = Buffer.concat([before, after]);
        break;
      case 2:
        bytes = Buffer.concat([before, piece, piece, after]);
        break;
      case 3:
        bytes = Buffer.concat([before, Buffer.from(random.pick(tokens)), after]);
        break;
      case 4:
        bytes = Buffer.concat([before, Buffer.from([random.below(256)]), after]);
        break;
      default: {
        const from = random.below(bytes.length + 1);
        bytes = Buffer.concat([before, bytes.subarray(from, from + random.below(30)), after]);
      }
    }
  }
  return bytes;
}

/** the body in pieces cut anywhere */
export async function* cut(body: Buffer, random: Random): AsyncGenerator<Uint8Array> {
  const most = random.pick([1, 2, 7, 64, 4096]);
  for (let at = 0; at < body.length; ) {
    const to = Math.min(body.length, at + 1 + random.below(most));
    yield Buffer.from(body.subarray(at, to));
    at = to;
  }
}
