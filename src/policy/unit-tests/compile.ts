/**
 * Compiles Rego's unit tests to one WebAssembly module with an entrypoint for each test.
 *
 * The module is not optimized: OPA's optimizer would evaluate the tests while it compiles them.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArchive } from '../bundle/archive.ts';
import type { PolicyDirectory, PolicyFile } from '../directory.ts';
import type { Opa, OpaRun } from '../opa/opa.ts';
import { spellFault } from '../../documents/faults.ts';
import { faultsOf } from '../opa/faults.ts';
import { refuseLostRules, searches } from '../opa/lost-rules.ts';
import type { Plan } from '../opa/reads.ts';
import {
  checkedFault,
  type Found,
  findTests,
  type SubCases,
  subCasesOf,
  type UnitTest,
  type UnitTests,
  write,
} from './list.ts';

/**
 * OPA runs tests of the same name separately, but the compiler merges them into one rule. All but the first are renamed.
 * @returns the file with new names, and its tests
 */
const renamed = (file: PolicyFile, found: readonly Found[], repeated: ReadonlyMap<Found, number>) => {
  const lines = file.text.split('\n');
  const tests: UnitTest[] = [];
  // From the end, so that earlier offsets stay valid.
  for (const of of [...found].reverse()) {
    const { test, first } = of;
    const count = repeated.get(of);
    if (test.entrypoint === null || count === undefined) {
      tests.unshift(test);
      continue;
    }
    const line = lines[test.line - 1] ?? '';
    const at = test.column - 1;
    const name = `${first}${REPEATED}${count}`;
    if (!test.entrypoint.endsWith(`/${first}`) || !line.startsWith(first, at)) {
      tests.unshift({ ...test, entrypoint: null, reason: 'another test has the same name' });
      continue;
    }
    lines[test.line - 1] = `${line.slice(0, at)}${name}${line.slice(at + first.length)}`;
    tests.unshift({ ...test, entrypoint: `${test.entrypoint.slice(0, -first.length)}${name}` });
  }
  return { text: lines.join('\n'), tests };
};

const REPEATED = '__repeated_';

/** the tests whose name an earlier one has, numbered across all files */
const repeatedOf = (found: readonly Found[]): Map<Found, number> => {
  const seen = new Set<string>();
  const repeated = new Map<Found, number>();
  for (const of of found) {
    const { entrypoint } = of.test;
    if (entrypoint === null) continue;
    if (seen.has(entrypoint)) repeated.set(of, repeated.size + 1);
    seen.add(entrypoint);
  }
  return repeated;
};

/**
 * @param wanted which tests are to be run
 * @throws SluiceError `policy_compile_failed` if the tests do not compile
 */
