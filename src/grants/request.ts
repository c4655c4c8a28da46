/** What somebody asks to see, and its row. */
import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Queries } from '../model/database.ts';
import { inRealm } from '../model/realm.ts';
import type { GrantsConfig } from './section.ts';
import type { GrantRow } from './tables.ts';

/** An application that is told when a request is decided. */
export interface Callback {
  /** of `notices.callbacks` */
  readonly name: string;
  /** what the application gets back */
  readonly state?: string;
}

/** Moments and durations are milliseconds. */
export interface Wanted {
  /** `subject.id` of the one who will use it */
  readonly subject: string;
  readonly purpose: string;
  readonly tier: number | null;
  readonly grade: number;
  /** null: any, for break-glass only */
  readonly resource: string | null;
  readonly categories: readonly string[];
  /** empty: not limited to certain records */
  readonly ids: readonly string[];
  readonly justification: string;
  readonly max_uses: number | null;
  readonly max_records: number | null;
  /** planned start; null: as soon as it is approved */
  readonly starts_at: number | null;
  /** null: as configured */
  readonly duration: number | null;
  /** of the first of identical requests that has one */
  readonly callback?: Callback | null;
}

/** @param duration unless the request says */
export function newRow(w: Wanted, by: string, id: string, at: Date, duration: number): GrantRow {
  const categories = JSON.stringify([...new Set(w.categories)].sort());
  const ids = w.ids.length === 0 ? null : JSON.stringify([...new Set(w.ids)].sort());
  const { subject, purpose, tier, grade, resource, max_uses, max_records, starts_at } = w;
  const held = w.duration ?? duration;
  const scope = [subject, purpose, tier, resource, categories, ids, max_uses, max_records, starts_at, held];
  return {
    id,
    kind: 'request',
    state: 'requested',
    subject,
    requested_by: by,
    requested_at: at.getTime(),
    purpose,
    tier,
    grade,
    resource,
    categories,
    ids,
    justification: w.justification,
    max_uses,
    uses: 0,
    max_records,
    starts_at,
    duration: held,
    from_at: null,
    until_at: null,
    approved_by: '[]',
    approved_as: '{}',
    callback: w.callback ? JSON.stringify(w.callback) : null,
    digest: createHash('sha256').update(JSON.stringify(scope)).digest('hex'),
  };
}

/**
 * @param realms of the callers; null: a name needs none
 * @throws SluiceError `grant_invalid`
 */
export function checked(
  grant: GrantRow,
  { max_duration }: GrantsConfig,
  realms: readonly string[] | null,
): GrantRow {
  const invalid = (message: string): SluiceError => new SluiceError('grant_invalid', message);
  if (grant.subject.trim() === '') throw invalid('The grant is for nobody: name the caller.');
  if (realms !== null && !realms.some((realm) => grant.subject.startsWith(`${realm}:`)))
    throw invalid(
      `${grant.subject} may be somebody in each realm: write ${realms.map((realm) => inRealm(realm, grant.subject)).join(' or ')}.`,
    );
  if (grant.justification.trim() === '') throw invalid('A reason is required.');
  if (grant.categories === '[]') throw invalid('A grant that names no category has no effect: name one.');
  if (grant.ids !== null && grant.resource === null)
    throw invalid('Ids without a type of resource name no record: name the type.');
  if (grant.duration > max_duration)
    throw invalid('It is to hold longer than grants.max_duration in sluice.yaml allows.');
  if (grant.starts_at !== null && grant.starts_at + grant.duration <= grant.requested_at)
    throw invalid('The planned time is over already.');
  return grant;
}

const COLUMNS = [
  'id',
  'kind',
  'state',
  'subject',
  'requested_by',
  'requested_at',
  'purpose',
  'tier',
  'grade',
  'resource',
  'categories',
  'ids',
  'justification',
  'max_uses',
  'uses',
  'max_records',
  'starts_at',
  'duration',
  'from_at',
  'until_at',
  'approved_by',
  'approved_as',
  'callback',
  'digest',
] as const;

/** @returns nothing where an identical request is pending */
export const insert = (tx: Queries, grant: GrantRow) =>
  tx.query<GrantRow>(
    `INSERT INTO sluice_grants (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})
     ON CONFLICT (digest) WHERE state = 'requested' DO NOTHING RETURNING *`,
    COLUMNS.map((name) => grant[name]),
  );
