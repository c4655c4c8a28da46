/** SQLite and PostgreSQL keep the same promises. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database, Migration } from '../../src/model/database.ts';
import { migrate, requireCurrent, stateOf } from '../../src/store/migrations.ts';
import { connectionOf, openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { openForwarder } from '../support/forwarder.ts';
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

const OPEN: Readonly<Record<string, (options?: { readonly work?: number }) => Database>> = {
  sqlite: (options) => openSqlite(join(dir, 'deeper', 'store.db'), options),
  postgres: (options) => openPostgres(POSTGRES, { schema: schema.schema, ...options }),
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

  test('rolls back a transaction whose work never ends, and the next one has its turn', async () => {
    await database.write("INSERT INTO counters VALUES ('slow', 0, NULL)");
    const impatient = OPEN[dialect]!({ work: 100 });
    let late: unknown;
    const hangs = impatient.transaction(async (tx) => {
      await tx.query("UPDATE counters SET n = 1 WHERE id = 'slow'");
      late = () => tx.query("UPDATE counters SET n = 2 WHERE id = 'slow'");
      await new Promise(() => undefined);
    });
    const next = impatient.write("UPDATE counters SET n = n + 10 WHERE id = 'slow' RETURNING n");
    await expect(hangs).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('100 ms'),
    });
    expect(await next).toMatchObject([{ n: 10 }]);
    await expect((late as () => Promise<unknown>)()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await impatient.query("SELECT n FROM counters WHERE id = 'slow'")).toMatchObject([{ n: 10 }]);
    await impatient.close();
  });

  test('does not say that a transaction is kept which is not', async () => {
    const swallowed = database.transaction(async (tx) => {
      await tx.query("INSERT INTO counters VALUES ('swallowed', 1, NULL)");
      await tx.query('SELECT nothing FROM nowhere').catch(() => undefined);
    });
    const said = await swallowed.then(
      () => 'kept',
      (e: unknown) => (e as { code: string }).code,
    );
    const found = await database.query("SELECT n FROM counters WHERE id = 'swallowed'");
    expect({ said, rows: found.length }).toEqual(
      dialect === 'sqlite' ? { said: 'kept', rows: 1 } : { said: 'store_unavailable', rows: 0 },
    );
  });

  test('says that it is ready', async () => {
    expect(await database.ready()).toEqual({ ok: true });
  });
});

test('PostgreSQL itself ends the transaction of a process that hangs in it', async () => {
  const client = new pg.Client(connectionOf(POSTGRES, { work: 100 }));
  const errors: unknown[] = [];
  client.on('error', (e) => errors.push(e));
  await client.connect();
  await client.query('BEGIN');
  await new Promise<void>((done) => void client.once('end', done));
  expect(errors[0]).toMatchObject({ code: '25P03' });
});

test('SQLite keeps the statements that were used last, and no others', async () => {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const database = openSqlite(join(dir, 'many.db'));
  for (let i = 0; i < 1_000; i++) await database.query(`SELECT ${i} AS n`);
  const made = prepare.mock.results.map(({ value }) => new WeakRef(value as StatementSync));
  const again = prepare.mock.calls.length;
  await database.query('SELECT 999 AS n');
  expect(prepare).toHaveBeenCalledTimes(again);
  prepare.mockRestore();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await vi.waitFor(() => {
    collect();
    expect(made.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(200);
  }, 20_000);
  await database.close();
});

test('SQLite lets its reader wait, too, where the file is locked', async () => {
  const file = join(dir, 'held.db');
  const database = openSqlite(file);
  await database.write('CREATE TABLE t (n bigint)');
  const holder = new DatabaseSync(file);
  holder.exec('BEGIN IMMEDIATE');
  // The lock that the recovery of a log takes cannot be had from here: a write on the reader's connection meets the same error.
  const waiting = database.query('INSERT INTO t VALUES (1) RETURNING n');
  setImmediate(() => holder.exec('COMMIT'));
  expect(await waiting).toMatchObject([{ n: 1 }]);
  holder.close();
  await database.close();
});

test('a step of tables in PostgreSQL takes its time, and so does its turn', async () => {
  const steps: Migration[] = [
    {
      name: 'slow/1',
      isAdditive: true,
      sql: 'CREATE TABLE slow (id text); SELECT pg_sleep(0.4)',
    },
  ];
  const options = { schema: schema.schema, timeout: 100, work: 200 };
  const both = [openPostgres(POSTGRES, options), openPostgres(POSTGRES, options)];
  const done = await Promise.all(both.map((db) => migrate(db, steps, now)));
  expect(done.flat()).toEqual(['slow/1']);
  const [database] = both;
  await database!.write('DROP TABLE slow; DROP TABLE sluice_migrations');
  // The limits are those of that transaction only.
  await expect(database!.transaction((tx) => tx.query('SELECT pg_sleep(1)'))).rejects.toMatchObject({
    code: 'store_unavailable',
  });
  await Promise.all(both.map((db) => db.close()));
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

test('a store that is closed while PostgreSQL does not answer leaves no connection that keeps the process', async () => {
  const forwarder = await openForwarder();
  const held = openPostgres(forwarder.url('public'));
  const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  await Promise.all([held.query('SELECT 1'), held.query('SELECT 2')]);
  forwarder.hold();
  await held.close();
  // Those of the forwarder: two to it, and two to PostgreSQL.
  const open = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length - before;
  await vi.waitFor(() => expect(open()).toBeLessThanOrEqual(4), 20_000);
  await forwarder.close();
});
