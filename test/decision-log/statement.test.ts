/** The statement for a data subject: everything that left about them, nothing about others, no value and no name of an employee. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { Statement } from '../../src/decision-log/statement.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { sluice as run } from '../cli/support.ts';
import { draft } from '../support/decision-records.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-statement-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** more than a page of the log has */
const MANY = 1_050;
const about = (ids: readonly string[], over: object = {}) => ({
  ...draft(1).disclosure!,
  data_subjects: ids,
  ...over,
});

beforeAll(async () => {
  const log = await createDecisionLog({ journal: { dir, instance: 'test' } }, { logger: silentLogger });
  const add = (n: number, over: object) => log.append(draft(n, { outcome: 'modified', ...over }));
  const [one, two] = [log.dataSubject('客户-1'), log.dataSubject('客户-2')];
  await add(1, { disclosure: about([one]) });
  await add(2, { disclosure: about([two]) });
  await add(3, {
    recipient: 'swift_logistics',
    purpose: 'delivery',
    action: 'search',
    disclosure: about([one, two], { records: 1, records_withheld: 1 }),
  });
  await add(4, { outcome: 'denied', disclosure: about([one], { records: 0, released: [], by_class: {} }) });
  await add(5, {
    kind: 'consent',
    outcome: 'allowed',
    reasons: [{ code: 'consent_withdrawn' }],
    disclosure: about([one], { records: 0 }),
  });
  await add(7, {
    kind: 'consent',
    outcome: 'allowed',
    reasons: [{ code: 'page_opened' }],
    disclosure: about([one], { records: 0, released: [] }),
  });
  await add(6, {
    purpose: '<script>alert(1)</script>',
    disclosure: about([one], {
      by_class: { 'contact/3': { disclose: 1, mask: 1 }, 'health/4': { drop: 1 } },
    }),
  });
  for (let n = 0; n < MANY; n++) await add(10 + n, { disclosure: about([log.dataSubject('客户-3')]) });
  await log.close();
});

const statement = (id: string, ...more: string[]) =>
  run(['decisions', 'statement', id, '--journal', dir, ...more]);

describe('sluice decisions statement', () => {
  test('lists what left about the person, the newest first, and what they have said', async () => {
    const found = (await statement('客户-1', '--json')).json<Statement>();
    expect(found.disclosures).toMatchObject([
      { purpose: '<script>alert(1)</script>', categories: { contact: 'disguised' }, is_shared: false },
      {
        purpose: 'delivery',
        recipient: 'swift_logistics',
        action: 'search',
        is_shared: true,
        may_be_withheld: true,
      },
      {
        purpose: 'after_sales',
        recipient: 'internal',
        department: 'after-sales',
        roles: ['support'],
        categories: { transaction: 'plain', contact: 'disguised' },
        may_be_withheld: false,
      },
    ]);
    expect(found.changes).toMatchObject([{ kind: 'consent', what: ['consent_withdrawn'] }]);
  });

  test('names no employee, no other person, and no field', async () => {
    for (const how of ['--json', '--html']) {
      const { out } = await statement('客户-1', how);
      expect(out).not.toMatch(/u-\d|hmac:|客户-2|id_number|工单/);
    }
  });

  test('goes through all pages of the log', async () => {
    const found = (await statement('客户-3', '--json')).json<Statement>();
    expect(found.disclosures).toHaveLength(MANY);
    expect(new Set(found.disclosures.map((entry) => entry.decision_id)).size).toBe(MANY);
  });

  test('the page is complete in itself, in Chinese and English, and nothing in the log is markup there', async () => {
    const { out } = await statement('客户-1', '--html');
    expect(out).toMatch(/^<!doctype html>\n<html lang="zh-CN">/);
    for (const words of [
      '个人信息提供情况说明',
      'Statement of disclosures',
      '商品配送',
      '部分隐去',
      '撤回同意',
    ])
      expect(out).toContain(words);
    expect(out).not.toMatch(/<script|<link|<img|src=|https?:/);
    expect(out).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  test('says that there is nothing of somebody who is in no decision', async () => {
    expect((await statement('nobody')).out).toBe('0 disclosures, 0 changes of consents and requests\n');
    expect((await statement('nobody', '--html')).out).toContain('无');
  });

  test('keeps to the time that is asked for', async () => {
    const { out } = await statement('客户-1', '--until', '2020-01-01T00:00:00Z');
    expect(out).toBe('0 disclosures, 0 changes of consents and requests\n');
  });
});
