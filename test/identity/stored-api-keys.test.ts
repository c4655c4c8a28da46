/** Keys that `sluice keys` makes are known to every sidecar from the next request, and no longer when they are revoked or have been replaced. */
import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { createApiKeyRecords } from '../../src/identity/index.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice } from '../cli/support.ts';
import { openForwarder, schemaUrl } from '../support/forwarder.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { unrecorded } from '../support/unrecorded.ts';

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
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"id":"C1","name":"Li"}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  after.push(() => {
    server.closeAllConnections();
    server.close();
  });
  crm = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fresh = await freshSchema('api_keys');
  schema = fresh.schema;
  after.push(fresh.drop);
  database = openPostgres(POSTGRES, { schema });
  after.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
});
afterEach(() => database.query('DELETE FROM sluice_api_keys'));

const CONFIGURED = 'in sluice.yaml';
const start = async (store: object): Promise<Running> => {
  const running = await startSluice({
    upstream: crm,
    identity: {
      api_keys: [
        { id: 'old', sha256: hash('sha256', CONFIGURED), subject: { id: 'old', organization: 'internal' } },
      ],
      api_keys_in_store: true,
      revocations_in_store: true,
    },
    config: { store },
  });
  closing.push(() => running.close());
  return running;
};
const STORES: Readonly<Record<string, () => object>> = {
  SQLite: () => ({ sqlite: './data/store.db' }),
  PostgreSQL: () => ({ postgres: schemaUrl(schema) }),
};
const ask = async ({ port }: Running, key: string): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, {
    headers: { 'X-Api-Key': key, 'Sluice-Purpose': 'after_sales' },
  });
  const { code } = (await response.json()) as { code?: string };
  return code === undefined ? `${response.status}` : `${response.status} ${code}`;
};
const until = (running: Running, key: string, answered: string): Promise<void> =>
  vi.waitFor(async () => expect(await ask(running, key)).toBe(answered), 20_000);
const keys = (running: Running, ...argv: string[]) =>
  sluice(['keys', ...argv, '--by', 'u-admin', '--config', join(running.dir, 'sluice.yaml')]);
const create = async (running: Running): Promise<string> => {
  const made = await keys(
    running,
    'create',
    'erp-1',
    '--subject',
    'erp',
    '--organization',
    'internal',
    '--role',
    'sync',
  );
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^slk_[\w-]{43}\n$/);
  return made.out.trim();
};
const listed = async (running: Running): Promise<string> =>
  (await sluice(['keys', 'list', '--config', join(running.dir, 'sluice.yaml')])).out;

describe.each(Object.keys(STORES))('%s', (name) => {
  test('a key is known once it is made, is replaced with an overlap, and is refused once it is revoked', async () => {
    const running = await start(STORES[name]!());
    expect(await ask(running, 'slk_guessed')).toBe('401 token_key_unknown');
    const first = await create(running);
    await until(running, first, '200');
    expect(running.records().at(-1)).toMatchObject({
      subject: {
        type: 'service',
        id: 'erp',
        properties: { roles: ['sync'], organization: 'internal' },
      },
    });
    expect((await keys(running, 'create', 'erp-1', '--subject', 'x', '--organization', 'y')).err).toContain(
      '[api_key_taken]',
    );
    const second = (await keys(running, 'rotate', 'erp-1', '--overlap', '1h')).out.trim();
    await until(running, second, '200');
    expect(await ask(running, first)).toBe('200');
    const third = (await keys(running, 'rotate', 'erp-1', '--overlap', '0s')).out.trim();
    await until(running, third, '200');
    await until(running, second, '401 token_expired');
    await until(running, first, '401 token_expired');
    await keys(running, 'revoke', 'erp-1', '--reason', 'found in a repository');
    await until(running, third, '401 token_revoked');
    expect(running.records().at(-1)).toMatchObject({ outcome: 'denied', subject: { id: 'erp' } });
    expect((await keys(running, 'rotate', 'erp-1')).err).toContain('[api_key_not_found]');
    expect((await keys(running, 'revoke', 'erp-1', '--reason', 'r')).err).toContain('[api_key_not_found]');
    expect(await ask(running, CONFIGURED)).toBe('200');
    const shown = await listed(running);
    for (const word of ['erp-1', 'expired', 'found in a repository']) expect(shown).toContain(word);
    for (const key of [first, second, third]) expect(shown).not.toContain(key.slice(4));
  });

  test('a key in the store can be revoked by its digest and by its subject', async () => {
    const running = await start(STORES[name]!());
    const key = await create(running);
    await until(running, key, '200');
    const subject = (...argv: string[]) =>
      sluice([
        'subject',
        ...argv,
        '--by',
        'b',
        '--reason',
        'r',
        '--config',
        join(running.dir, 'sluice.yaml'),
      ]);
    for (const target of [['erp'], ['--sha256', hash('sha256', key)]]) {
      await subject('revoke', ...target);
      await until(running, key, '401 token_revoked');
      await subject('restore', ...target);
      await until(running, key, '200');
    }
  });
});

