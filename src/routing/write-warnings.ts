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
      `this route writes the records that a search by ${searched.join(', ')} finds, and the request does not name their data subjects, so requests that search are refused (narrowed_write_refused): let the request name the record, and add data_subject to the route, e.g. data_subject: "${id ?? '{id}'}" (docs/writes.md)`,
    );
    return;
  }
  if (action === 'create' && id === undefined) return;
  warn(
    ['action'],
    `the data subject of this write is read only from the body (${catalog.data_subject.join(', ')}), and without it the policy decides for an unknown person, without that person's refusals and flags (e.g. restricted): add data_subject to the route, e.g. data_subject: "${id ?? `{body:${request.record ?? ''}${catalog.data_subject[0]}}`}"`,
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
        `"${pointer}" covers the field ${field} of the catalog of ${resource}, but request.params is for members that write no field, so a caller could write this field without a check: remove it from request.params`,
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
      'strip removes fields from the body, and an upstream that replaces the record on PUT would erase them: set request.replaces to parts if the upstream keeps the members that are not sent, or to false if it keeps every field that the body leaves out',
    );
    return;
  }
  const ways =
    action === 'create'
      ? 'request: { replaces: false } if the upstream refuses to create a record that exists'
      : `${request.format === 'json' ? 'request.keep_masked, which writes the stored values of hidden fields; ' : ''}request: { replaces: false } if the upstream keeps every field that the body leaves out; replaces: parts if it keeps the members that are not sent`;
  warn(
    ['match'],
    `every request is refused (write_erases), since the route does not say whether the upstream erases the fields that a PUT leaves out: set ${ways}; or replaces: true if it erases them and the catalog covers every stored field (callers that may not see every field of the catalog are still refused)`,
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
        `the catalog of ${resource} selects elements of ${list} by ${named.join(', ')}, but an element also has ${member}, by which the upstream may select, so a write that sends both is refused: use both in the selector, e.g. ${list}/[${member}=…,${keys}]`,
      );
    }
  }
}
