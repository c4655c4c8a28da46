/** What happened to each grant: appended in the transaction of the change, and never changed. */
import type { Queries } from '../model/database.ts';
import type { EventName } from './tables.ts';

export interface Happening {
  readonly at: number;
  readonly who: string;
  readonly what: EventName;
  readonly note: string | null;
  readonly decision_id: string | null;
}

/** Inside a transaction that has locked the grant or written to it: so the numbers have no gap and no double. */
export const append = (tx: Queries, id: string, { at, who, what, note, decision_id }: Happening) =>
  tx.query(
    `INSERT INTO sluice_grant_events (grant_id, number, at, who, what, note, decision_id)
     VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM sluice_grant_events WHERE grant_id = $1), $2, $3, $4, $5, $6)`,
    [id, at, who, what, note, decision_id],
  );
