/** The table of notices: an outbox. A row is written in the transaction of what it is about, and delivered by any sidecar. */
import type { Migration, Row } from '../model/database.ts';
import type { NoticeType } from '../model/notice.ts';

export const NOTICE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'notices/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_notices (
        id text PRIMARY KEY, recipient text, type text NOT NULL, data text, created_at bigint NOT NULL, attempts bigint NOT NULL DEFAULT 0,
        next_at bigint, retry_until bigint NOT NULL, delivered_at bigint, last_error text, acknowledged_at bigint, acknowledged_by text, note text
      );
      CREATE INDEX sluice_notices_due ON sluice_notices (next_at) WHERE next_at IS NOT NULL;
      CREATE INDEX sluice_notices_open ON sluice_notices (created_at, id) WHERE acknowledged_at IS NULL`,
  },
];

/** Moments are milliseconds since 1970. */
export interface NoticeRow extends Row {
  readonly id: string;
  /** null: the operators */
  readonly recipient: string | null;
  readonly type: NoticeType;
  /** JSON; null once acknowledged, since it may name a data subject */
  readonly data: string | null;
  readonly created_at: number;
  readonly attempts: number;
  /** of the next delivery; null: there is none, somebody has to see to it */
  readonly next_at: number | null;
  /** after it a delivery that fails is not tried again */
  readonly retry_until: number;
  readonly delivered_at: number | null;
  readonly last_error: string | null;
  readonly acknowledged_at: number | null;
  readonly acknowledged_by: string | null;
  readonly note: string | null;
}

export type NoticeState = 'waiting' | 'delivered' | 'failed' | 'unsent' | 'acknowledged';

/** `unsent`: no webhook is configured; `failed`: tried for the whole of `retry_for` */
export function stateOf({ acknowledged_at, delivered_at, next_at, attempts }: NoticeRow): NoticeState {
  if (acknowledged_at !== null) return 'acknowledged';
  if (delivered_at !== null) return 'delivered';
  if (next_at !== null) return 'waiting';
  return attempts > 0 ? 'failed' : 'unsent';
}
