/** Runs `sluice test`: unit tests on the production engine and in OPA's interpreter, and scenarios through a complete sidecar, in parallel. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SluiceError } from '../../../errors.ts';
import type { PolicyBundle } from '../../../policy/bundle/bundle.ts';
import { listPolicyFiles, type PolicyFile } from '../../../policy/directory.ts';
import type { Keep } from '../../../policy/keep.ts';
import { resolveOpa } from '../../../policy/opa/opa.ts';
import { faultError } from '../../../documents/faults.ts';
import { createSnapshot } from '../../../policy/snapshot/index.ts';
import { type Ran as EngineRan, runUnitTests } from '../../../policy/unit-tests/run.ts';
import { compileUnitTests } from '../../../policy/unit-tests/compile.ts';
import { listUnitTests, type UnitTest } from '../../../policy/unit-tests/list.ts';
import type { Io } from '../../io.ts';
import type { Kept } from './kept.ts';
import { type Outcome, type Wanted, wantedBy } from './outcome.ts';
import { playAll } from './play.ts';
import { progress } from '../progress.ts';
import { type Coverage, nameOf, type OpaRan, opaTests, outcomesOf, placeOf } from './rego-tests.ts';
import { readScenarios, type ScenarioDocument, scenarioFilesAt } from './scenario-files.ts';
import { openSource, type PolicySource } from '../source.ts';
import type { Timings } from './timings.ts';

/** What to run. */
export interface Asked {
  /** the policy of scenario files outside of one */
  readonly policies: string;
  readonly filter?: string;
  readonly coverage?: boolean;
  /** a watch reports the engine's results before OPA's */
  readonly early: boolean;
}

export interface Ran {
  readonly outcomes: readonly Outcome[];
  readonly coverage: readonly { readonly policy: string; readonly coverage: Coverage }[];
  readonly scenarios: { readonly count: number; readonly milliseconds: number };
}

/** The results of a run, and those that OPA still has to deliver. */
export interface Begun {
  readonly ran: Ran;
  /** null: nothing is outstanding */
  readonly rest: Promise<Ran> | null;
}

export interface Around {
  readonly kept: Kept;
  readonly timings: Timings;
  /** aborted if the results are no longer needed */
  readonly outdated: AbortSignal | undefined;
}

export async function runTests(
  io: Io,
  paths: readonly string[],
  asked: Asked,
  around: Around,
): Promise<Begun> {
  const wanted = wantedBy(asked.filter);
  const units: UnitRun[] = [];
  const plays: Play[] = [];
  const keep: Keep = (key, make) => around.kept.once(key, make);
  for (const path of paths) {
    if (await isPolicy(resolve(io.cwd, path))) {
      const source = await openSource(path, io, { keep });
      plays.push({ source, documents: await documents(source.files.dir, source.files.scenarios, keep) });
      units.push(await beginUnits(io, source, wanted, asked, around));
    } else {
      const { dir, files } = await scenarioFilesAt(resolve(io.cwd, path));
      plays.push({
        source: await openSource(asked.policies, io, { keep }),
        documents: await documents(dir, files, keep),
      });
    }
  }
  const scenarios = await playScenarios(io, plays, wanted, around);
  const engine = await Promise.all(units.map((u) => u.engine));
  const ran = async (opa: readonly (OpaRan | null)[]): Promise<Ran> => ({
    outcomes: [
      ...units.flatMap((u, i) => outcomesIn(u, opa[i] ?? null, engine[i]!, wanted)),
      ...scenarios.outcomes,
    ],
    coverage: units.flatMap(({ source }, i) => {
      const coverage = opa[i]?.coverage ?? null;
      return coverage === null ? [] : [{ policy: source.name, coverage }];
    }),
    scenarios: { count: scenarios.outcomes.length, milliseconds: scenarios.milliseconds },
  });
  const opa = (): Promise<(OpaRan | null)[]> => Promise.all(units.map((u) => u.opa()));
  // OPA names sub-cases, so tables wait for it.
  const early =
    asked.early &&
    engine.every((e) => [...e].every(([t, r]) => !t.table && !('unrun' in r))) &&
    engine.some((e) => e.size > 0);
  if (!early) return { ran: await ran(await opa()), rest: null };
  const rest = opa().then(ran);
  // Not awaited if the results are outdated by then.
  rest.catch(() => undefined);
  return { ran: await ran([]), rest };
}

/** The unit tests of a policy, running in both engines. */
interface UnitRun {
  readonly source: PolicySource;
  readonly engine: Promise<ReadonlyMap<UnitTest, EngineRan>>;
  /** started by the first call */
  readonly opa: () => Promise<OpaRan | null>;
}

