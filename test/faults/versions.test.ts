/** Two versions of Sluice on one schema, a migration that is killed half-way, and an import that is killed: a start says what to do, and nothing is half there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate, stateOf } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice as command } from '../cli/support.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { ROUNDS } from '../support/rounds.ts';
import { until } from '../support/served.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let upstream: HostileUpstream;
beforeEach(async () => {
  upstream ??= await startHostile();
  upstream.answer = answers('{"id":"C1","name":"Li"}');
});
afterAll(() => upstream?.close());

/** several in one test */
let schemas = 0;
const STORES = {
  async sqlite() {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-versions-'));
    closing.push(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, 'store.db');
    return { store: { sqlite: file }, database: openSqlite(file) };
  },
  async postgres() {
    const { schema, drop } = await freshSchema(`versions_${++schemas}`);
    closing.push(drop);
    return { store: { postgres: schemaUrl(schema) }, database: openPostgres(POSTGRES, { schema }) };
  },
} as const;

describe.each(Object.keys(STORES) as (keyof typeof STORES)[])('with a store in %s', (dialect) => {
  let store: object;
  let database: Database;
  beforeEach(async () => {
    ({ store, database } = await STORES[dialect]());
    closing.push(() => database.close());
    await migrate(database, MIGRATIONS, () => new Date());
  });

  const start = async (): Promise<Running> => {
    const running = await startSluice({
      upstream: upstream.url,
      data: { flags: { restricted: {} } },
      config: { store, consent: { store: true, cache: { ttl: '1s' } } },
    });
    closing.push(() => running.close());
    return running;
  };
  const ask = async ({ port, caller }: Running): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, { headers: caller });
    return `${response.status} ${((await response.json()) as { code?: string }).code ?? ''}`.trim();
  };
  /** A step of a version that is newer than this code. */
  const newer = (additive: 0 | 1) =>
    database.write(
      `INSERT INTO sluice_migrations VALUES ('consent/99', 'd', ${additive}, '2030-01-01T00:00:00Z')`,
    );

  test('a newer version that only added: this one serves and changes', async () => {
    await newer(1);
    const running = await start();
    expect(await ask(running)).toBe('200');
    const file = join(running.dir, 'sluice.yaml');
    expect((await command(['consent', 'set', 'C1', '--flag', 'restricted', '--config', file])).code).toBe(0);
    await until(async () => (await ask(running)) === '403 record_withheld');
  });

  test('a newer version that did more: no sidecar of this one starts, and no command changes anything', async () => {
    const file = join((await start()).dir, 'sluice.yaml');
    await newer(0);
    // SQLite is opened at the first use, as is a PostgreSQL that is down at the start.
    const started = await start().then(
      (running) => ask(running),
      (e: unknown) => (e as { code: string }).code,
    );
    expect(started).toBe(dialect === 'sqlite' ? '503 consent_unavailable' : 'store_newer');
    for (const argv of [
      ['consent', 'set', 'C1', '--flag', 'restricted'],
      ['store', 'migrate'],
      ['store', 'status'],
    ])
      expect(await command([...argv, '--config', file])).toMatchObject({
        code: 3,
        err: expect.stringContaining('[store_newer]') as string,
      });
    expect(await database.query('SELECT * FROM consent_subjects')).toEqual([]);
  });

  test('an older version of the tables: a file is brought up to date, a database that is shared is refused until it is', async () => {
    await database.write("DELETE FROM sluice_migrations WHERE name = 'changes/1'");
    await database.write('DROP TABLE sluice_changes');
    if (dialect === 'sqlite') {
      expect(await ask(await start())).toBe('200');
      return;
    }
    await expect(start()).rejects.toMatchObject({
      code: 'store_outdated',
      message: expect.stringContaining('sluice store migrate'),
    });
  });

  test('tables that are taken away under a sidecar: it refuses, and discloses nothing', async () => {
    const running = await start();
    expect(await ask(running)).toBe('200');
    await database.write('ALTER TABLE consent_subjects RENAME TO consent_people');
    await until(async () => (await ask(running)) === '503 consent_unavailable');
  });

  test('migrations that are killed at any moment are finished by the next one', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { store: fresh, database: other } = await STORES[dialect]();
      closing.push(() => other.close());
      const dir = mkdtempSync(join(tmpdir(), 'sluice-migrate-'));
      closing.push(() => rmSync(dir, { recursive: true, force: true }));
      const file = configIn(dir, fresh);
      const child = spawn(process.execPath, [MAIN, 'store', 'migrate', '--config', file], {
        stdio: 'ignore',
      });
      const ended = once(child, 'close');
      await until(
        async () =>
          (await stateOf(other, MIGRATIONS).catch(() => ({ applied: [] }))).applied.length > round % 5 ||
          child.exitCode !== null,
      );
      child.kill('SIGKILL');
      await ended;
      expect((await command(['store', 'migrate', '--config', file])).code).toBe(0);
      expect(await stateOf(other, MIGRATIONS)).toMatchObject({ missing: [] });
      expect((await command(['consent', 'set', 'C1', '--flag', 'x', '--config', file])).code).toBe(0);
      expect((await command(['store', 'verify', '--config', file])).code).toBe(0);
    }
  }, 120_000);

  test('an import of 20,000 lines that is killed, and repeated: every line counts once, and all of it is on record', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-import-'));
    closing.push(() => rmSync(dir, { recursive: true, force: true }));
    const file = configIn(dir, store);
    const rows = Array.from(
      { length: 20_000 },
      (_, i) =>
        `I${i},marketing,contact,internal,${i % 100 === 7 ? 'perhaps' : 'given'},2026-01-01T00:00:00Z`,
    );
    const csv = join(dir, 'consents.csv');
    writeFileSync(csv, `data_subject,purpose,categories,recipient,status,at\n${rows.join('\n')}\n`);
    const argv = ['consent', 'import', csv, '--rejects', join(dir, 'rejected.ndjson'), '--config', file];
    const count = async (): Promise<number> =>
      Number((await database.query<{ n: number }>('SELECT count(*) AS n FROM consent_events'))[0]!.n);
    const child = spawn(process.execPath, [MAIN, ...argv], { stdio: 'ignore' });
    const ended = once(child, 'close');
    const enough = 1 + Math.random() * 15_000;
    await until(async () => (await count()) > enough || child.exitCode !== null, 90);
    child.kill('SIGKILL');
    await ended;
    const kept = await count();
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(19_800);
    expect(await database.query('SELECT count(*) AS n FROM consent_subjects')).toMatchObject([{ n: kept }]);
    const said = await command(argv);
    expect(said.code).toBe(1);
    expect(said.out).toContain(`20000 read, ${19_800 - kept} changed, ${kept} known already, 200 rejected`);
    expect(await count()).toBe(19_800);
    const verified = await command(['store', 'verify', '--config', file, '--json']);
    const { changes } = verified.json<{ changes: { state: string }[] }>();
    expect(changes.length).toBeLessThanOrEqual(1);
  }, 180_000);
});

function configIn(dir: string, store: object): string {
  const file = join(dir, 'sluice.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      upstreams: { crm: { url: 'http://127.0.0.1:9' } },
      identity: {
        issuers: [
          { issuer: 'https://i.example', audience: 's', jwks: { file: './k' }, algorithms: ['ES256'] },
        ],
      },
      policy: { dir: join(import.meta.dirname, '../../policies') },
      consent: { store: true },
      store,
      decision_log: { journal: { dir: './journal' } },
      routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
    }),
  );
  return file;
}
