/** The options that filter decisions. */
import { UNIT_MS } from '../../documents/units.ts';
import type { Command } from 'commander';
import { type DecisionQuery, readyQuery, RECORD_NAMES } from '../../decision-log/index/query.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';

export interface FilterOptions {
  readonly since?: string;
  readonly until?: string;
  readonly subject?: string;
  readonly dataSubject?: string;
  readonly resource?: string;
  readonly purpose?: string;
  readonly recipient?: string;
  readonly agent?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly kind?: string;
  readonly path?: string;
  readonly class?: string;
  readonly released?: boolean;
  readonly reason?: string;
  readonly grant?: string;
  readonly policy?: string;
  readonly origin?: string;
}

export const withFilters = (command: Command): Command =>
  command
    .option('--since <time>', 'from then on: 90s, 15m, 1h, 7d ago, or RFC 3339')
    .option('--until <time>', 'before then')
    .option('--subject <id>', 'who asked')
    .option('--agent <id>', 'who acted for the subject: id of the agent')
    .option('--data-subject <id>', 'about whom: a plain id, found with the key, or the HMAC itself')
    .option('--resource <type[/id]>', 'what was asked for')
    .option('--purpose <name>', 'why')
    .option('--recipient <name>', 'for whom')
    .option(
      '--action <name>',
      'read, search, export, create, update, delete; of a change: consents.set, keys.revoke …',
    )
    .option('--outcome <name>', RECORD_NAMES.outcome.join(', '))
    .option('--kind <name>', RECORD_NAMES.kind.join(', '))
    .option('--path <pointer>', 'a field that was released or withheld, e.g. /id_number')
    .option('--class <category/grade>', 'a class of which fields were released or withheld, e.g. identity/4')
    .option('--released', 'with --path or --class: only where it left undisguised')
    .option('--reason <code>', 'code of a reason')
    .option('--grant <id>', 'the grant it rested on')
    .option('--policy <revision>', 'revision of the policy that decided, or how it begins')
    .option('--origin <name>', 'the chain it stands in');

/** @throws SluiceError `usage_invalid` */
export function filters(o: FilterOptions, now: Date): DecisionQuery {
  if (o.released && o.path === undefined && o.class === undefined)
    throw new SluiceError('usage_invalid', '--released goes with --path or --class.');
  const slash = o.resource?.indexOf('/') ?? -1;
  const query = {
    since: o.since === undefined ? undefined : time(o.since, '--since', now),
    until: o.until === undefined ? undefined : time(o.until, '--until', now),
    subject: o.subject,
    agent: o.agent,
    data_subject: o.dataSubject,
    resource_type: slash === -1 ? o.resource : o.resource!.slice(0, slash),
    resource_id: slash === -1 ? undefined : o.resource!.slice(slash + 1),
    purpose: o.purpose,
    recipient: o.recipient,
    action: o.action,
    outcome: o.outcome,
    kind: o.kind,
    path: o.path,
    class: o.class,
    released: o.released,
    reason: o.reason,
    grant_id: o.grant,
    policy: o.policy,
    origin: o.origin,
  };
  const wanted: DecisionQuery = Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== undefined),
  );
  try {
    readyQuery(wanted);
  } catch (e) {
    // The message begins with the name of the member, which is also the name of the option.
    throw isSluiceError(e, 'input_invalid') ? new SluiceError('usage_invalid', `--${e.message}`) : e;
  }
  return wanted;
}

const UNITS: { readonly [unit: string]: number } = { ...UNIT_MS, w: 7 * UNIT_MS.d };

/** RFC 3339, or a duration before now. @throws SluiceError `usage_invalid` */
export function time(text: string, option: string, now: Date): string {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const at = unit === undefined ? Date.parse(text) : now.getTime() - Number(count) * UNITS[unit]!;
  if (Number.isNaN(at) || (unit === undefined && !/^\d{4}-\d\d-\d\d/.test(text)))
    throw new SluiceError(
      'usage_invalid',
      `${option}: write 90s, 15m, 1h, 7d or a time such as 2026-11-22T08:00:00Z.`,
    );
  return new Date(at).toISOString();
}

/** @throws SluiceError `usage_invalid` */
export function count(text: string, option: string, most: number): number {
  const n = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(n >= 1 && n <= most))
    throw new SluiceError('usage_invalid', `${option} is a whole number from 1 to ${most}.`);
  return n;
}
