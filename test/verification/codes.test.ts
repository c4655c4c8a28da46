/** One-time codes in both databases, with moments that the test sets: requests at the same time, and clocks that differ. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { createCodes } from '../../src/verification/index.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-codes-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('codes');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'store.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};
const NOON = new Date('2026-11-30T12:00:00Z');
const later = (ms: number): Date => new Date(NOON.getTime() + ms);

describe.each(Object.keys(OPEN))('codes in %s', (dialect) => {
  let database: Database;
  const codesOf = (over: {
    readonly lasts?: number;
    readonly attempts?: number;
    readonly per_data_subject?: number;
  }) =>
    createCodes(database, {
      upstream: 'crm',
      path: '/codes',
      secret: 'a secret of the test with more than 32 bytes',
      digits: 6,
      expires: 600_000,
      lasts: 0,
      attempts: 5,
      per_data_subject: 100,
      per_caller: 100,
      ...over,
    });
  const sent = async (codes: ReturnType<typeof codesOf>): Promise<string> => {
    let code = '';
    await codes.send(
      { id: 'code-1', caller: 'u-1', data_subject: '张三' },
      NOON,
      async (message) => {
        code = message.code;
      },
      async () => undefined,
    );
    return code;
  };
  /** whether one request would be let through */
  const brought = async (codes: ReturnType<typeof codesOf>, code: string, at: Date): Promise<boolean> => {
    const finding = await codes.check(code, 'u-1', at);
    if ('failure' in finding) return false;
    return finding.use === undefined || finding.use(at);
  };

  beforeEach(async () => {
    database = OPEN[dialect]!();
    await migrate(database, MIGRATIONS, () => NOON);
  });
  afterEach(async () => {
    await database.write('DELETE FROM sluice_verification_codes');
    await database.close();
  });

  test('of many codes that are sent to one person at once only so many are', async () => {
    const codes = codesOf({ per_data_subject: 3 });
    const send = (n: number) =>
      codes.send(
        { id: `code-${n}`, caller: `u-${n}`, data_subject: '张三' },
        NOON,
        async () => undefined,
        async () => undefined,
      );
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => send(n)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  });

  test('a code that lasts lets all requests of a page through that come at the same time', async () => {
    const codes = codesOf({ lasts: 300_000, attempts: 2 });
    const code = await sent(codes);
    const first = await Promise.all(Array.from({ length: 50 }, (_, n) => brought(codes, code, later(n))));
    expect(first.filter((isLet) => !isLet)).toEqual([]);
  });

  test('a code for one request is used once, also where the next clock is behind', async () => {
    const codes = codesOf({});
    const code = await sent(codes);
    expect(await brought(codes, code, later(2_000))).toBe(true);
    expect(await brought(codes, code, later(1_000))).toBe(false);
    expect(await brought(codes, code, later(3_000))).toBe(false);
  });

  test('a code for one request is used by one of fifty that come at the same time', async () => {
    const codes = codesOf({});
    const code = await sent(codes);
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) => brought(codes, code, later(50 - n))));
    expect(all.filter((isLet) => isLet)).toHaveLength(1);
  });

  test('wrong codes at the same time get no more tries than one after the other', async () => {
    const codes = codesOf({ attempts: 3 });
    const code = await sent(codes);
    const wrong = Array.from({ length: 50 }, (_, n) => String((Number(code) + 1 + n) % 1e6).padStart(6, '0'));
    await Promise.all(wrong.map((value) => brought(codes, value, NOON)));
    const [row] = await database.query('SELECT attempts FROM sluice_verification_codes');
    expect(row).toEqual({ attempts: 3 });
    expect(await brought(codes, code, NOON)).toBe(false);
  });
});
