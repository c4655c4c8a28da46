/** Announcements as rows: each is read once, in whatever order transactions commit, with the real PostgreSQL and Redis. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { isAnnounced, MIGRATIONS } from '../../src/compose/store.ts';
import type { Channel } from '../../src/model/channel.ts';
import type { Database, Parameter, Row } from '../../src/model/database.ts';
import type { Change } from '../../src/model/invalidation.ts';
import { EVERYTHING } from '../../src/store/announcements.ts';
import { type Hints, hinting, openHints } from '../../src/store/hints.ts';
import { migrate } from '../../src/store/migrations.ts';
import { endedNow, keepOutboxShort, type Position, readOutbox, removeRead } from '../../src/store/outbox.ts';
import { openOutboxChannel } from '../../src/store/outbox-channel.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { ownRedis } from '../support/redis.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let schema: Awaited<ReturnType<typeof freshSchema>>;
let database: Database;
beforeAll(async () => {
  schema = await freshSchema('outbox');
  database = openPostgres(POSTGRES, { schema: schema.schema });
  await migrate(database, MIGRATIONS, () => new Date());
});
afterAll(async () => {
  await database.close();
  await schema.drop();
});

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: POSTGRES, options: `-c search_path=${schema.schema}` });
  await client.connect();
  closing.push(() => client.end());
  return client;
}

const announce = (on: pg.Client, name: string): Promise<unknown> =>
  on.query("SELECT sluice_announce('consents', 'data_subject', ARRAY[$1])", [name]);
const about = (name: string): Change => ({ kind: 'consents', scope: { data_subject: name } });

/** What one process reads, step by step. */
function reader() {
  let position: Position | null = null;
  return {
    async read(): Promise<readonly Change[]> {
      const { position: now, changes } = await readOutbox(database, position);
      position = now;
      return changes;
    },
    at: () => position!,
  };
}

