/** The journal, SQLite and PostgreSQL give the same answers to the same questions. */
import { rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { COUNT_MEMBERS, countDecisions } from '../../src/decision-log/index/count.ts';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../src/decision-log/index/postgres.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import type { IndexStore } from '../../src/decision-log/index/store.ts';
import type { DecisionQuery, QueryInterface } from '../../src/decision-log/index/query.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, writeJournal } from '../support/journals.ts';

const URL = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const SCHEMA = `sluice_test_${process.pid}`;
const reachable = await new Promise<boolean>((resolve) => {
  const { hostname, port } = new globalThis.URL(URL);
  const socket = createConnection({ host: hostname, port: Number(port || 5432) });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  socket.unref().setTimeout(1000, () => resolve(false));
});
if (!reachable)
  process.stderr.write('decision index: PostgreSQL is left out, none answers (SLUICE_TEST_POSTGRES)\n');

const hashed = (n: number) => `hmac:0011aabb:${String(n).padStart(64, '0')}`;

/** Several subjects, purposes, kinds; every ninth decision in three parts that differ. */
function drafts(n: number): DecisionRecordDraft[] {
  return Array.from({ length: n }, (_, i): DecisionRecordDraft[] => {
    const d = draft(i, {
      purpose: i % 3 === 0 ? 'after_sales' : 'claims',
      kind: i % 11 === 0 ? 'authzen' : 'disclosure',
      recipient: i % 5 === 0 ? 'parcel_partner' : 'internal',
      action: i % 7 === 0 ? 'export' : 'read',
      grant_id: i % 10 === 0 ? `g-${i % 20}` : null,
      policy: i % 8 === 0 ? null : { revision: `ab${i % 4}cdef0123456789`, bundle: 'policies' },
      resource: { type: i % 2 ? 'customer' : 'policy', id: `R${i % 13}`, properties: {} },
      labels: { strange: '\u0000"\\ 用户' },
    });
    if (i % 9 !== 0) return [d];
    return [1, 2, 3].map((number) => ({
      ...d,
      outcome: number === 2 ? ('modified' as const) : ('allowed' as const),
      timestamp: new Date(Date.parse(d.timestamp) + number).toISOString(),
      disclosure: {
        ...d.disclosure!,
        released: [`/part/${number}`],
        by_class: { [`reference/${number}`]: { disclose: 1 }, 'contact/3': { mask: 1 } },
        data_subjects: [hashed(i + number)],
      },
      part: { number, last: number === 3 },
    }));
  }).flat();
}

const ids = async (source: QueryInterface, query: DecisionQuery): Promise<string[]> =>
  (await source.query(query)).decisions.map((d) => d.decision_id);

describe('an index', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-index-'));
  let client: pg.Client | null = null;
  let all: Array<{ name: string; store: IndexStore }>;
  let scan: QueryInterface;
  const journal = join(dir, 'journal');
  let origin: string;
  let decisionIds: readonly string[];

  beforeAll(async () => {
    const log = await openJournal(journal, { segmentSize: 64 << 10 });
    for (const d of drafts(200)) await log.append(d);
    await log.close();
    origin = log.origin;
    all = [{ name: 'sqlite', store: openSqliteIndex(join(dir, 'index', 'decisions.db')) }];
    if (reachable) {
      client = new pg.Client(URL);
      await client.connect();
      await client.query(`CREATE SCHEMA ${SCHEMA}`);
      all.push({ name: 'postgres', store: openPostgresIndex(URL, { schema: SCHEMA }) });
    }
    scan = scanQuery(journal);
    decisionIds = await ids(scan, { limit: 1000 });
    for (const { store } of all) await feed(journal, store);
  });
  afterAll(async () => {
    for (const { store } of all) await store.close();
    await client?.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
    await client?.end();
    rmSync(dir, { recursive: true, force: true });
  });

  const question = fc.record<DecisionQuery>(
    {
      subject: fc.constantFrom('u-1', 'u-2', 'nobody'),
      data_subject: fc.nat(220).map(hashed),
      purpose: fc.constantFrom('after_sales', 'claims'),
      recipient: fc.constantFrom('internal', 'parcel_partner', 'nobody'),
      action: fc.constantFrom('read', 'export', 'keys.revoke'),
      grant_id: fc.constantFrom('g-0', 'g-10', 'g-1'),
      decision_id: fc.nat(199).map((n) => decisionIds[n]!),
      origin: fc.constantFrom('own', 'absent').map((name) => (name === 'own' ? origin : name)),
      class: fc.constantFrom('contact/3', 'transaction/2', 'reference/2', 'identity/9'),
      policy: fc.constantFrom('ab1cdef0123456789', 'ab2', 'ab', 'b'),
      kind: fc.constantFrom('disclosure', 'authzen'),
      outcome: fc.constantFrom('allowed', 'modified', 'denied', 'error'),
      resource_type: fc.constantFrom('customer', 'policy'),
      resource_id: fc.nat(14).map((n) => `R${n}`),
      path: fc.constantFrom('/phone', '/id', '/part/1', '/part/2', '/part/3', '/absent'),
      released: fc.boolean(),
      reason: fc.constantFrom('purpose_not_allowed', 'absent'),
      since: fc.nat(300).map((n) => draft(n).timestamp),
      until: fc.nat(300).map((n) => draft(n).timestamp),
      limit: fc.integer({ min: 1, max: 70 }),
    },
    { requiredKeys: [] },
  );
  /** At most a few filters at once: with all of them, hardly any question has an answer. */
  const fewFilters = fc
    .tuple(question, fc.nat(), fc.nat(), fc.nat())
    .map(([all, ...picks]): DecisionQuery => {
      const names = Object.keys(all);
      const kept = ['since', 'until', 'limit', 'released', ...picks.map((n) => names[n % names.length])];
      return Object.fromEntries(Object.entries(all).filter(([name]) => kept.includes(name)));
    });

  test('answers every query as the journal does', async () => {
    await fc.assert(
      fc.asyncProperty(fewFilters, async (query) => {
        const wanted = await scan.query(query);
        for (const { name, store } of all) expect(await store.query(query), name).toEqual(wanted);
      }),
      { numRuns: 250 },
    );
  });

  test('counts the decisions that a query finds, whatever counts them', async () => {
    const member = fc.constantFrom(...COUNT_MEMBERS);
    await fc.assert(
      fc.asyncProperty(
        fewFilters,
        fc.uniqueArray(member, { maxLength: 2 }),
        fc.option(member),
        async ({ limit: _, ...query }, by, distinct) => {
          const wanted = await countDecisions(scan, query, { by, distinct });
          for (const { name, store } of all)
            expect(await countDecisions(store, query, { by, distinct }), name).toEqual(wanted);
          const { decisions } = await scan.query({ ...query, limit: 1000 });
          expect(wanted.decisions).toBe(decisions.length);
          // A decision has one time and one subject, so that no row shares a decision with another.
          if (
            by.every((name) => ['subject', 'purpose', 'outcome', 'day', 'hour'].includes(name)) &&
            decisions.length > 0
          )
            expect(wanted.rows.reduce((n, row) => n + row.decisions, 0)).toBe(decisions.length);
          for (const row of wanted.rows) {
            expect(row.disclosed).toBeLessThanOrEqual(row.decisions);
            expect(row.distinct_disclosed ?? 0).toBeLessThanOrEqual(row.distinct ?? 0);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('finds a decision by each filter alone, and not by another value of it', async () => {
    const filters: readonly DecisionQuery[] = [
      { recipient: 'parcel_partner' },
      { action: 'export' },
      { grant_id: 'g-10' },
      { decision_id: decisionIds[7]! },
      { origin },
      { class: 'contact/3' },
      { class: 'transaction/2', released: true },
      { policy: 'ab1cdef0123456789' },
      { policy: 'ab1' },
    ];
    for (const source of [scan, ...all.map((a) => a.store)])
      for (const filter of filters)
        expect((await source.query(filter)).decisions, JSON.stringify(filter)).not.toEqual([]);
    for (const source of [scan, ...all.map((a) => a.store)])
      for (const filter of [
        { class: 'contact/3', released: true },
        { policy: 'b1' },
        { origin: 'absent' },
        { recipient: 'parcel' },
      ])
        expect((await source.query(filter)).decisions, JSON.stringify(filter)).toEqual([]);
  });

  test('finds no decision by an id that is no text', async () => {
    for (const source of [scan, ...all.map((a) => a.store)])
      for (const id of ['\0', '\ud800', `${decisionIds[0]!}\0`]) expect(await source.get(id)).toBeNull();
  });

  test('returns every decision once over all pages, newest first', async () => {
    for (const source of [scan, ...all.map((a) => a.store)]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<QueryInterface['query']>> = await source.query({
          limit: 33,
          ...(cursor ? { cursor } : {}),
        });
        seen.push(...page.decisions.map((d) => d.decision_id));
        cursor = page.cursor;
      } while (cursor !== null);
      expect(seen).toHaveLength(200);
      expect(seen).toEqual([...new Set(seen)].sort().reverse());
    }
  });

  test('merges the parts of a decision', async () => {
    for (const source of [scan, ...all.map((a) => a.store)]) {
      const [first] = (await source.query({ path: '/part/2', limit: 1 })).decisions;
      expect(first).toMatchObject({
        outcome: 'modified',
        complete: true,
        disclosure: { records: 3, released: ['/part/1', '/part/2', '/part/3'], data_subjects: { length: 3 } },
        chain: [{ part: { number: 1 } }, { part: { number: 2 } }, { part: { number: 3, last: true } }],
      });
      expect(await source.get(first!.decision_id)).toEqual(first);
      expect(await source.get('019aa000-0000-7000-8000-000000000000')).toBe(null);
    }
  });

  test('is idempotent and resumable: a second pass copies nothing, a later one only new records', async () => {
    for (const { store } of all) {
      expect(await feed(journal, store)).toMatchObject({ lag: 0, refused: 0 });
      const before = await ids(store, { limit: 1000 });
      await writeJournal(journal, 3);
      expect((await feed(journal, store)).lag).toBe(0);
      expect(await ids(store, { limit: 1000 })).toHaveLength(before.length + 3);
      expect(await ids(store, { limit: 1000 })).toEqual(await ids(scan, { limit: 1000 }));
    }
  });

  test('is rebuilt from the journal after it was deleted', async () => {
    const path = join(dir, 'again.db');
    for (let i = 0; i < 2; i++) {
      rmSync(path, { force: true });
      const store = openSqliteIndex(path);
      await feed(journal, store);
      expect(await ids(store, { limit: 1000 })).toEqual(await ids(scan, { limit: 1000 }));
      await store.close();
    }
  });

  test('stores each record once, even if several feeders run at the same time', async () => {
    const opened = [
      [openSqliteIndex(join(dir, 'shared.db')), openSqliteIndex(join(dir, 'shared.db'))],
      ...(reachable
        ? [[openPostgresIndex(URL, { schema: SCHEMA }), openPostgresIndex(URL, { schema: SCHEMA })]]
        : []),
    ];
    if (client) await client.query(`DROP SCHEMA ${SCHEMA} CASCADE; CREATE SCHEMA ${SCHEMA}`);
    for (const stores of opened) {
      await Promise.all(stores.map((store) => feed(journal, store)));
      for (const store of stores) {
        const { decisions } = await store.query({ limit: 1000 });
        expect(decisions).toEqual((await scan.query({ limit: 1000 })).decisions);
        await store.close();
      }
    }
  });

  test('does not store a record with a wrong hash', async () => {
    const { readFileSync, writeFileSync, readdirSync, cpSync } = await import('node:fs');
    const copy = join(dir, 'altered');
    cpSync(journal, copy, { recursive: true });
    const file = join(copy, readdirSync(copy).find((f) => f.endsWith('.jsonl'))!);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"工单 8003"', '"工单 8004"'));
    const store = openSqliteIndex(join(dir, 'altered.db'));
    expect((await feed(copy, store)).refused).toBe(1);
    const altered = (await scan.query({ limit: 1000 })).decisions.find(
      (d) => d.justification === '工单 8003',
    )!;
    expect(await store.get(altered.decision_id)).toBeNull();
    expect(await scanQuery(copy).get(altered.decision_id)).toBeNull();
    await store.close();
  });

  test.each([
    { since: 'yesterday' },
    { limit: 0 },
    { limit: 5000 },
    { cursor: "' OR 1=1" },
    { class: 'contact' },
    { policy: '' },
    { subject: 'u\0' },
    { data_subject: '\ud800' },
    { grant_id: '\udc00x' },
    { decision_id: '\0' },
    { path: '/a\0' },
  ])('refuses %j', async (query) => {
    for (const source of [scan, ...all.map((a) => a.store)])
      await expect(source.query(query)).rejects.toMatchObject({ code: 'input_invalid' });
  });
});
