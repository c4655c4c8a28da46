/** `sluice test`: Rego's unit tests, and scenarios through the whole sidecar. */
import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import colours from 'picocolors';
import { SluiceError } from '../errors.ts';
import { listPolicyFiles } from '../policy/directory.ts';
import { resolveOpa } from '../policy/opa.ts';
import { faultError } from '../policy/opa-faults.ts';
import { createSnapshot } from '../policy/snapshot.ts';
import type { Io } from './io.ts';
import { shown } from './policy/findings.ts';
import { junit } from './policy/junit.ts';
import { type Outcome, wantedBy } from './policy/outcome.ts';
import { playAll } from './policy/play.ts';
import { progress } from './policy/progress.ts';
import { type Coverage, regoTests } from './policy/rego-tests.ts';
import { readScenarios, type ScenarioDocument, scenarioFilesAt } from './policy/scenario-files.ts';
import { type NamedPolicy, openPolicy } from './policy/source.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly policies: string;
  readonly filter?: string;
  readonly coverage?: boolean;
  readonly threshold: number;
  readonly junit?: string;
  readonly watch?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const percent = (text: string): number => {
  const n = Number(text);
  if (!(n >= 0 && n <= 100)) throw new InvalidArgumentError('Per cent, from 0 to 100, are wanted.');
  return n;
};

export function command(io: Io): Command {
  return new Command('test')
    .description("Rego's unit tests, and scenarios through the whole sidecar.")
    .argument('[paths...]', 'policies (directory or bundle), scenario files, directories of scenario files')
    .option(
      '--policies <path>',
      'the policy that scenario files outside of a policy are played under',
      'policies',
    )
    .option('--filter <text>', 'only what has this in its name; /…/ for a pattern')
    .option('--coverage', 'say which lines of the rules no unit test reached')
    .option('--threshold <percent>', 'with --coverage: exit 1 below', percent, 95)
    .option('--junit <file>', 'write the results there as JUnit XML')
    .option('--watch', 'again whenever a file has changed')
    .option('-v, --verbose', 'name what passed, too')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice test policies\n  sluice test test/cases --policies policies\n  sluice test policies --filter "opted out" --watch\n  sluice test policies --coverage --junit results.xml',
    )
    .action(async (paths: string[], options: Options) => {
      const named = paths.length === 0 ? [options.policies] : paths;
      if (!options.watch) return test(io, named, options);
      await watching(
        io,
        [...new Set([...named, options.policies])].map((p) => resolve(io.cwd, p)),
        () => test(io, named, options),
      );
    });
}

interface Ran {
  readonly outcomes: readonly Outcome[];
  readonly coverage: readonly { readonly policy: string; readonly coverage: Coverage }[];
  readonly scenarios: { readonly count: number; readonly milliseconds: number };
}

async function test(io: Io, paths: readonly string[], options: Options): Promise<void> {
  const { outcomes, coverage, scenarios } = await everything(io, paths, options);
  if (options.junit !== undefined)
    await writeFile(
      resolve(io.cwd, options.junit),
      junit(outcomes.map((o) => ({ ...o, file: shown(o.file, io.cwd) }))),
    );
  const failed = outcomes.filter((o) => o.state === 'failed');
  const thin = coverage.filter((c) => c.coverage.percent < options.threshold);
  if (options.json)
    io.stdout.write(
      `${JSON.stringify(
        {
          ok: failed.length === 0 && thin.length === 0,
          passed: outcomes.filter((o) => o.state === 'passed').length,
          failed: failed.length,
          skipped: outcomes.filter((o) => o.state === 'skipped').length,
          outcomes: outcomes.map((o) => ({ ...o, file: shown(o.file, io.cwd) })),
          coverage: coverage.map((c) => ({
            policy: c.policy,
            percent: c.coverage.percent,
            files: c.coverage.files.map((f) => ({ ...f, file: shown(f.file, io.cwd) })),
          })),
        },
        null,
        2,
      )}\n`,
    );
  else report(io, outcomes, coverage, scenarios, options);
  if (outcomes.length === 0 && !options.json)
    io.stdout.write(
      options.filter === undefined ? 'There is nothing to test.\n' : 'Nothing has that in its name.\n',
    );
  io.exitCode = failed.length > 0 || thin.length > 0 || outcomes.length === 0 ? 1 : 0;
}