test('SQLite: the file has the digest of a key and not the key', async () => {
  const running = await start(STORES['SQLite']!());
  const key = await create(running);
  const data = join(running.dir, 'data');
  const stored = readdirSync(data).map((file) => readFileSync(join(data, file), 'latin1'));
  expect(stored.join('')).toContain(hash('sha256', key));
  expect(stored.join('')).not.toContain(key.slice(4));
  expect(running.journalText()).not.toContain(key.slice(4));
});

test('PostgreSQL that is lost: its keys are refused, and known again when it is back', async () => {
  const forwarder = await openForwarder();
  closing.push(() => forwarder.close());
  const running = await start({ postgres: forwarder.url(schema) });
  const key = await create(running);
  await until(running, key, '200');
  await forwarder.stop();
  await until(running, key, '503 keys_unavailable');
  await forwarder.start();
  await until(running, key, '200');
});

test('a key ends at its time, and one that would have ended already is not made', async () => {
  let now = new Date('2026-11-01T00:00:00Z');
  const records = createApiKeyRecords(database, () => now);
  const subject = { type: 'service', id: 'erp', roles: [], organization: 'internal' };
  await expect(records.create('k', subject, now.getTime(), 'b', unrecorded)).rejects.toMatchObject({
    code: 'input_invalid',
  });
  await expect(records.create(' k', subject, now.getTime() + 1, 'b', unrecorded)).rejects.toMatchObject({
    code: 'input_invalid',
  });
  await records.create('k', subject, now.getTime() + 10, 'b', unrecorded);
  now = new Date(now.getTime() + 10);
  await expect(records.rotate('k', now.getTime() + 10, 0, 'b', unrecorded)).rejects.toMatchObject({
    code: 'api_key_not_found',
  });
  await records.create('k', subject, now.getTime() + 10, 'b', unrecorded);
  expect(await records.list(10)).toHaveLength(2);
});

const NOW = new Date('2026-11-01T00:00:00Z');
const ERP = { type: 'service', id: 'erp', roles: [], organization: 'internal' };
const created = (on: Database, journaled: typeof unrecorded = unrecorded) =>
  createApiKeyRecords(on, () => NOW).create('k', ERP, NOW.getTime() + 10, 'b', journaled);

test('of two that make a key of one name at once, one fails', async () => {
  const isHeld = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  const first = created(database, async () => {
    isHeld.resolve();
    await goesOn.promise;
  });
  await isHeld.promise;
  let isSettled = false;
  const second = created(database).finally(() => {
    isSettled = true;
  });
  const outcome = expect(second).rejects.toMatchObject({ code: 'api_key_taken' });
  await vi.waitUntil(async () => {
    const [waiting] = await database.query<{ n: number }>(
      "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO sluice_api_keys%'",
    );
    return isSettled || waiting!.n > 0;
  });
  goesOn.resolve();
  await first;
  await outcome;
  expect(await createApiKeyRecords(database, () => NOW).list(10)).toHaveLength(1);
});

test('of many at once in SQLite, one succeeds', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'sluice-keys-')), 'store.db');
  const writers = [openSqlite(file), openSqlite(file)];
  await migrate(writers[0]!, MIGRATIONS, () => NOW);
  const all = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => created(writers[i % 2]!)));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const writer of writers) await writer.close();
  rmSync(dirname(file), { recursive: true });
});

test('keys of a version that did not number them are numbered, and rotated as before', async () => {
  const old = await freshSchema('old_api_keys');
  const on = openPostgres(POSTGRES, { schema: old.schema });
  after.push(async () => {
    await on.close();
    await old.drop();
  });
  await migrate(
    on,
    MIGRATIONS.filter(({ name }) => name !== 'identity/3'),
    () => NOW,
  );
  const insert = (digest: string, at: number) =>
    on.write(
      'INSERT INTO sluice_api_keys (sha256, id, subject, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
      [digest, 'k', JSON.stringify(ERP), at, 'b', NOW.getTime() + 10],
    );
  await insert('b'.repeat(64), 1);
  await insert('a'.repeat(64), 1);
  await migrate(on, MIGRATIONS, () => NOW);
  const records = createApiKeyRecords(on, () => NOW);
  expect((await records.list(10)).map(({ number }) => number).sort()).toEqual([1, 2]);
  await records.rotate('k', NOW.getTime() + 20, 5, 'b', unrecorded);
  expect((await records.list(10)).map(({ number }) => number).sort()).toEqual([1, 2, 3]);
});

test('the command makes nothing where no sidecar would look', async () => {
  const running = await startSluice({ upstream: crm });
  closing.push(() => running.close());
  const { code, out, err } = await keys(running, 'create', 'k', '--subject', 's', '--organization', 'o');
  expect({ code, out }).toEqual({ code: 3, out: '' });
  expect(err).toContain('identity.api_keys_in_store');
});
