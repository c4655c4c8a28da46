/** The type of a host built-in, and the context of the evaluation that it is called in. */
import type { RegoValue } from '../values.ts';

/** Thrown by a built-in that has no result for its arguments: the call is undefined, as in OPA's default (not strict) mode. */
export class BuiltinFailure extends Error {}

/** The values of time and chance that an evaluation read. With the same ones, it returns the same result. */
export interface Nondeterminism {
  /** nanoseconds since the epoch, if the policy read the time */
  readonly now_ns?: string;
  /** the seed of random numbers and identifiers, if the policy read any */
  readonly seed?: string;
}

/** Time and chance, fixed for one evaluation. Reading them is noted in `nondeterminism`. */
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

  /** Call in loops whose length depends on the arguments. @throws RegoError `deadline_exceeded` */
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
 * Answers one call. Returning undefined, or throwing `BuiltinFailure`, makes the call undefined. A `RegoError` ends the
 * evaluation with that error; any other exception ends it with `evaluation_failed`.
 */
export type Builtin = (args: readonly RegoValue[], context: EvaluationContext) => RegoValue | undefined;

/** built-ins by name */
export type Family = { readonly [name: string]: Builtin };
