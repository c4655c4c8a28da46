/**
 * Tables of shares: a share is one decision whose data a recipient outside received. It expires; then it belongs to a demand, with which the recipient
 * is asked to confirm that the data was destroyed or archived.
 */
import type { Migration, Row } from '../model/database.ts';

export const SHARE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'shares/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_shares (
        decision_id text PRIMARY KEY, recipient text NOT NULL, purpose text NOT NULL, shared_at bigint NOT NULL, expires_at bigint NOT NULL,
        demand_id text
      );
      CREATE INDEX sluice_shares_expiring ON sluice_shares (expires_at) WHERE demand_id IS NULL;
      CREATE INDEX sluice_shares_demanded ON sluice_shares (demand_id) WHERE demand_id IS NOT NULL;
      CREATE TABLE sluice_share_subjects (
        data_subject text NOT NULL, decision_id text NOT NULL, PRIMARY KEY (data_subject, decision_id)
      );
      CREATE INDEX sluice_share_subjects_of ON sluice_share_subjects (decision_id);
      CREATE TABLE sluice_demands (
        id text PRIMARY KEY, recipient text NOT NULL, opened_at bigint NOT NULL, due_at bigint NOT NULL, shares bigint NOT NULL,
        first_at bigint NOT NULL, last_at bigint NOT NULL, confirmed_at bigint, confirmed_by text, how text, note text
      );
      CREATE INDEX sluice_demands_open ON sluice_demands (recipient, due_at) WHERE confirmed_at IS NULL`,
  },
  {
    name: 'shares/2',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_withdrawals (
        id text PRIMARY KEY, type text NOT NULL, withdrawal text NOT NULL, told text NOT NULL, look_at bigint
      )`,
  },
];

/** A withdrawal that is looked at once more, since a share may have been noted beside it. */
export interface WithdrawalRow extends Row {
  readonly id: string;
  readonly type: 'consent.withdrawn' | 'erasure.accepted';
  /** JSON */
  readonly withdrawal: string;
  /** JSON: recipient → the number of its decisions that the withdrawal found */
  readonly told: string;
  /** null: no sidecar has seen it yet */
  readonly look_at: number | null;
}

/** Moments are milliseconds since 1970. */
export interface DemandRow extends Row {
  readonly id: string;
  readonly recipient: string;
  readonly opened_at: number;
  readonly due_at: number;
  /** number of decisions */
  readonly shares: number;
  /** when the first and the last of them were */
  readonly first_at: number;
  readonly last_at: number;
  readonly confirmed_at: number | null;
  readonly confirmed_by: string | null;
  readonly how: 'destroyed' | 'archived' | null;
  readonly note: string | null;
}
