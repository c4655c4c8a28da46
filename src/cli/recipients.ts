/** `sluice recipients`: what recipients outside have received, what they were told, and what they still have to confirm. */
import { Command } from 'commander';
import { demandJson, noticeJson } from '../changes/spelled.ts';
import { stateOf } from '../notices/index.ts';
import { HOW, type How } from '../model/share.ts';
import type { DemandRow } from '../shares/index.ts';
import { type Io, printJson } from './io.ts';
import { by, oneOf, whole } from './options.ts';
import { withStore } from './opened.ts';
import { table, width } from './decisions/table.ts';
import { counted, day, moment } from './text.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface ListOptions extends Common {
  readonly all?: boolean;
  readonly recipient?: string;
  readonly limit: number;
}

interface ChangeOptions extends Common {
  readonly by: string;
  readonly note?: string;
}

export function command(io: Io): Command {
  const recipients = new Command('recipients').description(
    'Recipients outside: what they have received, what they were told, what they still have to confirm.',
  );
  const add = (name: string, description: string): Command =>
    recipients
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  const listing = (command: Command): Command =>
    command
      .option('--all', 'also those that are done')
      .option('--recipient <name>', 'only of this one')
      .option('--limit <n>', 'how many', whole(1, 100_000), 100);
  add(
    'list',
    'each recipient, with the number of decisions whose data it received and has not been asked about',
  ).action((options: Common) => list(options, io));
  listing(
    add('demands', 'expired data of which a recipient has to say what became of it, the oldest first'),
  ).action((options: ListOptions) => demands(options, io));
  by(add('confirm <demand-id>', 'the recipient has said what became of it'))
    .requiredOption('--how <how>', HOW.join(' or '), oneOf(HOW))
    .option('--note <text>', 'where the proof is kept')
    .action((id: string, options: ChangeOptions & { readonly how: How }) => confirm(id, options, io));
  listing(add('notices', 'what recipients and operators have to be told, the oldest first')).action(
    (options: ListOptions) => notices(options, io),
  );
  by(add('acknowledge <notice-id>', 'the recipient knows'))
    .option('--note <text>', 'how it was told')
    .action((id: string, options: ChangeOptions) => acknowledge(id, options, io));
  by(add('retry <notice-id>', 'deliver a notice again')).action((id: string, options: ChangeOptions) =>
    retry(id, options, io),
  );
  recipients.addHelpText(
    'after',
    '\nExamples:\n  sluice recipients demands --recipient swift_logistics\n  sluice recipients confirm 019ad1f0-… --how destroyed --by u-dpo --note "certificate 2026-118"\n\nExit code of demands: 1 if a confirmation is overdue; of notices: 1 if somebody has to be told by hand.',
  );
  return recipients;
}

const list = (options: Common, io: Io): Promise<void> =>
  withStore(options, io, async ({ recipients }) => {
    const found = await recipients.recipients();
    if (options.json) return printJson({ recipients: found }, io);
    if (found.length === 0) return text('Nothing was shared with anybody outside.\n', io);
    const rows = found.map((r) => [r.recipient, String(r.current), String(r.open), String(r.overdue)]);
    io.stdout.write(table(['recipient', 'decisions', 'to confirm', 'overdue'], rows, width(io), 0));
  });

const demands = ({ all = false, recipient, limit, ...options }: ListOptions, io: Io): Promise<void> =>
  withStore(options, io, async ({ recipients }) => {
    const found = await recipients.demands({
      open: !all,
      limit,
      ...(recipient === undefined ? {} : { recipient }),
    });
    const now = Date.now();
    const isOverdue = (d: DemandRow): boolean => d.confirmed_at === null && d.due_at < now;
    if (found.some(isOverdue)) io.exitCode = 1;
    if (options.json) return printJson({ demands: found.map(demandJson) }, io);
    if (found.length === 0) return text(`No ${all ? '' : 'open '}demands.\n`, io);
    const rows = found.map((d) => [
      d.id,
      d.recipient,
      String(d.shares),
      `${day(d.first_at)} to ${day(d.last_at)}`,
      d.confirmed_at === null
        ? `${isOverdue(d) ? 'overdue since' : 'due'} ${moment(d.due_at)}`
        : `${d.how}, ${d.confirmed_by}`,
    ]);
    io.stdout.write(
      table(['demand', 'recipient', 'decisions', 'received', 'confirmation'], rows, width(io), 0),
    );
    io.stdout.write(`${counted(found.length, 'demand')}\n`);
  });

const confirm = (
  id: string,
  { how, note, ...options }: ChangeOptions & { readonly how: How },
  io: Io,
): Promise<void> =>
  withStore(options, io, async ({ recipients, recorder }) => {
    const demand = await recipients.confirm(id, how, note ?? null, recorder(options.by));
    if (options.json) return printJson(demandJson(demand), io);
    text(`${demand.recipient} has ${how} the data of ${counted(demand.shares, 'decision')}.\n`, io);
  });

const notices = ({ all = false, recipient, limit, ...options }: ListOptions, io: Io): Promise<void> =>
  withStore(options, io, async ({ recipients }) => {
    const found = await recipients.notices.list({
      open: !all,
      limit,
      ...(recipient === undefined ? {} : { recipient }),
    });
    if (found.some((n) => ['failed', 'unsent'].includes(stateOf(n)))) io.exitCode = 1;
    if (options.json) return printJson({ notices: found.map((n) => noticeJson(n, stateOf(n))) }, io);
    if (found.length === 0) return text(`No ${all ? '' : 'open '}notices.\n`, io);
    const rows = found.map((n) => [
      n.id,
      n.recipient ?? 'alerts',
      n.type,
      moment(n.created_at),
      [stateOf(n), n.last_error].filter((part) => part !== null).join(': '),
    ]);
    io.stdout.write(table(['notice', 'for', 'what', 'since', 'state'], rows, width(io), 0));
    io.stdout.write(`${counted(found.length, 'notice')}\n`);
  });

const acknowledge = (id: string, { note, ...options }: ChangeOptions, io: Io): Promise<void> =>
  withStore(options, io, async ({ recipients, recorder }) => {
    const notice = await recipients.notices.acknowledge(id, note ?? null, recorder(options.by));
    if (options.json) return printJson(noticeJson(notice, stateOf(notice)), io);
    text(notice.recipient === null ? 'The operators know.\n' : `${notice.recipient} knows.\n`, io);
  });

const retry = (id: string, options: ChangeOptions, io: Io): Promise<void> =>
  withStore(options, io, async ({ recipients, recorder }) => {
    const notice = await recipients.notices.retry(id, recorder(options.by));
    if (options.json) return printJson(noticeJson(notice, stateOf(notice)), io);
    text(`A running sidecar delivers it to ${notice.recipient ?? 'alerts'}.\n`, io);
  });

const text = (words: string, io: Io): void => void io.stdout.write(words);
