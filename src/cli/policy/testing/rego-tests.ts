/** Rego unit tests: run by OPA's interpreter and by the production engine, which must agree. */
import type { PolicyDirectory } from '../../../policy/directory.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import { faultError } from '../../../documents/faults.ts';
import { faultsOf, MAX_ERRORS } from '../../../policy/opa/faults.ts';
import { holds, type Ran, valueAt } from '../../../policy/unit-tests/run.ts';
import { type SubCases, subCasesOf, type UnitTest } from '../../../policy/unit-tests/list.ts';
import { spansOf } from '../../text.ts';
import type { Outcome } from './outcome.ts';
import { type Staged, stage } from '../stage.ts';

export interface Coverage {
  /** percentage of the lines of all rules, without tests */
  readonly percent: number;
  readonly files: readonly {
    readonly file: string;
    readonly percent: number;
    /** first and last line that no test reached */
    readonly missed: readonly (readonly [number, number])[];
  }[];
}

/** One test in the output of `opa test --format json`. */
export interface OpaTest extends SubCases {
  readonly location: { readonly file: string; readonly row: number; readonly col: number };
  readonly package: string;
  readonly name: string;
  /** nanoseconds */
  readonly duration: number;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: unknown;
  readonly output?: string;
}

export interface OpaRan {
  /** by place, see `placeOf` */
  readonly tests: ReadonlyMap<string, OpaTest>;
  readonly coverage: Coverage | null;
}

/** Identifies a test in OPA's output and in ours: names may repeat. */
export const placeOf = (test: UnitTest): string => `${test.file}:${test.line}:${test.column}`;

export const nameOf = (test: UnitTest): string => `${test.package}: ${test.name}`;

/**
 * @param only tests to run; null: all
 * @throws SluiceError `policy_compile_failed` if the tests do not compile
 */
export async function opaTests(
  opa: Opa,
  files: PolicyDirectory,
  dataJson: string,
  only: readonly UnitTest[] | null,
  withCoverage: boolean,
  signal?: AbortSignal,
): Promise<OpaRan> {
  const staged = await stage(files, dataJson, { tests: true });
  try {
    const options = { cwd: staged.dir, timeout: 600_000, ...(signal === undefined ? {} : { signal }) };
    // The time is of one test.
    const common = ['--format', 'json', '--timeout', '60s', '--max-errors', MAX_ERRORS];
    const names = (only ?? []).map((t) => `\\.${escaped(t.name)}$`);
    const chosen = only === null ? [] : ['--run', [...new Set(names)].join('|')];
    const places = [staged.rego, staged.data];
    const ran = await opa.run(['test', ...common, ...chosen, ...places], options);
    const tests = parsed<readonly OpaTest[] | null>(ran.stdout);
    if (!Array.isArray(tests))
      throw faultError(
        'policy_compile_failed',
        faultsOf(ran, '').map((f) => ({
          ...f,
          ...(f.file === undefined ? {} : { file: staged.original(f.file) }),
        })),
      );
    const covered = withCoverage
      ? await opa.run(['test', '--coverage', ...common, ...places], options)
      : null;
    const report = covered === null ? null : parsed<CoverageReport>(covered.stdout);
    return {
      tests: new Map(
        (tests as readonly OpaTest[]).map((t) => [
          `${staged.relative(t.location.file)}:${t.location.row}:${t.location.col}`,
          t,
        ]),
      ),
      coverage: report?.files === undefined ? null : coverageOf(report, staged),
    };
  } finally {
    await staged.remove();
  }
}

const escaped = (text: string): string => text.replace(/[^\w]/g, '.');

/** The result of a test or sub-case in one engine: passed, failed, or the error. */
type Verdict = 'passed' | 'failed' | { readonly error: string };

/**
 * The result of a test, or of each of its sub-cases, which OPA counts as tests.
 * @param opa undefined: OPA did not run it (yet)
 * @param engine undefined: the engine did not run it
 */