export const compileUnitTests = async (
  opa: Opa,
  files: PolicyDirectory,
  wanted: (test: UnitTest) => boolean = () => true,
  /** names the sub-cases of tables with this base document, which OPA has to run them for */
  dataJson?: string,
): Promise<UnitTests> => {
  const found = (await findTests(opa, files)).filter((f) => wanted(f.test));
  if (found.length === 0) return { tests: [], wasm: null };
  const repeated = repeatedOf(found);
  const stage = await mkdtemp(join(tmpdir(), 'sluice-unit-'));
  try {
    const rego = join(stage, 'rego');
    const tests: UnitTest[] = [];
    const all = [...files.rego, ...files.tests].map((file) => {
      const here = found.filter((f) => f.test.file === file.path);
      const { text, tests: of } = renamed(file, here, repeated);
      tests.push(...of);
      return { path: file.path, text };
    });
    await write(rego, all);
    const { runnable, wasm } = await build(opa, files, tests, stage, rego);
    return {
      tests: dataJson === undefined ? runnable : await withCases(opa, runnable, rego, dataJson),
      wasm,
    };
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
};

/**
 * Builds one module of all tests that can be compiled. Some tests run in OPA's interpreter, but OPA 1.19 does not compile them to
 * WebAssembly (`with` replaces a package that has functions), or compiles them to an invalid module (a variable selects within such
 * a package). One such test would prevent the module; they are found by bisection and reported.
 */
const build = async (
  opa: Opa,
  files: PolicyDirectory,
  tests: readonly UnitTest[],
  stage: string,
  rego: string,
): Promise<{ readonly runnable: UnitTest[]; readonly wasm: UnitTests['wasm'] }> => {
  const out = join(stage, 'tests.tar.gz');
  const run = (target: 'wasm' | 'plan', of: readonly UnitTest[]): Promise<OpaRun> =>
    opa.run(
      // With `--prune-unused`, rules that refer to an annotated entrypoint do not become entrypoints, which functions cannot be.
      [
        ...['build', '--bundle', '--prune-unused', '-t', target, '-O', '0'],
        ...of.flatMap((t) => ['-e', t.entrypoint!]),
        ...['-o', out, '.'],
      ],
      { cwd: rego },
    );
  /** the module, or the reason why there is none */
  const built = async (of: readonly UnitTest[]): Promise<Uint8Array<ArrayBuffer> | string> => {
    const { code, ...said } = await run('wasm', of);
    if (code !== 0)
      return faultsOf({ code, ...said }, files.dir)
        .slice(0, 1)
        .map(spellFault)
        .join();
    const wasm = new Uint8Array((await readArchive(await readFile(out), out)).get('policy.wasm')!);
    return WebAssembly.validate(wasm) ? wasm : 'OPA compiles it to a module that is not valid';
  };
  /** @throws SluiceError `policy_compile_failed`: a test would not see a rule that OPA's interpreter sees */
  const refuseLost = async (of: readonly UnitTest[]): Promise<void> => {
    const { code } = await run('plan', of);
    if (code !== 0) return;
    const json = (await readArchive(await readFile(out), out)).get('plan.json');
    const plan = JSON.parse(new TextDecoder().decode(json)) as Plan;
    await refuseLostRules(opa, plan, files, [...files.rego, ...files.tests], rego);
  };
  const reasons = new Map<UnitTest, string>();
  let left = SEARCH_BUILDS;
  const search = async (among: readonly UnitTest[], why: string): Promise<void> => {
    const half = among.length >> 1;
    if (half === 0 || left <= 0) {
      for (const t of among) reasons.set(t, `it does not compile to WebAssembly: ${why}`);
      return;
    }
    for (const part of [among.slice(0, half), among.slice(half)]) {
      left--;
      const wasm = await built(part);
      if (typeof wasm === 'string') await search(part, wasm);
    }
  };
  for (;;) {
    const some = tests.filter((t) => t.entrypoint !== null && !reasons.has(t));
    const runnable = tests.map((t) => unrunnable(t, reasons.get(t)));
    if (some.length === 0) return { runnable, wasm: null };
    const wasm = await built(some);
    if (typeof wasm !== 'string') {
      if (searches(wasm)) await refuseLost(some);
      return { runnable, wasm };
    }
    const fault = await checkedFault(opa, files, rego);
    if (fault !== null) throw fault;
    const known = reasons.size;
    await search(some, wasm);
    // Each test compiles alone, but they do not compile together.
    if (reasons.size === known)
      for (const t of some) reasons.set(t, 'the tests do not compile to WebAssembly together');
  }
};

/** limit for builds to find the tests that do not compile; beyond it, candidates are reported */
const SEARCH_BUILDS = 64;

const withCases = async (
  opa: Opa,
  tests: readonly UnitTest[],
  rego: string,
  dataJson: string,
): Promise<UnitTest[]> => {
  const tables = tests.filter((t) => t.table && t.entrypoint !== null);
  if (tables.length === 0) return [...tests];
  const data = `${rego}.json`;
  await writeFile(data, dataJson);
  const names = tables.map((t) => `\\.${t.name.replace(/\W/g, '.')}(${REPEATED}\\d+)?$`);
  const run = await opa.run(
    ['test', '--format', 'json', '--timeout', '60s', '--run', names.join('|'), '.', data],
    { cwd: rego },
  );
  const told = resultsOf(run);
  const cases = new Map(
    told.map((t) => [
      `${t.location.file}:${t.location.row}:${t.location.col}`,
      subCasesOf(t).map((c) => c.path),
    ]),
  );
  return tests.map((t) => {
    if (!t.table || t.entrypoint === null) return t;
    const known = cases.get(`${t.file}:${t.line}:${t.column}`);
    return known === undefined ? unrunnable(t, 'OPA does not name its sub-cases') : { ...t, cases: known };
  });
};

/** the results of OPA; none where it fails to write them, as it does for some numbers */
const resultsOf = ({ stdout }: OpaRun): Located[] => {
  try {
    return (JSON.parse(stdout) ?? []) as Located[];
  } catch {
    return [];
  }
};

interface Located extends SubCases {
  readonly location: { readonly file: string; readonly row: number; readonly col: number };
}

/** @param reason undefined: the test can be run, as far as is known */
const unrunnable = (test: UnitTest, reason: string | undefined): UnitTest =>
  test.entrypoint === null || reason === undefined ? test : { ...test, entrypoint: null, reason };
