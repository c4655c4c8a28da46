/** Notices in the store: owed, delivered, acknowledged. */
import { SluiceError } from '../errors.ts';
import type { Database, Queries } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import type { Notice, Outbox } from '../model/notice.ts';
import type { NoticesConfig } from './section.ts';
import { type NoticeRow, type NoticeState, stateOf } from './tables.ts';
import { webhookOf } from './webhooks.ts';

export { createDelivery, type Delivery, type Reply } from './delivery.ts';
export { NOTICE_MIGRATIONS, type NoticeRow, type NoticeState, stateOf } from './tables.ts';
export type { NoticesConfig } from './section.ts';

export interface NoticeStore extends Outbox {
  /** the oldest first */
  list(filter: {
    readonly open: boolean;
    readonly recipient?: string;
    readonly limit: number;
    readonly after?: { readonly at: number; readonly id: string };
  }): Promise<readonly NoticeRow[]>;
  stateOf(notice: NoticeRow): NoticeState;
  /** who has to be told. @returns null: the operators; undefined: there is no such notice */
  recipientOf(id: string): Promise<string | null | undefined>;
  /**
   * The recipient has answered. What the notice said of a data subject is removed.
   * @throws SluiceError `notice_not_found`, `notice_acknowledged`
   */
  acknowledge(
    id: string,
    by: string,
    note: string | null,
    journaled: Journaled<NoticeRow>,
  ): Promise<NoticeRow>;
  /** It is delivered again, from now on. @throws SluiceError `notice_not_found`, `notice_acknowledged`, `notice_unsendable` */
  retry(id: string, journaled: Journaled<NoticeRow>): Promise<NoticeRow>;
}

export interface NoticeDependencies {
  readonly newId: () => string;
  readonly now: () => Date;
}

/** @param config undefined: nobody has a webhook, so that people have to tell the recipients */
export function createNotices(
  database: Database,
  config: NoticesConfig | undefined,
  { newId, now }: NoticeDependencies,
): NoticeStore {
  const retryFor = config?.retry_for ?? 0;
  const hasWebhook = (recipient: string | null): boolean =>
    config !== undefined && webhookOf(config, recipient) !== undefined;
  const locked = async (queries: Queries, id: string): Promise<NoticeRow> => {
    const [row] = await queries.query<NoticeRow>(
      `SELECT * FROM sluice_notices WHERE id = $1 ${database.forUpdate}`,
      [id],
    );
    if (row === undefined)
      throw new SluiceError('notice_not_found', `There is no notice ${id}: sluice recipients notices --all.`);
    if (row.acknowledged_at !== null)
      throw new SluiceError(
        'notice_acknowledged',
        `The notice ${id} was acknowledged on ${new Date(row.acknowledged_at).toISOString()} by ${row.acknowledged_by}.`,
      );
    return row;
  };

  return {
    async add(queries: Queries, notices: readonly Notice[]) {
      const at = now().getTime();
      const ids: string[] = [];
      for (const { recipient, type, data } of notices) {
        const id = newId();
        await queries.query(
          'INSERT INTO sluice_notices (id, recipient, type, data, created_at, next_at, retry_until) VALUES ($1, $2, $3, $4, $5, $6, $7)',
          [id, recipient, type, JSON.stringify(data), at, hasWebhook(recipient) ? at : null, at + retryFor],
        );
        ids.push(id);
      }
      return ids;
    },

    list: ({ open, recipient = null, limit, after }) =>
      database.query<NoticeRow>(
        `SELECT * FROM sluice_notices WHERE ${open ? 'acknowledged_at IS NULL' : 'TRUE'}
         AND (CAST($1 AS text) IS NULL OR recipient = $1)
         AND (created_at, id) > (CAST($3 AS bigint), CAST($4 AS text)) ORDER BY created_at, id LIMIT $2`,
        [recipient, limit, after?.at ?? -1, after?.id ?? ''],
      ),

    stateOf,

    async recipientOf(id) {
      const [row] = await database.query<{ readonly recipient: string | null }>(
        'SELECT recipient FROM sluice_notices WHERE id = $1',
        [id],
      );
      return row?.recipient;
    },

    acknowledge: (id, by, note, journaled) =>
      database.transaction(async (queries) => {
        await locked(queries, id);
        const [row] = await queries.query<NoticeRow>(
          `UPDATE sluice_notices SET acknowledged_at = $2, acknowledged_by = $3, note = $4, data = NULL, next_at = NULL
           WHERE id = $1 RETURNING *`,
          [id, now().getTime(), by, note],
        );
        await journaled(row!, queries);
        return row!;
      }),

    retry: (id, journaled) =>
      database.transaction(async (queries) => {
        const { recipient } = await locked(queries, id);
        if (!hasWebhook(recipient))
          throw new SluiceError(
            'notice_unsendable',
            `${recipient ?? 'alerts'} has no webhook (notices in sluice.yaml): tell them, then sluice recipients acknowledge ${id}.`,
          );
        const at = now().getTime();
        const [row] = await queries.query<NoticeRow>(
          'UPDATE sluice_notices SET next_at = $2, retry_until = $3, attempts = 0, delivered_at = NULL WHERE id = $1 RETURNING *',
          [id, at, at + retryFor],
        );
        await journaled(row!, queries);
        return row!;
      }),
  };
}