async function everything(io: Io, paths: readonly string[], options: Options): Promise<Ran> {
  const wanted = wantedBy(options.filter);
  const outcomes: Outcome[] = [];
  const coverage: { policy: string; coverage: Coverage }[] = [];
  const opened = new Map<string, Promise<NamedPolicy>>();
  const open = (path: string): Promise<NamedPolicy> => {
    const key = resolve(io.cwd, path);
    const found = opened.get(key) ?? openPolicy(path, io);
    opened.set(key, found);
    return found;
  };
  const plays: { readonly policy: NamedPolicy; readonly documents: readonly ScenarioDocument[] }[] = [];
  const units: (() => Promise<void>)[] = [];
  for (const path of paths) {
    if (await isPolicy(resolve(io.cwd, path))) {
      const policy = await open(path);
      plays.push({ policy, documents: documents(policy.files.dir, policy.files.scenarios) });
      if (policy.files.tests.length > 0) {
        const opa = await resolveOpa({ env: io.env });
        const { files, bundle } = policy;
        units.push(async () => {
          const ran = await regoTests(opa, files, bundle.dataJson, wanted, options.coverage === true);
          outcomes.push(...ran.outcomes);
          if (ran.coverage !== null) coverage.push({ policy: path, coverage: ran.coverage });
        });
      }
    } else {
      const { dir, files } = await scenarioFilesAt(resolve(io.cwd, path));
      plays.push({ policy: await open(options.policies), documents: documents(dir, files) });
    }
  }
  const count = plays.reduce(
    (n, p) => n + p.documents.reduce((m, d) => m + d.content.scenarios.length, 0),
    0,
  );
  const bar = progress(io, count, 'scenarios');
  const played: Outcome[] = [];
  const began = performance.now();
  try {
    for (const { policy, documents: list } of plays)
      if (list.length > 0)
        played.push(...(await playAll(await createSnapshot(policy.bundle), list, wanted, () => bar.add())));
  } finally {
    bar.done();
  }
  const milliseconds = performance.now() - began;
  for (const unit of units) await unit();
  return {
    outcomes: [...outcomes, ...played],
    coverage,
    scenarios: { count: played.length, milliseconds },
  };
}

/** a bundle, or a directory with rules in it */
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

function documents(dir: string, files: Parameters<typeof readScenarios>[1]): readonly ScenarioDocument[] {
  const read = readScenarios(dir, files);
  if (read.faults.length > 0) throw faultError('policy_data_invalid', read.faults);
  return read.documents;
}

function report(
  io: Io,
  outcomes: readonly Outcome[],
  coverage: Ran['coverage'],
  scenarios: Ran['scenarios'],
  options: Options,
): void {
  const { green, red, yellow, dim, bold } = colours.createColors(
    io.stdout.isTTY === true && !io.env['NO_COLOR'],
  );
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  for (const o of outcomes) {
    if (o.state === 'passed' && !options.verbose) continue;
    const mark = { passed: green('ok  '), failed: red('FAIL'), skipped: yellow('skip') }[o.state];
    say(`${mark} ${o.suite}: ${o.name} ${dim(`${shown(o.file, io.cwd)}:${o.line}`)}`);
    for (const p of o.problems) say(`     ${p.replaceAll('\n', '\n     ')}`);
    if (o.state === 'failed' && o.printed !== undefined)
      say(dim(`     print: ${o.printed.trimEnd().replaceAll('\n', '\n            ')}`));
  }
  const units = outcomes.length - scenarios.count;
  for (const { policy, coverage: c } of coverage) {
    say(
      `${bold('coverage')} of ${policy}: ${c.percent} % of the lines of its rules (at least ${options.threshold} % are asked for)`,
    );
    for (const f of c.files) {
      const missed = f.missed.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(', ');
      say(
        `  ${String(f.percent).padStart(6)} %  ${shown(f.file, io.cwd)}${missed === '' ? '' : dim(`  not reached: ${missed}`)}`,
      );
    }
  }
  const failed = outcomes.filter((o) => o.state === 'failed').length;
  const skipped = outcomes.filter((o) => o.state === 'skipped').length;
  const rate =
    scenarios.count === 0
      ? ''
      : dim(
          ` (scenarios: ${Math.round((scenarios.count * 1000) / Math.max(scenarios.milliseconds, 1))} a second)`,
        );
  const passed = outcomes.length - failed - skipped;
  say(
    `${failed > 0 ? red(`${failed} failed`) : green(`${passed} passed`)}${failed > 0 ? `, ${passed} passed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}: ${units} unit tests, ${scenarios.count} scenarios${rate}`,
  );
}
