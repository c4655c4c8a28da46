/** Runs the compiled unit tests of a policy on the engine that also decides requests. */
import { isSluiceError } from '../../errors.ts';
import { type Builtin, RegoError } from '../../rego/index.ts';
import { isObject } from '../../documents/yaml.ts';
import { REFUSED } from '../opa/refused.ts';
import { createMetered } from '../runtime.ts';
import type { UnitTest, UnitTests } from './list.ts';

/** the result of a test */
export type Ran =
  | { readonly value: unknown; readonly milliseconds: number }
  /** the evaluation failed */
  | { readonly error: string; readonly milliseconds: number }
  | { readonly unrun: string };

export const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((v, step) => (isObject(v) ? v[step] : undefined), value);

/** OPA's limit of time for a test, and enough memory */
const LIMITS = { evaluation_ms: 60_000, memory_mb: 512 };

/** Tests may replace refused built-ins by `with`, so they may be named. A test that calls one is reported as not run. */
const standIns: { readonly [name: string]: Builtin } = Object.fromEntries(
  Object.keys(REFUSED).map((name) => [
    name,
    (): never => {
      throw new RegoError('builtin_unknown', `it calls ${name}, which is refused`);
    },
  ]),
);

/** Runs tests on the engine, one after the other. @throws SluiceError if the module cannot be loaded */
export async function* runUnitTests(
  { wasm, tests }: UnitTests,
  dataJson: string,
): AsyncGenerator<readonly [UnitTest, Ran]> {
  const evaluator =
    wasm === null
      ? null
      : await createMetered(wasm, Buffer.from(dataJson), LIMITS, {
          builtins: { ...standIns, 'internal.test_case': () => true },
        });
  for (const test of tests) {
    if (test.entrypoint === null || evaluator === null) {
      yield [test, { unrun: test.reason ?? 'there is no module of the tests' }];
      continue;
    }
    const began = performance.now();
    const spent = (): number => performance.now() - began;
    try {
      const { result } = evaluator.evaluate(test.entrypoint, undefined, {
        nowNs: BigInt(Date.now()) * 1_000_000n,
        seed: `${test.file}:${test.line}`,
      });
      yield [test, { value: result, milliseconds: spent() }];
    } catch (e) {
      if (!isSluiceError(e)) throw e;
      yield [
        test,
        e.code === 'policy_builtin_refused'
          ? { unrun: e.message }
          : { error: e.message, milliseconds: spent() },
      ];
    }
  }
}

/** Whether a test passes, by OPA's rules: its value is true, or all values of its table are, and no sub-case is missing. */
export const holds = ({ table, cases = [] }: UnitTest, value: unknown): boolean =>
  value === true ||
  (table && isObject(value) && allTrue(value) && cases.every((path) => valueAt(value, path) === true));

const allTrue = (value: unknown): boolean =>
  isObject(value) ? Object.values(value).every(allTrue) : value === true;
