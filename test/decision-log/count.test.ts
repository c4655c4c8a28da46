/** Counts of decisions: what was looked up, and what was disclosed. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { type CountSpec, countDecisions, countSpec } from '../../src/decision-log/index/count.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { temporaryDirectory } from '../support/journals.ts';

async function journalOf(
  drafts: readonly Partial<DecisionRecordDraft>[],
): Promise<{ dir: string; hashed: (id: string) => string }> {
  const dir = join(temporaryDirectory(), 'journal');
  const log = await createDecisionLog({ journal: { dir, min_free: 65_536 } }, { logger: silentLogger });
  for (const [i, over] of drafts.entries()) {
    const disclosure = over.disclosure && {
      ...over.disclosure,
      data_subjects: over.disclosure.data_subjects.map((id) => log.dataSubject(id)),
    };
    await log.append({
      ...draft(i),
      outcome: 'allowed',
      reasons: [],
      ...over,
      ...(disclosure === undefined ? {} : { disclosure }),
    });
  }
  await log.close();
  return { dir, hashed: log.dataSubject };
}

const disclosed = (ids: readonly string[], over: object = {}) => ({
  ...draft(1).disclosure!,
  data_subjects: ids,
  ...over,
});
const refused = (id: string, n: number) => ({
  outcome: 'denied' as const,
  disclosure: null,
  resource: { type: 'customer', id, properties: {} },
  reasons: [{ code: 'purpose_not_allowed' }],
  timestamp: `2026-11-23T0${n}:30:00.000Z`,
});
const replaced = (over: object = {}) => ({
  ...draft(1).disclosure!,
  records: 0,
  released: [],
  by_class: {},
  withheld: [],
  data_subjects: [],
  ...over,
});

/** Two partners: one got 张 and 李, the other got 张, and was refused 王 and 李. */
const DRAFTS: readonly Partial<DecisionRecordDraft>[] = [
  { recipient: 'parcel_partner', disclosure: disclosed(['张', '李']), timestamp: '2026-11-22T23:59:59.999Z' },
  { recipient: 'parcel_partner', disclosure: disclosed(['张']), timestamp: '2026-11-23T00:00:00.000Z' },
  { recipient: '=cmd()', disclosure: disclosed(['张']), timestamp: '2026-11-23T08:00:00.000Z' },
  { recipient: '=cmd()', ...refused('王', 1) },
  { recipient: '=cmd()', ...refused('李', 2) },
  { recipient: 'internal', disclosure: replaced(), resource: null, timestamp: '2026-11-23T09:00:00.000Z' },
];

const count = async (spec: CountSpec, query = {}) =>
  countDecisions(scanQuery((await journalOf(DRAFTS)).dir), query, spec);

describe('counts', () => {
  test('keep apart who was looked up and who was disclosed', async () => {
    expect(await count({ by: ['recipient'], distinct: 'data_subject' })).toEqual({
      decisions: 6,
      disclosed: 3,
      rows: [
        { values: ['=cmd()'], decisions: 3, disclosed: 1, distinct: 3, distinct_disclosed: 1 },
        { values: ['parcel_partner'], decisions: 2, disclosed: 2, distinct: 2, distinct_disclosed: 2 },
        { values: ['internal'], decisions: 1, disclosed: 0, distinct: 0, distinct_disclosed: 0 },
      ],
    });
  });

  test('count a decision once for each of its values', async () => {
    const { dir, hashed } = await journalOf(DRAFTS);
    const { rows, decisions } = await countDecisions(
      scanQuery(dir),
      {},
      { by: ['data_subject'], distinct: null },
    );
    expect(decisions).toBe(6);
    expect(Object.fromEntries(rows.map((r) => [r.values[0] ?? '–', [r.decisions, r.disclosed]]))).toEqual({
      [hashed('张')]: [3, 3],
      [hashed('李')]: [2, 1],
      [hashed('王')]: [1, 0],
      '–': [1, 0],
    });
  });

  test('of a path or a class say how often it left undisguised', async () => {
    const { rows } = await count({ by: ['path'], distinct: null });
    expect(rows).toContainEqual({ values: ['/name'], decisions: 3, disclosed: 3 });
    expect(rows).toContainEqual({ values: ['/phone'], decisions: 3, disclosed: 0 });
    const { rows: classes } = await count({ by: ['class'], distinct: null });
    expect(classes).toContainEqual({ values: ['transaction/2'], decisions: 3, disclosed: 3 });
    expect(classes).toContainEqual({ values: ['contact/3'], decisions: 3, disclosed: 0 });
  });

  test('by day and hour are in UTC and in the order of time', async () => {
    const { rows } = await count({ by: ['day', 'hour'], distinct: null }, { until: '2026-11-23T02:00:00Z' });
    expect(rows.map(({ values, decisions }) => [...values, decisions])).toEqual([
      ['2026-11-22', '23', 1],
      ['2026-11-23', '00', 1],
      ['2026-11-23', '01', 1],
    ]);
  });

  test('have one row without members, also of no decision at all', async () => {
    expect(await count({ by: [], distinct: 'subject' }, { subject: 'nobody' })).toEqual({
      decisions: 0,
      disclosed: 0,
      rows: [{ values: [], decisions: 0, disclosed: 0, distinct: 0, distinct_disclosed: 0 }],
    });
  });

  test.each([
    [['who'], null],
    [['subject', 'subject'], null],
    [[], 'constructor'],
  ])('refuse %j, %j', (by, distinct) => {
    expect(() => countSpec(by, distinct)).toThrow(
      expect.objectContaining({ code: 'input_invalid' }) as Error,
    );
  });
});

describe('decisions query', () => {
  const query = async (...argv: string[]) =>
    runCommand(['decisions', 'query', '--journal', (await journalOf(DRAFTS)).dir, ...argv]);

  test('--count-by --distinct prints a table, NDJSON, or CSV that a spreadsheet does not execute', async () => {
    const asked = ['--count-by', 'recipient', '--distinct', 'data-subject'];
    expect((await query(...asked)).stdout).toMatch(/parcel_partner +│ 2 +│ 2 +│ 2 +│ 2/);
    expect((await query(...asked)).stdout).toContain('6 decisions, of which 3 disclosed something\n');
    const { stdout } = await query(...asked, '--json', '--limit', '1');
    expect(JSON.parse(stdout)).toEqual({
      recipient: '=cmd()',
      decisions: 3,
      disclosed: 1,
      distinct_data_subject: 3,
      distinct_data_subject_disclosed: 1,
    });
    expect((await query(...asked, '--csv')).stdout).toBe(
      "recipient,decisions,disclosed,distinct_data_subject,distinct_data_subject_disclosed\r\n'=cmd(),3,1,3,1\r\nparcel_partner,2,2,2,2\r\ninternal,1,0,0,0\r\n",
    );
  });

  test('--csv lists decisions, the newest first', async () => {
    const { stdout } = await query('--csv', '--recipient', '=cmd()');
    const [head, ...lines] = stdout.split('\r\n');
    expect(head).toMatch(/^timestamp,decision_id,kind,outcome,subject,/);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain(",'=cmd(),");
  });

  test.each([
    [['--count-by', 'reciever']],
    [['--distinct', 'name']],
    [['--count-by', 'day', '--cursor', 'x']],
    [['--csv', '--json']],
  ])('%j is wrong use: exit 2', async (argv) => {
    expect((await query(...argv)).code).toBe(2);
  });
});
