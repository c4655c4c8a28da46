/** What a decision asks to be reviewed is on the list before the upstream is asked, and somebody else closes it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { createReviews } from '../../src/reviews/index.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice } from '../cli/support.ts';
import { chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { CUSTOMER, type Running, startSluice } from '../support/sluice.ts';
import { unrecorded } from '../support/unrecorded.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-reviews-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
let upstream: HostileUpstream;
let running: Running;
let asked = 0;

beforeAll(async () => {
  schema = await freshSchema('reviews');
  upstream = await startHostile();
  upstream.answer = (_request, socket) => {
    asked++;
    socket.write(reply('', { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }));
    socket.write(chunks(Buffer.from('{"id":"C1","name":"张三"}')));
  };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: CUSTOMER },
    obligations: { customer: { review: true } },
    dir,
  });
});
afterAll(async () => {
  await running.close();
  await upstream.close();
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const get = (path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.port}${path}`, { headers: running.caller });

test('a decision that asks for a review opens one, and the command lists and closes it', async () => {
  const answered = await get('/customers/C1');
  expect(answered.status).toBe(200);
  const id = answered.headers.get('sluice-decision-id')!;
  const config = join(dir, 'sluice.yaml');
  const listed = await sluice(['reviews', 'list', '--config', config, '--json']);
  expect(listed.json<{ reviews: object[] }>().reviews).toMatchObject([
    { decision_id: id, purpose: 'after_sales', action: 'read', resource: 'customer', closed_at: null },
  ]);
  const subject = listed.json<{ reviews: { subject: string }[] }>().reviews[0]!.subject;
  const close = (by: string) =>
    sluice([
      'reviews',
      'close',
      id,
      '--config',
      config,
      '--by',
      by,
      '--verdict',
      'justified',
      '--note',
      'ok',
    ]);
  expect((await close(subject)).err).toContain('review_of_own_decision');
  expect((await close('u-auditor')).out).toContain('closed: justified');
  expect((await close('u-auditor')).err).toContain('review_closed');
  expect((await sluice(['reviews', 'list', '--config', config])).out).toBe('No open reviews.\n');
  expect((await sluice(['reviews', 'list', '--config', config, '--state', 'all'])).out).toContain(
    'u-auditor',
  );
});

test('a store that fails: the request is refused, recorded, and the upstream not asked', async () => {
  const other = mkdtempSync(join(tmpdir(), 'sluice-reviews-'));
  // A directory where the file should be.
  mkdirSync(join(other, 'data/store.db'), { recursive: true });
  const broken = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: CUSTOMER },
    obligations: { customer: { review: true } },
    dir: other,
  });
  const before = asked;
  try {
    const answered = await fetch(`http://127.0.0.1:${broken.port}/customers/C1`, { headers: broken.caller });
    expect(answered.status).toBe(503);
    expect(await answered.json()).toMatchObject({ code: 'store_unavailable' });
    expect(asked).toBe(before);
    expect(broken.records()).toMatchObject([{ outcome: 'error' }]);
    expect((await broken.admin('/readyz')).text).toContain('store.sqlite');
    rmSync(join(other, 'data/store.db'), { recursive: true });
    const again = await fetch(`http://127.0.0.1:${broken.port}/customers/C1`, { headers: broken.caller });
    expect(again.status).toBe(200);
    expect(existsSync(join(other, 'data/store.db'))).toBe(true);
  } finally {
    await broken.close();
    rmSync(other, { recursive: true });
  }
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'own.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};

describe.each(Object.keys(OPEN))('reviews in %s', (dialect) => {
  test('are overdue after their time, until they are closed', async () => {
    const database = OPEN[dialect]!();
    let now = new Date('2026-11-01T08:00:00Z');
    await migrate(database, MIGRATIONS, () => now);
    const reviews = createReviews(database, 3_600_000, () => now);
    const one = (decision_id: string, subject: string) =>
      reviews.open({
        decision_id,
        subject,
        timestamp: now.toISOString(),
        purpose: 'emergency',
        tier: 1,
        recipient: 'internal',
        action: 'read',
        resource: 'customer',
      });
    await one('d1', 'u-1');
    now = new Date('2026-11-01T08:30:00Z');
    await one('d2', 'u-1');
    await one('d3', "u-'2");
    expect(await reviews.overdue('u-1')).toBe(0);
    now = new Date('2026-11-01T09:00:00.001Z');
    expect(await reviews.overdue('u-1')).toBe(1);
    const ids = async (filter: object) =>
      (await reviews.list({ limit: 10, ...filter })).map((r) => r.decision_id);
    expect(await ids({ state: 'overdue' })).toEqual(['d1']);
    expect(await ids({ state: 'open', subject: "u-'2" })).toEqual(['d3']);
    expect(await ids({})).toEqual(['d1', 'd2', 'd3']);
    expect(await ids({ limit: 2 })).toEqual(['d1', 'd2']);
    const both = await Promise.allSettled(
      ['a', 'b'].map((by) => reviews.close('d1', by, 'unjustified', 'no ticket', unrecorded)),
    );
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await reviews.overdue('u-1')).toBe(0);
    expect(await ids({ state: 'closed' })).toEqual(['d1']);
    await expect(reviews.close('d9', 'a', 'justified', '', unrecorded)).rejects.toMatchObject({
      code: 'review_not_found',
    });
    await database.close();
  });
});
