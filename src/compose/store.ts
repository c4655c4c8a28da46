/** The store, and the steps of all its tables. */
import { CONSENT_MIGRATIONS } from '../consent/index.ts';
import { IDENTITY_MIGRATIONS } from '../identity/index.ts';
import { ERASURE_MIGRATIONS } from '../erasure/index.ts';
import { GRANT_MIGRATIONS } from '../grants/index.ts';
import { IDEMPOTENCY_MIGRATIONS } from '../idempotency/index.ts';
import { LINK_MIGRATIONS } from '../links/index.ts';
import { NOTICE_MIGRATIONS } from '../notices/index.ts';
import { SHARE_MIGRATIONS } from '../shares/index.ts';
import { REVIEW_MIGRATIONS } from '../reviews/index.ts';
import { VERIFICATION_MIGRATIONS } from '../verification/index.ts';
import { CHANGE_MIGRATIONS } from '../changes/made.ts';
import { type Channel, HEARTBEAT } from '../model/channel.ts';
import type { Database, Dialect, Migration } from '../model/database.ts';
import type { Announce } from '../model/invalidation.ts';
import {
  ANNOUNCEMENT_MIGRATIONS,
  announcing,
  migrate,
  openChannel,
  openDatabase,
  requireCurrent,
  type StoreConfig,
  withHints,
} from '../store/index.ts';
import { isSluiceError } from '../errors.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';

/** In the order in which they are applied. A stage that keeps something exports its own. */
export const MIGRATIONS: readonly Migration[] = [
  ...ANNOUNCEMENT_MIGRATIONS,
  ...CONSENT_MIGRATIONS,
  ...REVIEW_MIGRATIONS,
  ...IDENTITY_MIGRATIONS,
  ...GRANT_MIGRATIONS,
  ...ERASURE_MIGRATIONS,
  ...LINK_MIGRATIONS,
  ...IDEMPOTENCY_MIGRATIONS,
  ...NOTICE_MIGRATIONS,
  ...SHARE_MIGRATIONS,
  ...VERIFICATION_MIGRATIONS,
  ...CHANGE_MIGRATIONS,
];

/** Whether a statement changes a table whose changes are announced. */
export const isAnnounced = announcing(
  MIGRATIONS.map(({ sql }) => (typeof sql === 'string' ? sql : sql.postgres)).join('\n'),
);

/**
 * A file of SQLite is made and brought up to date at its first use, since nobody else uses it. A database that is shared is only compared, now or,
 * where it does not answer, at its first use: other sidecars may run an older version.
 * @throws SluiceError `config_invalid`, `store_outdated`, `store_newer`, `store_changed`
 */
export async function openStore(config: StoreConfig, clock: Clock, logger: Logger): Promise<Database> {
  if ('sqlite' in config)
    return lazily('sqlite', async () => {
      const database = openDatabase(config);
      await migrate(database, MIGRATIONS, () => clock.now()).catch(closing(database));
      return database;
    });
  const store = withHints(
    config,
    lazily('postgres', async () => {
      const database = openDatabase(config);
      await requireCurrent(database, MIGRATIONS).catch(closing(database));
      return database;
    }),
    isAnnounced,
  );
  try {
    await store.query('SELECT 1');
  } catch (err) {
    if (!isSluiceError(err, 'store_unavailable') && !isSluiceError(err, 'store_read_only')) throw err;
    logger.warn({ err }, 'the store does not answer: what needs it is refused until it does');
  }
  return store;
}

/** Announces here what other processes have changed. */
export const openStoreChannel = (config: StoreConfig, announce: Announce, logger: Logger): Channel | null =>
  openChannel(config, {
    received: announce,
    changed: (isUp, why) =>
      isUp
        ? logger.info({}, 'announcements of changes in the store arrive')
        : logger.warn(
            { why },
            'announcements of changes in the store may be lost: nothing cached of it is used',
          ),
    hinted: (isUp, why) =>
      isUp
        ? logger.info({}, 'hints of changes in the store arrive through Redis')
        : logger.warn(
            { why },
            `hints of changes in the store do not arrive through Redis: a change counts at the next heartbeat, within ${HEARTBEAT.interval} ms`,
          ),
  });

const closing = (database: Database) => async (e: unknown) => {
  await database.close();
  throw e;
};

/** Opens at the first use, and again at the next where that failed. */
function lazily(dialect: Dialect, open: () => Promise<Database>): Database {
  let opened: Promise<Database> | null = null;
  const get = (): Promise<Database> => {
    opened ??= open().catch((e: unknown) => {
      opened = null;
      throw e;
    });
    return opened;
  };
  return {
    dialect,
    forUpdate: dialect === 'postgres' ? 'FOR UPDATE' : '',
    query: async (sql, parameters) => (await get()).query(sql, parameters),
    write: async (sql, parameters) => (await get()).write(sql, parameters),
    transaction: async (work, limits) => (await get()).transaction(work, limits),
    ready: async () => {
      try {
        return await (await get()).ready();
      } catch (e) {
        return { ok: false, detail: (e as Error).message };
      }
    },
    close: async () => (await opened?.catch(() => null))?.close(),
  };
}
