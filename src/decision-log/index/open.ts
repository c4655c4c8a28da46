/** Opens the index that the configuration names. */
import { openPostgresIndex, type PostgresOptions } from './postgres.ts';
import { openSqliteIndex } from './sqlite.ts';
import type { IndexOptions, IndexStore } from './store.ts';

export type IndexSettings = { readonly keep?: number | undefined } & (
  | { readonly sqlite: string }
  | ({ readonly postgres: string } & Pick<PostgresOptions, 'schema'>)
);

/**
 * @param timeout of a statement in PostgreSQL; SQLite answers in the thread that asks, and ends with it
 * @throws SluiceError `config_invalid` for a file that cannot be opened or is no index
 */
export const openIndex = (
  settings: IndexSettings,
  replaced?: IndexOptions['replaced'],
  timeout?: PostgresOptions['timeout'],
): IndexStore =>
  'sqlite' in settings
    ? openSqliteIndex(settings.sqlite, { keep: settings.keep, replaced })
    : openPostgresIndex(settings.postgres, { ...settings, replaced, timeout });

/** For logs and messages; without user and password. */
export const placeOf = (settings: IndexSettings): string =>
  'sqlite' in settings ? settings.sqlite : 'PostgreSQL';
