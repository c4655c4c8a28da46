/** Rego's own unit tests, run by OPA against the data as Sluice merges it. */

import type { PolicyDirectory } from '../../policy/directory.ts';
import type { Opa } from '../../policy/opa.ts';
import { faultError, faultsOf } from '../../policy/opa-faults.ts';
import type { Outcome, Wanted } from './outcome.ts';
import { type Staged, stage } from './stage.ts';

export interface Coverage {
  /** per cent of the lines of all rules, tests left out */
  readonly percent: number;
  readonly files: readonly {
    readonly file: string;
    readonly percent: number;
    /** first and last line of what no test reached */
    readonly missed: readonly (readonly [number, number])[];
  }[];
}

interface OpaTest {
  readonly location: { readonly file: string; readonly row: number };
  readonly package: string;
  readonly name: string;
  readonly duration: number;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: unknown;
  readonly output?: string;
}

/** @throws SluiceError `policy_compile_failed` when the tests do not compile */
export async function regoTests(
  opa: Opa,
  files: PolicyDirectory,
  dataJson: string,
  wanted: Wanted,
  withCoverage: boolean,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly coverage: Coverage | null }> {
  if (files.tests.length === 0) return { outcomes: [], coverage: null };
  const staged = await stage(files, dataJson, { tests: true });
  try {
    const places = [staged.rego, staged.data];
    const options = { cwd: staged.dir, timeout: 600_000 };
    // The time is of one test. One run after the other: each takes every core there is.
    const common = ['--format', 'json', '--timeout', '60s', ...places];
    const ran = await opa.run(['test', '--verbose', ...common], options);
    const covered = withCoverage ? await opa.run(['test', '--coverage', ...common], options) : null;
    const tests = parsed<readonly OpaTest[] | null>(ran.stdout);
    if (!Array.isArray(tests))
      throw faultError(
        'policy_compile_failed',
        faultsOf(ran, '').map((f) => ({
          ...f,
          ...(f.file === undefined ? {} : { file: staged.original(f.file) }),
        })),
      );
    const outcomes = (tests as readonly OpaTest[])
      .filter((t) => wanted(nameOf(t)))
      .map((t) => outcomeOf(t, staged));
    const report = covered === null ? null : parsed<CoverageReport>(covered.stdout);
    return { outcomes, coverage: report?.files === undefined ? null : coverageOf(report, staged) };
  } finally {
    await staged.remove();
  }
}

const nameOf = (t: OpaTest): string => `${t.package.replace(/^data\./, '')}: ${t.name}`;

function outcomeOf(t: OpaTest, staged: Staged): Outcome {
  return {
    suite: t.package.replace(/^data\./, ''),
    name: t.name,
    file: staged.original(t.location.file),
    line: t.location.row,
    state: t.skip ? 'skipped' : t.fail || t.error !== undefined ? 'failed' : 'passed',
    milliseconds: t.duration / 1e6,
    problems: t.error !== undefined ? [JSON.stringify(t.error)] : t.fail ? ['the test is not true'] : [],
    ...(t.output === undefined ? {} : { printed: Buffer.from(t.output, 'base64').toString('utf8') }),
  };
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

/** By lines of rules: how well the tests cover the tests says nothing. */
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
        missed: runs([...missed]),
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

function runs(lines: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const line of lines.sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === line - 1) last[1] = line;
    else found.push([line, line]);
  }
  return found;
}

function parsed<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
