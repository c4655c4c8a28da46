/** `sluice check`: everything that is wrong with a policy directory, each with its place. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { resolveOpa } from '../policy/opa.ts';
import type { Io } from './io.ts';
import { arranged, tell } from './policy/findings.ts';
import { inspectPolicy } from './policy/inspect.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly strict?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('check')
    .description(
      'Rules, data, catalogs and scenarios: everything that is wrong with them, each with its place.',
    )
    .argument('[dir]', 'policy directory', 'policies')
    .option('--strict', 'warnings count as faults')
    .option('--watch', 'again whenever a file has changed')
    .option('--json', 'print what is found as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice check policies\n  sluice check policies --strict --json\n\nExit code 1 if there is a fault. Warnings are told and do not count.',
    )
    .action((dir: string, options: Options) =>
      options.watch
        ? watching(io, [resolve(io.cwd, dir)], () => check(io, dir, options))
        : check(io, dir, options),
    );
}

async function check(io: Io, dir: string, options: Options): Promise<void> {
  const { findings, counts } = await inspectPolicy(resolve(io.cwd, dir), await resolveOpa({ env: io.env }));
  const list = arranged(findings, io.cwd);
  const faults = list.filter((f) => f.severity === 'fault').length;
  const warnings = list.length - faults;
  const ok = faults === 0 && (!options.strict || warnings === 0);
  if (options.json)
    io.stdout.write(`${JSON.stringify({ ok, faults, warnings, findings: list, counts }, null, 2)}\n`);
  else {
    tell(list, io);
    io.stdout.write(
      `${counted(faults, 'fault')}, ${counted(warnings, 'warning')} in ${counted(counts.rules, 'file')} of rules, ${counts.tests} of tests, ${counts.data} of data, ${counted(counts.catalogs, 'catalog')} with ${counts.fields} fields, ${counted(counts.scenarios, 'scenario')}\n`,
    );
  }
  io.exitCode = ok ? 0 : 1;
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
