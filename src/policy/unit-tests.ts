/**
 * Rego's unit tests, compiled for the engine that decides: one WebAssembly module with an entrypoint for each test.
 *
 * It is not optimized: OPA's optimizer evaluates what it knows, and would answer the tests while it compiles them.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readArchive } from './archive.ts';
import type { PolicyDirectory, PolicyFile } from './directory.ts';
import type { Opa } from './opa.ts';
import { faultsOf, spell } from './opa-faults.ts';

export interface UnitTest {
  /** as OPA names them: package without `data.`, and rule */
  readonly package: string;
  readonly name: string;
  /** relative to the policy's directory */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** null: the engine cannot run it, see `reason` */
  readonly entrypoint: string | null;
  readonly reason?: string;
  /** has sub-cases: `test_x[name] if …` */
  readonly table: boolean;
  /** sub-cases by their names, where they are known: that one of them is missing cannot be seen from what a table comes to */
  readonly cases?: readonly (readonly string[])[];
}

export interface UnitTests {
  readonly tests: readonly UnitTest[];
  /** null: there is none that can be run */
  readonly wasm: Uint8Array<ArrayBuffer> | null;
}

const PREFIX = 'test_';

interface Found {
  readonly test: UnitTest;
  /** what stands at its place in the file */
  readonly spelled: string;
}

interface Term {
  readonly type: string;
  readonly value: unknown;
}

interface ParsedRule {
  readonly head?: { readonly ref?: readonly Term[]; readonly args?: unknown; readonly value?: unknown };
  readonly location?: { readonly row: number; readonly col: number };
}
interface Parsed {
  readonly package?: { readonly path?: readonly Term[] };
  readonly rules?: readonly ParsedRule[];
}

/** Parsed files by their text: a watch parses what was changed. */
const parsed = new Map<string, Promise<Parsed | null>>();
const PARSED_AT_MOST = 2000;
const AT_ONCE = 4;

/** Files that do not parse have no tests here: compiling says what is wrong with them. */
export const listUnitTests = async (opa: Opa, files: PolicyDirectory): Promise<UnitTest[]> =>
  (await findTests(opa, files)).map((f) => f.test);

const findTests = async (opa: Opa, files: PolicyDirectory): Promise<Found[]> => {
  const candidates = [...files.rego, ...files.tests].filter((f) => f.text.includes(PREFIX));
  const found: Found[][] = candidates.map(() => []);
  const waiting = [...candidates.entries()];
  const stage = await mkdtemp(join(tmpdir(), 'sluice-parse-'));
  try {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [i, file] = next;
          const tree = await parse(opa, file, join(stage, `${i}.rego`));
          if (tree !== null) found[i] = testsOf(tree, file);
        }
      }),
    );
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return found.flat();
};

const parse = (opa: Opa, { text }: PolicyFile, at: string): Promise<Parsed | null> => {
  let tree = parsed.get(text);
  if (tree === undefined) {
    if (parsed.size >= PARSED_AT_MOST) parsed.clear();
    tree = writeFile(at, text)
      .then(() => opa.run(['parse', '--format', 'json', '--json-include', 'locations,-comments', at]))
      .then((run) => (run.code === 0 ? (JSON.parse(run.stdout) as Parsed) : null));
    parsed.set(text, tree);
    tree.catch(() => parsed.delete(text));
  }
  return tree;
};

const testsOf = (tree: Parsed, file: PolicyFile): Found[] => {
  const path = (tree.package?.path ?? []).slice(1).map((t) => String(t.value));
  return (tree.rules ?? []).flatMap(({ head, location }) => {
    const ref = head?.ref ?? [];
    // As OPA does: the first step of the constant part that has the prefix ends the name.
    const variable = ref.findIndex((t, i) => i > 0 && t.type !== 'string');
    const constant = (variable < 0 ? ref : ref.slice(0, variable)).map((t) => String(t.value));
    const end = constant.findIndex((name) => name.startsWith(PREFIX));
    if (end < 0 || location === undefined) return [];
    const steps = constant.slice(0, end + 1);
    const reason =
      head?.args !== undefined
        ? 'it is a function'
        : [...path, ...steps].some((s) => s.includes('/'))
          ? 'its name holds a "/", which separates the steps of an entrypoint'
          : null;
    const test: UnitTest = {
      package: path.join('.'),
      name: steps.join('.'),
      file: file.path,
      line: location.row,
      column: location.col,
      entrypoint: reason === null ? [...path, ...steps].join('/') : null,
      ...(reason === null ? {} : { reason }),
      table: variable > end && head?.value !== undefined,
    };
    return [{ test, spelled: steps[0]! }];
  });
};

