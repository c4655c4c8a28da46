import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DecisionLogInput } from '../../src/decision-log/settings.ts';
import { createDecisionLog, type OpenDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { JournalHooks } from '../../src/decision-log/journal/journal.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { readCopy } from '../../src/decision-log/journal/copy.ts';
import { recordsOf } from '../support/journals.ts';
import { temporaryDirectory } from '../support/journals.ts';

async function open(
  dir: string,
  config: DecisionLogInput = {},
  hooks: JournalHooks = {},
): Promise<OpenDecisionLog> {
  const log = await createDecisionLog(
    { ...config, journal: { dir: 'journal', min_free: 65_536, instance: 'test', ...config.journal } },
    { logger: silentLogger, baseDir: dir, hooks },
  );
  onTestFinished(() => log.close());
  return log;
}

const text = (dir: string): string =>
  readdirSync(join(dir, 'journal'))
    .filter((f) => f.endsWith('.jsonl'))
    .map((f) => readFileSync(join(dir, 'journal', f), 'utf8'))
    .join('');

describe('the decision log', () => {
  test('records the subject, and data subjects only as HMACs', async () => {
    const dir = temporaryDirectory();
    const log = await open(dir);
    const record = await log.append(
      draft(1, {
        subject: {
          ...draft(1).subject!,
          properties: { ...draft(1).subject!.properties, email: 'a@example.com' },
        },
      }),
    );
    expect(record.subject!.id).toBe('u-1');
    expect(record.resource!.id).toBe(log.dataSubject('C100001'));
    expect(record.resource!.id).toMatch(/^hmac:[0-9a-f]{8}:[0-9a-f]{64}$/);
    expect(record.input).toMatchObject({
      resource: { id: log.dataSubject('C100001'), properties: { source: 'crm' } },
    });
    expect(record.subject!.properties['email']).toBe('[masked]');
    expect(text(dir)).not.toContain('C100001');
    expect(text(dir)).not.toContain('a@example.com');
  });

  test('finds the decisions about one customer by the customer’s plain id', async () => {
    const log = await open(temporaryDirectory());
    for (let i = 0; i < 20; i++)
      await log.append(
        draft(i, { disclosure: { ...draft(i).disclosure!, data_subjects: [log.dataSubject(`C${i % 4}`)] } }),
      );
    expect((await log.query({ data_subject: 'C3' })).decisions).toHaveLength(5);
    expect((await log.query({ resource_id: 'C100007' })).decisions).toHaveLength(1);
  });

  test('generates a key that only its owner may read, once', async () => {
    const dir = temporaryDirectory();
    const first = await open(dir);
    const file = join(dir, 'journal', 'data-subject.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = await open(dir);
    expect(second.dataSubject('x')).toBe(first.dataSubject('x'));
    expect(readdirSync(join(dir, 'journal')).filter((f) => f.includes('.key'))).toEqual(['data-subject.key']);
  });

  test('uses the configured key', async () => {
    const dir = temporaryDirectory();
    const a = await open(dir, { data_subject_key: 'sixteen bytes and more\n' });
    const b = await open(dir, { data_subject_key: 'sixteen bytes and more' });
    expect(a.dataSubject('x')).toBe(b.dataSubject('x'));
    expect(readdirSync(join(dir, 'journal'))).not.toContain('data-subject.key');
  });

  test.each([
    [{ data_subject_key: 'short' }, /needs at least 16/],
    [{ mask: { mask: ['/decision_id'] } }, /every record needs/],
    [{ index: { sqlite: '/proc/sluice/x.db' } }, /cannot be opened/],
  ] as Array<[DecisionLogInput, RegExp]>)('refuses %j', async (config, message) => {
    const opening = open(temporaryDirectory(), config);
    await expect(opening).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(message),
    });
  });

  test('masks the configured pointers at any depth, except the kept ones', async () => {
    const log = await open(temporaryDirectory(), {
      mask: { mask: ['/input/context/*', '/labels/secret'], keep: ['/input/context/tier'], pseudonymize: [] },
    });
    const record = await log.append(draft(1, { labels: { secret: 's', open: 'o' } }));
    expect(record.labels).toEqual({ open: 'o', secret: '[masked]' });
    expect(record.input).toMatchObject({ context: { purpose: '[masked]', tier: 2, request: '[masked]' } });
    expect(record.resource!.id).toBe('C100001');
  });

  test('calls the hook after each commit', async () => {
    const commits: Array<{ records: number; seq: number }> = [];
    const log = await open(temporaryDirectory(), {}, { committed: (c) => commits.push(c) });
    await Promise.all(Array.from({ length: 40 }, (_, i) => log.append(draft(i))));
    expect(commits.reduce((n, c) => n + c.records, 0)).toBe(40);
    expect(commits.at(-1)!.seq).toBe(40);
    expect(commits.length).toBeLessThan(20);
  });

  test('copies records to its index and sinks, and reports their lag', async () => {
    const dir = temporaryDirectory();
    const log = await open(dir, {
      index: { sqlite: 'data/decisions.db' },
      sinks: [{ file: 'copies/decisions.jsonl' }],
    });
    await Promise.all(Array.from({ length: 60 }, (_, i) => log.append(draft(i))));
    await expect.poll(() => log.status().lag, { timeout: 10_000 }).toBe(0);
    expect(log.status()).toMatchObject({ ok: true, copies: { sqlite: { ok: true, seq: 60 } } });
    expect((await log.query({ limit: 100 })).decisions).toHaveLength(60);
    const copies = readFileSync(join(dir, 'copies', 'decisions.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(copies.map(readCopy)).toEqual(recordsOf(join(dir, 'journal')));
  });

  test('sends a new sink the records from before it was configured', async () => {
    const dir = temporaryDirectory();
    const first = await open(dir);
    const { seq } = await first.append(draft(1));
    await first.close();
    const second = await open(dir, { sinks: [{ file: 'copies' }] });
    await second.append(draft(2));
    await second.close();
    const copies = readFileSync(join(dir, 'copies'), 'utf8').split('\n').slice(0, -1);
    expect(copies.map((l) => (JSON.parse(l) as DecisionRecord).seq)).toEqual([seq, seq + 1]);
  });

  test('continues to record when its index fails, and reports the failure', async () => {
    const dir = temporaryDirectory();
    const log = await open(dir, { index: { postgres: 'postgres://nobody@127.0.0.1:1/none' } });
    await log.append(draft(1));
    await expect.poll(() => log.status().copies['postgres']?.ok, { timeout: 10_000 }).toBe(false);
    expect(log.status()).toMatchObject({ ok: true, lag: 1 });
    await log.append(draft(2));
  });

  test('refuses to start if the path of its journal is a file', async () => {
    const dir = temporaryDirectory();
    mkdirSync(join(dir, 'x'));
    writeFileSync(join(dir, 'x', 'journal'), '');
    await expect(open(join(dir, 'x'))).rejects.toMatchObject({ code: 'journal_unwritable' });
  });
});
