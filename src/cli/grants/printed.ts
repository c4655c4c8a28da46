/** Grants on a terminal, and as JSON. */
import { type GrantEvent, type GrantRow, type GrantState, stateOf } from '../../grants/index.ts';
import { grantEventJson, grantJson, listedGrantJson } from '../../changes/spelled.ts';
import { plain, table, width } from '../decisions/table.ts';
import { type Io, printJson } from '../io.ts';
import { counted, moment } from '../text.ts';

interface Options {
  readonly json?: boolean;
}

export function printGrant(grant: GrantRow, done: string, options: Options, io: Io): void {
  if (options.json) {
    printJson(grantJson(grant, stateOf(grant, Date.now())), io);
    return;
  }
  const state = stateOf(grant, Date.now());
  const until = state === 'active' || state === 'planned' ? `, ${timeOf(grant, state)}` : '';
  io.stdout.write(`${grant.id} is ${done}${until}.\n`);
}

export function printList(found: readonly GrantRow[], state: string, options: Options, io: Io): void {
  if (options.json) {
    printJson({ grants: found.map((g) => listedGrantJson(g, stateOf(g, Date.now()))) }, io);
    return;
  }
  if (found.length === 0) {
    io.stdout.write(`No ${state === 'all' ? '' : `${state} `}grants.\n`);
    return;
  }
  const now = Date.now();
  const rows = found.map((g) => {
    const named = g.ids === null ? '' : `, ${counted((JSON.parse(g.ids) as string[]).length, 'id')}`;
    return [
      g.id,
      plain(g.subject),
      `${g.resource ?? 'any'}${named}: ${(JSON.parse(g.categories) as string[]).join(', ')}`,
      g.purpose,
      usesOf(g),
      timeOf(g, stateOf(g, now)),
    ];
  });
  io.stdout.write(table(['grant', 'who', 'what', 'purpose', 'uses', 'state'], rows, width(io), 0));
  io.stdout.write(`${counted(found.length, 'grant')}\n`);
}

export function printShown(
  { grant, events }: { readonly grant: GrantRow; readonly events: readonly GrantEvent[] },
  options: Options,
  io: Io,
): void {
  if (options.json) {
    printJson({ ...grantJson(grant, stateOf(grant, Date.now())), events: events.map(grantEventJson) }, io);
    return;
  }
  const lines: [string, string][] = [
    ['State', timeOf(grant, stateOf(grant, Date.now()))],
    ['Kind', grant.kind === 'request' ? 'request' : 'break-glass'],
    [
      'Who',
      `${plain(grant.subject)}, requested by ${plain(grant.requested_by)} at ${moment(grant.requested_at)}`,
    ],
    [
      'Why',
      `${grant.purpose}, tier ${grant.tier === null ? '–' : grant.tier}: “${plain(grant.justification)}”`,
    ],
    [
      'What',
      `${(JSON.parse(grant.categories) as string[]).join(', ')} of ${grant.resource ?? 'any resource'}, up to grade ${grant.grade}`,
    ],
    ['Records', grant.ids === null ? 'any' : plain((JSON.parse(grant.ids) as string[]).join(', '))],
    [
      'Limits',
      `${usesOf(grant)} uses, ${grant.max_records ?? 'any number of'} records an answer, ${hours(grant.duration)}`,
    ],
  ];
  io.stdout.write(`Grant ${grant.id}\n\n`);
  for (const [name, value] of lines) io.stdout.write(`${name.padEnd(10)}${value}\n`);
  io.stdout.write('\n');
  const rows = events.map((e) => [
    moment(e.at),
    e.what.replaceAll('_', ' '),
    plain(e.who),
    plain(e.note ?? ''),
    e.decision_id ?? '',
  ]);
  io.stdout.write(table(['when', 'what', 'who', 'note', 'decision'], rows, width(io), 4));
}

const usesOf = (g: GrantRow): string => `${g.uses} of ${g.max_uses ?? 'any'}`;

function timeOf(g: GrantRow, state: GrantState): string {
  if (state === 'active') return `active until ${moment(g.until_at!)}`;
  if (state === 'planned') return `planned from ${moment(g.from_at!)} until ${moment(g.until_at!)}`;
  if (state === 'expired') return `expired at ${moment(g.until_at!)}`;
  if (state !== 'requested') return state.replaceAll('_', ' ');
  const n = (JSON.parse(g.approved_by) as string[]).length;
  return n === 0 ? 'requested' : `requested, ${counted(n, 'approval')}`;
}

/** Few grants hold for less than whole hours. */
const hours = (ms: number): string =>
  ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${Math.ceil(ms / 1_000)} s`;
