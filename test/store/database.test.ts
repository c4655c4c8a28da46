/** SQLite and PostgreSQL keep the same promises. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Migration } from '../../src/model/database.ts';
import { migrate, requireCurrent, stateOf } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-store-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('store');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'deeper', 'store.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};
const now = (): Date => new Date('2026-11-30T08:00:00Z');

describe.each(Object.keys(OPEN))('a store in %s', (dialect) => {
  let database: Database;
  let other: Database;
  beforeAll(async () => {
    database = OPEN[dialect]!();
    await database.write('CREATE TABLE counters (id text PRIMARY KEY, n bigint NOT NULL, note text)');
    other = OPEN[dialect]!();
  });
  afterAll(async () => {
    await database.close();
    await other.close();
  });

  test('returns texts, numbers of 53 bits and null as they were written', async () => {
    const written = await database.write('INSERT INTO counters VALUES ($1, $2, $3) RETURNING id, n, note', [
      "王'; DROP TABLE counters; --\u0000".replace('\u0000', ''),
      Number.MAX_SAFE_INTEGER,
      null,
    ]);
    expect(written.map((row) => ({ ...row }))).toEqual([
      { id: "王'; DROP TABLE counters; --", n: Number.MAX_SAFE_INTEGER, note: null },
    ]);
  });

  test('finds a list of ids at once', async () => {
    for (const id of ['a', 'b', 'c']) await database.write('INSERT INTO counters VALUES ($1, 1, NULL)', [id]);
    const rows = await database.query('SELECT id FROM counters WHERE n = $2 AND id = ANY($1) ORDER BY id', [
      ['a', 'c', 'x"]'],
      1,
    ]);
    expect(rows.map((r) => r['id'])).toEqual(['a', 'c']);
    expect(await database.query('SELECT id FROM counters WHERE id = ANY($1)', [[]])).toEqual([]);
  });

  test('shows nobody a transaction before its end, and nothing of one that fails', async () => {
    let during: unknown;
    await database.transaction(async (tx) => {
      await tx.query("INSERT INTO counters VALUES ('t', 1, NULL)");
      during = await Promise.all(
        [database, other].map((db) => db.query("SELECT id FROM counters WHERE id = 't'")),
      );
    });
    expect(during).toEqual([[], []]);
    expect(await other.query("SELECT id FROM counters WHERE id = 't'")).toHaveLength(1);
    const failed = database.transaction(async (tx) => {
      await tx.query("DELETE FROM counters WHERE id = 't'");
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    const broken = database.transaction(async (tx) => {
      await tx.query("DELETE FROM counters WHERE id = 't'");
      await tx.query('SELECT nothing FROM nowhere');
    });
    await expect(broken).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await database.query("SELECT id FROM counters WHERE id = 't'")).toHaveLength(1);
  });

  test('counts fifty uses at once exactly, by one statement and by a locked row', async () => {
    await database.write("INSERT INTO counters VALUES ('uses', 0, NULL), ('locked', 0, NULL)");
    const taken = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        [database, other][i % 2]!.write(
          "UPDATE counters SET n = n + 1 WHERE id = 'uses' AND n < 10 RETURNING n",
        ),
      ),
    );
    expect(taken.filter((rows) => rows.length === 1)).toHaveLength(10);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        [database, other][i % 2]!.transaction(async (tx) => {
          const [row] = await tx.query(`SELECT n FROM counters WHERE id = 'locked' ${database.forUpdate}`);
          await tx.query("UPDATE counters SET n = $1 WHERE id = 'locked'", [Number(row?.['n']) + 1]);
        }),
      ),
    );
    expect(await database.query("SELECT n FROM counters WHERE id = 'locked'")).toMatchObject([{ n: 50 }]);
  });

  test('says that it is ready', async () => {
    expect(await database.ready()).toEqual({ ok: true });
  });
});

describe('a store that cannot be used', () => {
  test('a directory instead of a file', () => {
    expect(() => openSqlite(dir)).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
  });

  test('a port where nobody answers', async () => {
    const database = openPostgres('postgres://nobody@127.0.0.1:1/none');
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(database.transaction((tx) => tx.query('SELECT 1'))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await database.ready()).toMatchObject({
      ok: false,
      detail: expect.stringContaining('store.postgres'),
    });
    await database.close();
  });
});

describe.each(Object.keys(OPEN))('steps of a store in %s', (dialect) => {
  const one: Migration = { name: 'box/1', isAdditive: true, sql: 'CREATE TABLE box (id text PRIMARY KEY)' };
  const two: Migration = {
    name: 'box/2',
    isAdditive: true,
    sql: "ALTER TABLE box ADD COLUMN note text; INSERT INTO box VALUES ('first', NULL)",
  };
  const broken: Migration = {
    name: 'box/3',
    isAdditive: true,
    sql: 'CREATE TABLE half (id text); CREATE TABLE box (id text)',
  };
  let database: Database;
  let other: Database;
  beforeAll(() => {
    database = OPEN[dialect]!();
    other = OPEN[dialect]!();
  });
  afterAll(async () => {
    await database.close();
    await other.close();
  });

  test('are missing before they are applied', async () => {
    expect(await stateOf(database, [one, two])).toEqual({
      applied: [],
      missing: ['box/1', 'box/2'],
      newer: [],
    });
    await expect(requireCurrent(database, [one])).rejects.toMatchObject({ code: 'store_outdated' });
  });

  test('are applied once, by however many at the same time', async () => {
    const done = await Promise.all([database, other, database].map((db) => migrate(db, [one, two], now)));
    expect(done.flat().sort()).toEqual(['box/1', 'box/2']);
    expect(await migrate(database, [one, two], now)).toEqual([]);
    expect((await database.query('SELECT id, note FROM box')).map((r) => ({ ...r }))).toEqual([
      { id: 'first', note: null },
    ]);
    await requireCurrent(database, [one, two]);
  });

  test('leave nothing where they fail half-way', async () => {
    await expect(migrate(database, [one, two, broken], now)).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    await expect(database.query('SELECT * FROM half')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await stateOf(database, [one, two, broken])).missing).toEqual(['box/3']);
  });

  test('of a newer version: tolerated where they only add, refused where they do not', async () => {
    expect(await stateOf(database, [one])).toMatchObject({ missing: [], newer: ['box/2'] });
    const breaking: Migration = { name: 'box/4', isAdditive: false, sql: 'DROP TABLE box' };
    await migrate(database, [one, two, breaking], now);
    await expect(stateOf(database, [one, two])).rejects.toMatchObject({ code: 'store_newer' });
  });

  test('that were edited after they had been applied are refused', async () => {
    const edited: Migration = { ...one, sql: 'CREATE TABLE box (id text)' };
    await expect(migrate(database, [edited], now)).rejects.toMatchObject({ code: 'store_changed' });
  });
});