describe('what a process reads', () => {
  test('begins with everything, and then is what was announced since', async () => {
    const { read } = reader();
    const a = await connected();
    await announce(a, 'before');
    expect(await read()).toEqual(EVERYTHING);
    expect(await read()).toEqual([]);
    await announce(a, 'one');
    await announce(a, 'two');
    expect(await read()).toEqual([about('one'), about('two')]);
    expect(await read()).toEqual([]);
  });

  test('has the row of a transaction that commits after a later one', async () => {
    const { read } = reader();
    const [early, late] = [await connected(), await connected()];
    await read();
    await early.query('BEGIN');
    await announce(early, 'early');
    await announce(late, 'late');
    expect(await read()).toEqual([about('late')]);
    expect(await read()).toEqual([]);
    await early.query('COMMIT');
    expect(await read()).toEqual([about('early')]);
    expect(await read()).toEqual([]);
  });

  test('has each row once while a transaction is open for long, also after rows were removed', async () => {
    const { read } = reader();
    const [long, other] = [await connected(), await connected()];
    await read();
    await long.query('BEGIN');
    await announce(long, 'long');
    for (let i = 0; i < 5; i++) {
      await announce(other, `other ${i}`);
      await removeRead(database, await endedNow(database));
      expect(await read()).toEqual([about(`other ${i}`)]);
    }
    await long.query('COMMIT');
    expect(await read()).toEqual([about('long')]);
  });

  test('is everything where rows were removed that it had not read', async () => {
    const { read } = reader();
    const a = await connected();
    await read();
    await announce(a, 'removed');
    await removeRead(database, await endedNow(database));
    expect(await read()).toEqual(EVERYTHING);
    expect(await read()).toEqual([]);
  });

  test('is not everything where rows were removed that it had read', async () => {
    const { read } = reader();
    const a = await connected();
    await read();
    await announce(a, 'read');
    expect(await read()).toEqual([about('read')]);
    await removeRead(database, await endedNow(database));
    await announce(a, 'next');
    expect(await read()).toEqual([about('next')]);
  });

  test('is not everything for ever in a copy of the tables at another server, whose numbers of transactions are smaller', async () => {
    const { read } = reader();
    const a = await connected();
    const ahead = '(pg_current_xact_id()::text::bigint + 1000000000)::text::xid8';
    await announce(a, 'copied');
    await a.query(`UPDATE sluice_announcements SET xid = ${ahead}`);
    await a.query(`UPDATE sluice_announcements_removed SET before = ${ahead}`);
    for (let i = 0; i < 3; i++) expect(await read()).toEqual(EVERYTHING);
    await removeRead(database, await endedNow(database));
    await read();
    await announce(a, 'next');
    expect(await read()).toEqual([about('next')]);
    expect(await read()).toEqual([]);
  });

  test('is everything at a server that was started again, and for more rows than can be told one by one', async () => {
    const { read, at } = reader();
    const a = await connected();
    await read();
    expect((await readOutbox(database, { ...at(), server: '1.5' })).changes).toEqual(EVERYTHING);
    await a.query(
      "SELECT sluice_announce('consents', 'data_subject', ARRAY[i::text]) FROM generate_series(1, 1001) i",
    );
    expect(await read()).toEqual(EVERYTHING);
  });

  test('is nothing at a standby, where the channel is down', async () => {
    const standby: Pick<Database, 'query'> = {
      async query<R extends Row>(sql: string, parameters?: readonly Parameter[]) {
        return database.query<R>(sql.replace('pg_is_in_recovery()', 'true'), parameters);
      },
    };
    await expect(readOutbox(standby, null)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('has a row whose number of a transaction was given before, as it may be after a crash', async () => {
    const { read } = reader();
    const a = await connected();
    await read();
    await a.query(`INSERT INTO sluice_announcements (xid, announcement) VALUES ('3', $1)`, [
      JSON.stringify(about('again')),
    ]);
    expect(await read()).toEqual([about('again')]);
    expect(await read()).toEqual([]);
  });

  test('is every announcement that was committed, once, in any order of transactions, reads and removals', async () => {
    const clients = [await connected(), await connected(), await connected()];
    type Step = {
      readonly on: number;
      readonly what: 'announce' | 'commit' | 'undo' | 'read' | 'note' | 'remove';
    };
    const steps = fc.array(
      fc.record<Step>({
        on: fc.nat(clients.length - 1),
        what: fc.constantFrom('announce', 'announce', 'commit', 'undo', 'read', 'note', 'remove'),
      }),
      { maxLength: 25 },
    );
    let names = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { read } = reader();
        await read();
        const open = clients.map((): string[] => []);
        let due: string[] = [];
        let before = await endedNow(database);
        const end = async (on: number, how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
          await clients[on]!.query(how);
          if (how === 'COMMIT') due.push(...open[on]!);
          open[on] = [];
        };
        const readAll = async (): Promise<void> => {
          const changes = await read();
          if (JSON.stringify(changes) !== JSON.stringify(EVERYTHING))
            expect(changes.map((c) => JSON.stringify(c)).sort()).toEqual(
              due.map((name) => JSON.stringify(about(name))).sort(),
            );
          due = [];
        };
        for (const { on, what } of all) {
          if (what === 'announce') {
            if (open[on]!.length === 0) await clients[on]!.query('BEGIN');
            const name = `n${names++}`;
            await announce(clients[on]!, name);
            open[on]!.push(name);
          } else if (what === 'commit' || what === 'undo')
            await end(on, what === 'commit' ? 'COMMIT' : 'ROLLBACK');
          else if (what === 'read') await readAll();
          else if (what === 'note') before = await endedNow(database);
          else await removeRead(database, before);
        }
        for (const on of clients.keys()) await end(on, 'COMMIT');
        await readAll();
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

test('the table is kept short, without rows that somebody may not have read', async () => {
  const { read } = reader();
  const a = await connected();
  await read();
  for (let i = 0; i < 50; i++) await announce(a, `kept ${i}`);
  const keeping = keepOutboxShort(database, 5);
  closing.push(() => keeping.close());
  await vi.waitFor(async () => {
    const [row] = await database.query<{ n: number }>('SELECT count(*) AS n FROM sluice_announcements');
    expect(row!.n).toBe(0);
  }, 20_000);
  // Nothing was read for longer than rows are kept here.
  expect(await read()).toEqual(EVERYTHING);
});

test('whoever may change consents needs no right on the table of announcements, and no search path', async () => {
  const { read } = reader();
  const role = `sluice_writer_${process.pid}`;
  const admin = await connected();
  await admin.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA ${schema.schema} TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema.schema}.consent_subjects TO ${role}`);
  closing.push(() => admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
  await read();
  const writer = await connected();
  await writer.query(
    `SET search_path = public; SET ROLE ${role}; CREATE TEMP TABLE sluice_announcements (announcement text)`,
  );
  await writer.query(`INSERT INTO ${schema.schema}.consent_subjects VALUES ('by another', '{}')`);
  expect(await read()).toEqual([about('by another')]);
});

describe('a channel that reads the table', () => {
  let redis: Awaited<ReturnType<typeof ownRedis>>;
  beforeEach(async () => {
    redis = await ownRedis();
    closing.push(() => redis.close());
  });

  interface Heard {
    readonly channel: Channel;
    readonly heard: Change[];
    readonly hinted: boolean[];
  }
  async function opened(interval: number): Promise<Heard> {
    const heard: Change[] = [];
    const hinted: boolean[] = [];
    const channel = openOutboxChannel(
      openPostgres(POSTGRES, { schema: schema.schema, connections: 1 }),
      openHints(redis.url, { changed: (isUp) => void hinted.push(isUp) }),
      { received: (change) => void heard.push(change) },
      { heartbeat: { interval, silence: 600_000 } },
    );
    closing.push(() => channel.close());
    await vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
    await vi.waitFor(() => expect(channel.hintsUp?.()).toBe(true), 20_000);
    return { channel, heard, hinted };
  }
  const NEVER = 600_000;
  const withHintsOf = (url: string): Database => {
    const hints = openHints(url);
    closing.push(() => hints.close());
    return hinting(database, isAnnounced, hints);
  };

  test('reads at a hint: a change by Sluice does not wait for the heartbeat', async () => {
    const a = await opened(NEVER);
    const publisher = withHintsOf(redis.url);
    for (const who of ['first', 'second', 'third']) {
      await publisher.write('INSERT INTO consent_subjects VALUES ($1, $2)', [who, '{}']);
      await vi.waitFor(() => expect(a.heard).toContainEqual(about(who)), 20_000);
    }
    await publisher.transaction((queries) =>
      queries.query("UPDATE consent_subjects SET version = 2 WHERE data_subject = 'first'"),
    );
    await vi.waitFor(
      () =>
        expect(a.heard.filter((c) => JSON.stringify(c) === JSON.stringify(about('first')))).toHaveLength(2),
      20_000,
    );
  });

  test('hears at the next heartbeat what a publisher has committed that was killed before its hint', async () => {
    const a = await opened(50);
    const child = fork(new URL('../support/publisher-child.ts', import.meta.url), [schema.schema, 'killed'], {
      env: { ...process.env, SLUICE_TEST_POSTGRES: POSTGRES },
    });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    await vi.waitFor(() => expect(a.heard).toContainEqual(about('killed')), 20_000);
  });

  test('hears at the next heartbeat while Redis is stopped, says so, and takes hints again afterwards', async () => {
    const a = await opened(50);
    await redis.stop();
    await vi.waitFor(() => expect(a.hinted).toEqual([true, false]), 20_000);
    expect(a.channel.isUp()).toBe(true);
    expect(await a.channel.ready()).toEqual({
      ok: false,
      detail: expect.stringMatching(/^hints through Redis: .+; a change counts within 50 ms$/),
    });
    const publisher = withHintsOf(redis.url);
    await publisher.write('INSERT INTO consent_subjects VALUES ($1, $2)', ['without Redis', '{}']);
    await vi.waitFor(() => expect(a.heard).toContainEqual(about('without Redis')), 20_000);
    await redis.start();
    await vi.waitFor(() => expect(a.hinted).toEqual([true, false, true]), 20_000);
    expect(await a.channel.ready()).toEqual({ ok: true });
  });

  test('a Redis that was restarted carries hints again, although no heartbeat comes', async () => {
    const a = await opened(NEVER);
    await redis.stop();
    await vi.waitFor(() => expect(a.channel.hintsUp?.()).toBe(false), 20_000);
    await announce(await connected(), 'while it was down');
    await redis.start();
    await vi.waitFor(() => expect(a.heard).toContainEqual(about('while it was down')), 20_000);
    const publisher = withHintsOf(redis.url);
    await publisher.write('INSERT INTO consent_subjects VALUES ($1, $2)', ['after', '{}']);
    await vi.waitFor(() => expect(a.heard).toContainEqual(about('after')), 20_000);
  });

  test('closing ends the process also while Redis does not answer', async () => {
    await redis.stop();
    const hints = openHints(redis.url);
    hints.send();
    await hints.close();
    expect(hints.isUp()).toBe(false);
  });
});

describe('hints', () => {
  const counted = () => {
    let sent = 0;
    const hints: Hints = {
      send: () => void sent++,
      listen: () => undefined,
      isUp: () => true,
      why: () => 'up',
      close: async () => undefined,
    };
    return { database: hinting(database, isAnnounced, hints), sent: () => sent };
  };

  test('follow a change of consents, and nothing that was undone or announces nothing', async () => {
    const { database: hinted, sent } = counted();
    await hinted.query('SELECT 1');
    await hinted.write('UPDATE sluice_migrations SET additive = additive');
    expect(sent()).toBe(0);
    const undone = hinted.transaction(async (queries) => {
      await queries.query("INSERT INTO consent_subjects VALUES ('undone', '{}')");
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(sent()).toBe(0);
    await hinted.write("INSERT INTO consent_aliases VALUES ('card', '77', 'P1')");
    expect(sent()).toBe(1);
  });

  test('are sent for every table whose triggers announce', async () => {
    const rows = await database.query<{ name: string }>(
      `SELECT DISTINCT c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
       WHERE c.relnamespace = $1::regnamespace AND p.proname LIKE 'sluice_announce%'`,
      [schema.schema],
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { name } of rows)
      for (const sql of [
        `INSERT INTO ${name} (a) VALUES ($1)`,
        `UPDATE ${name} SET a = 1`,
        `DELETE FROM ${name}`,
      ])
        expect([sql, isAnnounced(sql)]).toEqual([sql, true]);
    for (const sql of ['SELECT * FROM consent_subjects', 'INSERT INTO consent_events VALUES (1)'])
      expect([sql, isAnnounced(sql)]).toEqual([sql, false]);
  });
});
