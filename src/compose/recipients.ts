/**
 * Recipients outside: what they have received (shares), what they are told (notices), and what they have to confirm (demands). Used by sidecars and by
 * commands; only sidecars deliver.
 */
import type { Recorder } from '../changes/change.ts';
import { taskUrlOf } from '../changes/access-requests.ts';
import { type RecipientChanges, recipientChanges } from '../changes/recipients.ts';
import type { Config } from '../config/index.ts';
import type { ConsentChange } from '../consent/index.ts';
import { isSluiceError } from '../errors.ts';
import type { Callback, GrantRow } from '../grants/index.ts';
import type { Database, Queries } from '../model/database.ts';
import {
  createDelivery,
  createNotices,
  type NoticeRow,
  type NoticeStore,
  type Reply,
} from '../notices/index.ts';
import type { Logger } from '../observability/logger.ts';
import { createShares, type ShareStore, type Withdrawal } from '../shares/index.ts';

export interface RecipientParts {
  readonly config: Pick<Config, 'shares' | 'notices' | 'admin'>;
  readonly store: Database;
  /** the pseudonym under which the decision log has a data subject */
  readonly pseudonym: (dataSubject: string) => string | Promise<string>;
  readonly newId: () => string;
  readonly now: () => Date;
}

export interface Recipients {
  readonly notices: NoticeStore;
  /** null: none are kept (no section `shares`) */
  readonly shares: ShareStore | null;
  readonly changes: RecipientChanges;
  /** Owes an alert for an access without approval, in its transaction. Whose records it is for is not said. */
  glassBroken(queries: Queries, grant: GrantRow): Promise<unknown>;
  /** Owes the callback of an access request, in the transaction of its decision. */
  requestDecided(queries: Queries, grant: GrantRow, by: string): Promise<unknown>;
  /** Owes notices for a change of consents, in its transaction. */
  consentsChanged(queries: Queries, change: ConsentChange): Promise<void>;
  /** Owes a notice to each recipient that has received data of a person who is to be deleted (GDPR Art. 19), in its transaction. */
  erasureAccepted(queries: Queries, dataSubject: string): Promise<void>;
}

export function createRecipients({ config, store, pseudonym, newId, now }: RecipientParts): Recipients {
  const notices = createNotices(store, config.notices, { newId, now });
  const shares =
    config.shares === undefined
      ? null
      : createShares(store, config.shares, { outbox: notices, pseudonym, newId, now });
  return {
    notices,
    shares,
    changes: recipientChanges(shares, notices),
    glassBroken: (queries, grant) =>
      notices.add(queries, [
        {
          recipient: null,
          type: 'break_glass.opened',
          data: {
            grant: grant.id,
            holder: grant.subject,
            opened_by: grant.requested_by,
            purpose: grant.purpose,
            tier: grant.tier,
            resource: grant.resource,
            until: new Date(grant.until_at!).toISOString(),
          },
        },
      ]),
    async requestDecided(queries, { id, state, requested_by, callback }, by) {
      const url = config.admin.url;
      if (callback === null || url === undefined) return;
      const { name, state: given } = JSON.parse(callback) as Callback;
      const rejected = by === requested_by ? 'cancelled' : 'denied';
      const task = {
        id,
        status: state === 'rejected' ? rejected : 'approved',
        status_endpoint: taskUrlOf(url, id),
      };
      const data = { ...(given === undefined ? {} : { state: given }), task };
      await notices.add(queries, [{ recipient: `callback:${name}`, type: 'access_request.decided', data }]);
    },
    consentsChanged: async (queries, change) => shares?.withdrawn(queries, withdrawalsOf(change)),
    erasureAccepted: async (queries, data_subject) =>
      shares?.withdrawn(
        queries,
        [{ data_subject, purpose: null, recipient: null, categories: ['*'] }],
        'erasure.accepted',
      ),
  };
}

