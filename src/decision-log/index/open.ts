/** Opens the index that the settings name. */
import type { WorkerSettings } from './protocol.ts';
import { openPostgresIndex } from './postgres.ts';
import { openSqliteIndex } from './sqlite.ts';
import type { IndexStore } from './store.ts';

/** @throws SluiceError `config_invalid` */
export const openIndex = async (settings: NonNullable<WorkerSettings['index']>): Promise<IndexStore> =>
  'sqlite' in settings
    ? openSqliteIndex(settings.sqlite)
    : openPostgresIndex(settings.postgres, settings.schema);
