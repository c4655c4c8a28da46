/** An index over time: retention, rebuilding, other versions, and what fails meanwhile. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Entry, indexable } from '../../src/decision-log/index/entry.ts';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../src/decision-log/index/postgres.ts';
import type { DecisionQuery, QueryInterface } from '../../src/decision-log/index/query.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import type { IndexOptions, IndexStore } from '../../src/decision-log/index/store.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';
import { openForwarder, schemaUrl } from '../support/forwarder.ts';
import { openJournal, temporaryDirectory, writeJournal } from '../support/journals.ts';
import { PGBOUNCER, pgbouncer } from '../support/pgbouncer.ts';
import { runCommand } from '../support/io.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const DAY = 86_400_000;
/**
 * The beginning of today: days end at midnight, and a test must not run over it. Not later than now: other tests of this process would get ids of
 * the future, because ids never go back behind one that was made.
 */
const NOW = Math.floor(Date.now() / DAY) * DAY;
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());
const date = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** A decision that began so many days ago. Each day has a purpose of its own. */
function draftAt(daysAgo: number, n: number): DecisionRecordDraft {
  const at = NOW - daysAgo * DAY;
  const time = at.toString(16).padStart(12, '0');
  return draft(n, {
    decision_id: `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`,
    timestamp: new Date(at + 5).toISOString(),
    purpose: `purpose-${daysAgo}`,
  });
}

/** 10 decisions on each of the last 8 days, the oldest first. */
async function journalOfDays(dir: string): Promise<void> {
  const journal = await openJournal(dir, { segmentSize: 64 << 10 });
  for (let n = 0; n < 80; n++) await journal.append(draftAt(7 - Math.floor(n / 10), n));
  await journal.close();
}

const all = async (source: QueryInterface, query: DecisionQuery = {}) =>
  (await source.query({ limit: 1000, ...query })).decisions;

const KEPT = 3 * DAY;
/** What an index that keeps three days has to answer: whole days are deleted. */
const young = async (dir: string, query: DecisionQuery = {}) =>
  (await all(scanQuery(dir), query)).filter(({ timestamp }) => timestamp.slice(0, 10) >= date(NOW - KEPT));

if (PGBOUNCER === undefined)
  process.stderr.write('decision index: PgBouncer is left out, it is not installed\n');

let schemas = 0;
async function newSchema(): Promise<string> {
  const { schema, drop } = await freshSchema(`life${++schemas}`);
  onTestFinished(drop);
  return schema;
}

interface Kind {
  readonly name: string;
  /** opens the same index each time; the first time it is new */
  make(): Promise<(options?: IndexOptions) => IndexStore>;
}
const kinds: readonly Kind[] = [
  {
    name: 'sqlite',
    async make() {
      const path = join(temporaryDirectory(), 'index.db');
      return (options) => openSqliteIndex(path, options);
    },
  },
  {
    name: 'postgres',
    async make() {
      const schema = await newSchema();
      return (options) => openPostgresIndex(POSTGRES, { ...options, schema });
    },
  },
];

