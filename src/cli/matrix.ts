/** `sluice matrix`: who sees which field for which purpose under which consent; or what a change of the policy changes. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import { ACTIONS } from '../model/actions.ts';
import type { Tier } from '../model/input.ts';
import { createSnapshot, type LivePolicy } from '../policy/snapshot/index.ts';
import { colourful, type Io } from './io.ts';
import { clearance, names, refuse, tier } from './options.ts';
import { type Axes, type AxesOptions, axesOf } from './policy/matrix/axes.ts';
import { type Diff, diffText } from './policy/matrix/diff-text.ts';
import { combinations, gridOf } from './policy/matrix/grid.ts';
import { catalogChanges } from './policy/matrix/grid-catalogs.ts';
import { compare } from './policy/matrix/grid-changes.ts';
import { changesHtml, gridHtml } from './policy/matrix/grid-html.ts';
import { type Sentence, sentencesOf } from './policy/matrix/grid-sentences.ts';
import { gridCsv, gridText } from './policy/matrix/grid-text.ts';
import { progress } from './policy/progress.ts';
import { takeAll } from './policy/replay/journal.ts';
import { Replayer } from './policy/replay/replayer.ts';
import { ASKED_ONCE, openPolicy } from './policy/source.ts';
import { uncovered } from './policy/matrix/uncovered.ts';
import { sheetPolicy, signOffOf } from './policy/matrix/sign-off.ts';
import { sourceChanges } from './policy/matrix/source-changes.ts';
import { watching } from './policy/watch.ts';
import { widthOf } from './policy/wrap.ts';

interface Options {
  readonly diff?: boolean;
  readonly role?: string[];
  readonly purpose?: string[];
  readonly tier?: Tier[];
  readonly recipient?: string[];
  readonly resource?: string[];
  readonly clearance?: readonly (number | null)[];
  readonly amr: string;
  readonly justification: string;
  readonly because?: boolean;
  readonly fields?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  readonly author?: string;
  readonly reviewer?: string;
  readonly json?: boolean;
  readonly exitCode?: boolean;
  readonly journal?: string;
  readonly watch?: boolean;
}

const tiers = (value: string, before: Tier[] = []): Tier[] => [...before, tier(value)];
const clearances = (value: string): (number | null)[] => value.split(',').map(clearance);
/** options of a comparison, and options of a single policy */
const OF_DIFF = ['exitCode', 'journal', 'author', 'reviewer'];
const OF_ONE = ['fields', 'csv'];

