/** The database in which Sluice keeps what it must remember. */
import type { StoreConfig } from './section.ts';
import type { Database } from '../model/database.ts';
import { type Channel, type ChannelEvents, HEARTBEAT } from '../model/channel.ts';
import { hinting, openHints } from './hints.ts';
import { openOutboxChannel } from './outbox-channel.ts';
import { openPostgres, type PostgresOptions } from './postgres.ts';
import { openPostgresChannel } from './postgres-channel.ts';
import { openSqlite } from './sqlite.ts';

export { announcing } from './hints.ts';
export { type MigrationState, migrate, requireCurrent, stateOf } from './migrations.ts';
export { ANNOUNCEMENT_MIGRATIONS, keepOutboxShort } from './outbox.ts';
export type { StoreConfig } from './section.ts';
export { copySqlite } from './sqlite.ts';

/** @throws SluiceError `store_unavailable` if the file of SQLite cannot be opened */
export const openDatabase = (config: StoreConfig, options: PostgresOptions = {}): Database =>
  'sqlite' in config ? openSqlite(config.sqlite) : openPostgres(config.postgres, options);

/**
 * Sends a hint after each commit that the others are to hear of, where the store is configured so.
 * @param announces whether a statement changes what is announced
 * @throws SluiceError `config_invalid`
 */
export const withHints = (
  config: StoreConfig,
  database: Database,
  announces: (sql: string) => boolean,
): Database =>
  'sqlite' in config || config.announcements === undefined
    ? database
    : hinting(database, announces, openHints(config.announcements.redis));

export interface StoreChannelEvents extends ChannelEvents {
  /** called when hints arrive or no longer do */
  readonly hinted?: (isUp: boolean, why: string) => void;
}

/** Null: a file of SQLite needs none. @throws SluiceError `config_invalid` */
export function openChannel(config: StoreConfig, events: StoreChannelEvents): Channel | null {
  if ('sqlite' in config) return null;
  if (config.announcements === undefined) return openPostgresChannel(config.postgres, events);
  const hints = openHints(config.announcements.redis, events.hinted ? { changed: events.hinted } : {});
  const database = openPostgres(config.postgres, { connections: 1, timeout: HEARTBEAT.silence });
  return openOutboxChannel(database, hints, events);
}