describe.each(kinds)('the index $name', ({ make }) => {
  const opening = async () => {
    const open = await make();
    return (options?: IndexOptions): IndexStore => {
      const store = open(options);
      onTestFinished(() => store.close());
      return store;
    };
  };

  test('copies only days that it keeps, and answers about them as the journal does', async () => {
    const dir = temporaryDirectory();
    await journalOfDays(dir);
    const store = (await opening())({ keep: KEPT });
    expect(await feed(dir, store)).toMatchObject({ lag: 0, refused: 0 });
    const wanted = await young(dir);
    expect(wanted.length).toBeGreaterThanOrEqual(30);
    expect(wanted.length).toBeLessThan(80);
    expect(await all(store)).toEqual(wanted);
    expect(await store.status()).toMatchObject({
      records: wanted.length,
      days: [date(NOW - KEPT), date(NOW)],
    });
  });

  test('reads no segment in which all is older than what it keeps', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir, { segmentSize: 64 << 10 });
    for (let n = 0; n < 400; n++) await journal.append(draftAt(7 - Math.floor(n / 50), n));
    await journal.close();
    const [first] = readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
    // Its first record stays as it is: it tells the time.
    const lines = readFileSync(join(dir, first!), 'utf8').split('\n');
    writeFileSync(
      join(dir, first!),
      lines.map((line, i) => (i < 10 ? line : line.replace('a', 'b'))).join('\n'),
    );
    const open = await opening();
    const [store, whole] = [open({ keep: KEPT }), (await opening())()];
    expect(await feed(dir, store)).toMatchObject({ lag: 0, refused: 0 });
    expect(await all(store)).toEqual(await young(dir));
    expect((await all(store)).length).toBe(200);
    expect((await feed(dir, whole)).refused).toBeGreaterThan(0);
  });

  test('deletes days that are too old, whoever fills the index, and says which', async () => {
    const dir = temporaryDirectory();
    await journalOfDays(dir);
    const open = await opening();
    // It knows numbers of profiles that are deleted.
    const other = open();
    await feed(dir, other);
    expect(await all(other)).toEqual(await all(scanQuery(dir)));
    const store = open({ keep: KEPT });
    expect(await store.prune()).toEqual([7, 6, 5, 4].map((days) => date(NOW - days * DAY)));
    expect(await store.prune()).toEqual([]);
    const journal = await openJournal(dir);
    for (let n = 80; n < 90; n++) await journal.append(draftAt(n % 2, n));
    // A purpose that no day has any more comes back.
    await journal.append(draft(90, { purpose: 'purpose-7', timestamp: new Date(NOW).toISOString() }));
    await journal.close();
    expect((await feed(dir, other)).lag).toBe(0);
    for (const query of [{}, { purpose: 'purpose-0' }, { purpose: 'purpose-7' }, { subject: 'u-1' }]) {
      const wanted = await young(dir, query);
      expect(wanted.length, JSON.stringify(query)).toBeGreaterThan(0);
      for (const index of [store, other]) expect(await all(index, query)).toEqual(wanted);
    }
    expect(await all(store, { purpose: 'purpose-6' })).toEqual([]);
  });

  test('is the same after it was emptied and filled again, also by a feeder that was in the middle', async () => {
    const dir = temporaryDirectory();
    await journalOfDays(dir);
    const open = await opening();
    const [store, other] = [open(), open()];
    await feed(dir, store);
    const before = await all(store);
    expect(await all(other)).toEqual(before);
    await store.clear();
    expect(await all(other)).toEqual([]);
    expect(await store.status()).toMatchObject({ records: 0, days: null });
    // It read its positions before.
    const middle = { segment: 1, offset: 0, seq: 40 };
    await expect(other.take('test-00000000', [], { ...middle, seq: 50 }, middle)).rejects.toMatchObject({
      code: 'index_cleared',
    });
    expect((await feed(dir, other)).lag).toBe(0);
    for (const index of [store, other]) expect(await all(index)).toEqual(before);
  });

  test('forgets records and what is stored for them alone, and takes new ones with the same content', async () => {
    const dir = temporaryDirectory();
    const someone = { ...draft().subject!, id: 'u-left' };
    const of = (n: number) => draftAt(n % 2, n);
    const part = (n: number, number: number): DecisionRecordDraft => ({
      ...of(n),
      disclosure: { ...of(n).disclosure!, released: [`/part/${number}`] },
      part: { number, last: number === 2 },
    });
    const journal = await openJournal(dir);
    for (let n = 1; n <= 20; n++) await journal.append(n === 7 ? { ...of(7), subject: someone } : of(n));
    for (const number of [1, 2]) await journal.append(part(21, number));
    await journal.close();
    const open = await opening();
    const [store, other] = [open(), open()];
    await feed(dir, other);
    const before = await all(other);
    await store.forget(journal.origin, [
      [6, 8],
      [12, 12],
      [22, 22],
    ]);
    const left = before.filter(({ chain: [{ seq } = { seq: 0 }] }) => ![6, 7, 8, 12].includes(seq));
    for (const index of [store, other]) {
      expect((await all(index)).filter(({ complete }) => complete)).toEqual(
        left.filter(({ chain }) => chain.length === 1),
      );
      expect(await all(index, { path: '/part/2' })).toEqual([]);
      expect(await all(index, { path: '/part/1' })).toMatchObject([
        { complete: false, disclosure: { released: ['/part/1'] }, chain: [{ seq: 21 }] },
      ]);
      expect(await all(index, { subject: 'u-left' })).toEqual([]);
    }
    expect((await store.status()).records).toBe(17);
    const again = await openJournal(dir);
    await again.append({ ...of(30), subject: someone });
    await again.close();
    await feed(dir, other);
    for (const index of [store, other])
      expect(await all(index, { subject: 'u-left' })).toEqual(
        await all(scanQuery(dir), { subject: 'u-left', since: date(NOW) }).then((found) =>
          found.filter(({ chain }) => chain[0]!.seq === 23),
        ),
      );
    expect(await all(other, { subject: 'u-left' })).toHaveLength(1);
  });

  test('has each record once, although two feeders copy the same chain', async () => {
    const dir = temporaryDirectory();
    await writeJournal(dir, 1500, { segmentSize: 64 << 10 });
    const open = await opening();
    const stores = [open(), open()].map((store) => Object.assign(store, { batch: 100 }));
    await Promise.all(stores.map((store) => feed(dir, store)));
    expect((await stores[0]!.status()).records).toBe(1500);
    const wanted = await all(scanQuery(dir));
    expect(wanted.every(({ chain }) => chain.length === 1)).toBe(true);
    for (const store of stores) expect(await all(store)).toEqual(wanted);
  });
});

