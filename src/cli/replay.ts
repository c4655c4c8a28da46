/** `sluice replay`: queries another policy about recorded decisions, before it goes live. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import colours from 'picocolors';
import { createSnapshot } from '../policy/snapshot/index.ts';
import { colourful, type Io } from './io.ts';
import { DIRECTIONS } from './policy/matrix/changes.ts';
import { catalogText } from './policy/matrix/diff-text.ts';
import { type CatalogChange, catalogChanges, isUnanswered } from './policy/matrix/grid-catalogs.ts';
import { WORDS } from './policy/matrix/grid-sentences.ts';
import { takeAll } from './policy/replay/journal.ts';
import type { Replay, Shift } from './policy/replay/recorded.ts';
import { Replayer } from './policy/replay/replayer.ts';
import { openPolicy } from './policy/source.ts';
import { watching } from './policy/watch.ts';
import { widthOf, wrapped } from './policy/wrap.ts';
import { counted } from './text.ts';

interface Options {
  readonly journal: string;
  readonly policies: string;
  readonly before?: string;
  readonly since?: string;
  readonly until?: string;
  readonly purpose?: string;
  readonly exitCode?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('replay')
    .description(
      'Ask recorded decisions again of another policy, field by field: what would change, grouped and counted.',
    )
    .requiredOption('--journal <dir>', 'journal of a sidecar')
    .option('--policies <path>', 'directory or bundle to ask', 'policies')
    .option(
      '--before <path>',
      'the policy that decided, for what records do not keep: kinds of masks, obligations',
    )
    .option('--since <time>', 'decisions from then on (RFC 3339)')
    .option('--until <time>', 'decisions before then')
    .option('--purpose <name>', 'only these')
    .option('--exit-code', 'exit 1 if anything would change')
    .option('--watch', 'run again whenever a policy file changes')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  sluice replay --journal ./data/journal --policies ./policies --since 2026-11-21T00:00:00Z\n\nEach question is asked as it stands in its record, at its time. What is not on record is not guessed: it is counted.',
    )
    .action((options: Options) =>
      options.watch
        ? watching(io, [resolve(io.cwd, options.policies)], () => replay(io, options))
        : replay(io, options),
    );
}

async function replay(io: Io, options: Options): Promise<void> {
  const { bundle } = await openPolicy(options.policies, io);
  const before =
    options.before === undefined ? null : await createSnapshot((await openPolicy(options.before, io)).bundle);
  const policy = await createSnapshot(bundle);
  const catalogs = before === null ? [] : catalogChanges(before, policy).filter(isUnanswered);
  const replayer = new Replayer(policy, before);
  await takeAll(io, replayer, options.journal, {
    ...(options.since === undefined ? {} : { since: options.since }),
    ...(options.until === undefined ? {} : { until: options.until }),
    ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
  });
  const result = replayer.result();
  if (options.exitCode && result.shifts.length + catalogs.length > 0) io.exitCode = 1;
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ policy: options.policies, revision: bundle.revision, ...result, catalogs }, null, 2)}\n`,
    );
  else report(io, result, catalogs, options.policies, bundle.revision);
}

function report(
  io: Io,
  result: Replay,
  catalogs: readonly CatalogChange[],
  name: string,
  revision: string,
): void {
  const { bold, dim, red } = colours.createColors(colourful(io));
  const width = widthOf(io);
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  const { decisions, same, left_out, states, shifts } = result;
  const recorded = Object.entries(result.revisions).map(([r, n]) => `${r} (${n})`);
  say(
    wrapped(
      `${decisions} recorded decisions and ${states} states of data subjects, asked again of ${name} (${revision})`,
      width,
    ),
  );
  say(dim(wrapped(`recorded under ${recorded.length === 0 ? 'no policy' : recorded.join(', ')}`, width)));
  const otherwise = decisions - same - left_out;
  const left = left_out === 0 ? '' : ` ${left_out} cannot be replayed.`;
  const notes = [
    ...notesOf(result),
    ...catalogs.map((c) => `what no record shows, of the catalog: ${catalogText(c)}`),
  ];
  const inexactly = notes.length > 0 ? ' as far as records tell' : '';
  say(
    otherwise > 0
      ? `${counted(otherwise, 'decision')} would have differed, ${same} not${inexactly}.${left}`
      : `None of ${counted(decisions - left_out, 'decision')} would have differed${inexactly}.${left}`,
  );
  for (const direction of DIRECTIONS) {
    const own = shifts.filter((s) => s.direction === direction);
    if (own.length === 0) continue;
    const title = bold(TITLES[direction]);
    say(`\n${direction === 'wider' ? red(title) : title}`);
    for (const s of own) {
      say(wrapped(`${sentenceOf(s)}: ${countsOf(s)}`, width, '  ', '    '));
      if (s.gives !== undefined && s.gives.length > 0)
        say(dim(wrapped(`in clear, where a record has them: ${s.gives.join(', ')}`, width, '      ')));
      say(dim(wrapped(s.examples.join(' '), width, '      ', '      ')));
    }
  }
  if (notes.length > 0) {
    say(`\n${bold('Cannot be replayed, or not exactly')}`);
    for (const note of notes) say(wrapped(note, width, '  ', '    '));
  }
}

const TITLES: { readonly [D in Shift['direction']]: string } = {
  wider: 'More would have left',
  other: 'It would have been treated or limited differently',
  narrower: 'Less would have left',
  reason: 'For another reason, with the same result',
};

const countsOf = (s: Shift): string => {
  const decisions = counted(s.decisions, 'decision');
  if (s.kind === 'verdict' || (s.kind === 'limit' && s.count === s.decisions)) return decisions;
  return `${counted(s.count, s.kind === 'field' ? 'value' : 'record')} in ${decisions}`;
};

const shown = (spelled: string): string =>
  (WORDS as { readonly [treatment: string]: string })[spelled] ?? spelled;

export function sentenceOf(s: Shift): string {
  const to = s.recipient === 'internal' ? '' : `, to ${s.recipient}`;
  const forWhat = `for ${s.purpose}${to}`;
  const who = s.roles === '' ? 'a caller without a role' : s.roles;
  const about = `${s.action} ${s.resource} ${forWhat}`;
  if (s.kind === 'verdict')
    return `${who}, ${about}${s.path === null ? '' : `, by ${s.path}`}: ${s.from} → ${s.to}`;
  if (s.kind === 'limit') return `${who}, ${about}: ${s.path} ${s.from} → ${s.to}`;
  if (s.kind === 'record') return `${who}, ${about}: ${s.from} → ${s.to}`;
  if (s.to === 'drop')
    return `${who} would no longer see ${s.path} of ${s.resource} ${forWhat} (was ${shown(s.from)})`;
  return `${who} would see ${s.path} of ${s.resource} ${shown(s.to)} ${forWhat} (was ${shown(s.from)})`;
}

function notesOf({ inexact: i }: Replay): string[] {
  const notes: [number, string][] = [
    [
      i.unasked,
      'decisions cannot be replayed because their input is not on record (they never came to the policy, or the record was too long)',
    ],
    [i.undisclosed, 'decisions were refused and would be allowed: what they would disclose nobody has seen'],
    [i.states, 'states of data subjects cannot be replayed because records do not list them'],
    [
      i.parameters,
      'disguised values are compared by treatment alone, because its parameters (which mask, which rounding) are not on record: name the policy that decided with --before',
    ],
    [
      i.obligations,
      'decisions are compared without their obligations (max_records apart), which are not on record: name the policy that decided with --before',
    ],
    [
      i.proofs,
      'decisions were refused for want of a proof that the policy or the route demanded; which of both is not on record: name the policy that decided with --before',
    ],
    [
      i.ages,
      'decisions disclosed data of which this policy drops what is older, and how old the records were is not on record: what is said of ages holds for a decision if one of its records is so old',
    ],
    [
      i.filters,
      'decisions are limited to certain records by this policy or by the one that decided, and which records are within is not on record',
    ],
    [
      i.quotas,
      'decisions are counted by quotas that may differ: what was left then is on record, and what would be left by this policy is not',
    ],
    [i.groups, 'of those would be disclosed in groups, and how records were grouped is not on record'],
    [
      i.writes,
      'writes are compared by their decision and by what was shown: whether each field may be written depends on states that are not on record',
    ],
    [
      i.elsewhere,
      'fields cannot be compared because the catalog has them in a resource of which the record lists no state',
    ],
    [i.masked, 'decisions have members masked that this policy reads: asked with the mask in their place'],
    [
      i.attributes,
      'states were asked without the attributes of records, which this policy reads and no record keeps',
    ],
    [i.dates, 'states have consents without the dates that this policy reads'],
  ];
  return notes.filter(([n]) => n > 0).map(([n, text]) => `${n} ${text}`);
}