export function command(io: Io): Command {
  return new Command('matrix')
    .description(
      'The disclosure matrix: role × purpose × tier × recipient × consent × field → treatment, by asking the policy.',
    )
    .argument('[policies...]', 'directory or bundle; two with --diff')
    .option('--diff', 'what changes from the first policy to the second')
    .option('--role <names>', 'only these', names)
    .option('--purpose <names>', 'only these', names)
    .option('--tier <n>', 'only this', tiers)
    .option('--recipient <names>', 'only these', names)
    .option('--resource <names>', 'only these', names)
    .option(
      '--clearance <n>',
      "the callers' clearance, or none; with --diff several (default: none,1,2,3,4,5)",
      clearances,
    )
    .option('--amr <methods>', 'how the callers authenticated', 'pwd,otp')
    .option('--justification <text>', 'justification of the callers', 'review of the policy')
    .option('--because', 'show the reason in every cell; with --diff also list changes of the reason alone')
    .option('--fields', 'one line for every field, even if all fields of a class have the same treatment')
    .option('--csv', 'print as CSV, one line for each field and state')
    .option('--html <file>', 'write one HTML file, to read and to print')
    .option('--author <name>', 'with --diff --html: who made the change, on the sheet to be signed')
    .option('--reviewer <name>', 'with --diff --html: the reviewer')
    .option('--json', 'print as JSON')
    .option('--exit-code', 'with --diff: exit 1 if anything changes')
    .option('--journal <dir>', 'with --diff: count the recorded decisions that each change would affect')
    .option('--watch', 'run again whenever a file changes')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice matrix policies --role support --resource customer\n  sluice matrix policies --html matrix.html\n  sluice matrix --diff bundle-live.tar.gz policies\n  sluice matrix --diff bundle-live.tar.gz policies --html sheet.html --author "Han Meimei" --reviewer "Li Lei"\n\nCallers are taken to be as able as they can be: cleared, with a second factor, with a justification. --clearance,\n--amr and --justification say otherwise.',
    )
    .action(async (named: string[], options: Options, command: Command) => {
      if (options.diff) refuse(command, OF_ONE, 'is about one policy, and not for --diff.');
      else refuse(command, OF_DIFF, 'is about two policies: give --diff, too.');
      if (options.json) refuse(command, ['csv'], 'is another format than --json.');
      if (options.html !== undefined || options.json || options.csv)
        refuse(command, ['fields'], 'is for a table in the terminal.');
      if (options.html === undefined)
        refuse(command, ['author', 'reviewer'], 'is for the sheet: give --html, too.');
      if (!options.diff && (options.clearance ?? []).length > 1)
        throw new SluiceError('usage_invalid', '--clearance takes several numbers only with --diff.');
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

const open = async (io: Io, name: string): Promise<LivePolicy> =>
  createSnapshot((await openPolicy(name, io)).bundle, { cache: ASKED_ONCE });

const aboutCallers = (options: Options, clearance: AxesOptions['clearance']): AxesOptions => ({
  role: options.role,
  purpose: options.purpose,
  tier: options.tier,
  recipient: options.recipient,
  resource: options.resource,
  clearance,
  amr: options.amr === '' ? [] : options.amr.split(','),
  justification: options.justification === '' ? null : options.justification,
  at: new Date().toISOString(),
});

/** @throws SluiceError `usage_invalid` */
function axesNamed(policies: readonly LivePolicy[], paths: readonly string[], about: AxesOptions): Axes {
  const axes = axesOf(policies, about);
  const named = paths.join(' and ');
  if (axes.roles.length === 0 || axes.purposes.length === 0)
    throw new SluiceError(
      'usage_invalid',
      `${named}: its data name no roles or no purposes (data.roles, data.purposes); give them with --role and --purpose.`,
    );
  const unknown = axes.resources.find((r) => !policies.some(({ catalogs }) => catalogs.has(r)));
  if (unknown !== undefined)
    throw new SluiceError('usage_invalid', `${named} has no catalog of a resource "${unknown}".`);
  return axes;
}

const callersOf = ({ clearance, amr, justification }: AxesOptions): string => {
  const cleared = Array.isArray(clearance)
    ? `cleared for each of ${clearance.map((c) => c ?? 'nothing stated').join(', ')}`
    : clearance === null
      ? 'without a stated clearance'
      : `cleared for grade ${String(clearance)}`;
  const signed = amr.length === 0 ? 'nothing that is stated' : amr.join(' and ');
  const reason =
    justification === null ? 'without a justification' : `with the justification “${justification}”`;
  return `Callers are taken to be ${cleared}, authenticated by ${signed}, ${reason}.`;
};

async function matrix(io: Io, name: string, options: Options): Promise<void> {
  const policy = await open(io, name);
  const about = aboutCallers(options, options.clearance === undefined ? 5 : (options.clearance[0] ?? null));
  const axes = axesNamed([policy], [name], about);
  const bar = progress(io, combinations(axes), `asking ${name}`);
  const began = performance.now();
  const grid = gridOf(policy, axes, about, () => bar.add());
  bar.done();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const callers = callersOf(about);
  if (options.html !== undefined) {
    const made = new Date().toISOString();
    await writeFile(resolve(io.cwd, options.html), gridHtml(grid, axes, { name, made, callers }));
  }
  if (options.json) {
    const states = [...axes.states.map(({ name: state, title }) => ({ name: state, title })), ...grid.ages];
    const { revision, rows, denied } = grid;
    io.stdout.write(
      `${JSON.stringify({ policy: name, revision, callers, states, rows, denied }, null, 1)}\n`,
    );
    return;
  }
  if (options.csv) {
    io.stdout.write(gridCsv(grid));
    return;
  }
  if (options.html === undefined) {
    const { because = false, fields = false } = options;
    io.stdout.write(gridText(grid, { colour: colourful(io), because, fields, width: widthOf(io) }));
  }
  io.stdout.write(
    `${options.html === undefined ? '\n' : `${options.html}: `}${grid.rows.length} combinations that are allowed with ${grid.cells} fields, ${grid.denied.length} that are refused (${seconds} s)\n${callers}\n`,
  );
}

/** possible grades, so that a field that moves to another grade is compared for the callers that it concerns */
const CLEARANCES = [null, 1, 2, 3, 4, 5];

async function diff(io: Io, [a, b]: readonly string[], options: Options): Promise<void> {
  const [before, after] = [await open(io, a!), await open(io, b!)];
  const about = { ...aboutCallers(options, options.clearance ?? CLEARANCES), action: ASKED, partly: true };
  const axes = axesNamed([before, after], [a!, b!], about);
  const signOff = signOffOf([sheetPolicy(a!, before), sheetPolicy(b!, after)], options);
  const bar = progress(io, combinations(axes), `asking ${a} and ${b}`);
  const compared = compare(before, after, axes, about, () => bar.add());
  bar.done();
  const sentences = sentencesOf(compared);
  const result: Diff = {
    names: [a!, b!],
    sentences,
    catalogs: catalogChanges(before, after),
    sources: sourceChanges(before, after),
    states: axes.states.map(({ name }) => name),
    cells: compared.cells,
    questions: compared.questions,
    uncovered: uncovered([before, after], about),
    recorded:
      options.journal === undefined
        ? null
        : await countRecorded(io, options.journal, before, after, sentences),
  };
  if (options.exitCode && result.sentences.length + result.catalogs.length + result.sources.length > 0)
    io.exitCode = 1;
  if (options.html !== undefined) {
    const page = { name: b!, made: new Date().toISOString(), callers: callersOf(about) };
    await writeFile(resolve(io.cwd, options.html), changesHtml(result, page, signOff));
  }
  if (options.json) {
    const { catalogs, sources, cells, questions, uncovered: not_covered, recorded } = result;
    const { before: was, after: is } = signOff;
    const changes = sentences.map((s, n) => (recorded === null ? s : { ...s, recorded: recorded[n] }));
    io.stdout.write(
      `${JSON.stringify({ before: was, after: is, callers: callersOf(about), questions, fields: cells, changes, catalogs, sources, not_covered }, null, 1)}\n`,
    );
    return;
  }
  const { because = false } = options;
  io.stdout.write(diffText(result, { colour: colourful(io), width: widthOf(io), because }));
}

/**
 * For each sentence, the number of recorded decisions that would have differed so. The conditions of the sentence are not compared: records do
 * not contain all that they are about. null: records do not say what could have been written or deleted.
 */
async function countRecorded(
  io: Io,
  journal: string,
  before: LivePolicy,
  after: LivePolicy,
  sentences: readonly Sentence[],
): Promise<(number | null)[]> {
  const replayer = new Replayer(after, before);
  await takeAll(io, replayer, journal);
  const kinds = { field: 'field', limit: 'limit', request: 'verdict', write: null, delete: null } as const;
  return sentences.map((s) => {
    const kind = kinds[s.about];
    if (kind === null) return null;
    return replayer.decisionsWith(
      (shift) =>
        shift.kind === kind &&
        shift.direction === s.direction &&
        shift.resource === s.resource &&
        shift.roles.split('+').some((role) => s.roles.includes(role)) &&
        s.purposes.includes(shift.purpose) &&
        s.recipients.includes(shift.recipient) &&
        s.actions.includes(shift.action) &&
        (shift.path === null || s.fields.includes(shift.path)),
    );
  });
}

/** `detokenize` is the action of the admin API */
const ASKED = [...ACTIONS, 'detokenize'];