test('decisions index says how far the index is, and builds it again', async () => {
  const dir = temporaryDirectory();
  writeFileSync(
    join(dir, 'sluice.yaml'),
    `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: erp, sha256: "${'0'.repeat(64)}", subject: { id: erp, organization: internal } }] }
policy: { dir: . }
consent: { file: ./consents.yaml }
routes: [{ match: "GET /x", upstream: crm, resource: x, action: read }]
decision_log: { journal: { dir: ./journal, min_free: 64KiB }, index: { sqlite: ./index.db, keep: 400d } }
`,
  );
  const origin = await writeJournal(join(dir, 'journal'), 12);
  const run = async (...argv: string[]) => {
    const ran = await runCommand(['decisions', 'index', ...argv], { cwd: dir, columns: 120 });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    return ran.stdout;
  };
  const status = async (...argv: string[]) => JSON.parse(await run('--json', ...argv)) as unknown;
  const chain = { origin, journal: 12, first: 1 };
  expect(await status()).toMatchObject({
    version: 3,
    records: 0,
    behind: 12,
    chains: [{ ...chain, index: 0 }],
  });
  const filled = { records: 12, behind: 0, days: [date(NOW), date(NOW)], chains: [{ ...chain, index: 12 }] };
  expect(await status('--rebuild')).toMatchObject(filled);
  expect(await status('--rebuild')).toMatchObject(filled);
  expect(await run()).toContain(`version 3: 12 records from ${date(NOW)} to ${date(NOW)}`);
  const none = await runCommand(['decisions', 'index', '--journal', join(dir, 'journal')], { cwd: dir });
  expect(none).toMatchObject({ code: 2, stdout: '' });
});

test('an SQLite index whose file was deleted is filled again without a restart', async () => {
  const dir = temporaryDirectory();
  const path = join(temporaryDirectory(), 'index.db');
  await writeJournal(dir, 30);
  const store = openSqliteIndex(path);
  onTestFinished(() => store.close());
  await feed(dir, store);
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
  await feed(dir, store);
  const again = openSqliteIndex(path);
  onTestFinished(() => again.close());
  expect(await all(again)).toEqual(await all(scanQuery(dir)));
});

