/** The store, and the steps of all its tables. */
import { CONSENT_MIGRATIONS } from '../consent/index.ts';
import type { Database, Migration } from '../model/database.ts';
import { migrate, openDatabase, requireCurrent, type StoreConfig } from '../store/index.ts';
import type { Clock } from '../observability/clock.ts';

/** In the order in which they are applied. A stage that keeps something exports its own. */
export const MIGRATIONS: readonly Migration[] = [...CONSENT_MIGRATIONS];

/**
 * A file of SQLite is brought up to date at once, since nobody else uses it. A database that is shared is not: other sidecars may run an older
 * version.
 * @throws SluiceError `store_unavailable`, `store_outdated`, `store_newer`, `store_changed`
 */
export async function openStore(config: StoreConfig, clock: Clock): Promise<Database> {
  const database = openDatabase(config);
  try {
    if (database.dialect === 'sqlite') await migrate(database, MIGRATIONS, () => clock.now());
    else await requireCurrent(database, MIGRATIONS);
    return database;
  } catch (e) {
    await database.close();
    throw e;
  }
}
