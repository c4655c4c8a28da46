/** `sluice test`: Rego's unit tests, and scenarios through the whole sidecar. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import colours from 'picocolors';
import { SluiceError } from '../errors.ts';
import { colourful, type Io } from './io.ts';
import { refuse } from './options.ts';
import { shown } from './policy/check/findings.ts';
import { fromDecision } from './policy/testing/from-decision.ts';
import { junit } from './policy/testing/junit.ts';
import { Kept } from './policy/testing/kept.ts';
import type { Outcome } from './policy/testing/outcome.ts';
import { type Ran, runTests } from './policy/testing/test-run.ts';
import { Timings } from './policy/testing/timings.ts';
import { watching } from './policy/watch.ts';
import { spellSpans } from './text.ts';

interface Options {
  readonly policies: string;
  readonly filter?: string;
  readonly coverage?: boolean;
  readonly threshold: number;
  readonly junit?: string;
  readonly watch?: boolean;
  readonly timings?: boolean;
  readonly fromDecision?: string;
  readonly journal?: string;
  readonly output?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const percent = (text: string): number => {
  const n = Number(text);
  if (!(n >= 0 && n <= 100)) throw new InvalidArgumentError('Per cent, from 0 to 100, are wanted.');
  return n;
};

/** what `--from-decision` does without */
const OF_RUN = ['filter', 'coverage', 'junit', 'watch', 'timings', 'verbose', 'json'];

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
    .option('--watch', 'run again whenever a file changes')
    .option('--from-decision <id>', 'write the scenario of a recorded decision instead')
    .option('--journal <dir>', 'with --from-decision: the journal that holds it')
    .option('-o, --output <file>', 'with --from-decision: where to, instead of standard output')
    .option('--timings', 'say where the time went')
    .option('-v, --verbose', 'name what passed, too')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice test policies\n  sluice test test/cases --policies policies\n  sluice test policies --filter "opted out" --watch\n  sluice test policies --coverage --junit results.xml\n  sluice test policies --from-decision 01a2… --journal data/journal -o policies/scenarios/recorded.yaml',
    )
    .action(async (paths: string[], options: Options, command: Command) => {
      if (options.fromDecision === undefined)
        refuse(command, ['journal', 'output'], 'is for --from-decision: give it, too.');
      else refuse(command, OF_RUN, 'is about a run of tests, and not for --from-decision.');
      if (!options.coverage) refuse(command, ['threshold'], 'is for --coverage: give it, too.');
      if (options.fromDecision !== undefined) {
        if (options.journal === undefined)
          throw new SluiceError('usage_invalid', 'Which journal holds the decision? Give --journal <dir>.');
        if (paths.length > 1)
          throw new SluiceError('usage_invalid', 'A decision is played under one policy: name one.');
        return fromDecision(io, {
          policies: paths[0] ?? options.policies,
          fromDecision: options.fromDecision,
          journal: options.journal,
          ...(options.output === undefined ? {} : { output: options.output }),
        });
      }
      const named = paths.length === 0 ? [options.policies] : paths;
      if (!options.watch) return test(io, named, options);
      const kept = new Kept();
      await watching(
        io,
        [...new Set([...named, options.policies])].map((p) => resolve(io.cwd, p)),
        (outdated) => test(io, named, options, kept, outdated),
      );
    });
}

async function test(
  io: Io,
  paths: readonly string[],
  options: Options,
  kept: Kept = new Kept(),
  outdated?: AbortSignal,
): Promise<void> {
  kept.next();
  const timings = new Timings();
  const { ran, rest } = await runTests(
    io,
    paths,
    { ...options, early: outdated !== undefined && options.json !== true },
    { kept, timings, outdated },
  );
  if (outdated?.aborted) return;
  await tell(io, ran, options, timings);
  if (rest === null) return;
  io.stdout.write("OPA's interpreter is running the unit tests, too.\n");
  const whole = await rest;
  const added = whole.outcomes.filter((o) => o.state === 'failed' && !ran.outcomes.some((p) => same(o, p)));
  if (added.length > 0) await tell(io, whole, options, timings);
  else io.stdout.write('OPA and the engine that decides agree.\n');
}

const same = (a: Outcome, b: Outcome): boolean =>
  a.file === b.file && a.line === b.line && a.name === b.name && a.state === b.state;

async function tell(io: Io, ran: Ran, options: Options, timings: Timings): Promise<void> {
  const { outcomes, coverage, scenarios } = ran;
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
          not_run_on_engine: outcomes.filter((o) => o.unrun !== undefined).length,
          outcomes: outcomes.map((o) => ({ ...o, file: shown(o.file, io.cwd) })),
          coverage: coverage.map((c) => ({
            policy: c.policy,
            percent: c.coverage.percent,
            files: c.coverage.files.map((f) => ({ ...f, file: shown(f.file, io.cwd) })),
          })),
          ...(options.timings ? { timings: timings.all() } : {}),
        },
        null,
        2,
      )}\n`,
    );
  else {
    report(io, outcomes, coverage, scenarios, options);
    if (options.timings)
      for (const { phase, milliseconds } of timings.all())
        io.stdout.write(`${milliseconds.toFixed(1).padStart(9)} ms  ${phase}\n`);
  }
  if (outcomes.length === 0 && !options.json)
    io.stdout.write(
      options.filter === undefined ? 'There is nothing to test.\n' : 'Nothing has that in its name.\n',
    );
  io.exitCode = failed.length > 0 || thin.length > 0 || outcomes.length === 0 ? 1 : 0;
}

function report(
  io: Io,
  outcomes: readonly Outcome[],
  coverage: Ran['coverage'],
  scenarios: Ran['scenarios'],
  options: Options,
): void {
  const { green, red, yellow, dim, bold } = colours.createColors(colourful(io));
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
      const missed = spellSpans(f.missed);
      say(
        `  ${String(f.percent).padStart(6)} %  ${shown(f.file, io.cwd)}${missed === '' ? '' : dim(`  not reached: ${missed}`)}`,
      );
    }
  }
  for (const o of outcomes)
    if (o.unrun !== undefined)
      say(
        `${yellow('note')} ${o.suite}: ${o.name}: not run on the engine: ${o.unrun} ${dim(`${shown(o.file, io.cwd)}:${o.line}`)}`,
      );
  const failed = outcomes.filter((o) => o.state === 'failed').length;
  const unrun = outcomes.filter((o) => o.unrun !== undefined).length;
  const skipped = outcomes.filter((o) => o.state === 'skipped').length;
  const rate =
    scenarios.count === 0
      ? ''
      : dim(
          ` (scenarios: ${Math.round((scenarios.count * 1000) / Math.max(scenarios.milliseconds, 1))} a second)`,
        );
  const passed = outcomes.length - failed - skipped;
  say(
    `${failed > 0 ? red(`${failed} failed`) : green(`${passed} passed`)}${failed > 0 ? `, ${passed} passed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}: ${units} unit tests${unrun > 0 ? ` (${unrun} not on the engine)` : ''}, ${scenarios.count} scenarios${rate}`,
  );
}
