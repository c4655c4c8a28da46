/** A whole sidecar whose consents are in the store: withdrawals count, and whatever becomes of the database, nothing is disclosed on a guess. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { type Forwarder, openForwarder, schemaUrl } from '../support/forwarder.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { ownRedis } from '../support/redis.ts';
import { CUSTOMER, type Running, startSluice } from '../support/sluice.ts';

const closing: (() => unknown)[] = [];
const after: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

let crm = '';
let schema = '';
let database: Database;
beforeAll(async () => {
  const listener: RequestListener = (_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"id":"C1","name":"Li","phone":"13812345678"}');
  };
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  after.push(() => server.close());
  crm = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fresh = await freshSchema('served');
  schema = fresh.schema;
  after.push(fresh.drop);
  database = openPostgres(POSTGRES, { schema });
  after.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
});

const start = async (store: object, cache: object = { ttl: '0s' }): Promise<Running> => {
  const running = await startSluice({
    upstream: crm,
    data: { flags: { restricted: {} } },
    config: { store, consent: { store: true, cache } },
  });
  closing.push(() => running.close());
  return running;
};
const restrict = (db: Database, flags: string[]) =>
  db.write(
    "INSERT INTO consent_subjects (data_subject, entry) VALUES ('C1', $1) ON CONFLICT (data_subject) DO UPDATE SET entry = excluded.entry",
    [JSON.stringify({ flags })],
  );
const ask = async ({ port, caller }: Running): Promise<string> => {
  // A request that is never answered fails the test, and does not hold it up.
  const signal = AbortSignal.timeout(30_000);
  const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, { headers: caller, signal });
  const text = await response.text();
  return response.ok
    ? `${response.status}`
    : `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
};
const readiness = async (running: Running) => {
  const { status, text } = await running.admin('/readyz');
  return { status, checks: (JSON.parse(text) as { checks: Record<string, { ok: boolean }> }).checks };
};

test('SQLite: a refusal that another process writes counts at the next request', async () => {
  const running = await start({ sqlite: './data/store.db' });
  expect(await ask(running)).toBe('200');
  const other = openSqlite(join(running.dir, 'data/store.db'));
  closing.push(() => other.close());
  await restrict(other, ['restricted']);
  expect(await ask(running)).toBe('403 record_withheld');
  await restrict(other, []);
  expect(await ask(running)).toBe('200');
});

describe('PostgreSQL', () => {
  let forwarder: Forwarder;
  beforeAll(async () => {
    forwarder = await openForwarder();
    after.push(() => forwarder.close());
  });
  afterEach(async () => {
    await forwarder.stop();
    await forwarder.start();
    await restrict(database, []);
  });

  test('that is down at the start: Sluice starts, refuses, and answers when it is there', async () => {
    const url = forwarder.url(schema);
    await forwarder.stop();
    const running = await start({ postgres: url });
    expect(await ask(running)).toBe('503 consent_unavailable');
    expect(await readiness(running)).toMatchObject({
      status: 503,
      checks: { consent: { ok: false }, store: { ok: false } },
    });
    expect(running.log()).toContain('the store does not answer');
    await forwarder.start();
    expect(await ask(running)).toBe('200');
    await restrict(database, ['restricted']);
    await vi.waitFor(async () => expect(await ask(running)).toBe('403 record_withheld'), 20_000);
    await vi.waitFor(
      async () => expect((await readiness(running)).checks['consent']).toMatchObject({ ok: true }),
      20_000,
    );
  });

  test('that has not the tables yet when it is there refuses, and says what to do', async () => {
    const url = forwarder.url('pg_temp');
    await forwarder.stop();
    const running = await start({ postgres: url });
    await forwarder.start();
    expect(await ask(running)).toBe('503 consent_unavailable');
    expect(JSON.stringify(await readiness(running))).toContain('sluice store migrate');
  });

  test('that is lost on the way refuses, and answers when it is back', async () => {
    const running = await start({ postgres: forwarder.url(schema) }, {});
    expect(await ask(running)).toBe('200');
    await forwarder.stop();
    await vi.waitFor(async () => expect(await ask(running)).toBe('503 consent_unavailable'), 20_000);
    await forwarder.start();
    await vi.waitFor(async () => expect(await ask(running)).toBe('200'), 20_000);
  });

  test('that ends a statement, because it is slow, refuses this request alone', async () => {
    const url = new URL(schemaUrl(schema));
    // The statement waits for a lock; the server ends it.
    url.searchParams.set('options', `-c search_path=${schema} -c lock_timeout=50`);
    const running = await start({ postgres: url.href });
    await database.transaction(async ({ query }) => {
      await query('LOCK TABLE consent_subjects IN ACCESS EXCLUSIVE MODE');
      expect(await ask(running)).toBe('503 consent_unavailable');
    });
    expect(await ask(running)).toBe('200');
    expect(running.log()).toContain('consents cannot be looked up');
    expect(running.log()).toContain('consents can be looked up again');
  });

  test('of which only a read-only copy is there still answers', async () => {
    const url = new URL(schemaUrl(schema));
    url.searchParams.set('options', `-c search_path=${schema} -c default_transaction_read_only=on`);
    const running = await start({ postgres: url.href });
    expect(await ask(running)).toBe('200');
  });
});

describe('PostgreSQL with a cache', () => {
  afterEach(() => restrict(database, []));
  const metric = async (running: Running, name: string): Promise<number> => {
    const { text } = await running.admin('/metrics');
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  };

  test('answers without a look-up, and a change by hand counts when it is announced', async () => {
    const running = await start({ postgres: schemaUrl(schema) }, {});
    await vi.waitFor(
      async () => expect(await metric(running, 'sluice_consent_cache_channel_up')).toBe(1),
      20_000,
    );
    expect(await metric(running, 'sluice_consent_cache_bound_seconds')).toBe(1.5);
    await ask(running);
    const hits = 'sluice_consent_cache_lookups_total\\{result="hit"\\}';
    const before = await metric(running, hits);
    expect(await ask(running)).toBe('200');
    expect(await metric(running, hits)).toBe(before + 1);
    await restrict(database, ['restricted']);
    await vi.waitFor(async () => expect(await ask(running)).toBe('403 record_withheld'), 20_000);
    expect((await readiness(running)).checks).toMatchObject({
      consent: { ok: true, detail: { cached_for_at_most: '1.5s' } },
      announcements: { ok: true },
    });
  });

  test('reads announcements from their table where hints come through Redis, and says when they do not', async () => {
    const redis = await ownRedis();
    closing.push(() => redis.close());
    process.env['SLUICE_TEST_OWN_REDIS'] = redis.url;
    closing.push(() => delete process.env['SLUICE_TEST_OWN_REDIS']);
    const running = await start(
      { postgres: schemaUrl(schema), announcements: { redis: 'env:SLUICE_TEST_OWN_REDIS' } },
      {},
    );
    for (const name of [
      'sluice_announcements_up',
      'sluice_announcement_hints_up',
      'sluice_consent_cache_channel_up',
    ])
      await vi.waitFor(async () => expect([name, await metric(running, name)]).toEqual([name, 1]), 20_000);
    expect(await ask(running)).toBe('200');
    await restrict(database, ['restricted']);
    await vi.waitFor(async () => expect(await ask(running)).toBe('403 record_withheld'), 20_000);
    await redis.stop();
    await vi.waitFor(
      async () =>
        expect((await readiness(running)).checks).toMatchObject({
          announcements: { degraded: true, detail: expect.stringContaining('hints through Redis: ') },
        }),
      20_000,
    );
    expect(await metric(running, 'sluice_announcement_hints_up')).toBe(0);
    expect(await metric(running, 'sluice_announcements_up')).toBe(1);
    expect(running.log()).toContain('hints of changes in the store do not arrive through Redis');
    await restrict(database, []);
    await vi.waitFor(async () => expect(await ask(running)).toBe('200'), 20_000);
  });

  test('uses nothing of it when the database cannot be asked and announcements are held up', async () => {
    const forwarder = await openForwarder();
    closing.push(() => forwarder.close());
    const running = await start({ postgres: forwarder.url(schema) }, {});
    await vi.waitFor(
      async () => expect(await metric(running, 'sluice_consent_cache_channel_up')).toBe(1),
      20_000,
    );
    expect(await ask(running)).toBe('200');
    // Nothing is closed: the sidecar has to notice by itself.
    forwarder.hold();
    await restrict(database, ['restricted']);
    await vi.waitFor(async () => expect(await ask(running)).toBe('503 consent_unavailable'), 60_000);
    forwarder.release();
    await vi.waitFor(async () => expect(await ask(running)).toBe('403 record_withheld'), 60_000);
  });
});

test('a withdrawal reaches the rest of a long answer: the parts after it are decided anew', async () => {
  let more: () => void = () => undefined;
  const server = createServer(async (_, response) => {
    response.setHeader('Content-Type', 'application/json');
    const record = (n: number) =>
      JSON.stringify({ id: 'C1', partner: n % 2 === 0 ? 'C2' : 'C3', name: 'x'.repeat(10_000) });
    response.write(`{"items":[${Array.from({ length: 150 }, (_, n) => record(n)).join(',')}`);
    await new Promise<void>((resolve) => {
      more = resolve;
    });
    response.end(`,${Array.from({ length: 150 }, (_, n) => record(n)).join(',')}]}`);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const running = await startSluice({
    upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    data: { flags: { restricted: {} } },
    catalogs: {
      customer: {
        ...CUSTOMER,
        data_subject: ['/id', '/partner'],
        fields: { ...CUSTOMER.fields, '/partner': { category: 'reference', grade: 1 } },
      },
    },
    config: { store: { postgres: schemaUrl(schema) }, consent: { store: true } },
  });
  closing.push(() => running.close());
  const response = await fetch(`http://127.0.0.1:${running.port}/customers`, { headers: running.caller });
  const reader = response.body!.getReader();
  // What the upstream has sent so far has left: none of it is held, and would be looked up again.
  const pieces: Uint8Array[] = [];
  for (let bytes = 0; bytes < 150 * 10_000; bytes += pieces.at(-1)!.byteLength)
    pieces.push((await reader.read()).value!);
  await database.write(
    `INSERT INTO consent_subjects (data_subject, entry) VALUES ('C3', '{"flags":["restricted"]}')`,
  );
  closing.push(() => database.write("DELETE FROM consent_subjects WHERE data_subject = 'C3'"));
  await vi.waitFor(async () => {
    const states = await running.sluice.consents.lookup(['C3'], new Date());
    expect(states.get('C3')?.flags).toEqual(['restricted']);
  }, 20_000);
  more();
  for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
  const { items } = JSON.parse(Buffer.concat(pieces).toString()) as { items: { partner: string }[] };
  const partners = items.map(({ partner }) => partner);
  expect(partners.slice(0, 150)).toEqual(Array.from({ length: 150 }, (_, n) => (n % 2 === 0 ? 'C2' : 'C3')));
  expect(partners.slice(-75)).toEqual(Array.from({ length: 75 }, () => 'C2'));
  const parts = running.records().map(({ part, disclosure }) => [part.number, disclosure?.records_withheld]);
  expect(parts[0]).toEqual([1, 0]);
  expect(parts.reduce((sum, [, withheld]) => sum + (withheld ?? 0), 0)).toBe(75);
});
