/** `sluice reviews`: decisions that somebody must look at afterwards. */
import { Command } from 'commander';
import { reviewJson } from '../changes/spelled.ts';
import { SluiceError } from '../errors.ts';
import { type Review, type ReviewFilter, type Verdict, VERDICTS } from '../reviews/index.ts';
import type { Io } from './io.ts';
import { withStore } from './opened.ts';
import { by, oneOf, whole } from './options.ts';
import { table, width } from './decisions/table.ts';
import { counted, moment } from './text.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

const STATES = ['open', 'overdue', 'closed', 'all'] as const;

interface ListOptions extends Common {
  readonly state: (typeof STATES)[number];
  readonly subject?: string;
  readonly limit: number;
}

interface CloseOptions extends Common {
  readonly by: string;
  readonly verdict: Verdict;
  readonly note: string;
}

export function command(io: Io): Command {
  const reviews = new Command('reviews').description(
    'Decisions that were allowed on the condition that somebody looks at them afterwards, such as emergency access.',
  );
  const add = (name: string, description: string): Command =>
    reviews
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  add('list', 'the oldest first')
    .option('--state <state>', STATES.join(', '), oneOf(STATES), 'open')
    .option('--subject <id>', 'only of this caller')
    .option('--limit <n>', 'how many', whole(1, 100_000), 100)
    .action((options: ListOptions) => list(options, io));
  by(
    add(
      'close <decision-id>',
      'say whether it was justified; what was seen: sluice decisions show <decision-id>; nobody reviews what they did themselves',
    ),
  )
    .requiredOption('--verdict <verdict>', VERDICTS.join(' or '), oneOf(VERDICTS))
    .requiredOption('--note <text>', 'what was found')
    .action((id: string, options: CloseOptions) => close(id, options, io));
  reviews.addHelpText(
    'after',
    '\nExamples:\n  sluice reviews list --state overdue\n  sluice reviews close 019ad1f0-… --by u-auditor --verdict justified --note "ambulance called, ticket 8812"\n\nExit code of list: 1 if a review is overdue.',
  );
  return reviews;
}

async function list({ state, subject, limit, ...options }: ListOptions, io: Io): Promise<void> {
  await withStore(options, io, async ({ reviews }) => {
    const filter: ReviewFilter = {
      limit,
      ...(state === 'all' ? {} : { state }),
      ...(subject === undefined ? {} : { subject }),
    };
    const found = await reviews.list(filter);
    const now = Date.now();
    const isOverdue = (r: Review): boolean => r.closed_at === null && r.due_at < now;
    if (found.some(isOverdue)) io.exitCode = 1;
    if (options.json) {
      io.stdout.write(`${JSON.stringify({ reviews: found.map(reviewJson) }, null, 2)}\n`);
      return;
    }
    if (found.length === 0) {
      io.stdout.write(`No ${state === 'all' ? '' : `${state} `}reviews.\n`);
      return;
    }
    const rows = found.map((r) => [
      r.decision_id,
      r.subject,
      `${r.action} ${r.resource}`,
      r.purpose,
      moment(r.opened_at),
      r.closed_at === null
        ? `${isOverdue(r) ? 'overdue since' : 'due'} ${moment(r.due_at)}`
        : `${r.verdict}, ${r.closed_by}`,
    ]);
    io.stdout.write(table(['decision', 'who', 'what', 'purpose', 'when', 'review'], rows, width(io), 0));
    io.stdout.write(`${counted(found.length, 'review')}\n`);
  });
}

async function close(id: string, { verdict, note, ...options }: CloseOptions, io: Io): Promise<void> {
  if (note.trim() === '') throw new SluiceError('usage_invalid', '--note: say what was found.');
  await withStore(options, io, async ({ reviews, recorder }) => {
    const closed = await reviews.close(id, verdict, note, recorder(options.by));
    io.stdout.write(
      options.json
        ? `${JSON.stringify(reviewJson(closed), null, 2)}\n`
        : `The review of ${id} is closed: ${verdict}.\n`,
    );
  });
}
