/** Shares in the store: noted before data leaves, looked up when a consent is withdrawn, ended by the recipient's confirmation. */
import { SluiceError } from '../errors.ts';
import type { How } from '../model/share.ts';
import type { Database, Queries } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import type { Confirmations, Share, Shares } from '../model/share.ts';
import type { SharesConfig } from './section.ts';
import type { DemandRow } from './tables.ts';
import {
  createWithdrawals,
  type Found,
  MOST_DECISIONS,
  type ShareDependencies,
  type Withdrawals,
} from './withdrawals.ts';

export { type DemandRow, SHARE_MIGRATIONS } from './tables.ts';
export type { ShareDependencies, Withdrawal } from './withdrawals.ts';

export interface RecipientTotals {
  readonly [column: string]: string | number | null;
  readonly recipient: string;
  /** decisions that have not expired */
  readonly current: number;
  readonly open: number;
  readonly overdue: number;
}

export interface Confirmation {
  readonly how: How;
  readonly by: string;
  readonly note: string | null;
}

export interface ShareStore extends Shares, Withdrawals {
  /** Opens one demand for what one recipient should no longer have. @returns null: nothing has expired, or another sidecar has just done it */
  demand(journaled: Journaled<DemandRow>): Promise<DemandRow | null>;
  /** @throws SluiceError `demand_not_found`, `demand_confirmed` */
  confirm(id: string, { how, by, note }: Confirmation, journaled: Journaled<DemandRow>): Promise<DemandRow>;
  /** the oldest first */
  demands(filter: {
    readonly open: boolean;
    readonly recipient?: string;
    readonly limit: number;
    readonly after?: { readonly at: number; readonly id: string };
  }): Promise<readonly DemandRow[]>;
  /** who is asked for a confirmation by it. @returns undefined: there is no such demand */
  recipientOf(id: string): Promise<string | undefined>;
  recipients(): Promise<readonly RecipientTotals[]>;
}

/** rows of one statement; PostgreSQL takes 65,535 parameters, SQLite 32,766 */
const ROWS = 8_192;
/** To a power of two by repeating the last one: prepared statements are kept, and there are few of these. */
function padded(list: readonly string[]): readonly string[] {
  const size = 2 ** Math.ceil(Math.log2(list.length));
  return [...list, ...new Array<string>(size - list.length).fill(list.at(-1)!)];
}