describe('an SQLite file', () => {
  test('holds nothing any more of what was deleted', async () => {
    const [dir, path] = [temporaryDirectory(), join(temporaryDirectory(), 'index.db')];
    await journalOfDays(dir);
    const journal = await openJournal(dir);
    for (let n = 80; n < 100; n++)
      await journal.append({ ...draftAt(n < 90 ? 6 : 0, n), justification: `a reason that ${n} had` });
    await journal.close();
    const store = openSqliteIndex(path);
    onTestFinished(() => store.close());
    await feed(dir, store);
    const found = (what: string): boolean =>
      [path, `${path}-wal`].some((file) => existsSync(file) && readFileSync(file).includes(what));
    const checkpoint = (): void => {
      const db = new DatabaseSync(path);
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
    };
    expect(found('a reason that 85 had')).toBe(true);
    const keeping = openSqliteIndex(path, { keep: KEPT });
    onTestFinished(() => keeping.close());
    await keeping.prune();
    checkpoint();
    expect([found('a reason that 85 had'), found('a reason that 95 had')]).toEqual([false, true]);
    await store.clear();
    expect(found('a reason that 95 had')).toBe(false);
  });

  test('with an index of an earlier version is emptied, and this is said', async () => {
    const dir = temporaryDirectory();
    const path = join(temporaryDirectory(), 'index.db');
    await writeJournal(dir, 5);
    const db = new DatabaseSync(path);
    db.exec(`CREATE TABLE records (origin TEXT, seq INTEGER, line TEXT, UNIQUE (origin, seq));
      CREATE INDEX records_seq ON records (seq); CREATE TABLE positions (origin TEXT PRIMARY KEY, seq INTEGER);
      INSERT INTO records VALUES ('o', 1, ''); PRAGMA user_version=1`);
    db.close();
    let said = 0;
    const store = openSqliteIndex(path, { replaced: () => said++ });
    onTestFinished(() => store.close());
    expect(said).toBe(1);
    await feed(dir, store);
    expect(await all(store)).toEqual(await all(scanQuery(dir)));
  });

  test.each([
    ['an index of a newer version', 'PRAGMA user_version=99; CREATE TABLE t (a)', /newer version/],
    ['another database', 'CREATE TABLE customers (a)', /is not an index/],
  ])('with %s is refused and left as it is', (_, sql, message) => {
    const path = join(temporaryDirectory(), 'index.db');
    const db = new DatabaseSync(path);
    db.exec(sql);
    expect(() => openSqliteIndex(path)).toThrow(message);
    expect(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 1 });
    db.close();
  });
});

