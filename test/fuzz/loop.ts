/** Runs targets in turns for a number of cases or a time; every case is named by its seed and number, and can be run again alone. */
import { Finding, type FuzzTarget, Random } from './target.ts';

export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly number: number;
  readonly what: string;
  readonly input: Uint8Array | null;
}

export interface Progress {
  readonly cases: number;
  readonly failures: readonly Failure[];
}

export interface LoopOptions {
  readonly seed: number;
  /** default: no limit of time */
  readonly milliseconds?: number;
  /** the first case, and the only one if `cases` is 1 */
  readonly first?: number;
  readonly cases?: number;
  /** stop after so many failures */
  readonly most?: number;
  readonly report?: (progress: Progress) => void;
}

export async function fuzz(targets: readonly FuzzTarget[], options: LoopOptions): Promise<Progress> {
  const stop = performance.now() + (options.milliseconds ?? Number.POSITIVE_INFINITY);
  const failures: Failure[] = [];
  let cases = 0;
  let reported = performance.now();
  const underWay = new Set<Promise<void>>();
  const parallel = Math.min(...targets.map((target) => target.parallel ?? 1));
  const run = async (target: FuzzTarget, number: number): Promise<void> => {
    try {
      await target.run(new Random((BigInt(options.seed) << 40n) + BigInt(number)), number);
    } catch (error) {
      const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      const input = error instanceof Finding ? error.input : null;
      failures.push({ target: target.name, seed: options.seed, number, what, input });
    }
  };
  for (let number = options.first ?? 0; cases < (options.cases ?? Number.POSITIVE_INFINITY); number++) {
    if (performance.now() > stop || failures.length >= (options.most ?? 10)) break;
    cases++;
    for (const target of targets) {
      const one: Promise<void> = run(target, number).finally(() => underWay.delete(one));
      underWay.add(one);
      if (underWay.size >= parallel) await Promise.race(underWay);
    }
    if (performance.now() - reported > 1000) {
      reported = performance.now();
      options.report?.({ cases, failures });
    }
  }
  await Promise.all(underWay);
  for (const target of targets) await target.close?.();
  return { cases, failures };
}
