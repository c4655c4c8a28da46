/** `sluice erasure`: requests of data subjects for erasure, restriction of processing, and access. */
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { deletionThrough, upstreamConfigs } from '../compose/upstreams.ts';
import { SluiceError } from '../errors.ts';
import { carryOut, holdsOf, isOverdue, type RequestRow } from '../erasure/index.ts';
import { type Kind, REQUEST_KINDS } from '../model/erasure.ts';
import { createUpstreams } from '../upstream/upstream.ts';
import { addCertificates } from './erasure/certificates.ts';
import { printList, printRequest, printShown } from './erasure/printed.ts';
import type { Io } from './io.ts';
import { type Opened, withStore } from './opened.ts';
import { by, oneOf, whole } from './options.ts';

export interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface ChangeOptions extends Common {
  readonly by: string;
}

interface ListOptions extends Common {
  readonly state: (typeof STATES)[number];
  readonly overdue?: boolean;
  readonly kind?: Kind;
  readonly dataSubject?: string;
  readonly limit: number;
}

interface HoldOptions extends ChangeOptions {
  readonly category: string;
  readonly basis: string;
  readonly until: string;
}

const STATES = ['open', 'overdue', 'closed', 'all'] as const;

export function command(io: Io): Command {
  const erasure = new Command('erasure').description(
    'Requests of customers for erasure, restriction and access. Disclosure stops at once; deletion is tracked and attested (docs/erasure.md).',
  );
  const add = (name: string, description: string): Command =>
    erasure
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  const change = (
    command: Command,
    done: string,
    make: (
      opened: Opened,
      id: string,
      options: ChangeOptions & Record<string, string>,
    ) => Promise<RequestRow>,
  ): Command =>
    by(command).action((id: string, options: ChangeOptions & Record<string, string>) =>
      withStore(options, io, async (opened) =>
        printRequest(await make(opened, id, options), done, options, io),
      ),
    );

  by(add('request <data-subject>', 'open a request: from now on nothing of this person is disclosed'))
    .option('--kind <kind>', REQUEST_KINDS.join(', '), oneOf(REQUEST_KINDS), 'erasure')
    .option('--note <text>', 'how it was asked for: letter, phone, form')
    .action((id: string, options: ChangeOptions & { kind: Kind; note?: string }) => request(id, options, io));
  add('list', 'the oldest first (exit 1: a request is overdue)')
    .option('--state <state>', STATES.join(', '), oneOf(STATES), 'open')
    .option('--overdue', 'the same as --state overdue')
    .option('--kind <kind>', REQUEST_KINDS.join(', '), oneOf(REQUEST_KINDS))
    .option('--data-subject <id>', 'only of this person')
    .option('--limit <n>', 'how many', whole(1, 100_000), 100)
    .action((options: ListOptions) => list(options, io));
  add('show <request>', 'its state, holds, confirmations, and everything that happened to it').action(
    (id: string, options: Common) =>
      withStore(options, io, async ({ erasure: store }) => printShown(await store().show(id), options, io)),
  );
  change(
    add('accept <request>', 'somebody has checked who asks and what must be kept, and takes it on').option(
      '--note <text>',
      'what was checked',
    ),
    'accepted',
    ({ erasure: store, recorder }, id, { by: who, note }) => store().accept(id, note ?? null, recorder(who)),
  );
  change(
    add('hold <request>', 'keep a category that the law demands')
      .requiredOption('--category <name>', 'a category of the policy')
      .requiredOption('--basis <text>', 'the law or the proceedings')
      .requiredOption('--until <date>', 'the last day on which it is kept'),
    'held',
    ({ erasure: store, recorder }, id, options) => {
      const { category, basis, until, by: who } = options as unknown as HoldOptions;
      return store().hold(id, { category, basis, until }, recorder(who));
    },
  );
  change(
    add('release <request>', 'end a hold of an open request')
      .requiredOption('--category <name>', 'the category that is held')
      .requiredOption('--note <text>', 'why'),
    'released',
    ({ erasure: store, recorder }, id, { category, note, by: who }) =>
      store().release(id, category!, note!, recorder(who)),
  );
  by(
    add(
      'run [request]',
      'delete at the upstreams of erasure.deletions: an accepted request, or all of them (exit 1: not all is confirmed)',
    ),
  ).action((id: string | undefined, options: ChangeOptions) => run(id, options, io));
  change(
    add('complete <request>', 'a person confirms that it is done; a restriction ends').requiredOption(
      '--evidence <where>',
      'where the proof is kept: a ticket, a protocol of the deletion',
    ),
    'completed',
    ({ erasure: store, recorder }, id, { evidence, by: who }) =>
      store().complete(id, evidence!, recorder(who)),
  );
  change(
    add('reject <request>', 'the request is not granted: the disclosure goes on').requiredOption(
      '--reason <text>',
      'why, as the person is told',
    ),
    'rejected',
    ({ erasure: store, recorder }, id, { reason, by: who }) => store().reject(id, reason!, recorder(who)),
  );
  change(
    add('lift <request>', 'the person of a completed erasure is a customer again; consents start empty')
      .requiredOption('--reason <text>', 'why: a new contract')
      .option(
        '--consents-removed',
        'consents that are not in the store: those from before are removed there',
      ),
    'lifted',
    ({ erasure: store, recorder }, id, { reason, by: who, consentsRemoved }) =>
      store().lift(id, reason!, Boolean(consentsRemoved), recorder(who)),
  );
  addCertificates(add, io);
  erasure.addHelpText(
    'after',
    '\nExamples:\n  sluice erasure request C100234 --by li --note "letter of 2026-11-28"\n  sluice erasure hold 019ad1f0-… --category transaction --basis "Insurance Law, Art. 87" --until 2031-12-31 --by li\n  sluice erasure complete 019ad1f0-… --evidence "ticket 8812" --by han\n  sluice erasure list --overdue',
  );
  return erasure;
}

