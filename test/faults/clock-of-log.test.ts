/** A clock that was days ahead and was put back: ids keep their order, the chain verifies, and scan, index and a naive filter find the same decisions. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newDecisionId } from '../../src/decision-log/ids.ts';
import { feed } from '../../src/decision-log/index/feeder.ts';
import type { QueryInterface } from '../../src/decision-log/index/query.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import type { IndexStore } from '../../src/decision-log/index/store.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, recordsOf } from '../support/journals.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 1);
/** hours from the start at which the clock stands, and records written then */
const CLOCK: readonly (readonly [number, number])[] = [
  [0, 300],
  // four days ahead, for several segments
  [96, 500],
  [100, 100],
  // put back
  [3, 300],
  // a small step, within what every clock may do
  [2.5, 100],
  [30, 300],
  [98, 200],
];

const dir = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
let drafts: readonly DecisionRecordDraft[];
let index: IndexStore;
let sources: readonly (readonly [string, QueryInterface])[];

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    let n = 0;
    drafts = CLOCK.flatMap(([hours, count]) => {
      return Array.from({ length: count }, () => {
        vi.setSystemTime(START + hours * HOUR + (n % count) * 1_000);
        const timestamp = new Date().toISOString();
        return draft(n++, { timestamp, decision_id: newDecisionId() });
      });
    });
  } finally {
    vi.useRealTimers();
  }
  const journal = await openJournal(dir, { segmentSize: 64 << 10 });
  for (const one of drafts) await journal.append(one);
  await journal.close();
  index = openSqliteIndex(join(dir, 'index.db'));
  await feed(dir, index);
  sources = [
    ['scan', scanQuery(dir)],
    ['sqlite', index],
  ];
});
afterAll(async () => {
  await index?.close();
  rmSync(dir, { recursive: true, force: true });
});

test('the chain verifies, and ids are in the order in which decisions were made', async () => {
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: drafts.length });
  const ids = recordsOf(dir).map((record) => record.decision_id);
  expect(ids).toEqual(ids.toSorted());
});

test.each([0, 2, 24, 50, 95, 97, 99, 101])(
  'what was decided from hour %i on, by the clock of its moment, is found by every source, once',
  async (hours) => {
    const since = new Date(START + hours * HOUR).toISOString();
    const until = new Date(START + (hours + 60) * HOUR).toISOString();
    const wanted = drafts
      .filter(({ timestamp }) => timestamp >= since && timestamp < until)
      .map(({ decision_id }) => decision_id)
      .toSorted()
      .toReversed();
    for (const [name, source] of sources) {
      const found: string[] = [];
      let cursor: string | null | undefined;
      do {
        const page = await source.query({ since, until, limit: 90, ...(cursor ? { cursor } : {}) });
        found.push(...page.decisions.map((d) => d.decision_id));
        cursor = page.cursor;
      } while (cursor !== null);
      expect([name, found]).toEqual([name, wanted]);
    }
  },
);
