/** Queries of auditors in a thread of their own: bounded in time, memory and number, whatever the journal holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { AuditThread, type AuditLimits, type Question } from '../../src/decision-log/index/audit.ts';
import { countDecisions } from '../../src/decision-log/index/count.ts';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { type IndexSettings, openIndex } from '../../src/decision-log/index/open.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import { writeJournal } from '../support/journals.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const LIST: Question = { type: 'list', query: { subject: 'u-1', limit: 3 } };
const COUNTS = {
  type: 'counts',
  query: {},
  spec: { by: ['subject'], distinct: 'data_subject' },
  limit: 2,
} as const satisfies Question;

const jsonIn = ({ body }: { readonly body: Uint8Array }): unknown => JSON.parse(Buffer.from(body).toString());

describe('the thread of auditors', () => {
  const parent = mkdtempSync(join(tmpdir(), 'sluice-audit-'));
  let dir: string;
  beforeAll(async () => {
    dir = join(parent, 'journal');
    await writeJournal(dir, 400);
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));
  const thread = (limits: Partial<AuditLimits> = {}, index: IndexSettings | null = null): AuditThread => {
    const opened = new AuditThread({ dir, index }, limits);
    onTestFinished(() => opened.close());
    return opened;
  };

  test('answers as the journal and the index do', async () => {
    const sqlite = join(parent, 'index.db');
    const store = openSqliteIndex(sqlite);
    await feed(dir, store);
    await store.close();
    const page = await scanQuery(dir).query({ subject: 'u-1', limit: 3 });
    const counts = await countDecisions(scanQuery(dir), {}, COUNTS.spec);
    for (const index of [null, { sqlite }]) {
      const opened = thread({}, index);
      const listed = await opened.ask(LIST);
      expect([jsonIn(listed), listed.results]).toEqual([page, 3]);
      const counted = await opened.ask(COUNTS);
      expect(counted.results).toBe(2);
      expect(jsonIn(counted)).toMatchObject({
        decisions: 400,
        groups: 7,
        rows: [{ by: { subject: 'u-0' }, decisions: counts.rows[0]!.decisions, distinct: 58 }, {}],
      });
      const decisionId = page.decisions[0]!.decision_id;
      expect(jsonIn(await opened.ask({ type: 'view', decisionId }))).toEqual(page.decisions[0]);
      await expect(opened.ask({ type: 'view', decisionId: 'none' })).rejects.toMatchObject({
        code: 'record_not_found',
      });
      await expect(opened.ask({ type: 'list', query: { limit: 0 } })).rejects.toMatchObject({
        code: 'input_invalid',
      });
    }
  });

  test('refuses a query that takes too long, and answers the next one', async () => {
    const opened = thread({ time: 1 });
    await expect(opened.ask(COUNTS)).rejects.toMatchObject({
      code: 'query_too_large',
      message: expect.stringContaining('takes longer than') as string,
    });
    // The thread that was ended is replaced: the next query fails in the same way, and is not left without an answer.
    await expect(opened.ask(LIST)).rejects.toMatchObject({ code: 'query_too_large' });
  });

  test('refuses a query that needs too much memory', async () => {
    const opened = thread({ memory: 12 });
    const spec = { by: ['data_subject', 'path', 'class'], distinct: 'path' } as const;
    const outcome = await opened
      .ask({ type: 'counts', query: {}, spec, limit: 1 })
      .catch((e: { code?: string }) => e.code);
    expect(outcome).toBe('query_too_large');
  });

  test('refuses what would wait behind too many others', async () => {
    const opened = thread({ waiting: 2 });
    const asked = Array.from({ length: 5 }, () =>
      opened.ask(LIST).then(
        () => 'answered',
        (e: { code: string }) => e.code,
      ),
    );
    expect(await Promise.all(asked)).toEqual([
      'answered',
      'answered',
      'answered',
      'overloaded',
      'overloaded',
    ]);
  });

  test('leaves no query running in PostgreSQL when it is ended', async () => {
    const { schema, drop } = await freshSchema('audit');
    onTestFinished(drop);
    const postgres = { postgres: POSTGRES, schema };
    const store = openIndex(postgres);
    await feed(dir, store);
    await store.close();
    const client = new pg.Client(POSTGRES);
    await client.connect();
    onTestFinished(() => client.end());
    // Whoever reads the days waits until the end of this test.
    await client.query(`BEGIN; LOCK TABLE ${schema}.sluice_index3_days`);
    const waiting = async (): Promise<number> => {
      const { rows } = await client.query(
        `SELECT count(*)::int AS n FROM pg_locks WHERE relation = '${schema}.sluice_index3_days'::regclass AND NOT granted`,
      );
      return rows[0].n;
    };
    const asked = thread({ time: 3000 }, postgres)
      .ask(LIST)
      .catch((e: { code: string }) => e.code);
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
    expect(await asked).toBe('query_too_large');
    await expect.poll(waiting, { timeout: 20_000 }).toBe(0);
    await client.query('ROLLBACK');
  });

  test('ends when idle, and begins again', async () => {
    const opened = thread({ idle: 1 });
    for (let i = 0; i < 3; i++) {
      expect((await opened.ask(LIST)).results).toBe(3);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  test('answers whoever waits when it is closed', async () => {
    const opened = thread();
    const asked = [opened.ask(LIST), opened.ask(LIST)].map((one) =>
      one.then(
        () => 'answered',
        (e: { code: string }) => e.code,
      ),
    );
    await opened.close();
    expect(await Promise.all(asked)).toEqual(['internal', 'internal']);
    await expect(opened.ask(LIST)).rejects.toMatchObject({ code: 'internal' });
  });
});