export function outcomesOf(
  test: UnitTest,
  opa: OpaTest | undefined,
  engine: Ran | undefined,
  file: string,
): Outcome[] {
  const outcome = (name: string, of: Pick<Outcome, 'state' | 'problems'>): Outcome => ({
    suite: test.package,
    name,
    file,
    line: test.line,
    milliseconds:
      opa !== undefined
        ? opa.duration / 1e6
        : engine !== undefined && 'milliseconds' in engine
          ? engine.milliseconds
          : 0,
    ...of,
    ...(opa?.output === undefined ? {} : { printed: Buffer.from(opa.output, 'base64').toString('utf8') }),
    ...(engine !== undefined && 'unrun' in engine && opa?.skip !== true ? { unrun: engine.unrun } : {}),
  });
  const name = opa?.name ?? test.name;
  if (opa?.skip) return [outcome(name, { state: 'skipped', problems: [] })];
  const leaves = opa === undefined ? [] : subCasesOf(opa);
  if (leaves.length === 0) {
    const verdict =
      opa === undefined
        ? null
        : opa.error !== undefined
          ? { error: spellError(opa.error) }
          : opa.fail
            ? 'failed'
            : 'passed';
    return [
      outcome(
        name,
        compared(
          verdict,
          verdictOf(engine, (value) => holds(test, value)),
        ),
      ),
    ];
  }
  const outcomes = leaves.map(({ path, fail }) =>
    outcome(
      `${name}: ${path.join(' / ')}`,
      compared(
        fail ? 'failed' : 'passed',
        verdictOf(engine, (value) => valueAt(value, path) === true),
      ),
    ),
  );
  const known = new Set(leaves.map((l) => JSON.stringify(l.path)));
  const more =
    engine !== undefined && 'value' in engine
      ? pathsOf(engine.value).filter((p) => !known.has(JSON.stringify(p)))
      : [];
  return [
    ...outcomes,
    ...more.map((path) =>
      outcome(`${name}: ${path.join(' / ')}`, {
        state: 'failed',
        problems: ["the engine that decides has this sub-case, OPA's interpreter does not"],
      }),
    ),
  ];
}

function verdictOf(ran: Ran | undefined, passed: (value: unknown) => boolean): Verdict | null {
  if (ran === undefined || 'unrun' in ran) return null;
  if ('error' in ran) return { error: ran.error };
  return passed(ran.value) ? 'passed' : 'failed';
}

function compared(opa: Verdict | null, engine: Verdict | null): Pick<Outcome, 'state' | 'problems'> {
  const kind = (v: Verdict): string => (typeof v === 'string' ? v : 'error');
  const one = opa ?? engine;
  if (opa !== null && engine !== null && kind(opa) !== kind(engine))
    return {
      state: 'failed',
      problems: [
        `OPA's interpreter: ${spell(opa)}; the engine that decides: ${spell(engine)}. What is deployed does what the engine does.`,
      ],
    };
  if (one === 'passed') return { state: 'passed', problems: [] };
  return {
    state: 'failed',
    problems: [
      one === null
        ? 'neither OPA nor the engine ran it'
        : one === 'failed'
          ? 'the test is not true'
          : one.error,
    ],
  };
}

const spell = (v: Verdict): string => (typeof v === 'string' ? v : `error (${v.error})`);

const spellError = (error: unknown): string => {
  const [first] = Array.isArray(error) ? (error as unknown[]) : [error];
  return isObject(first) && typeof first['message'] === 'string'
    ? `${typeof first['code'] === 'string' ? `${first['code']}: ` : ''}${first['message']}`
    : JSON.stringify(error);
};

function pathsOf(value: unknown, before: readonly string[] = []): (readonly string[])[] {
  if (!isObject(value)) return before.length === 0 ? [] : [before];
  return Object.entries(value).flatMap(([name, v]) => pathsOf(v, [...before, name]));
}

interface Span {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}
interface CoverageReport {
  readonly files?: {
    readonly [file: string]: { readonly covered?: readonly Span[]; readonly not_covered?: readonly Span[] };
  };
}

/** By lines of rules: coverage of the tests themselves means nothing. */
function coverageOf(report: CoverageReport, staged: Staged): Coverage {
  let all = 0;
  let reached = 0;
  const files = Object.entries(report.files ?? {})
    .filter(([file]) => !file.endsWith('_test.rego'))
    .map(([file, { covered = [], not_covered = [] }]) => {
      const hit = linesOf(covered);
      const missed = new Set([...linesOf(not_covered)].filter((line) => !hit.has(line)));
      all += hit.size + missed.size;
      reached += hit.size;
      return {
        file: staged.original(file),
        percent: percent(hit.size, hit.size + missed.size),
        missed: spansOf([...missed]),
      };
    })
    .sort((a, b) => (a.file < b.file ? -1 : 1));
  return { percent: percent(reached, all), files };
}

const percent = (part: number, whole: number): number =>
  whole === 0 ? 100 : Math.floor((part / whole) * 10_000) / 100;

const linesOf = (spans: readonly Span[]): Set<number> =>
  new Set(
    spans.flatMap(({ start, end }) =>
      Array.from({ length: end.row - start.row + 1 }, (_, i) => start.row + i),
    ),
  );

function parsed<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
