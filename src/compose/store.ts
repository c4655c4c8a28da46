/** The store, and the steps of all its tables. */
import { CONSENT_MIGRATIONS } from '../consent/index.ts';
import { isSluiceError } from '../errors.ts';
import type { Database, Migration } from '../model/database.ts';
import { migrate, openDatabase, requireCurrent, type StoreConfig } from '../store/index.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';

/** In the order in which they are applied. A stage that keeps something exports its own. */
export const MIGRATIONS: readonly Migration[] = [...CONSENT_MIGRATIONS];

/**
 * A file of SQLite is brought up to date at once, since nobody else uses it. A database that is shared is not: other sidecars may run an older
 * version. Sluice also starts while a shared database is down; whatever needs it is refused until it answers and its tables were checked.
 * @throws SluiceError `store_outdated`, `store_newer`, `store_changed`; `store_unavailable` for a file of SQLite
 */
export async function openStore(config: StoreConfig, clock: Clock, logger: Logger): Promise<Database> {
  const database = openDatabase(config);
  try {
    if (database.dialect === 'sqlite') {
      await migrate(database, MIGRATIONS, () => clock.now());
      return database;
    }
    await requireCurrent(database, MIGRATIONS);
    return database;
  } catch (err) {
    if (database.dialect === 'postgres' && isSluiceError(err, 'store_unavailable')) {
      logger.error({ err }, 'the store does not answer: what needs it is refused until it does');
      return checkedBeforeUse(database, () => requireCurrent(database, MIGRATIONS));
    }
    await database.close();
    throw err;
  }
}

/** Checks before every use until the check has succeeded once. */
export function checkedBeforeUse(database: Database, check: () => Promise<void>): Database {
  let isChecked = false;
  let checking: Promise<void> | null = null;
  const checked = async (): Promise<void> => {
    if (isChecked) return;
    checking ??= check().finally(() => {
      checking = null;
    });
    await checking;
    isChecked = true;
  };
  return {
    dialect: database.dialect,
    forUpdate: database.forUpdate,
    query: (sql, parameters) => checked().then(() => database.query(sql, parameters)),
    write: (sql, parameters) => checked().then(() => database.write(sql, parameters)),
    transaction: (work) => checked().then(() => database.transaction(work)),
    ready: () =>
      checked().then(
        () => database.ready(),
        (e: Error) => ({ ok: false, detail: e.message }),
      ),
    close: () => database.close(),
  };
}
