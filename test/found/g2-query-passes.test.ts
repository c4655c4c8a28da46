/**
 * Class: work that grows with the square of the log. Root cause: the journal was read twice for every 64 candidates of which the query
 * let one through, so a filter that a single record cannot decide read it as often as it had candidates.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DecisionQuery, matches, readyQuery } from '../../src/decision-log/index/query.ts';
import { merge } from '../../src/decision-log/index/decision.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { newDecisionId } from '../../src/decision-log/ids.ts';
import type { DecisionRecord, DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';

async function journalOf(
  drafts: readonly DecisionRecordDraft[],
): Promise<{ dir: string; records: DecisionRecord[] }> {
  const dir = temporaryDirectory();
  const journal = await openJournal(dir);
  const records = await Promise.all(drafts.map((d) => journal.append(d)));
  await journal.close();
  return { dir, records };
}

/** bytes that this process has read from files, by the kernel's count */
const bytesRead = (): number => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1]);

test.each<[string, DecisionQuery]>([
  ['a path that nothing has', { path: '/nothing' }],
  ['a reason that nothing has', { reason: 'nothing' }],
  ['an outcome that nothing has', { outcome: 'observed' }],
  ['a recipient that nothing has', { recipient: 'nobody' }],
  ['an action that nothing has', { action: 'delete' }],
  ['a grant that nothing has', { grant_id: 'none' }],
  ['everything', {}],
])('a query for %s reads the journal once', async (_what, query) => {
  const { dir, records } = await journalOf(Array.from({ length: 1500 }, (_, i) => draft(i)));
  const size = statSync(join(dir, `${records[0]!.origin}.0000000000000001.jsonl`)).size;
  const before = bytesRead();
  const { decisions } = await scanQuery(dir).query(query);
  expect(bytesRead() - before).toBeLessThan(size * 1.5);
  expect(decisions).toHaveLength(Object.keys(query).length === 0 ? 50 : 0);
});

/** Decisions of one record, of several parts, of parts that end without a last one, and with a record after the last one. */
const decisionArb = fc.record({
  shape: fc.constantFrom('one', 'parts', 'unfinished', 'late'),
  subject: fc.constantFrom('u-1', 'u-2'),
  about: fc.constantFrom('a', 'b'),
  path: fc.constantFrom('/p', '/q'),
});

test('whatever a journal holds and whatever is asked, the pages are those of all decisions put together', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(decisionArb, { minLength: 1, maxLength: 30 }),
      fc.record(
        {
          subject: fc.constantFrom('u-1', 'u-2'),
          data_subject: fc.constantFrom('hmac:k:a', 'hmac:k:b'),
          path: fc.constantFrom('/p', '/q'),
          outcome: fc.constantFrom('modified', 'error', 'allowed'),
        },
        { requiredKeys: [] },
      ),
      fc.integer({ min: 1, max: 7 }),
      fc.nat(),
      async (made, query, limit, seed) => {
        const queues = made.map((d, i) => partsOf(d, i));
        // Records of different decisions stand among each other, each decision's own in their order.
        const drafts: DecisionRecordDraft[] = [];
        let random = seed;
        while (queues.some((q) => q.length > 0)) {
          random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
          const open = queues.filter((q) => q.length > 0);
          drafts.push(open[random % open.length]!.shift()!);
        }
        const { dir, records } = await journalOf(drafts);
        const byId = Map.groupBy(records, (r) => r.decision_id);
        const wanted = [...byId.values()]
          .map(merge)
          .filter((d) => matches(d, readyQuery(query)))
          .sort((a, b) => (a.decision_id < b.decision_id ? 1 : -1));
        const got = [];
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const page = await scanQuery(dir).query({ ...query, limit, ...(cursor ? { cursor } : {}) });
          got.push(...page.decisions);
          cursor = page.cursor;
          expect(got.length).toBeLessThanOrEqual(wanted.length);
        }
        expect(got).toEqual(wanted);
      },
    ),
    { numRuns: 60 },
  );
});

interface Made {
  readonly shape: string;
  readonly subject: string;
  readonly about: string;
  readonly path: string;
}

function partsOf({ shape, subject, about, path }: Made, n: number): DecisionRecordDraft[] {
  const base = draft(n);
  const part = (number: number, last: boolean, over: Partial<DecisionRecordDraft>): DecisionRecordDraft => ({
    ...base,
    subject: { ...base.subject!, id: subject },
    outcome: 'allowed',
    ...over,
    part: { number, last },
  });
  const disclosed = (released: string[]): Partial<DecisionRecordDraft> => ({
    disclosure: { ...base.disclosure!, released, withheld: [], data_subjects: [`hmac:k:${about}`] },
  });
  const nothing: Partial<DecisionRecordDraft> = { disclosure: null };
  const first = part(1, shape === 'one' || shape === 'late', disclosed([path]));
  if (shape === 'one') return [first];
  if (shape === 'late') return [first, part(2, true, { ...nothing, outcome: 'error' })];
  const second = part(2, false, { ...disclosed(['/r']), outcome: 'modified' });
  return shape === 'unfinished' ? [first, second] : [first, second, part(3, true, nothing)];
}

test('a decision whose last record comes late is one decision', async () => {
  const decision_id = newDecisionId();
  const records = partsOf({ shape: 'late', subject: 'u-1', about: 'a', path: '/p' }, 1);
  const { dir } = await journalOf(records.map((r) => ({ ...r, decision_id })));
  const { decisions } = await scanQuery(dir).query({ outcome: 'error', data_subject: 'hmac:k:a' });
  expect(decisions.map((d) => d.chain.length)).toEqual([2]);
});
