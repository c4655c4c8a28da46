/** `sluice grants`: access beyond the standing rules. */
import { Command, InvalidArgumentError } from 'commander';
import { milliseconds } from '../documents/units.ts';
import { startOf } from '../model/moment.ts';
import type { Asked } from '../changes/grants.ts';
import type { GrantFilter } from '../grants/index.ts';
import { printGrant, printList, printShown } from './grants/printed.ts';
import type { Io } from './io.ts';
import { withStore } from './opened.ts';
import { by, names, oneOf, whole } from './options.ts';

export interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface ScopeOptions extends Common {
  readonly subject: string;
  readonly by?: string;
  readonly purpose: string;
  readonly category: readonly string[];
  readonly resource?: string;
  readonly id?: readonly string[];
  readonly uses?: number;
  readonly records?: number;
}

interface RequestOptions extends ScopeOptions {
  readonly resource: string;
  readonly duration?: number;
  readonly start?: number;
  readonly justification: string;
}

interface BreakGlassOptions extends ScopeOptions {
  readonly reason: string;
}

interface ChangeOptions extends Common {
  readonly by: string;
  readonly note?: string;
}

interface ListOptions extends Common {
  readonly state: GrantFilter;
  readonly subject?: string;
  readonly limit: number;
}

const STATES = ['open', 'requested', 'active', 'archived', 'all'] as const;

const duration = (text: string): number => {
  const ms = milliseconds(text);
  if (ms === null || ms <= 0) throw new InvalidArgumentError('A duration such as 12h or 30d is wanted.');
  return ms;
};

const moment = (text: string): number => {
  const ms = startOf(text);
  if (Number.isNaN(ms) || !/^\d{4}-\d\d-\d\d(T.+(Z|[+-]\d\d:\d\d))?$/.test(text))
    throw new InvalidArgumentError('A date, or a time such as 2026-12-01T08:00:00Z, is wanted.');
  return ms;
};

/** One value for each use of the option: an id may have a comma in it. */
const each = (value: string, before: string[] = []): string[] => [...before, value];

export function command(io: Io): Command {
  const grants = new Command('grants').description(
    'Access beyond the standing rules: requested, approved by others, limited, and over after its time (docs/grants.md).',
  );
  const add = (name: string, description: string): Command =>
    grants
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  const scoped = (c: Command): Command =>
    by(
      c.requiredOption(
        '--subject <id>',
        'the caller who will use it (`sub` of the token, `<realm>:<sub>` where issuers have realms)',
      ),
      'the caller who will use it',
    )
      .requiredOption('--purpose <name>', 'only for this purpose')
      .option('--id <id>', 'only this record, by the id that its path has (repeatable)', each)
      .option('--uses <n>', 'how many requests', whole(1, 1_000_000))
      .option('--records <n>', 'how many records at most in an answer', whole(1, 1_000_000));
  scoped(add('request', 'ask for access; an identical request that is pending is returned instead'))
    .requiredOption('--category <names>', 'categories of the catalog, or * (repeatable)', names)
    .requiredOption('--resource <type>', 'only of this type')
    .option(
      '--duration <time>',
      'how long, from approval or --start: 12h, 30d; default: grants.duration',
      duration,
    )
    .option('--start <time>', 'not before this date or time', moment)
    .requiredOption('--justification <text>', 'why')
    .action((o: RequestOptions) => request(o, io));
  scoped(add('break-glass', 'access at once without approval; somebody else must review it'))
    .option('--category <names>', 'categories of the catalog (repeatable)', names, ['*'])
    .option('--resource <type>', 'only of this type')
    .requiredOption('--reason <text>', 'why')
    .action((o: BreakGlassOptions) => breakGlass(o, io));
  const changing = (what: 'approve' | 'reject' | 'revoke', description: string): void => {
    by(add(`${what} <id>`, description))
      .option('--note <text>', 'why')
      .action((id: string, o: ChangeOptions) => change(what, id, o, io));
  };
  changing('approve', 'approve a request; the last approval puts it in force');
  changing('reject', 'reject a request, as an approver; or withdraw it, as the requester');
  changing('revoke', 'end a grant now, as an approver, the requester or the holder');
  add('list', 'the oldest first, without ids of records')
    .option('--state <state>', STATES.join(', '), oneOf(STATES), 'open')
    .option('--subject <id>', 'only of this caller')
    .option('--limit <n>', 'how many', whole(1, 100_000), 100)
    .action((o: ListOptions) => list(o, io));
  add('show <id>', 'scope, state, and everything that happened to it').action((id: string, o: Common) =>
    withStore(o, io, async ({ grants: store }) => printShown(await store().show(id), o, io)),
  );
  grants.addHelpText(
    'after',
    '\nExamples:\n  sluice grants request --subject u-17 --purpose after_sales --category identity --resource customer --id C100001 --uses 10 --justification "ticket 8812"\n  sluice grants approve 019ad1f0-… --by u-lead\n  sluice grants break-glass --subject u-17 --purpose after_sales --reason "fraud in progress, ticket 8813"\n\nA grant with --uses or --records holds for requests that name it in the header Sluice-Grant.',
  );
  return grants;
}

async function request(o: RequestOptions, io: Io): Promise<void> {
  await withStore(o, io, async ({ grants, recorder }) => {
    const asked = {
      ...askedBy(o, o.justification),
      duration: o.duration ?? null,
      starts_at: o.start ?? null,
    };
    const { grant, isNew } = await grants().request(asked, recorder(o.by ?? o.subject));
    printGrant(grant, isNew ? 'requested' : 'pending already', o, io);
  });
}

async function breakGlass(o: BreakGlassOptions, io: Io): Promise<void> {
  await withStore(o, io, async ({ grants, recorder }) => {
    const grant = await grants().breakGlass(askedBy(o, o.reason), recorder(o.by ?? o.subject));
    printGrant(grant, 'active without approval: a review is open', o, io);
  });
}

const askedBy = (o: ScopeOptions, justification: string): Asked => ({
  subject: o.subject,
  purpose: o.purpose,
  resource: o.resource ?? null,
  categories: o.category,
  ids: o.id ?? [],
  justification,
  max_uses: o.uses ?? null,
  max_records: o.records ?? null,
  starts_at: null,
  duration: null,
});

const DONE = { reject: 'rejected', revoke: 'revoked' } as const;

async function change(
  what: 'approve' | 'reject' | 'revoke',
  id: string,
  o: ChangeOptions,
  io: Io,
): Promise<void> {
  await withStore(o, io, async ({ grants, recorder }) => {
    const grant = await grants()[what](id, o.note ?? null, recorder(o.by));
    const isPending = what === 'approve' && grant.state === 'requested';
    const done =
      what === 'approve' ? (isPending ? 'approved: one approval is missing' : 'approved') : DONE[what];
    printGrant(grant, done, o, io);
  });
}

async function list({ state, subject, limit, ...o }: ListOptions, io: Io): Promise<void> {
  await withStore(o, io, async ({ grants }) => {
    const found = await grants().list({ state, limit, ...(subject === undefined ? {} : { subject }) });
    printList(found, state, o, io);
  });
}