/**
 * Tests of the same name are different tests to OPA, and one rule to a compiler: the second gets another name.
 * @returns the file with new names, and its tests
 */
const renamed = (file: PolicyFile, found: readonly Found[], taken: Set<string>) => {
  const lines = file.text.split('\n');
  const tests: UnitTest[] = [];
  // From the end, so that places stay right.
  for (const { test, spelled } of [...found].reverse()) {
    if (
      test.entrypoint === null ||
      !taken.has(`${test.entrypoint} ${file.path}:${test.line}:${test.column}`)
    ) {
      tests.unshift(test);
      continue;
    }
    const line = lines[test.line - 1] ?? '';
    const at = test.column - 1;
    const name = `${spelled}__at_${test.line}_${test.column}`;
    if (!test.entrypoint.endsWith(`/${spelled}`) || !line.startsWith(spelled, at)) {
      tests.unshift({ ...test, entrypoint: null, reason: 'another test has the same name' });
      continue;
    }
    lines[test.line - 1] = `${line.slice(0, at)}${name}${line.slice(at + spelled.length)}`;
    tests.unshift({ ...test, entrypoint: `${test.entrypoint.slice(0, -spelled.length)}${name}` });
  }
  return { text: lines.join('\n'), tests };
};

/** Places of tests whose name an earlier one has. */
const repeatedOf = (found: readonly Found[]): Set<string> => {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { test } of found) {
    if (test.entrypoint === null) continue;
    if (seen.has(test.entrypoint))
      repeated.add(`${test.entrypoint} ${test.file}:${test.line}:${test.column}`);
    seen.add(test.entrypoint);
  }
  return repeated;
};

/**
 * What does not compile is said of every test as its reason: OPA's own run of the tests tells faults in full.
 * @param wanted which tests are to be run
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
    const all = [...files.rego, ...files.tests];
    for (const dir of new Set(all.map((f) => dirname(f.path))))
      await mkdir(join(rego, dir), { recursive: true });
    const tests: UnitTest[] = [];
    await Promise.all(
      all.map((file) => {
        const here = found.filter((f) => f.test.file === file.path);
        const { text, tests: of } = renamed(file, here, repeated);
        tests.push(...of);
        return writeFile(join(rego, file.path), text);
      }),
    );
    const entrypoints = tests.flatMap((t) => (t.entrypoint === null ? [] : ['-e', t.entrypoint]));
    if (entrypoints.length === 0) return { tests, wasm: null };
    const out = join(stage, 'tests.tar.gz');
    // With `--prune-unused`, rules that refer to an annotated entrypoint do not become entrypoints, which functions cannot be.
    const run = await opa.run(
      ['build', '--bundle', '--prune-unused', '-t', 'wasm', '-O', '0', ...entrypoints, '-o', out, '.'],
      { cwd: rego },
    );
    if (run.code !== 0) {
      const why = faultsOf(run, files.dir).slice(0, 1).map(spell).join();
      return {
        tests: tests.map((t) => unrunnable(t, `the tests do not compile to WebAssembly: ${why}`)),
        wasm: null,
      };
    }
    const wasm = (await readArchive(await readFile(out), out)).get('policy.wasm');
    const named = dataJson === undefined ? tests : await withCases(opa, tests, rego, dataJson);
    return { tests: named, wasm: new Uint8Array(wasm!) };
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
};

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
  const names = tables.map((t) => `\\.${t.name.replace(/\W/g, '.')}(__at_\\d+_\\d+)?$`);
  const run = await opa.run(
    ['test', '--format', 'json', '--timeout', '60s', '--run', names.join('|'), '.', data],
    { cwd: rego },
  );
  const told = (JSON.parse(run.stdout) ?? []) as (SubCases & {
    readonly location: { readonly file: string; readonly row: number; readonly col: number };
  })[];
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

/** As `opa test --format json` has them. */
export interface SubCases {
  readonly fail?: boolean;
  readonly sub_results?: { readonly [name: string]: SubCases };
}

/** The innermost sub-cases, which count as tests. */
export const subCasesOf = (
  { sub_results = {} }: SubCases,
  before: readonly string[] = [],
): { readonly path: readonly string[]; readonly fail: boolean }[] =>
  Object.entries(sub_results)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, of]) => {
      const path = [...before, name];
      const deeper = subCasesOf(of, path);
      return deeper.length > 0 ? deeper : [{ path, fail: of.fail ?? false }];
    });

const unrunnable = (test: UnitTest, reason: string): UnitTest =>
  test.entrypoint === null ? test : { ...test, entrypoint: null, reason };