/** What recipients outside are told of: withdrawals, and objections (`opt_out`, `opt_out:<purpose>`). */
function withdrawalsOf({ events, flags }: ConsentChange): readonly Withdrawal[] {
  const withdrawals: Withdrawal[] = [];
  for (const { data_subject, what, consent } of events)
    if (what === 'withdrawn' && consent !== null && consent.recipient !== 'internal')
      withdrawals.push({
        data_subject,
        purpose: consent.purpose === '*' ? null : consent.purpose,
        recipient: consent.recipient === '*' ? null : consent.recipient,
        categories: consent.categories,
      });
  for (const [data_subject, set] of flags)
    for (const flag of set)
      if (flag === 'opt_out' || flag.startsWith(OPT_OUT))
        withdrawals.push({
          data_subject,
          purpose: flag === 'opt_out' ? null : flag.slice(OPT_OUT.length),
          recipient: null,
          categories: ['*'],
        });
  return withdrawals;
}

const OPT_OUT = 'opt_out:';

/** milliseconds between looks for notices and withdrawals that are due, and for shares that have expired */
const DELIVERY_MS = 2_000;
const EXPIRY_MS = 60_000;

export interface Background {
  readonly config: Pick<Config, 'notices'>;
  readonly store: Database;
  readonly now: () => Date;
  readonly logger: Logger;
  /** the record of one change. @param by a recipient, or Sluice itself */
  readonly recorder: (by: string) => Recorder;
}

export interface RunningRecipients {
  /** null: no webhooks are configured */
  readonly counts: { readonly delivered: number; readonly failed: number } | null;
  close(): Promise<void>;
}

/** Delivers notices and opens demands from now on. */
export function startRecipients(
  { changes, shares }: Recipients,
  { config, store, now, logger, recorder }: Background,
): RunningRecipients {
  const closing = new AbortController();
  const loops: { close(): Promise<void> }[] = [];
  let counts: RunningRecipients['counts'] = null;
  if (config.notices !== undefined) {
    const delivery = createDelivery(store, config.notices, {
      logger,
      now,
      closing: closing.signal,
      answered: (notice, reply) => answered(notice, reply, changes, recorder),
    });
    counts = delivery.counts;
    loops.push(repeated(DELIVERY_MS, () => delivery.run()));
  }
  if (shares !== null)
    loops.push(
      repeated(DELIVERY_MS, () =>
        shares.lookAgain().catch((err: unknown) => {
          logger.warn({ err }, 'recent withdrawals could not be looked at again: tried again in 2 seconds');
        }),
      ),
      repeated(EXPIRY_MS, async () => {
        try {
          while (!closing.signal.aborted && (await changes.demand(recorder('sluice'))) !== null);
        } catch (err) {
          logger.warn(
            { err },
            'recipients could not be asked what became of expired data: tried again in a minute',
          );
        }
      }),
    );
  return {
    counts,
    async close() {
      closing.abort(new Error('Sluice is stopping'));
      await Promise.all(loops.map((loop) => loop.close()));
    },
  };
}

/** A recipient has said what it did. Said again, it changes nothing. */
async function answered(
  notice: NoticeRow,
  { how, note }: Reply,
  changes: RecipientChanges,
  recorder: (by: string) => Recorder,
): Promise<void> {
  const by = notice.recipient ?? 'alerts';
  if (notice.type === 'share.expired') {
    if (how === null) return;
    const { demand } = JSON.parse(notice.data ?? '{}') as { readonly demand: string };
    await changes.confirm(demand, how, note, recorder(by)).catch(unless('demand_confirmed'));
  }
  await changes.notices.acknowledge(notice.id, note, recorder(by)).catch(unless('notice_acknowledged'));
}

const unless =
  (code: Parameters<typeof isSluiceError>[1]) =>
  (e: unknown): void => {
    if (!isSluiceError(e, code)) throw e;
  };

/** Runs `work` now, and again `ms` after it has ended. Closing waits for a run under way. */
function repeated(ms: number, work: () => Promise<unknown>): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;
  let running: Promise<void> = Promise.resolve();
  const start = (): void => {
    running = work().then(() => {
      if (!isClosed) timer = setTimeout(start, ms).unref();
    });
  };
  start();
  return {
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}
