/** Warnings about routes that write: settings that are allowed but rarely intended. */
import type { RouteConfig } from './section.ts';
import { SENDS_RECORD, WRITES } from '../model/actions.ts';
import type { Catalog } from '../model/catalog.ts';
import { identifies } from '../model/identifiers.ts';
import type { RouteFault } from './compile.ts';
import { isPut, leavesOut } from './replacing.ts';
import { searchedBy } from './search-warnings.ts';

type Warn = (key: RouteFault['key'], message: string) => void;

/** A new record may be about an unknown data subject. A record with an id, or a changed one, is about a known one. */
export function unknownDataSubject(config: RouteConfig, catalog: Catalog, warn: Warn): void {
  const { action, id, data_subject, request, paging } = config;
  if (!WRITES.has(action) || data_subject !== undefined || catalog.data_subject.length === 0) return;
  const searched = searchedBy(config);
  if (searched.length > 0 && paging?.narrowed !== 'pass') {
    warn(
      ['action'],
      `this write goes to whatever a search by ${searched.join(', ')} finds, and nothing says whose records these are: requests that search are refused (narrowed_write_refused); name the record in the request and say whose it is on the route, e.g. data_subject: "${id ?? '{id}'}", see docs/writes.md`,
    );
    return;
  }
  if (action === 'create' && id === undefined) return;
  warn(
    ['action'],
    `nothing but the body (${catalog.data_subject.join(', ')}) says whose data this writes: one that does not is judged as about a stranger, without that person's refusals and flags (restricted …); say it on the route, e.g. data_subject: "${id ?? `{body:${request.record ?? ''}${catalog.data_subject[0]}}`}"`,
  );
}

/** If the entire body is the record, members that touch no field by the route are not inspected. */
export function writesUnseen(
  { action, request }: RouteConfig,
  { resource, fields }: Catalog,
  warn: Warn,
): void {
  if (!SENDS_RECORD.has(action) || (request.record ?? '') !== '') return;
  for (const [i, pointer] of request.params.entries()) {
    const name = pointer.replace(/\/\*\*$/, '');
    const field = Object.keys(fields).find((path) => path === name || path.startsWith(`${name}/`));
    if (field !== undefined)
      warn(
        ['request', 'params', i],
        `the catalog of ${resource} has a line ${field}: a caller may write it unseen, since request.params says that it touches no field; leave it out`,
      );
  }
}

/** A caller omits what it is not shown, and an upstream that replaces the record erases that. */
export function erasesUnseen(config: RouteConfig, warn: Warn): void {
  const { action, request } = config;
  if (!SENDS_RECORD.has(action) || request.keep_masked !== undefined) return;
  if (request.replaces !== undefined || !isPut(config)) return;
  if (leavesOut(request)) {
    warn(
      ['request', 'refused_fields'],
      'strip leaves fields out, which an upstream would erase that replaces the record, as a PUT does: say request.replaces: parts if this one keeps the members that are not sent, replaces: false if it keeps all that a body leaves out',
    );
    return;
  }
  const ways =
    action === 'create'
      ? 'request: { replaces: false } if the upstream refuses to create what is there'
      : `${request.format === 'json' ? 'request.keep_masked, which writes what is hidden as it is stored; or ' : ''}request: { replaces: false } if the upstream keeps all that a body leaves out, replaces: parts if it keeps the members that are not sent`;
  warn(
    ['match'],
    `every request is refused (write_erases) until the route says what its upstream does with what a PUT leaves out: ${ways}, or replaces: true if it erases that and the catalog covers all that it stores (callers who are not shown all of the catalog stay refused)`,
  );
}

/** The catalog has a line for an identifier that the list's selectors do not use: the upstream may go by it although Sluice has not checked it. */
export function picksByLess({ action }: RouteConfig, { resource, fields }: Catalog, warn: Warn): void {
  if (!SENDS_RECORD.has(action)) return;
  const reported = new Set<string>();
  for (const pointer of Object.keys(fields)) {
    const [, list, selector, keys] = /^(.*)\/(\[([^\]]*)\])\//.exec(pointer) ?? [];
    if (list === undefined || selector === undefined || keys === undefined) continue;
    const named = keys.split(',').map((key) => key.slice(0, key.indexOf('=')));
    for (const other of Object.keys(fields)) {
      if (!other.startsWith(`${list}/*/`) && !other.startsWith(`${list}/${selector}/`)) continue;
      const member = other.slice(list.length + 1).split('/')[1]!;
      if (named.includes(member) || !identifies(member) || reported.has(`${list} ${member}`)) continue;
      reported.add(`${list} ${member}`);
      warn(
        ['action'],
        `the catalog of ${resource} picks from ${list} by ${named.join(', ')}, and an element has ${member}, too: a write that sends both is refused, since the upstream may go by ${member}; let the selector name both, e.g. ${list}/[${member}=…,${keys}]`,
      );
    }
  }
}
