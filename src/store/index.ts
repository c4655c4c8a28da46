/** The database in which Sluice keeps what it must remember. */
import type { StoreConfig } from './section.ts';
import type { Database } from '../model/database.ts';
import type { Channel, ChannelEvents } from '../model/channel.ts';
import { openPostgres, type PostgresOptions } from './postgres.ts';
import { openPostgresChannel } from './postgres-channel.ts';
import { openSqlite } from './sqlite.ts';

export { type MigrationState, migrate, requireCurrent, stateOf } from './migrations.ts';
export type { StoreConfig } from './section.ts';

/** @throws SluiceError `store_unavailable` if the file of SQLite cannot be opened */
export const openDatabase = (config: StoreConfig, options: PostgresOptions = {}): Database =>
  'sqlite' in config ? openSqlite(config.sqlite) : openPostgres(config.postgres, options);

/** Null: a file of SQLite needs none. */
export const openChannel = (config: StoreConfig, events: ChannelEvents): Channel | null =>
  'sqlite' in config ? null : openPostgresChannel(config.postgres, events);
