/** `sluice replay`: recorded decisions asked again of another policy, before it ships. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import colours from 'picocolors';
import { listOrigins } from '../decision-log/directory.ts';
import { records } from '../decision-log/scan.ts';
import { createSnapshot } from '../policy/snapshot.ts';
import type { Io } from './io.ts';
import { progress } from './policy/progress.ts';
import { type Rehearsal, Rehearser, type Shift } from './policy/rehearsal.ts';
import { openPolicy } from './policy/source.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly journal: string;
  readonly policies: string;
  readonly since?: string;
  readonly until?: string;
  readonly purpose?: string;
  readonly exitCode?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('replay')
    .description('Ask recorded decisions again of another policy: what would change, grouped and counted.')
    .requiredOption('--journal <dir>', 'journal of a sidecar')
    .option('--policies <path>', 'directory or bundle to ask', 'policies')
    .option('--since <time>', 'decisions from then on (RFC 3339)')
    .option('--until <time>', 'decisions before then')
    .option('--purpose <name>', 'only these')
    .option('--exit-code', 'exit 1 if anything would change')
    .option('--watch', 'again whenever a policy file has changed')
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
  const dir = resolve(io.cwd, options.journal);
  const origins = await listOrigins(dir);
  const bytes = origins.reduce((n, o) => n + o.segments.reduce((m, s) => m + s.size, 0), 0);
  const { bundle } = await openPolicy(options.policies, io);
  const rehearser = new Rehearser(await createSnapshot(bundle));
  const bar = progress(io, bytes, 'bytes of the journal');
  try {
    const query = {
      kind: 'disclosure',
      ...(options.since === undefined ? {} : { since: options.since }),
      ...(options.until === undefined ? {} : { until: options.until }),
      ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
    };
    for await (const { record } of records(dir, query, (n) => bar.add(n))) rehearser.take(record);
  } finally {
    bar.done();
  }
  const result = rehearser.result();
  if (options.exitCode && result.shifts.length > 0) io.exitCode = 1;
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ policy: options.policies, revision: bundle.revision, ...result }, null, 2)}\n`,
    );
  else report(io, result, options.policies, bundle.revision);
}

const TITLES = {
  verdict: 'Requests that would be decided otherwise',
  record: 'Records that would be withheld, or no longer',
  class: 'Classes and fields that would be treated otherwise',
} as const;

function report(io: Io, result: Rehearsal, name: string, revision: string): void {
  const { bold, dim } = colours.createColors(io.stdout.isTTY === true && !io.env['NO_COLOR']);
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  const recorded = Object.entries(result.revisions)
    .map(([r, n]) => `${r} (${n})`)
    .join(', ');
  say(
    `${result.decisions} decisions and ${result.states} states of data subjects, asked again of ${name} (${revision})`,
  );
  say(dim(`recorded under ${recorded === '' ? 'no policy' : recorded}`));
  for (const kind of ['verdict', 'record', 'class'] as const) {
    const list = result.shifts.filter((s) => s.kind === kind);
    if (list.length === 0) continue;
    say(`\n${bold(TITLES[kind])}`);
    for (const s of list) {
      say(`  ${s.cls === null ? '' : `${s.cls}: `}${s.from} → ${s.to}  ${dim(counts(s))}`);
      say(
        `    ${s.roles} · ${s.purpose} · ${s.action} ${s.resource}${s.recipient === 'internal' ? '' : ` · to ${s.recipient}`}`,
      );
      say(dim(`    ${s.examples.join(' ')}`));
    }
  }
  if (result.shifts.length === 0) say('\nNothing would change.');
  const notes = notesOf(result);
  if (notes.length > 0) {
    say(`\n${bold('Not asked exactly')}`);
    for (const note of notes) say(`  ${note}`);
  }
}

const counts = (s: Shift): string =>
  s.kind === 'verdict'
    ? `${s.decisions} decision${s.decisions === 1 ? '' : 's'}`
    : `${s.count} record${s.count === 1 ? '' : 's'} in ${s.decisions} decision${s.decisions === 1 ? '' : 's'}`;

function notesOf({ inexact: i }: Rehearsal): string[] {
  const notes: [number, string][] = [
    [i.unasked, 'decisions never came to the policy, or are on record without their input: left out'],
    [i.masked, 'decisions have members masked that this policy reads: asked with the mask in their place'],
    [
      i.attributes,
      'states were asked without the attributes of records, which this policy reads and no record keeps',
    ],
    [i.dates, 'states have consents without the dates that this policy reads'],
    [i.states, 'states of data subjects are not on record: left out'],
    [i.undisclosed, 'decisions that were denied would be allowed: what they would disclose nobody has seen'],
  ];
  return notes.filter(([n]) => n > 0).map(([n, text]) => `${n} ${text}`);
}
