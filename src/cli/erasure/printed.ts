/** Requests of data subjects on a terminal, and as JSON. */
import { requestEventJson, requestJson } from '../../changes/spelled.ts';
import {
  confirmationsOf,
  holdsOf,
  isOpen,
  isOverdue,
  type RequestEvent,
  type RequestRow,
} from '../../erasure/index.ts';
import { plain, table, width } from '../decisions/table.ts';
import { type Io, printJson } from '../io.ts';
import { counted, day, moment } from '../text.ts';

interface Options {
  readonly json?: boolean;
}

export function printRequest(request: RequestRow, done: string, options: Options, io: Io): void {
  if (options.json) {
    printJson(requestJson(request, isOverdue(request, Date.now())), io);
    return;
  }
  io.stdout.write(
    `${request.id} (${request.kind}) is ${done}${isOpen(request) ? `, due on ${day(request.due_at)}` : ''}${request.state === 'partly' ? `, but for what is held: ${heldIn(request)}` : ''}.\n`,
  );
}

export function printList(found: readonly RequestRow[], state: string, options: Options, io: Io): void {
  if (options.json) {
    printJson({ requests: found.map((row) => requestJson(row, isOverdue(row, Date.now()))) }, io);
    return;
  }
  if (found.length === 0) {
    io.stdout.write(`No ${state === 'all' ? '' : `${state} `}requests.\n`);
    return;
  }
  const rows = found.map((r) => [
    r.id,
    r.kind,
    plain(r.data_subject),
    moment(r.requested_at),
    stateOf(r),
    heldIn(r),
  ]);
  io.stdout.write(
    table(['request', 'kind', 'data subject', 'requested', 'state', 'held'], rows, width(io), 0),
  );
  io.stdout.write(`${counted(found.length, 'request')}\n`);
}

export function printShown(
  { request, events }: { readonly request: RequestRow; readonly events: readonly RequestEvent[] },
  options: Options,
  io: Io,
): void {
  if (options.json) {
    printJson(
      { ...requestJson(request, isOverdue(request, Date.now())), events: events.map(requestEventJson) },
      io,
    );
    return;
  }
  const lines: [string, string][] = [
    ['State', stateOf(request)],
    ['Kind', request.kind],
    ['Of', plain(request.data_subject)],
    ['Requested', `${moment(request.requested_at)} by ${plain(request.requested_by)}`],
    ...holdsOf(request).map((h): [string, string] => [
      'Held',
      `${h.category} until ${h.until}: ${plain(h.basis)}`,
    ]),
    ...confirmationsOf(request).map((c): [string, string] => [
      'Confirmed',
      `${c.upstream}: ${c.status} at ${c.at}`,
    ]),
  ];
  if (request.evidence !== null) lines.push(['Evidence', plain(request.evidence)]);
  if (request.reason !== null) lines.push(['Reason', plain(request.reason)]);
  io.stdout.write(`Request ${request.id}\n\n`);
  for (const [name, value] of lines) io.stdout.write(`${name.padEnd(11)}${value}\n`);
  io.stdout.write('\n');
  const rows = events.map((e) => [
    moment(e.at),
    e.what,
    plain(e.who),
    plain(e.note ?? ''),
    e.decision_id ?? '',
  ]);
  io.stdout.write(table(['when', 'what', 'who', 'note', 'decision'], rows, width(io), 4));
}

const heldIn = (request: RequestRow): string =>
  holdsOf(request)
    .map(({ category, until }) => `${category} until ${until}`)
    .join(', ');

function stateOf(request: RequestRow): string {
  const { state, due_at, closed_at } = request;
  const late = isOverdue(request, Date.now());
  if (isOpen(request))
    return `${state.replaceAll('_', ' ')}, ${late ? `OVERDUE since ${day(due_at)}` : `due on ${day(due_at)}`}`;
  if (state === 'lifted') return `lifted, completed on ${day(closed_at!)}`;
  return `${state} on ${day(closed_at!)}${late ? ', OVERDUE: a hold is over' : ''}`;
}
