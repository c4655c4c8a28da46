/** Pages of queries that more profiles match than an index reads the counts of at once. */
import { join } from 'node:path';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { idAt } from '../../src/decision-log/index/entry.ts';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../src/decision-log/index/postgres.ts';
import type { DecisionQuery, QueryInterface } from '../../src/decision-log/index/query.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { areFew, groups } from '../../src/decision-log/index/search.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import type { IndexStore } from '../../src/decision-log/index/store.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';

const POSTGRES = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const HOUR = 3_600_000;
const RECORDS = 720;
const START = Date.UTC(2026, 0, 1);

/** A decision an hour for 30 days, each with a profile of its own. */
async function makeJournal(dir: string): Promise<void> {
  const log = await openJournal(dir);
  for (let i = 0; i < RECORDS; i++) {
    const at = START + i * HOUR;
    await log.append(
      draft(i, {
        decision_id: idAt(at).replace('-0000-0000-', '-7000-8000-'),
        timestamp: new Date(at).toISOString(),
        policy: { revision: `r${i}`, bundle: 'policies' },
        purpose: i % 40 === 3 ? 'claims' : 'after_sales',
      }),
    );
  }
  await log.close();
}

async function pages(source: QueryInterface, query: DecisionQuery): Promise<string[]> {
  const seen: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await source.query({ ...query, limit: 70, ...(cursor === undefined ? {} : { cursor }) });
    seen.push(...page.decisions.map((d) => d.decision_id));
    cursor = page.cursor;
  }
  return seen;
}

async function stores(): Promise<readonly IndexStore[]> {
  const schema = `sluice_many_${process.pid}`;
  const client = new pg.Client(POSTGRES);
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}`);
  const all = [
    openSqliteIndex(join(temporaryDirectory(), 'index.db')),
    openPostgresIndex(POSTGRES, { schema }),
  ];
  onTestFinished(async () => {
    for (const store of all) await store.close();
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  });
  return all;
}

test('pages are those of the journal, whether many profiles match or few', async () => {
  const dir = temporaryDirectory();
  await makeJournal(dir);
  const scan = scanQuery(dir);
  const middle = { until: '2026-01-16T12:00:00Z' };
  const questions: readonly (readonly [query: DecisionQuery, results: number])[] = [
    [{ purpose: 'after_sales' }, 702],
    [{ purpose: 'after_sales', ...middle }, 362],
    [{ purpose: 'after_sales', since: '2026-01-03T00:00:00Z', until: '2026-01-04T00:00:00Z' }, 24],
    [{ purpose: 'claims' }, 18],
    [{ kind: 'disclosure' }, RECORDS],
    [{ kind: 'disclosure', subject: 'nobody' }, 0],
    [{ policy: 'r1' }, 111],
    [{ policy: 'r', ...middle }, 372],
  ];
  for (const store of await stores()) {
    await feed(dir, store);
    for (const [query, results] of questions) {
      const expected = await pages(scan, query);
      expect(expected, JSON.stringify(query)).toHaveLength(results);
      expect(await pages(store, query), `${store.name} ${JSON.stringify(query)}`).toEqual(expected);
    }
  }
});

test('counts are read of a few days first, and of each day once', () => {
  const days = Array.from({ length: 90 }, (_, i) => 90 - i);
  const many = Array.from({ length: 501 }, (_, i) => i);
  expect([...groups(days, many)].map((group) => group.length)).toEqual([2, 8, 32, 48]);
  expect([...groups(days, many)].flat()).toEqual(days);
  expect(areFew(many)).toBe(false);
  expect([...groups(days, [1])]).toEqual([days]);
  expect([...groups([], [1])]).toEqual([]);
});
