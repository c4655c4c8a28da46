/** The connection to the store is cut at each message of a change that has several statements: it is in force whole or not at all, and a repetition works. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sluice as command } from '../cli/support.ts';
import { type Forwarder, openForwarder } from '../support/forwarder.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const closing: (() => unknown)[] = [];
let database: Database;
let forwarder: Forwarder;
let file: string;
beforeAll(async () => {
  const { schema, drop } = await freshSchema('cut');
  closing.push(drop);
  database = openPostgres(POSTGRES, { schema });
  closing.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
  forwarder = await openForwarder();
  closing.push(() => forwarder.close());
  const dir = mkdtempSync(join(tmpdir(), 'sluice-cut-'));
  closing.push(() => rmSync(dir, { recursive: true, force: true }));
  file = join(dir, 'sluice.yaml');
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
      erasure: {},
      store: { postgres: forwarder.url(schema) },
      decision_log: {
        journal: { dir: './journal' },
        data_subject_key: 'a key of the test with more than 32 bytes in it',
      },
      insecure: { literal_secrets: true },
      routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
    }),
  );
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test.each([
  [
    'a consent',
    ['consent', 'set'],
    ['--purpose', 'marketing', '--categories', 'contact'],
    ['consent_subjects', 'consent_events'],
  ],
  ['a request for erasure', ['erasure', 'request'], [], ['erasure_requests', 'erasure_marks']],
] as const)(
  '%s',
  async (_what, operation, terms, tables) => {
    const make = (name: string) => command([...operation, name, ...terms, '--by', 'li', '--config', file]);
    /** in how many of its tables, and how many notes of changes there are */
    async function found(name: string): Promise<number> {
      let n = 0;
      for (const table of tables)
        n += Math.min(
          1,
          (await database.query(`SELECT 1 AS one FROM ${table} WHERE data_subject = $1`, [name])).length,
        );
      return n;
    }
    const noted = async () => (await database.query('SELECT decision_id FROM sluice_changes')).length;

    const first = forwarder.messages();
    const whole = await make('C-whole');
    expect(whole).toMatchObject({ code: 0 });
    expect(await found('C-whole')).toBe(tables.length);
    const messages = forwarder.messages() - first;
    let failed = 0;
    for (let n = 1; n <= messages; n++) {
      const name = `C-${n}`;
      const before = await noted();
      forwarder.cutAt(n);
      const { code } = await make(name);
      forwarder.cutAt(null);
      const parts = await found(name);
      expect({ n, parts, code }).toEqual({ n, parts: parts === 0 ? 0 : tables.length, code });
      // Nothing is said to be done that is not, and each change that is in force is noted.
      if (code === 0) expect(parts).toBe(tables.length);
      else failed++;
      expect((await noted()) - before).toBe(parts === 0 ? 0 : 1);
      expect((await make(name)).code).toBe(0);
      expect(await found(name)).toBe(tables.length);
    }
    // Its statements, BEGIN and COMMIT are among what was cut.
    expect(failed).toBeGreaterThanOrEqual(4);
  },
  120_000,
);
