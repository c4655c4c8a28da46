/**
 * Brings the tables of a store up to date. Each step runs in a transaction of its own, and is noted in the same transaction: a step that was
 * broken off has left nothing. A step that has been applied may never be edited; its digest is compared.
 */
import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Database, Migration, Queries } from '../model/database.ts';

/** Advisory lock of PostgreSQL while steps are applied, so that two processes do not apply the same. */
const LOCK = 5_170_422;

/** An index of a large table takes minutes, and whoever comes second waits for it. */
const UNLIMITED = { isUnlimited: true };

const TABLE = `CREATE TABLE IF NOT EXISTS sluice_migrations (
  name text PRIMARY KEY, digest text NOT NULL, additive integer NOT NULL, applied_at text NOT NULL
)`;

interface Applied extends Readonly<Record<string, string | number | null>> {
  readonly name: string;
  readonly digest: string;
  readonly additive: number;
  readonly applied_at: string;
}

export interface MigrationState {
  readonly applied: readonly { readonly name: string; readonly at: string }[];
  readonly missing: readonly string[];
  /** applied by a newer version of Sluice, and harmless to this one */
  readonly newer: readonly string[];
}

/** @throws SluiceError `store_newer`, `store_changed`, `store_unavailable` */
export async function stateOf(database: Database, migrations: readonly Migration[]): Promise<MigrationState> {
  const applied = await appliedIn(database);
  return compare(applied, migrations, database);
}

/**
 * Applies what is missing.
 * @returns the names of the steps that were applied
 * @throws SluiceError `store_newer`, `store_changed`, `store_unavailable`
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  now: () => Date,
): Promise<readonly string[]> {
  const done: string[] = [];
  await database.transaction(async (queries) => {
    await lock(database, queries);
    await queries.query(TABLE);
  }, UNLIMITED);
  // One transaction for each, so that those before a step that fails stay applied.
  for (const migration of migrations)
    await database.transaction(async (queries) => {
      await lock(database, queries);
      const { missing } = compare(await appliedIn(database, queries), migrations, database);
      if (!missing.includes(migration.name)) return;
      await queries.query(sqlOf(migration, database));
      await queries.query('INSERT INTO sluice_migrations VALUES ($1, $2, $3, $4)', [
        migration.name,
        digestOf(migration, database),
        migration.isAdditive ? 1 : 0,
        now().toISOString(),
      ]);
      done.push(migration.name);
    }, UNLIMITED);
  return done;
}

/** @throws SluiceError `store_outdated` besides those of `stateOf` */
export async function requireCurrent(database: Database, migrations: readonly Migration[]): Promise<void> {
  const { missing } = await stateOf(database, migrations);
  if (missing.length > 0)
    throw new SluiceError(
      'store_outdated',
      `The store lacks ${missing.join(', ')}: run "sluice store migrate" with this version of Sluice, then start again.`,
    );
}

const sqlOf = ({ sql }: Migration, { dialect }: Database): string =>
  typeof sql === 'string' ? sql : sql[dialect];

const digestOf = (migration: Migration, database: Database): string =>
  createHash('sha256').update(sqlOf(migration, database)).digest('hex');

async function lock({ dialect }: Database, queries: Queries): Promise<void> {
  if (dialect === 'postgres') await queries.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
}

async function appliedIn(database: Database, queries: Queries = database): Promise<readonly Applied[]> {
  const found = await queries.query(
    database.dialect === 'sqlite'
      ? "SELECT 1 AS found FROM sqlite_master WHERE name = 'sluice_migrations'"
      : "SELECT 1 AS found WHERE to_regclass('sluice_migrations') IS NOT NULL",
  );
  return found.length === 0
    ? []
    : queries.query<Applied>('SELECT * FROM sluice_migrations ORDER BY applied_at, name');
}

function compare(
  applied: readonly Applied[],
  migrations: readonly Migration[],
  database: Database,
): MigrationState {
  const known = new Map(migrations.map((m) => [m.name as string, m]));
  const newer: string[] = [];
  for (const { name, digest, additive } of applied) {
    const migration = known.get(name);
    if (migration === undefined) {
      if (additive === 0)
        throw new SluiceError(
          'store_newer',
          `A newer version of Sluice has changed the store (${name}), and this version cannot use it any more: start the newer version.`,
        );
      newer.push(name);
    } else if (digestOf(migration, database) !== digest)
      throw new SluiceError(
        'store_changed',
        `The step ${name} of the store was applied with other statements than those of this version: restore the backup from before it, or ask for the version that applied it.`,
      );
  }
  const names = new Set(applied.map(({ name }) => name));
  return {
    applied: applied.map(({ name, applied_at }) => ({ name, at: applied_at })),
    missing: migrations.map(({ name }) => name).filter((name) => !names.has(name)),
    newer,
  };
}
