/** `sluice matrix`: who gets what, for which purpose, under which consent; and what a change of the policy changes. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { SluiceError } from '../errors.ts';
import type { Tier } from '../model/input.ts';
import { createSnapshot } from '../policy/snapshot.ts';
import type { Io } from './io.ts';
import { type Axes, type AxesOptions, axesOf } from './policy/axes.ts';
import { combinations, type Grid, gridOf } from './policy/grid.ts';
import { changesBetween, grouped, isWider, passages } from './policy/grid-changes.ts';
import { changesHtml, gridHtml } from './policy/grid-html.ts';
import { changesText, gridCsv, gridText } from './policy/grid-text.ts';
import { progress } from './policy/progress.ts';
import { openPolicy } from './policy/source.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly diff?: boolean;
  readonly role?: string[];
  readonly purpose?: string[];
  readonly tier?: Tier[];
  readonly recipient?: string[];
  readonly resource?: string[];
  readonly clearance: number | null;
  readonly amr: string;
  readonly justification: string;
  readonly because?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  readonly json?: boolean;
  readonly exitCode?: boolean;
  readonly watch?: boolean;
}

const several = (value: string, before: string[] = []): string[] => [
  ...before,
  ...value.split(',').map((v) => v.trim()),
];
const tiers = (value: string, before: Tier[] = []): Tier[] => {
  if (!/^[123]$/.test(value)) throw new InvalidArgumentError('A tier is 1, 2 or 3.');
  return [...before, Number(value) as Tier];
};
const clearanceOf = (value: string): number | null => {
  if (value === 'none') return null;
  if (!/^\d{1,3}$/.test(value)) throw new InvalidArgumentError('A number, or none, is wanted.');
  return Number(value);
};

export function command(io: Io): Command {
  return new Command('matrix')
    .description(
      'The disclosure matrix: role × purpose × tier × recipient × consent × class → treatment, by asking the policy.',
    )
    .argument('[policies...]', 'directory or bundle; two with --diff')
    .option('--diff', 'what changes from the first policy to the second')
    .option('--role <names>', 'only these', several)
    .option('--purpose <names>', 'only these', several)
    .option('--tier <n>', 'only this', tiers)
    .option('--recipient <names>', 'only these', several)
    .option('--resource <names>', 'only these', several)
    .option('--clearance <n>', "the callers' clearance, or none", clearanceOf, 5)
    .option('--amr <methods>', 'how the callers have authenticated', 'pwd,otp')
    .option('--justification <text>', 'what the callers give as their reason', 'review of the policy')
    .option('--because', 'say the reason in every cell of the table')
    .option('--csv', 'print as CSV, one cell a line')
    .option('--html <file>', 'write one HTML file, to read and to print')
    .option('--json', 'print as JSON')
    .option('--exit-code', 'with --diff: exit 1 if anything changes')
    .option('--watch', 'again whenever a file has changed')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice matrix policies --role support --resource customer\n  sluice matrix policies --html matrix.html\n  sluice matrix --diff bundle-live.tar.gz policies\n\nCallers are taken to be as able as they can be: cleared, with a second factor, with a justification. --clearance,\n--amr and --justification say otherwise.',
    )
    .action(async (named: string[], options: Options) => {
      const policies = named.length === 0 && !options.diff ? ['policies'] : named;
      if (policies.length !== (options.diff ? 2 : 1))
        throw new SluiceError(
          'usage_invalid',
          options.diff
            ? '--diff takes two policies: before and after.'
            : 'One policy is wanted; two with --diff.',
        );
      const run = (): Promise<void> =>
        options.diff ? diff(io, policies, options) : matrix(io, policies[0]!, options);
      if (!options.watch) return run();
      await watching(
        io,
        policies.map((p) => resolve(io.cwd, p)),
        run,
      );
    });
}

async function asked(
  io: Io,
  name: string,
  options: Options,
): Promise<{ grid: Grid; axes: Axes; milliseconds: number }> {
  const policy = await createSnapshot((await openPolicy(name, io)).bundle, {
    // Each question is asked once.
    cache: { entries: 0, bytes: 64 * 1024, time_step_ms: 1000 },
  });
  const about: AxesOptions = {
    role: options.role,
    purpose: options.purpose,
    tier: options.tier,
    recipient: options.recipient,
    resource: options.resource,
    clearance: options.clearance,
    amr: options.amr === '' ? [] : options.amr.split(','),
    justification: options.justification === '' ? null : options.justification,
    at: new Date().toISOString(),
  };
  const axes = axesOf(policy, about);
  if (axes.roles.length === 0 || axes.purposes.length === 0)
    throw new SluiceError(
      'usage_invalid',
      `${name}: its data name no roles or no purposes (data.roles, data.purposes); give them with --role and --purpose.`,
    );
  const unknown = axes.resources.find((r) => !axes.classes.has(r));
  if (unknown !== undefined)
    throw new SluiceError('usage_invalid', `${name} has no catalog of a resource "${unknown}".`);
  const bar = progress(io, combinations(axes), `asking ${name}`);
  const began = performance.now();
  try {
    const grid = gridOf(policy, axes, about, () => bar.add());
    return { grid: { ...grid, name }, axes, milliseconds: performance.now() - began };
  } finally {
    bar.done();
  }
}

const colourful = (io: Io): boolean => io.stdout.isTTY === true && !io.env['NO_COLOR'];

const callersOf = ({ clearance, amr, justification }: Options): string =>
  `Callers are taken to be ${clearance === null ? 'without a stated clearance' : `cleared for grade ${clearance}`}, authenticated by ${amr === '' ? 'nothing that is stated' : amr.replaceAll(',', ' and ')}, ${justification === '' ? 'without a justification' : 'with a justification'}.`;

async function matrix(io: Io, name: string, options: Options): Promise<void> {
  const { grid, axes, milliseconds } = await asked(io, name, options);
  if (options.html !== undefined) {
    const about = { name, made: new Date().toISOString(), callers: callersOf(options) };
    await writeFile(resolve(io.cwd, options.html), gridHtml(grid, axes, about));
  }
  if (options.json) {
    const states = axes.states.map(({ name: state, title }) => ({ name: state, title }));
    io.stdout.write(
      `${JSON.stringify({ policy: name, revision: grid.revision, states, rows: grid.rows, denied: grid.denied }, null, 1)}\n`,
    );
    return;
  }
  if (options.csv) {
    io.stdout.write(gridCsv(grid));
    return;
  }
  if (options.html === undefined)
    io.stdout.write(gridText(grid, { colour: colourful(io), because: options.because === true }));
  io.stdout.write(
    `${options.html === undefined ? '\n' : `${options.html}: `}${grid.rows.length} combinations that are allowed with ${grid.cells} cells, ${grid.denied.length} that are refused (${(milliseconds / 1000).toFixed(1)} s)\n`,
  );
}

async function diff(io: Io, [a, b]: readonly string[], options: Options): Promise<void> {
  const before = await asked(io, a!, options);
  const after = await asked(io, b!, options);
  const changes = changesBetween(before.grid, after.grid);
  const groups = grouped(changes);
  const through = passages(changes);
  if (options.exitCode && changes.length > 0) io.exitCode = 1;
  if (options.html !== undefined) {
    const about = { name: b!, made: new Date().toISOString(), callers: callersOf(options) };
    await writeFile(resolve(io.cwd, options.html), changesHtml(groups, through, [a!, b!], about));
  }
  if (options.json) {
    io.stdout.write(
      `${JSON.stringify({ before: { policy: a, revision: before.grid.revision }, after: { policy: b, revision: after.grid.revision }, cells: changes.length, passages: through, groups }, null, 1)}\n`,
    );
    return;
  }
  const compared = Math.max(before.grid.cells, after.grid.cells);
  if (changes.length > 0) io.stdout.write(`${changesText(groups, through, colourful(io))}\n`);
  const wider = changes.filter(isWider).length;
  io.stdout.write(
    changes.length === 0
      ? `Nothing changes: ${compared} cells are the same.\n`
      : `${changes.length} of ${compared} cells change, ${wider} of them to something wider.\n`,
  );
}