describe('PostgreSQL', () => {
  test('may be away for a while: the feeder fails, and goes on where it was', async () => {
    const dir = temporaryDirectory();
    await writeJournal(dir, 400);
    const own = await newSchema();
    const forwarder = await openForwarder();
    onTestFinished(() => forwarder.close());
    const store = Object.assign(openPostgresIndex(forwarder.url(own)), { batch: 50 });
    onTestFinished(() => store.close());
    let batches = 0;
    const failure = await feed(dir, store, undefined, undefined, () => {
      if (++batches === 3) void forwarder.stop();
    }).catch((e: unknown) => e);
    expect(isSluiceError(failure)).toBe(true);
    await expect(store.positions()).rejects.toSatisfy((e) => isSluiceError(e));
    await forwarder.start();
    await feed(dir, store);
    expect((await store.status()).records).toBe(400);
    expect(await all(store)).toEqual(await all(scanQuery(dir)));
  });

  test.runIf(PGBOUNCER !== undefined)(
    'is asked through PgBouncer, which loses names of statements',
    async () => {
      const client = new pg.Client(POSTGRES);
      await client.connect();
      onTestFinished(() => client.end());
      const database = `sluice_life_${process.pid}`;
      await client.query(`DROP DATABASE IF EXISTS ${database}`);
      await client.query(`CREATE DATABASE ${database}`);
      onTestFinished(async () => void (await client.query(`DROP DATABASE ${database} WITH (FORCE)`)));
      const bouncer = await pgbouncer(database, ['default_pool_size = 3', 'max_client_conn = 100']);
      onTestFinished(() => bouncer.close());
      const dir = temporaryDirectory();
      await writeJournal(dir, 50);
      const stores = [1, 2, 3, 4].map(() => openPostgresIndex(bouncer.url));
      onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
      for (const store of stores) await feed(dir, store);
      const wanted = await all(scanQuery(dir));
      for (let i = 0; i < 3; i++)
        for (const found of await Promise.all(stores.flatMap((store) => [1, 2, 3, 4].map(() => all(store)))))
          expect(found).toEqual(wanted);
    },
  );

  /** What a store gets of the records of a journal. */
  async function entriesIn(dir: string): Promise<Entry[]> {
    const found: Entry[] = [];
    await feed<Entry>(dir, {
      name: 'entries',
      hold: indexable,
      positions: async () => new Map(),
      take: async (_origin, held) => void found.push(...held),
      close: async () => undefined,
    });
    return found;
  }

  test('has each text once, although two sidecars were about to store it', async () => {
    const [schema, dirs] = [await newSchema(), [temporaryDirectory(), temporaryDirectory()]];
    const stores = dirs.map(() => openPostgresIndex(POSTGRES, { schema }));
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const batches = await Promise.all(
      dirs.map(async (dir, i) => {
        const journal = await openJournal(dir);
        for (let n = 0; n < 20; n++) await journal.append(draftAt(0, 100 * i + n));
        await journal.close();
        return entriesIn(dir);
      }),
    );
    const [begin, end] = [
      { segment: 0, offset: 0, seq: 0 },
      { segment: 1, offset: 9, seq: 20 },
    ];
    for (const [i, store] of stores.entries()) await prepared(store, `chain-${i}`, batches[i]!);
    for (const [i, store] of stores.entries()) await store.take(`chain-${i}`, batches[i]!, end, begin);
    const wanted = await Promise.all(dirs.map((dir) => all(scanQuery(dir))));
    for (const store of stores)
      expect(await all(store)).toEqual([
        ...wanted[1]!.map((decision) => ({
          ...decision,
          chain: [{ ...decision.chain[0], origin: 'chain-1' }],
        })),
        ...wanted[0]!.map((decision) => ({
          ...decision,
          chain: [{ ...decision.chain[0], origin: 'chain-0' }],
        })),
      ]);
    const client = new pg.Client(POSTGRES);
    await client.connect();
    onTestFinished(() => client.end());
    const { rows } = await client.query(
      `SELECT count(*) AS n FROM ${schema}.sluice_index3_texts GROUP BY day, digest`,
    );
    expect(new Set(rows.map(({ n }) => n))).toEqual(new Set(['1']));
  });

  /** The batch is ready when the chain's number is stored. */
  async function prepared(store: IndexStore, origin: string, entries: readonly Entry[]): Promise<void> {
    store.prepare!(origin, entries);
    await vi.waitFor(async () => expect((await store.positions()).has(origin)).toBe(true));
  }

  test('makes a batch again if the index was emptied before it was taken', async () => {
    const [dir, schema] = [temporaryDirectory(), await newSchema()];
    await writeJournal(dir, 50);
    const [store, other] = [openPostgresIndex(POSTGRES, { schema }), openPostgresIndex(POSTGRES, { schema })];
    onTestFinished(async () => void (await Promise.all([store.close(), other.close()])));
    const entries = await entriesIn(dir);
    await prepared(store, 'chain', entries);
    await other.clear();
    // Other texts have the numbers now that the batch was made with.
    await other.take('other', await entriesIn(await journalElsewhere()), POSITION, { ...POSITION, seq: 0 });
    await store.take('chain', entries, POSITION, { ...POSITION, seq: 0 });
    const found = await all(store);
    for (const wanted of await all(scanQuery(dir)))
      expect(found.find(({ decision_id }) => decision_id === wanted.decision_id)).toEqual({
        ...wanted,
        chain: [{ ...wanted.chain[0]!, origin: 'chain' }],
      });
  });
  const POSITION = { segment: 1, offset: 9, seq: 100 };
  async function journalElsewhere(): Promise<string> {
    const dir = temporaryDirectory();
    await journalOfDays(dir);
    return dir;
  }

  test('finds by a profile that became visible after one with a greater number', async () => {
    const [dir, schema] = [temporaryDirectory(), await newSchema()];
    await journalOfDays(dir);
    const store = openPostgresIndex(POSTGRES, { schema });
    onTestFinished(() => store.close());
    await feed(dir, store);
    const client = new pg.Client(POSTGRES);
    await client.connect();
    onTestFinished(() => client.end());
    const texts = `${schema}.sluice_index3_texts`;
    const { rows } = await client.query(
      `DELETE FROM ${texts} WHERE id = (SELECT min(id) FROM ${texts} WHERE day = -1) RETURNING *`,
    );
    const late = openPostgresIndex(POSTGRES, { schema });
    onTestFinished(() => late.close());
    const { purpose } = JSON.parse(rows[0].text) as { purpose: string };
    const wanted = await all(scanQuery(dir), { purpose });
    expect((await all(late, { purpose })).length).toBeLessThan(wanted.length);
    await client.query(
      `INSERT INTO ${texts} (id, day, digest, text) OVERRIDING SYSTEM VALUE VALUES ($1,$2,$3,$4)`,
      [rows[0].id, -1, rows[0].digest, rows[0].text],
    );
    expect(await all(late, { purpose })).toEqual(wanted);
  });

  test('deletes old days while a transaction reads, and lets others ask meanwhile', async () => {
    const [dir, schema] = [temporaryDirectory(), await newSchema()];
    await journalOfDays(dir);
    const [store, other] = [
      openPostgresIndex(POSTGRES, { schema, keep: KEPT }),
      openPostgresIndex(POSTGRES, { schema }),
    ];
    onTestFinished(async () => void (await Promise.all([store.close(), other.close()])));
    await feed(dir, other);
    const [reader, client] = [new pg.Client(POSTGRES), new pg.Client(POSTGRES)];
    for (const one of [reader, client]) {
      await one.connect();
      onTestFinished(() => one.end());
    }
    const records = `${schema}.sluice_index3_records`;
    const partitions = async (): Promise<number> => {
      const { rows } = await client.query(
        `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = '${records}'::regclass AND NOT inhdetachpending`,
      );
      return rows[0].n;
    };
    expect(await partitions()).toBe(8);
    await reader.query(`BEGIN; SELECT count(*) FROM ${records}`);
    let isPruned = false;
    const pruned = store.prune().finally(() => (isPruned = true));
    // It has begun, and waits for the reader.
    await expect.poll(partitions, { timeout: 4000 }).toBe(7);
    expect(await all(other, { purpose: 'purpose-0' })).toEqual(
      await all(scanQuery(dir), { purpose: 'purpose-0' }),
    );
    expect(isPruned).toBe(false);
    await reader.query('COMMIT');
    expect(await pruned).toHaveLength(4);
    expect(await all(other)).toEqual(await young(dir));
    const { rows } = await client.query(
      `SELECT relname FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r' AND relname ~ '_[0-9]{8}$'`,
    );
    expect(rows).toHaveLength(8);
  });

  test('deletes an old day that was detached and is still there', async () => {
    const [dir, schema] = [temporaryDirectory(), await newSchema()];
    await journalOfDays(dir);
    const store = openPostgresIndex(POSTGRES, { schema, keep: KEPT });
    onTestFinished(() => store.close());
    const whole = openPostgresIndex(POSTGRES, { schema });
    onTestFinished(() => whole.close());
    await feed(dir, whole);
    const client = new pg.Client(POSTGRES);
    await client.connect();
    onTestFinished(() => client.end());
    const old = `${schema}.sluice_index3_records`;
    const name = `${old}_${date(NOW - 7 * DAY).replaceAll('-', '')}`;
    await client.query(`ALTER TABLE ${old} DETACH PARTITION ${name}`);
    expect(await store.prune()).toHaveLength(4);
    expect((await client.query(`SELECT to_regclass('${name}') AS found`)).rows).toEqual([{ found: null }]);
  });

  test.each(['sluice_records', 'sluice_index2_state'])(
    'keeps the table %s of an earlier version beside its own',
    async (table) => {
      const dir = temporaryDirectory();
      await writeJournal(dir, 5);
      const own = await newSchema();
      const client = new pg.Client(POSTGRES);
      await client.connect();
      onTestFinished(() => client.end());
      await client.query(
        `CREATE TABLE ${own}.${table} (line text); INSERT INTO ${own}.${table} VALUES ('x')`,
      );
      let said = 0;
      const store = openPostgresIndex(schemaUrl(own), { replaced: () => said++ });
      onTestFinished(() => store.close());
      await feed(dir, store);
      expect(said).toBe(1);
      expect(await all(store)).toEqual(await all(scanQuery(dir)));
      expect((await client.query(`SELECT line FROM ${own}.${table}`)).rows).toEqual([{ line: 'x' }]);
    },
  );
});
