/** Tables of the grants. Grants are never deleted: those that have ended are the archive. */
import type { Migration, Row } from '../model/database.ts';

export const GRANT_MIGRATIONS: readonly Migration[] = [
  {
    name: 'grants/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_grants (
        id text PRIMARY KEY, kind text NOT NULL, state text NOT NULL, subject text NOT NULL, requested_by text NOT NULL,
        requested_at bigint NOT NULL, purpose text NOT NULL, tier bigint, grade bigint NOT NULL, resource text, categories text NOT NULL,
        ids text, justification text NOT NULL, max_uses bigint, uses bigint NOT NULL DEFAULT 0, max_records bigint, starts_at bigint,
        duration bigint NOT NULL, from_at bigint, until_at bigint, approved_by text NOT NULL DEFAULT '[]', digest text NOT NULL
      );
      CREATE UNIQUE INDEX sluice_grants_pending ON sluice_grants (digest) WHERE state = 'requested';
      CREATE INDEX sluice_grants_active ON sluice_grants (subject, until_at) WHERE state = 'active';
      CREATE INDEX sluice_grants_age ON sluice_grants (requested_at, id);
      CREATE TABLE sluice_grant_events (
        grant_id text NOT NULL, number bigint NOT NULL, at bigint NOT NULL, who text NOT NULL, what text NOT NULL, note text,
        decision_id text, PRIMARY KEY (grant_id, number)
      )`,
  },
  {
    name: 'grants/2',
    isAdditive: true,
    sql: `ALTER TABLE sluice_grants ADD COLUMN approved_as text NOT NULL DEFAULT '{}'`,
  },
  { name: 'grants/3', isAdditive: true, sql: 'ALTER TABLE sluice_grants ADD COLUMN callback text' },
];

/** `expired` is no stored state: an active grant has expired when its time is over. */
export type StoredState = 'requested' | 'active' | 'used_up' | 'rejected' | 'revoked';
export type GrantState = StoredState | 'planned' | 'expired';

/** Moments and durations are milliseconds. Lists are JSON. */
export interface GrantRow extends Row {
  readonly id: string;
  readonly kind: 'request' | 'break_glass';
  readonly state: StoredState;
  readonly subject: string;
  readonly requested_by: string;
  readonly requested_at: number;
  readonly purpose: string;
  readonly tier: number | null;
  /** the highest of the fields in its categories */
  readonly grade: number;
  readonly resource: string | null;
  readonly categories: string;
  readonly ids: string | null;
  readonly justification: string;
  readonly max_uses: number | null;
  readonly uses: number;
  readonly max_records: number | null;
  /** planned; null: when it is approved */
  readonly starts_at: number | null;
  readonly duration: number;
  readonly from_at: number | null;
  readonly until_at: number | null;
  readonly approved_by: string;
  /** roles of those who have approved, by name */
  readonly approved_as: string;
  /** who is told when it is decided; JSON of `Callback` */
  readonly callback: string | null;
  /** of holder, scope, limits and planned time: equal for identical requests */
  readonly digest: string;
}

export interface GrantEvent extends Row {
  readonly grant_id: string;
  readonly number: number;
  readonly at: number;
  readonly who: string;
  readonly what: EventName;
  readonly note: string | null;
  readonly decision_id: string | null;
}

export type EventName =
  | 'requested'
  | 'approved'
  | 'activated'
  | 'rejected'
  | 'revoked'
  | 'broke_glass'
  | 'used';

export function stateOf({ state, from_at, until_at }: GrantRow, now: number): GrantState {
  if (state !== 'active') return state;
  if (until_at! <= now) return 'expired';
  return from_at! > now ? 'planned' : 'active';
}
