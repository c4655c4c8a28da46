/** Finds the unit tests in the Rego files of a policy, and their names. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { compileError } from '../opa/compile-faults.ts';
import type { PolicyDirectory, PolicyFile } from '../directory.ts';
import type { Opa, OpaRun } from '../opa/opa.ts';
import { MAX_ERRORS } from '../opa/faults.ts';

export interface UnitTest {
  /** names as in OPA's output: package without `data.`, and rule */
  readonly package: string;
  readonly name: string;
  /** relative to the policy's directory */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** null: it cannot be run, see `reason` */
  readonly entrypoint: string | null;
  readonly reason?: string;
  /** has sub-cases: `test_x[name] if …` */
  readonly table: boolean;
  /** names of the sub-cases, if they are known: the result of a table does not show that a sub-case is missing */
  readonly cases?: readonly (readonly string[])[];
}

export interface UnitTests {
  readonly tests: readonly UnitTest[];
  /** null: no test can be run */
  readonly wasm: Uint8Array<ArrayBuffer> | null;
}

const PREFIX = 'test_';

export interface Found {
  readonly test: UnitTest;
  /** the text at its place in the file, which is the first step of its name */
  readonly first: string;
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

/** Tests by the text of their file, so that a watch parses only changed files. The tests are kept, since OPA's syntax tree is 50 times as large as the text. */
const known = new Map<string, Promise<readonly Found[] | null>>();
const KNOWN_AT_MOST = 2000;
const AT_ONCE = 4;

/** @throws SluiceError `policy_compile_failed` if a file that may hold tests does not parse */
export const listUnitTests = async (opa: Opa, files: PolicyDirectory): Promise<UnitTest[]> =>
  (await findTests(opa, files)).map((f) => f.test);

export const findTests = async (opa: Opa, files: PolicyDirectory): Promise<Found[]> => {
  const candidates = [...files.rego, ...files.tests].filter((f) => f.text.includes(PREFIX));
  const found: Found[][] = candidates.map(() => []);
  const waiting = [...candidates.entries()];
  let unread = false;
  const stage = await mkdtemp(join(tmpdir(), 'sluice-parse-'));
  try {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [i, file] = next;
          const tests = await read(opa, file, join(stage, `${i}.rego`));
          if (tests === null) unread = true;
          else found[i] = tests.map(({ test, first }) => ({ test: { ...test, file: file.path }, first }));
        }
      }),
    );
    // A file that OPA cannot parse may contain tests, so it must not be skipped.
    if (unread) {
      const rego = join(stage, 'rego');
      await write(rego, [...files.rego, ...files.tests]);
      throw (
        (await checkedFault(opa, files, rego)) ??
        new SluiceError(
          'policy_compile_failed',
          `${files.dir}: OPA could not parse the unit tests. Try again.`,
        )
      );
    }
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return found.flat();
};

export const write = async (at: string, files: readonly PolicyFile[]): Promise<void> => {
  for (const dir of new Set(files.map((f) => dirname(f.path))))
    await mkdir(join(at, dir), { recursive: true });
  await Promise.all(files.map((f) => writeFile(join(at, f.path), f.text)));
};

/** Runs `opa check` in a folder. @returns the error; null if there is none */
export const checkedFault = async (
  opa: Opa,
  files: PolicyDirectory,
  cwd: string,
  flags: readonly string[] = [],
): Promise<SluiceError | null> => {
  const check = (...more: readonly string[]): Promise<OpaRun> =>
    opa.run(['check', '--format', 'json', '--max-errors', MAX_ERRORS, ...flags, ...more, '.'], { cwd });
  const checked = await check();
  return checked.code === 0 ? null : compileError(opa, files, checked, () => check('--v0-compatible'));
};

/** @returns the tests, without the name of their file; null if OPA cannot parse it */
const read = (opa: Opa, { text }: PolicyFile, at: string): Promise<readonly Found[] | null> => {
  let tests = known.get(text);
  if (tests === undefined) {
    if (known.size >= KNOWN_AT_MOST) known.clear();
    const forget = (): void => void known.delete(text);
    tests = writeFile(at, text)
      .then(() => opa.run(['parse', '--format', 'json', '--json-include', 'locations,-comments', at]))
      .then((run) => (run.code === 0 ? testsOf(JSON.parse(run.stdout) as Parsed) : null));
    known.set(text, tests);
    tests.then((t) => t ?? forget(), forget);
  }
  return tests;
};

/** a path as OPA writes it: `a.b["c-d"]` */
const spelled = ([first = '', ...more]: readonly string[]): string =>
  first + more.map((step) => (/^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `["${step}"]`)).join('');

const testsOf = (tree: Parsed): Found[] => {
  const path = (tree.package?.path ?? []).slice(1).map((t) => String(t.value));
  return (tree.rules ?? []).flatMap(({ head, location }) => {
    const ref = head?.ref ?? [];
    // As in OPA, the name ends at the first constant step with the prefix `test_`.
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
      package: spelled(path),
      name: steps.join('.'),
      file: '',
      line: location.row,
      column: location.col,
      entrypoint: reason === null ? [...path, ...steps].join('/') : null,
      ...(reason === null ? {} : { reason }),
      table: variable > end && head?.value !== undefined,
    };
    return [{ test, first: steps[0]! }];
  });
};

/** sub-cases in the output of `opa test --format json` */
export interface SubCases {
  readonly fail?: boolean;
  readonly sub_results?: { readonly [name: string]: SubCases };
}

/** the innermost sub-cases, which count as tests */
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
