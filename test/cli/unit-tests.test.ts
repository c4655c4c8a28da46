/** Rego's unit tests, which OPA's interpreter and the engine that decides have to agree on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { outcomesOf } from '../../src/cli/policy/testing/rego-tests.ts';
import type { UnitTest } from '../../src/policy/unit-tests/list.ts';
import { opa, sluice } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});
const policy = (files: { readonly [path: string]: string }): string => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-unit-'));
  made.push(dir);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
};

interface Tested {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly not_run_on_engine: number;
  readonly outcomes: readonly {
    readonly suite: string;
    readonly name: string;
    readonly state: string;
    readonly problems: readonly string[];
    readonly unrun?: string;
  }[];
  readonly timings?: readonly { readonly phase: string }[];
}
const tested = async (dir: string, ...more: readonly string[]): Promise<Tested> =>
  (await sluice(['test', dir, '--json', ...more])).json<Tested>();

const KINDS = `package p

f(x) := x + 1
mock(_) := 7
cases := {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 2, "y": 3}}

test_true if f(1) == 2
test_same_name if true
test_same_name if false
test_table[note] if {
	some note, case in cases
	f(case.x) == case.y
}
test_deeper_table[note][side] if {
	some note, case in cases
	some side in ["l", "r"]
	f(case.x) == case.y
}
todo_test_later if false
test_function(x) if x == 1
test_number := 3
test_set contains x if some x in [1, 2]
test_conflict := x if some x in [1, 2]
test_builtin_mocked if http.send({"url": "x"}).a == 1 with http.send as {"a": 1}
test_function_mocked if f(1) == 7 with data.p.f as mock
test_data_mocked if data.q.z == 5 with data.q as {"z": 5}
test_input_mocked if input.a == 1 with input as {"a": 1}
test_without_input if not input
test_time_mocked if time.now_ns() == 5 with time.now_ns as 5
test_error if 1 / 0 == 2
nested.test_below if true
nested["test_quoted"] if true
test_object.x.y if true
`;

describe.runIf(opa !== null)('unit tests of Rego', () => {
  test('of every kind come to what `opa test` says, and are named and counted as it counts', async () => {
    const dir = policy({ 'kinds_test.rego': KINDS });
    const { passed, failed, skipped, outcomes } = await tested(dir);
    const run = await opa!.run(['test', '--verbose', '.'], { cwd: dir });
    const told = (word: string): number =>
      Number(new RegExp(`^${word}: (\\d+)/`, 'm').exec(run.stdout)?.[1] ?? 0);
    expect({ passed, failed, skipped }).toEqual({
      passed: told('PASS'),
      failed: told('FAIL') + told('ERROR'),
      skipped: told('SKIPPED'),
    });
    const names = outcomes.map((o) => `${o.state} ${o.name}`);
    expect(names).toEqual(
      expect.arrayContaining([
        'passed test_same_name',
        'failed test_same_name#01',
        'failed test_table: b',
        'passed test_table: c',
        'failed test_deeper_table: b / l',
        'passed nested.test_below',
      ]),
    );
    // Both saw the same, so that no failure is a difference.
    expect(outcomes.flatMap((o) => o.problems).filter((p) => p.includes('engine'))).toEqual([]);
    expect(outcomes.filter((o) => o.unrun !== undefined)).toMatchObject([
      { name: 'test_function', unrun: 'it is a function', state: 'failed' },
    ]);
  });

  test('are run in files without the suffix, and see the data of the policy', async () => {
    const dir = policy({
      'lib/lib.rego': 'package lib\n\nlimit := data.limits.high\n\ntest_limit if limit == 3\n',
      'data/limits.yaml': 'limits: { high: 3 }\n',
    });
    const { outcomes } = await tested(dir);
    expect(outcomes).toMatchObject([{ suite: 'lib', name: 'test_limit', state: 'passed' }]);
    expect(outcomes[0]?.unrun).toBeUndefined();
  });

  test('a built-in that is refused and called ends the test on the engine: that is named and counted', async () => {
    const dir = policy({
      'a_test.rego': 'package a_test\n\ntest_env if opa.runtime() == opa.runtime()\n\ntest_one if 1 == 1\n',
    });
    const said = await sluice(['test', dir]);
    expect(said.out).toContain(
      'note a_test: test_env: not run on the engine: it calls opa.runtime, which is refused',
    );
    expect(said.out).toContain('2 passed: 2 unit tests (1 not on the engine)');
  });

  test('a test that OPA passes and the engine does not fails, with what both say', async () => {
    const dir = policy({
      // What the engine bounds on purpose, see "Where decisions differ from OPA".
      'long_test.rego':
        'package long_test\n\nlong := concat("", [c | some _ in numbers.range(1, 40000); c := "ab"])\n\ntest_long if count(regex.split("b", long)) == 40001\n',
    });
    const said = await sluice(['test', dir]);
    expect(said.code).toBe(1);
    expect(said.out).toMatch(
      /FAIL long_test: test_long .*\n {5}OPA's interpreter: passed; the engine that decides: error \(.*32768/,
    );
  });

  test('of one name in the same place of several files stay different tests', async () => {
    const dir = policy({
      'a_test.rego': 'package same\n\ntest_a if 1 == 1\n',
      'b_test.rego': 'package same\n\ntest_a if 1 == 2\n',
      'sub/c_test.rego': 'package same\n\ntest_a if 2 == 2\n',
      'sub/d_test.rego': 'package same\n\ntest_a if 2 == 3\n',
    });
    const { passed, failed, outcomes } = await tested(dir);
    expect({ passed, failed }).toEqual({ passed: 2, failed: 2 });
    expect(outcomes.flatMap((o) => o.problems).filter((p) => p.includes('engine'))).toEqual([]);
  });

  test('are named as OPA names them where a step is no name', async () => {
    const dir = policy({
      'odd_test.rego': 'package odd["a-b"]["中"]["1.2"]["x y"]\n\ntest_x if true\n',
    });
    const run = await opa!.run(['test', '--format', 'json', '.'], { cwd: dir });
    const [told] = JSON.parse(run.stdout) as { package: string }[];
    const { outcomes } = await tested(dir);
    expect(outcomes.map((o) => [o.suite, o.state])).toEqual([
      [told!.package.replace(/^data\./, ''), 'passed'],
    ]);
  });

  test('that cannot be compiled to WebAssembly are named, and the others run on the engine', async () => {
    const dir = policy({
      'lib.rego': 'package lib\n\nf(x) := x\n\no.a := 1\n',
      'lib_test.rego': `package lib_test

test_package_mocked if data.lib.f(1) with data.lib as {"f": 1}
test_step_by_variable if {
	some name in ["o"]
	data.lib[name].a == 1
}
test_right if data.lib.f(1) == 1
test_wrong if data.lib.f(1) == 2
`,
    });
    const { outcomes } = await tested(dir);
    expect(outcomes.map((o) => [o.name, o.state, o.unrun?.slice(0, 38)])).toEqual([
      ['test_package_mocked', 'passed', 'it does not compile to WebAssembly: il'],
      ['test_step_by_variable', 'passed', 'it does not compile to WebAssembly: OP'],
      ['test_right', 'passed', undefined],
      ['test_wrong', 'failed', undefined],
    ]);
  });

  test.each<[string, { readonly [path: string]: string }, RegExp]>([
    [
      'the only test file',
      { 'a_test.rego': 'package a\n\ntest_a if {\n' },
      /a_test\.rego:4.*rego_parse_error/,
    ],
    [
      'one of two',
      { 'a_test.rego': 'package a\n\ntest_a if {\n', 'b_test.rego': 'package a\n\ntest_b if true\n' },
      /a_test\.rego:4.*rego_parse_error/,
    ],
    ['Rego v0', { 'a_test.rego': 'package a\n\ntest_a { true }\n' }, /this is Rego v0[\s\S]*--v0-v1/],
  ])('in a file that does not parse are told, and are not nothing to test: %s', async (_what, files, why) => {
    for (const more of [[], ['--filter', 'test_b']]) {
      const said = await sluice(['test', policy(files), ...more]);
      expect(said.code).not.toBe(0);
      expect(said.err).toMatch(why);
      expect(said.err).toContain('[policy_compile_failed]');
    }
  });

  test('`--filter` runs what it names and nothing else', async () => {
    const phases = async (filter: string): Promise<string[]> => {
      const { timings } = await tested('policies', '--filter', filter, '--timings');
      return (timings ?? []).map((t) => t.phase);
    };
    const unit = await phases('test_deny_no_roles');
    expect(unit).toContain('unit tests on the engine');
    expect(unit).not.toContain('compile the policy');
    const scenario = await phases('opted out is reached');
    expect(scenario).toContain('scenarios');
    expect(scenario).not.toContain('compile unit tests');
    expect(scenario).not.toContain("unit tests in OPA's interpreter");
  });

  test('`--filter` says what is no pattern', async () => {
    const said = await sluice(['test', policy({ 'kinds_test.rego': KINDS }), '--filter', '/(/']);
    expect([said.code, said.err]).toEqual([2, expect.stringContaining('no regular expression')]);
  });

  test('`--filter` names one sub-case of a table', async () => {
    const { outcomes } = await tested(
      policy({ 'kinds_test.rego': KINDS }),
      '--filter',
      'deeper_table: c / r',
    );
    expect(outcomes.map((o) => `${o.state} ${o.name}`)).toEqual(['passed test_deeper_table: c / r']);
  });
});

describe('the verdicts of OPA and of the engine', () => {
  const of: UnitTest = {
    package: 'p',
    name: 'test_x',
    file: 'p_test.rego',
    line: 3,
    column: 1,
    entrypoint: 'p/test_x',
    table: false,
  };
  const byOpa = { location: { file: '', row: 3, col: 1 }, package: 'data.p', name: 'test_x', duration: 0 };
  const ran = { milliseconds: 1 };
  test.each([
    ['both true', of, {}, { ...ran, value: true }, ['passed']],
    ['both not true', of, { fail: true }, { ...ran, value: undefined }, ['failed']],
    ['true only to OPA', of, {}, { ...ran, value: undefined }, ['difference']],
    ['true only to the engine', of, { fail: true }, { ...ran, value: true }, ['difference']],
    ['an object is no table', of, { fail: true }, { ...ran, value: { a: true } }, ['failed']],
    ['an error only to the engine', of, {}, { ...ran, error: 'conflict' }, ['difference']],
    ['an error to both', of, { error: { message: 'm' } }, { ...ran, error: 'conflict' }, ['failed']],
    ['not run on the engine', of, {}, { unrun: 'why' }, ['passed']],
    ['not run yet by OPA', of, undefined, { ...ran, value: true }, ['passed']],
    ['not run yet by OPA, not true', of, undefined, { ...ran, value: false }, ['failed']],
    ['run by neither', of, undefined, { unrun: 'why' }, ['failed']],
    [
      'a sub-case that only OPA passes',
      { ...of, table: true },
      { fail: true, sub_results: { a: { fail: false }, b: { fail: true } } },
      { ...ran, value: {} },
      ['difference', 'failed'],
    ],
    [
      'a sub-case that only the engine has',
      { ...of, table: true },
      { sub_results: { a: { fail: false } } },
      { ...ran, value: { a: true, b: true } },
      ['passed', 'difference'],
    ],
  ] as const)('%s', (_name, unit, opaSays, engineSays, wanted) => {
    const outcomes = outcomesOf(
      unit,
      opaSays === undefined ? undefined : { ...byOpa, ...opaSays },
      engineSays,
      'p_test.rego',
    );
    const said = outcomes.map((o) =>
      o.problems.some((p) => /engine/.test(p) && /OPA's/.test(p)) ? 'difference' : o.state,
    );
    expect(said).toEqual(wanted);
    for (const o of outcomes) expect(o.state === 'failed').toBe(o.problems.length > 0);
  });
});