async function request(
  data_subject: string,
  { kind, note, ...options }: ChangeOptions & { kind: Kind; note?: string },
  io: Io,
): Promise<void> {
  await withStore(options, io, async ({ erasure, recorder }) => {
    const made = await erasure().request({ kind, data_subject, note: note ?? null }, recorder(options.by));
    printRequest(made.request, made.isNew ? 'open' : 'open already', options, io);
  });
}

async function list({ state, overdue, kind, dataSubject, limit, ...options }: ListOptions, io: Io) {
  await withStore(options, io, async ({ erasure }) => {
    const wanted = overdue ? 'overdue' : state;
    const found = await erasure().list({
      state: wanted,
      limit,
      ...(kind === undefined ? {} : { kind }),
      ...(dataSubject === undefined ? {} : { data_subject: dataSubject }),
    });
    printList(found, wanted, options, io);
    if (found.some((row) => isOverdue(row, Date.now()))) io.exitCode = 1;
  });
}

/** One request after the other: an upstream that is slow or down is not pressed harder. */
async function run(id: string | undefined, options: ChangeOptions, io: Io): Promise<void> {
  await withStore(options, io, async ({ erasure, recorder, loaded: { config } }) => {
    const store = erasure();
    const deletions = config.erasure?.deletions ?? [];
    if (deletions.length === 0)
      throw new SluiceError(
        'usage_invalid',
        `${options.config} has no erasure.deletions: delete by hand, and confirm it (sluice erasure complete).`,
      );
    const requests =
      id === undefined
        ? await store.list({ state: 'open', kind: 'erasure', limit: 100_000 })
        : [(await store.show(id)).request];
    const upstreams = createUpstreams(upstreamConfigs(config));
    const rows: RequestRow[] = [];
    try {
      for (const { id: listed } of requests) {
        // A hold or a rejection since the list was made counts.
        const each = (await store.show(listed)).request;
        const why = notRunnable(each);
        if (why !== null) {
          if (id !== undefined) throw new SluiceError('erasure_invalid', why);
          continue;
        }
        rows.push(await one(each));
      }
    } finally {
      await upstreams.close();
    }
    if (rows.some(({ state }) => state !== 'completed')) io.exitCode = 1;
    if (options.json) io.stdout.write(`${JSON.stringify({ requests: rows.map(brief) }, null, 2)}\n`);
    else if (rows.length === 0) io.stdout.write('No accepted request without a hold.\n');

    async function one(each: RequestRow): Promise<RequestRow> {
      const deps = {
        send: deletionThrough(upstreams),
        now: () => new Date(),
        wait: (attempt: number) => setTimeout(250 * 2 ** attempt),
      };
      let row = each;
      let isDone = true;
      for await (const result of carryOut(each, deletions, deps))
        if ('confirmation' in result) {
          row = await store.confirm(each.id, result.confirmation, recorder(options.by));
          say(`${each.id}: ${result.confirmation.upstream} has confirmed (${result.confirmation.status})`);
          // Somebody has held or rejected it meanwhile: the next upstream is not asked.
          if (notRunnable(row) !== null) return row;
        } else {
          isDone = false;
          const why = `${result.upstream}: ${result.status === null ? 'no answer' : `status ${result.status}`}`;
          row = await store.fail(each.id, why, recorder(options.by));
          say(`${each.id}: not confirmed: ${why}`);
        }
      if (!isDone) return row;
      row = await store.complete(each.id, null, recorder(options.by));
      say(`${each.id}: completed`);
      return row;
    }

    function say(line: string): void {
      if (!options.json) io.stdout.write(`${line}\n`);
    }
  });
}

const brief = ({ id, state, confirmations }: RequestRow): object => ({
  id,
  state,
  confirmations: JSON.parse(confirmations) as unknown,
});

/** An upstream deletes a whole person: what is held would be lost. */
function notRunnable(request: RequestRow): string | null {
  if (request.kind !== 'erasure') return `The request ${request.id} is for ${request.kind}, not for erasure.`;
  if (request.state !== 'in_progress')
    return `The request ${request.id} is ${request.state.replaceAll('_', ' ')}: only an accepted one is carried out (sluice erasure accept).`;
  if (holdsOf(request).length > 0)
    return `Categories of the request ${request.id} are held, and an upstream would delete them, too: a person deletes the others, and confirms it (sluice erasure complete).`;
  return null;
}