export function createShares(
  database: Database,
  { expires, confirm_within }: SharesConfig,
  dependencies: ShareDependencies,
): ShareStore {
  const { outbox, newId, now } = dependencies;
  return {
    ...createWithdrawals(database, dependencies),

    async note({ decision_id, recipient, purpose, timestamp, data_subjects }: Share) {
      const at = Date.parse(timestamp);
      // The share first: a subject without one is found by nobody, a share without subjects still expires.
      await database.write(
        `INSERT INTO sluice_shares (decision_id, recipient, purpose, shared_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING`,
        [decision_id, recipient, purpose, at, at + expires],
      );
      for (let from = 0; from < data_subjects.length; from += ROWS) {
        const some = padded(data_subjects.slice(from, from + ROWS));
        await database.write(
          `INSERT INTO sluice_share_subjects (decision_id, data_subject) VALUES ${some.map((_, i) => `($1, $${i + 2})`).join(', ')}
           ON CONFLICT DO NOTHING`,
          [decision_id, ...some],
        );
      }
    },

    async confirmations(recipient, at): Promise<Confirmations> {
      const [row] = await database.query<{ readonly open: number; readonly overdue: number }>(
        `SELECT count(*) AS open, coalesce(sum(CASE WHEN due_at < $2 THEN 1 ELSE 0 END), 0) AS overdue
         FROM sluice_demands WHERE recipient = $1 AND confirmed_at IS NULL`,
        [recipient, at.getTime()],
      );
      return { open: Number(row?.open ?? 0), overdue: Number(row?.overdue ?? 0) };
    },

    async demand(journaled) {
      const at = now().getTime();
      const [due] = await database.query<{ readonly recipient: string }>(
        'SELECT recipient FROM sluice_shares WHERE demand_id IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 1',
        [at],
      );
      return due === undefined ? null : database.transaction((queries) => open(queries, due.recipient, at));

      async function open(queries: Queries, recipient: string, at: number): Promise<DemandRow | null> {
        const id = newId();
        // Of two sidecars the second waits for the first, and then finds that these have a demand.
        const shares = await queries.query<Found>(
          `UPDATE sluice_shares SET demand_id = $1 WHERE demand_id IS NULL AND decision_id IN (
             SELECT decision_id FROM sluice_shares WHERE demand_id IS NULL AND recipient = $2 AND expires_at <= $3
             ORDER BY expires_at, decision_id LIMIT ${MOST_DECISIONS})
           RETURNING recipient, decision_id, purpose, shared_at`,
          [id, recipient, at],
        );
        if (shares.length === 0) return null;
        const times = shares.map((s) => s.shared_at);
        const [demand] = await queries.query<DemandRow>(
          `INSERT INTO sluice_demands (id, recipient, opened_at, due_at, shares, first_at, last_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *`,
          [id, recipient, at, at + confirm_within, shares.length, Math.min(...times), Math.max(...times)],
        );
        await outbox.add(queries, [
          {
            recipient,
            type: 'share.expired',
            data: {
              recipient,
              demand: id,
              confirm_until: new Date(at + confirm_within).toISOString(),
              decisions: shares
                .toSorted((a, b) => a.shared_at - b.shared_at || (a.decision_id < b.decision_id ? -1 : 1))
                .map((s) => ({
                  decision_id: s.decision_id,
                  purpose: s.purpose,
                  at: new Date(s.shared_at).toISOString(),
                })),
            },
          },
        ]);
        await journaled(demand!, queries);
        return demand!;
      }
    },

    confirm: (id, { how, by, note }, journaled) =>
      database.transaction(async (queries) => {
        const [before] = await queries.query<DemandRow>(
          `SELECT * FROM sluice_demands WHERE id = $1 ${database.forUpdate}`,
          [id],
        );
        if (before === undefined)
          throw new SluiceError(
            'demand_not_found',
            `There is no demand ${id}: sluice recipients demands --all.`,
          );
        if (before.confirmed_at !== null)
          throw new SluiceError(
            'demand_confirmed',
            `It was confirmed on ${new Date(before.confirmed_at).toISOString()} by ${before.confirmed_by}: ${before.how}.`,
          );
        const [demand] = await queries.query<DemandRow>(
          'UPDATE sluice_demands SET confirmed_at = $2, confirmed_by = $3, how = $4, note = $5 WHERE id = $1 RETURNING *',
          [id, now().getTime(), by, how, note],
        );
        // What was archived is still there: its people are still told to whom a withdrawal goes.
        if (how === 'destroyed') {
          await queries.query(
            'DELETE FROM sluice_share_subjects WHERE decision_id IN (SELECT decision_id FROM sluice_shares WHERE demand_id = $1)',
            [id],
          );
          await queries.query('DELETE FROM sluice_shares WHERE demand_id = $1', [id]);
        }
        await journaled(demand!, queries);
        return demand!;
      }),

    demands: ({ open, recipient = null, limit, after }) =>
      database.query<DemandRow>(
        `SELECT * FROM sluice_demands WHERE ${open ? 'confirmed_at IS NULL' : 'TRUE'} AND (CAST($1 AS text) IS NULL OR recipient = $1)
         AND (opened_at, id) > (CAST($3 AS bigint), CAST($4 AS text)) ORDER BY opened_at, id LIMIT $2`,
        [recipient, limit, after?.at ?? -1, after?.id ?? ''],
      ),

    async recipientOf(id) {
      const [row] = await database.query<{ readonly recipient: string }>(
        'SELECT recipient FROM sluice_demands WHERE id = $1',
        [id],
      );
      return row?.recipient;
    },

    recipients: () =>
      database.query<RecipientTotals>(
        `SELECT recipient, sum(current) AS current, sum(open) AS open, sum(overdue) AS overdue FROM (
           SELECT recipient, 1 AS current, 0 AS open, 0 AS overdue FROM sluice_shares WHERE demand_id IS NULL
           UNION ALL
           SELECT recipient, 0, CASE WHEN confirmed_at IS NULL THEN 1 ELSE 0 END,
             CASE WHEN confirmed_at IS NULL AND due_at < $1 THEN 1 ELSE 0 END FROM sluice_demands
         ) AS each_one GROUP BY recipient ORDER BY recipient`,
        [now().getTime()],
      ),
  };
}
