/** What a host built-in is, and what it may know of the evaluation it runs in. */
import type { RegoValue } from '../values.ts';

/** The arguments have no answer: the call is undefined, as OPA says in its default (not strict) mode. */
export class BuiltinFailure extends Error {}

/** What of the outside an evaluation looked at; with it, the evaluation can be repeated exactly. */
export interface Nondeterminism {
  /** nanoseconds since the epoch, if the policy asked for the time */
  readonly now_ns?: string;
  /** the seed of random numbers and identifiers, if the policy asked for any */
  readonly seed?: string;
}

/** The outside as one evaluation sees it: fixed at its start, and what was looked at is noted. */
export class EvaluationContext {
  readonly #nowNs: bigint;
  readonly #seed: string;
  readonly #print: ((line: string) => void) | undefined;
  readonly #check: (() => void) | undefined;
  #time = false;
  #random = false;

  constructor(nowNs: bigint, seed: string, print?: (line: string) => void, check?: () => void) {
    this.#nowNs = nowNs;
    this.#seed = seed;
    this.#print = print;
    this.#check = check;
  }

  get nowNs(): bigint {
    this.#time = true;
    return this.#nowNs;
  }

  get seed(): string {
    this.#random = true;
    return this.#seed;
  }

  /** to be called in loops as long as the arguments are; throws once the evaluation has used up its time */
  check(): void {
    this.#check?.();
  }

  print(line: string): void {
    this.#print?.(line);
  }

  get nondeterminism(): Nondeterminism {
    return {
      ...(this.#time ? { now_ns: String(this.#nowNs) } : {}),
      ...(this.#random ? { seed: this.#seed } : {}),
    };
  }
}

/**
 * Answers one call. Undefined, or a thrown `BuiltinFailure`, makes the call undefined; any other exception fails the
 * evaluation.
 */
export type Builtin = (args: readonly RegoValue[], context: EvaluationContext) => RegoValue | undefined;

export type Family = { readonly [name: string]: Builtin };
