/** Withdrawals: who has received what somebody no longer agrees to is owed a notice, also who receives it at the same moment. */
import type { Database, Queries } from '../model/database.ts';
import type { Outbox } from '../model/notice.ts';
import type { WithdrawalRow } from './tables.ts';

/** What a data subject no longer agrees to. */
export interface Withdrawal {
  /** in clear, as recipients know it */
  readonly data_subject: string;
  /** null: any */
  readonly purpose: string | null;
  /** null: any */
  readonly recipient: string | null;
  readonly categories: readonly string[];
}

export interface Withdrawals {
  /** Owes a notice to each recipient that received data of these people. In the transaction of the withdrawal. */
  withdrawn(
    queries: Queries,
    withdrawals: readonly Withdrawal[],
    /** default: `consent.withdrawn` */
    type?: WithdrawalRow['type'],
  ): Promise<void>;
  /**
   * Looks once more at withdrawals that have been in force for a while: who received data at the same time, on a consent that was looked up before, is
   * owed a notice, too.
   */
  lookAgain(): Promise<void>;
}

export interface ShareDependencies {
  readonly outbox: Outbox;
  /** the pseudonym under which the decision log has a data subject */
  readonly pseudonym: (dataSubject: string) => string | Promise<string>;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** decisions of one demand: a notice lists them */
export const MOST_DECISIONS = 1_000;
/** withdrawals of one round */
const ROUND = 1_000;
/**
 * Milliseconds after which no share is noted any more that rests on a consent from before a withdrawal: more than the age of what an answer rests on
 * (1.6 s). They count from when a sidecar has seen the withdrawal, which is after its transaction.
 */
const SETTLED_MS = 5_000;

export interface Found {
  readonly [column: string]: string | number | null;
  readonly recipient: string;
  readonly decision_id: string;
  readonly purpose: string;
  readonly shared_at: number;
}

interface Received extends Found {
  /** decisions of this recipient in all */
  readonly received: number;
}

export function createWithdrawals(
  database: Database,
  { outbox, pseudonym, newId, now }: ShareDependencies,
): Withdrawals {
  /** What each recipient has received that a withdrawal is about, the newest first. */
  async function receivedOf(
    queries: Queries,
    { data_subject, purpose, recipient }: Withdrawal,
  ): Promise<ReadonlyMap<string, readonly Received[]>> {
    const found = await queries.query<Received>(
      `SELECT * FROM (
         SELECT s.recipient, s.decision_id, s.purpose, s.shared_at, count(*) OVER (PARTITION BY s.recipient) AS received,
           row_number() OVER (PARTITION BY s.recipient ORDER BY s.shared_at DESC, s.decision_id) AS rank
         FROM sluice_share_subjects AS x JOIN sluice_shares AS s ON s.decision_id = x.decision_id
         WHERE x.data_subject = $1 AND (CAST($2 AS text) IS NULL OR s.purpose = $2) AND (CAST($3 AS text) IS NULL OR s.recipient = $3)
       ) AS ranked WHERE rank <= ${MOST_DECISIONS} ORDER BY recipient, rank`,
      [await pseudonym(data_subject), purpose, recipient],
    );
    const byRecipient = new Map<string, Received[]>();
    for (const share of found) {
      const list = byRecipient.get(share.recipient);
      if (list === undefined) byRecipient.set(share.recipient, [share]);
      else list.push(share);
    }
    return byRecipient;
  }

  const owe = (
    queries: Queries,
    { data_subject, purpose, categories }: Withdrawal,
    type: WithdrawalRow['type'],
    received: ReadonlyMap<string, readonly Received[]>,
  ) =>
    outbox.add(
      queries,
      [...received].map(([recipient, shares]) => ({
        recipient,
        type,
        data: {
          recipient,
          data_subject,
          purpose,
          categories,
          received: shares[0]!.received,
          decisions: shares.map((s) => ({
            decision_id: s.decision_id,
            purpose: s.purpose,
            at: new Date(s.shared_at).toISOString(),
          })),
        },
      })),
    );

  return {
    async withdrawn(queries, withdrawals, type = 'consent.withdrawn') {
      for (const withdrawal of withdrawals) {
        const received = await receivedOf(queries, withdrawal);
        await owe(queries, withdrawal, type, received);
        const told = [...received].map(([recipient, shares]) => [recipient, shares[0]!.received]);
        await queries.query(
          'INSERT INTO sluice_withdrawals (id, type, withdrawal, told) VALUES ($1, $2, $3, $4)',
          [newId(), type, JSON.stringify(withdrawal), JSON.stringify(Object.fromEntries(told))],
        );
      }
    },

    async lookAgain() {
      const at = now().getTime();
      // A withdrawal that can be read here is in force.
      await database.write('UPDATE sluice_withdrawals SET look_at = $1 WHERE look_at IS NULL', [
        at + SETTLED_MS,
      ]);
      const due = await database.query<Pick<WithdrawalRow, 'id'>>(
        'SELECT id FROM sluice_withdrawals WHERE look_at <= $1 ORDER BY look_at, id LIMIT $2',
        [at, ROUND],
      );
      for (const { id } of due)
        await database.transaction(async (queries) => {
          // Of two sidecars the second finds that it is gone.
          const [row] = await queries.query<WithdrawalRow>(
            'DELETE FROM sluice_withdrawals WHERE id = $1 RETURNING *',
            [id],
          );
          if (row === undefined) return;
          const withdrawal = JSON.parse(row.withdrawal) as Withdrawal;
          const told = new Map(Object.entries(JSON.parse(row.told) as Record<string, number>));
          const received = [...(await receivedOf(queries, withdrawal))].filter(
            ([recipient, shares]) => shares[0]!.received > (told.get(recipient) ?? 0),
          );
          await owe(queries, withdrawal, row.type, new Map(received));
        });
    },
  };
}