async function beginUnits(
  io: Io,
  source: PolicySource,
  wanted: Wanted,
  asked: Asked,
  { kept, timings, outdated }: Around,
): Promise<UnitRun> {
  const { files } = source;
  const none = {
    source,
    engine: Promise.resolve(new Map<UnitTest, EngineRan>()),
    opa: async () => null,
  };
  if (![...files.rego, ...files.tests].some((f) => f.text.includes('test_'))) return none;
  const opa = await resolveOpa({ env: io.env });
  const tests = (await timings.of('look for unit tests', () => listUnitTests(opa, files))).filter(
    // The names of sub-cases are unknown before a table has run.
    (t) => wanted(nameOf(t)) || (t.table && asked.filter !== undefined),
  );
  if (tests.length === 0) return none;
  const chosen = new Set(tests.map(placeOf));
  const rules = digestOf([files.rego, files.tests].flat(), [...chosen]);
  const digest = digestOf([files.data, files.catalogs].flat(), [rules]);
  const dataJson = timings.of('merge data', () => source.dataJson());
  // Without the data, which the engine gets when it runs the tests.
  const compiled = kept.once(`compiled ${rules}`, () =>
    timings.of('compile unit tests', () => compileUnitTests(opa, files, (t) => chosen.has(placeOf(t)))),
  );
  const engine = kept.once(`engine ${digest}`, async () => {
    const module = await compiled;
    return timings.of('unit tests on the engine', async () => {
      const ran = new Map<UnitTest, EngineRan>();
      for await (const [t, r] of runUnitTests(module, await dataJson)) ran.set(t, r);
      return ran;
    });
  });
  const only = asked.filter === undefined ? null : tests;
  const byOpa = (): Promise<OpaRan> =>
    kept.once(`opa ${digest}`, async () => {
      const json = await dataJson;
      return timings.of("unit tests in OPA's interpreter", () =>
        opaTests(opa, files, json, only, asked.coverage === true, outdated),
      );
    });
  // Handled later. A watch gives priority to what it reports first.
  for (const p of [dataJson, engine, ...(asked.early ? [] : [byOpa()])]) p.catch(() => undefined);
  return { source, engine, opa: byOpa };
}

function outcomesIn(
  { source }: UnitRun,
  opa: OpaRan | null,
  engine: ReadonlyMap<UnitTest, EngineRan>,
  wanted: Wanted,
): Outcome[] {
  const left = new Map(opa?.tests ?? []);
  const outcomes = [...engine].flatMap(([test, ran]) => {
    const place = placeOf(test);
    const of = left.get(place);
    left.delete(place);
    return outcomesOf(test, of, ran, join(source.files.dir, test.file));
  });
  // What OPA counts as a test and Sluice does not.
  const others = [...left].flatMap(([place, of]) => {
    const file = place.replace(/:\d+:\d+$/, '');
    const test: UnitTest = {
      package: of.package.replace(/^data\./, ''),
      name: of.name,
      file,
      line: of.location.row,
      column: of.location.col,
      entrypoint: null,
      table: false,
    };
    return outcomesOf(
      test,
      of,
      { unrun: 'it is no rule that the engine can be asked for' },
      join(source.files.dir, file),
    );
  });
  return [...outcomes, ...others].filter((o) => wanted(`${o.suite}: ${o.name}`));
}

interface Play {
  readonly source: PolicySource;
  readonly documents: readonly ScenarioDocument[];
}

async function playScenarios(
  io: Io,
  plays: readonly Play[],
  wanted: Wanted,
  { kept, timings }: Around,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly milliseconds: number }> {
  const chosen = plays
    .map(({ source, documents: list }) => ({
      source,
      documents: list.filter(({ content }) =>
        content.scenarios.some((s) => wanted(`${content.title}: ${s.name}`)),
      ),
    }))
    .filter((p) => p.documents.length > 0);
  const count = chosen
    .flatMap((p) => p.documents)
    .reduce(
      (n, { content }) => n + content.scenarios.filter((s) => wanted(`${content.title}: ${s.name}`)).length,
      0,
    );
  const bar = progress(io, count, 'scenarios');
  const outcomes: Outcome[] = [];
  let milliseconds = 0;
  try {
    for (const { source, documents: list } of chosen) {
      const { files } = source;
      const bundle = await timings.of('compile the policy', () => source.bundle());
      const policy = await kept.once(policyKey(files.dir, bundle), () =>
        timings.of('load the policy', () => createSnapshot(bundle)),
      );
      const began = performance.now();
      outcomes.push(...(await timings.of('scenarios', () => playAll(policy, list, wanted, () => bar.add()))));
      milliseconds += performance.now() - began;
    }
  } finally {
    bar.done();
  }
  return { outcomes, milliseconds };
}

const digestOf = (files: readonly PolicyFile[], more: readonly string[]): string => {
  const hash = createHash('sha256').update(JSON.stringify(more));
  for (const { path, text } of files) hash.update(JSON.stringify([path, text]));
  return hash.digest('hex');
};

const policyKey = (dir: string, { revision, wasm, dataJson }: PolicyBundle): string =>
  `policy ${createHash('sha256')
    .update(JSON.stringify([dir, revision, dataJson]))
    .update(wasm)
    .digest('hex')}`;

/** a bundle, or a directory with rules */
async function isPolicy(path: string): Promise<boolean> {
  const s = await stat(path).catch(() => null);
  if (s === null)
    throw new SluiceError(
      'input_invalid',
      `There is nothing at ${path}. Name a policy, scenarios, or a directory of them.`,
    );
  if (s.isFile()) return /\.(?:tgz|tar\.gz)$/.test(path);
  return (await listPolicyFiles(path)).some((f) => f.path.endsWith('.rego'));
}

async function documents(
  dir: string,
  files: readonly PolicyFile[],
  keep: Keep,
): Promise<readonly ScenarioDocument[]> {
  const read = await Promise.all(
    files.map((f) => keep(`scenarios ${digestOf([f], [dir])}`, async () => readScenarios(dir, [f]))),
  );
  const faults = read.flatMap((r) => r.faults);
  if (faults.length > 0) throw faultError('policy_data_invalid', faults);
  return read.flatMap((r) => r.documents);
}
