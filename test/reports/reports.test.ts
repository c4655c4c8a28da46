/** Reports on a month whose numbers were counted by hand (test/support/month.ts), and on generated decisions that are counted again without them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { merge } from '../../src/decision-log/index/decision.ts';
import { countDecisions, countSpec } from '../../src/decision-log/index/count.ts';
import type { Decision, QueryInterface } from '../../src/decision-log/index/query.ts';
import { makeReport, REPORTS } from '../../src/reports/index.ts';
import {
  type Context,
  type PolicyFacts,
  type Report,
  type SystemFacts,
  type TableSection,
  type TextSection,
  THRESHOLDS,
} from '../../src/reports/report.ts';
import { mad, median, scoreOf } from '../../src/reports/statistics.ts';
import { sayIn } from '../../src/reports/words.ts';
import { zoneOf } from '../../src/reports/zone.ts';
import { draft } from '../support/decision-records.ts';
import { customers, month, pseudonym } from '../support/month.ts';

const NOW = new Date('2026-12-01T00:00:00Z');
const IDS = new Map(customers().map((id) => [pseudonym(id), id]));

const decisionOf = (over: Parameters<typeof draft>[1], n: number): Decision =>
  merge([{ ...draft(n, over), origin: 'test-00000000', seq: n + 1, prev_hash: '', hash: '' }]);

const contextOf = (over: Partial<Context> = {}): Context => ({
  say: sayIn('en'),
  language: 'en',
  zone: zoneOf('Asia/Shanghai'),
  query: {},
  end: NOW.getTime(),
  thresholds: THRESHOLDS,
  plain: (id) => IDS.get(id) ?? id,
  listed: IDS.size,
  policy: null,
  reviews: null,
  system: null,
  removals: [],
  previous: null,
  ...over,
});

async function* each(decisions: readonly Decision[]): AsyncGenerator<Decision, void, void> {
  yield* decisions;
}

const report = (name: string, decisions: readonly Decision[], over: Partial<Context> = {}): Promise<Report> =>
  makeReport(REPORTS.find((kind) => kind.name === name)!, contextOf(over), each(decisions), ['a test'], NOW);

const tableIn = ({ sections }: Report, id: string): TableSection =>
  sections.find((section) => section.id === id && section.kind === 'table') as TableSection;
const summaryOf = ({ sections }: Report): string => {
  const found = sections.find(({ id }) => id === 'summary');
  return found?.kind === 'text' ? found.lines.join('\n') : '';
};
/** Rows as objects, by the ids of the columns. */
const rowsIn = (made: Report, id: string): Record<string, unknown>[] => {
  const { columns, rows } = tableIn(made, id);
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column.id, row[i]])));
};

const RIGHTS: PolicyFacts = {
  name: 'policies',
  revision: 'r1',
  purposes: ['after_sales', 'claims', 'delivery', 'emergency', 'marketing'],
  partners: new Map([['swift_logistics', new Map([['delivery', '2026-11-15']])]]),
  rights: [
    ['support', 'after_sales', 'internal', 'read', ['contact/3', 'identity/3', 'health/4']],
    ['support', 'marketing', 'internal', 'read', ['preference/2']],
    ['adjuster', 'claims', 'internal', 'read', ['identity/3']],
    ['adjuster', 'claims', 'internal', 'export', ['identity/3']],
    ['courier', 'delivery', 'swift_logistics', 'read', ['contact/3']],
  ].map(([role, purpose, recipient, action, clear]) => ({
    role: role as string,
    purpose: purpose as string,
    recipient: recipient as string,
    resource: 'customer',
    action: action as string,
    clear: clear as string[],
  })),
};

const SYSTEM: SystemFacts = {
  journal: { ok: true, records: 1710, chains: 1, archived: 0, problem: null, signed: 0 },
  configuration: {
    durability: 'strict',
    checkpoints: true,
    witnesses: 1,
    dataSubjectKey: true,
    copies: [],
    consents: 'file',
  },
};

describe('a report on the month', () => {
  let decisions: readonly Decision[] = [];
  beforeAll(() => {
    decisions = month().map((each, i) => decisionOf(each, i));
  });

  test('has the callers of one customer: ten clerks, once each', async () => {
    const about = pseudonym('C100007');
    const those = decisions.filter((d) => d.disclosure?.data_subjects.includes(about));
    const made = await report('customer-access', those, { query: { data_subject: about } });
    expect(summaryOf(made)).toBe('Callers: 10; requests about this customer: 10; refused: 0.');
    expect(rowsIn(made, 'callers').map(({ caller, decisions: n }) => [caller, n])).toEqual(
      Array.from({ length: 10 }, (_, i) => [`u-${String(i + 1).padStart(2, '0')}`, 1]),
    );
    expect(rowsIn(made, 'accesses')[3]).toMatchObject({
      time: '2026-11-05 10:03',
      caller: 'u-04',
      purpose: 'after_sales',
      outcome: 'allowed in part',
      clear: 'contact/3, identity/3',
      disguised: 'identity/4',
      other_customers: 0,
    });
  });

  test('has what one clerk did: eight customers on each of twenty days, one on the fifth, 52 more on the twentieth', async () => {
    const made = await report(
      'employee-access',
      decisions.filter((d) => d.subject?.id === 'u-03'),
    );
    expect(summaryOf(made)).toBe('Requests: 213; customers: 213; refused: 0. Roles: support.');
    expect(tableIn(made, 'purposes').total).toEqual([
      'Total',
      213,
      0,
      213,
      213,
      '2026-11-02 09:10',
      '2026-11-27 16:10',
    ]);
    expect(rowsIn(made, 'classes')).toEqual([
      { class: 'contact/3', treatment: 'disclose', places: 426 },
      { class: 'financial/4', treatment: 'drop', places: 426 },
      { class: 'identity/3', treatment: 'disclose', places: 213 },
      { class: 'identity/4', treatment: 'mask', places: 213 },
    ]);
  });

  test('counts refusals: seven, all of one clerk; 1702 answers with three values withheld each', async () => {
    const made = await report('refusals', decisions);
    expect(summaryOf(made)).toBe('Requests: 1709; refused: 7 (0.4 %).');
    expect(rowsIn(made, 'reasons')).toEqual([
      { reason: 'consent_missing', decisions: 7, callers: 1, share: 1 },
    ]);
    expect(rowsIn(made, 'callers')).toEqual([{ caller: 'u-06', refused: 7, decisions: 136, share: 7 / 136 }]);
    expect(rowsIn(made, 'withheld')).toEqual([
      {
        class: 'financial/4',
        treatment: 'drop',
        because: 'category_outside_tier',
        places: 3404,
        decisions: 1702,
      },
      { class: 'identity/4', treatment: 'mask', because: 'grade_above_tier', places: 1702, decisions: 1702 },
    ]);
    const redacted = await report('redactions', decisions);
    expect(tableIn(redacted, 'rules').total).toEqual(['Total', null, 5106, null, null]);
    expect(tableIn(redacted, 'hours').total).toEqual(['Total', null, 5106]);
    expect(rowsIn(redacted, 'hours')[0]).toEqual({
      hour: '2026-11-02 09:00',
      because: 'category_outside_tier',
      // of ten clerks, each first customer, and each ninth of those with nine or ten
      places: 28,
    });
  });

  test('has the partner: four customers, sixteen decisions', async () => {
    const made = await report('partners', decisions);
    expect(rowsIn(made, 'partners')).toEqual([
      {
        partner: 'swift_logistics',
        decisions: 16,
        refused: 0,
        customers: 4,
        records: 16,
        first: '2026-11-02 15:00',
        last: '2026-11-23 15:03',
        clear: 'contact/3, identity/3',
        disguised: 'identity/4',
      },
    ]);
  });

  test('has the broken glass, what was done under it, and open reviews', async () => {
    const reviews = [
      {
        decision_id: 'd-1',
        subject: 'u-21',
        purpose: 'claims',
        opened_at: Date.UTC(2026, 10, 12, 6),
        due_at: Date.UTC(2026, 10, 19, 6),
      },
      {
        decision_id: 'd-2',
        subject: 'u-21',
        purpose: 'emergency',
        opened_at: Date.UTC(2026, 10, 28),
        due_at: Date.UTC(2026, 11, 5),
      },
    ];
    const made = await report('break-glass', decisions, { reviews });
    expect(summaryOf(made)).toBe(
      'Grants without approval: 1; uses: 3. Requests for emergencies (tier 1): 1.\nOpen reviews: 2; overdue: 1.',
    );
    expect(rowsIn(made, 'grants')).toMatchObject([
      {
        time: '2026-11-12 14:00',
        holder: 'u-21',
        uses: 3,
        customers: 3,
        justification: expect.stringContaining('海燕'),
      },
    ]);
    expect(rowsIn(made, 'reviews').map(({ state }) => state)).toEqual(['overdue', 'open']);
    // The grant is of before the period, and was used in it.
    const later = await report('break-glass', decisions, { query: { since: '2026-11-12T06:11:00Z' } });
    expect(rowsIn(later, 'grants')).toMatchObject([{ uses: 2 }]);
  });

  test('finds what is unusual, and shows the arithmetic', async () => {
    const made = await report('unusual', decisions);
    expect(
      rowsIn(made, 'findings').map(({ about, when, value, usual, score }) => [
        about,
        when,
        value,
        usual,
        score,
      ]),
    ).toEqual([
      // own days: 8 each; the other clerks’ median days: 6 6 7 7 8 9 9 10 10
      ['u-03', '2026-11-20', '60', '8', 52],
      ['u-03', '2026-11-20', '60', '8', 35.1],
      ['u-05', '2026-11-10', '22', '10', 12],
      ['u-05', '2026-11-10', '22', '8', 9.4],
      ['u-05', null, '5.6 %', '0.0 %', 11.3],
      ['C100007', null, '10', '1', 9],
      ['u-06', '2026-11-17 16:01', '14 steps', 'fewer than 8', null],
    ]);
    const { lines } = made.sections.find(({ id }) => id === 'arithmetic') as TextSection;
    expect(lines[1]).toBe(
      '2. u-03 on 2026-11-20: 60 customers. The median days of 9 other callers with the same roles: median 8, MAD 1. (60 − 8) ÷ max(1.4826 × 1, 1) = (60 − 8) ÷ 1.48 = 35.07 > 6.',
    );
    expect(lines[6]).toContain('C200001 … C200015 from 2026-11-17 16:01 to 2026-11-17 16:15: 14 steps of +1');
    // Without a list of ids, pseudonyms have no order, and the report says so.
    const blind = await report('unusual', decisions, { plain: (id) => id, listed: null });
    expect(rowsIn(blind, 'findings')).toHaveLength(6);
    expect(JSON.stringify(blind.sections.at(-1))).toContain('1709 look-ups name customers by pseudonyms');
    // History before the period counts, and findings of before it do not.
    const late = await report('unusual', decisions, { query: { since: '2026-11-18T00:00:00Z' } });
    expect(rowsIn(late, 'findings').map(({ about, when }) => [about, when])).toEqual([
      ['u-03', '2026-11-20'],
      ['u-03', '2026-11-20'],
    ]);
    const calm = await report('unusual', decisions, {
      thresholds: { ...THRESHOLDS, deviations: 60, steps: 15 },
    });
    expect(rowsIn(calm, 'findings')).toEqual([]);
  });

  test('has the rights that nobody uses, and classes that a right shows in vain', async () => {
    const made = await report('unused-rights', decisions, { policy: RIGHTS });
    expect(summaryOf(made)).toContain('2 of 5 rights of the policy r1 were not used in 90 days');
    expect(summaryOf(made)).toContain('The log begins at 2026-11-02 09:00');
    expect(
      rowsIn(made, 'unused').map(({ role, purpose, action, last_use }) => [role, purpose, action, last_use]),
    ).toEqual([
      ['support', 'marketing', 'read', 'never in this log'],
      ['adjuster', 'claims', 'export', 'never in this log'],
    ]);
    expect(rowsIn(made, 'classes').map((row) => row['class'])).toEqual(['health/4']);
    expect(rowsIn(made, 'not_granted')).toMatchObject([
      { roles: 'adjuster', purpose: 'emergency', decisions: 1 },
    ]);
    const short = await report('unused-rights', decisions, {
      policy: RIGHTS,
      thresholds: { ...THRESHOLDS, days: 7 },
    });
    expect(summaryOf(short)).toContain('4 of 5 rights');
    expect(
      rowsIn(short, 'unused').find(({ purpose, action }) => purpose === 'claims' && action === 'read'),
    ).toMatchObject({
      last_use: '2026-11-12 14:12',
    });
    expect(tableIn(short, 'roles').total).toEqual(['Total', 5, 1, 4]);
  });

  test('audits the system, and follows up what the last audit found', async () => {
    const first = await report('system-audit', decisions, { policy: RIGHTS, system: SYSTEM, reviews: [] });
    const verdicts = (made: Report) =>
      Object.fromEntries(rowsIn(made, 'checks').map(({ check, verdict }) => [check, verdict]));
    expect(verdicts(first)).toEqual({
      collection: 'not_shown',
      purpose_stated: 'ok',
      purpose_known: 'ok',
      consent: 'ok',
      rights_used: 'attention',
      refusals: 'ok',
      emergencies: 'ok',
      log_intact: 'ok',
      log_protected: 'ok',
      log_durable: 'ok',
      copies: 'attention',
      keys: 'ok',
      backup: 'not_shown',
      partners_known: 'ok',
      // The agreement ended on the fifteenth: eight decisions came later.
      agreements: 'attention',
      incidents: 'ok',
      unusual: 'attention',
      follow_up: 'not_shown',
    });
    expect(rowsIn(first, 'checks').find(({ check }) => check === 'agreements')).toMatchObject({
      evidence: 'Decisions after the last day of an agreement: 8 (swift_logistics).',
    });
    const system = { ...SYSTEM, configuration: { ...SYSTEM.configuration!, copies: ['index sqlite'] } };
    const next = await report('system-audit', decisions, {
      policy: RIGHTS,
      system,
      reviews: [],
      previous: first,
    });
    expect(Object.entries(verdicts(next)).filter(([check]) => check.startsWith('follow_up'))).toEqual([
      ['follow_up:rights_used', 'attention'],
      ['follow_up:copies', 'ok'],
      ['follow_up:agreements', 'attention'],
      ['follow_up:unusual', 'attention'],
    ]);
    // Nothing is in order because nothing is known.
    const nothing = await report('system-audit', []);
    expect(new Set(Object.values(verdicts(nothing)))).toEqual(new Set(['not_shown']));
  });

  test('is the same whatever the order of the decisions', async () => {
    const over = { policy: RIGHTS, system: SYSTEM, reviews: [] };
    for (const { name } of REPORTS) {
      const made = await report(name, decisions, over);
      expect(await report(name, decisions.toReversed(), over)).toEqual(made);
      expect(await report(name, [...decisions.slice(700), ...decisions.slice(0, 700)], over)).toEqual(made);
    }
  });
});

describe('generated decisions', () => {
  const SUBJECTS = ['u-1', 'u-2', '=1+1', '张三'];
  const CLASSES = ['contact/3', 'identity/4', 'health/4'];
  const one = fc.record({
    subject: fc.constantFrom(...SUBJECTS),
    purpose: fc.constantFrom('after_sales', 'claims', null),
    recipient: fc.constantFrom('internal', 'p1', 'p2'),
    outcome: fc.constantFrom('allowed', 'modified', 'denied', 'error' as const),
    people: fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 4 }),
    masked: fc.array(fc.tuple(fc.constantFrom(...CLASSES), fc.integer({ min: 1, max: 5 })), { maxLength: 3 }),
    // The clock may step back: times are in no order.
    minute: fc.integer({ min: 0, max: 60 * 24 * 40 }),
  });
  const built = (list: readonly (typeof one extends fc.Arbitrary<infer T> ? T : never)[]): Decision[] =>
    list.map(({ subject, people, masked, minute, ...over }, n) =>
      decisionOf(
        {
          ...over,
          timestamp: new Date(Date.UTC(2026, 9, 1) + minute * 60_000).toISOString(),
          subject: { ...draft(n).subject!, id: subject },
          disclosure:
            over.outcome === 'denied'
              ? null
              : {
                  ...draft(n).disclosure!,
                  records: people.length,
                  data_subjects: [...new Set(people)].map(
                    (p) => `hmac:0011aabb:${String(p).padStart(64, '0')}`,
                  ),
                  withheld: masked.map(([cls, count], i) => ({
                    path: `/f${i}`,
                    class: cls,
                    do: 'mask',
                    because: 'b',
                    count,
                  })),
                },
        },
        n,
      ),
    );

  test('partners have the customers that the counts say something was disclosed of', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(one, fc.boolean()), { maxLength: 40 }), async (list) => {
        // Of some answers nothing left: they were replaced.
        const decisions = built(list.map(([decision]) => decision)).map((decision, i) =>
          list[i]![1] && decision.disclosure !== null
            ? { ...decision, disclosure: { ...decision.disclosure, records: 0, released: [] } }
            : decision,
        );
        const source: QueryInterface = {
          query: async () => ({ decisions, cursor: null }),
          get: async () => null,
        };
        const { rows } = await countDecisions(source, {}, countSpec(['recipient'], 'data_subject'));
        const made = rowsIn(await report('partners', decisions), 'partners');
        for (const { values, distinct_disclosed } of rows.filter(({ values: [to] }) => to !== 'internal'))
          expect(made.find(({ partner }) => partner === values[0])).toMatchObject({
            customers: distinct_disclosed,
          });
      }),
      { numRuns: 60 },
    );
  });

  test('the totals of tables are those of a plain count', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 40 }), async (list) => {
        const decisions = built(list);
        const refused = list.filter(({ outcome }) => outcome === 'denied').length;
        const values = list
          .filter(({ outcome }) => outcome !== 'denied')
          .reduce((sum, { masked }) => sum + masked.reduce((n, [, count]) => n + count, 0), 0);
        const refusals = await report('refusals', decisions);
        expect(refusals.decisions).toBe(list.length);
        expect(tableIn(refusals, 'callers').total!.slice(1, 3)).toEqual([refused, list.length]);
        expect(tableIn(refusals, 'withheld').total![3]).toBe(values);
        const sum = (made: Report, table: string, column: string): number =>
          rowsIn(made, table).reduce((n, row) => n + Number(row[column]), 0);
        expect(sum(refusals, 'callers', 'refused')).toBe(refused);
        const redactions = await report('redactions', decisions);
        expect([sum(redactions, 'rules', 'places'), sum(redactions, 'hours', 'places')]).toEqual([
          values,
          values,
        ]);
        const chart = redactions.sections.find(({ kind }) => kind === 'chart');
        const charted =
          chart?.kind === 'chart' ? chart.series.flatMap((s) => s.values).reduce((a, b) => a + b, 0) : 0;
        expect(charted).toBe(values);
        const partners = await report('partners', decisions);
        for (const partner of ['p1', 'p2']) {
          const of = list.filter(({ recipient }) => recipient === partner);
          const people = new Set(of.filter((d) => d.outcome !== 'denied').flatMap((d) => d.people));
          expect(rowsIn(partners, 'partners').find((row) => row['partner'] === partner) ?? null).toEqual(
            of.length === 0
              ? null
              : expect.objectContaining({ decisions: of.length, customers: people.size }),
          );
        }
        const employee = await report(
          'employee-access',
          decisions.filter((d) => d.subject?.id === '张三'),
        );
        expect(tableIn(employee, 'purposes').total![1]).toBe(
          list.filter(({ subject }) => subject === '张三').length,
        );
      }),
      { numRuns: 60 },
    );
  });

  test('no decision and one decision make every report', async () => {
    const over = { policy: RIGHTS, system: SYSTEM, reviews: [] };
    for (const { name } of REPORTS)
      for (const decisions of [[], [decisionOf({ subject: null, resource: null, policy: null }, 0)]]) {
        const made = await report(name, decisions, over);
        expect([name, made.decisions]).toEqual([name, decisions.length]);
        expect(JSON.stringify(made)).not.toMatch(/NaN|Infinity/);
      }
  });
});

test('the texts have the same placeholders in both languages', () => {
  const source = readFileSync(join(import.meta.dirname, '../../src/reports/words.ts'), 'utf8');
  const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
  const texts = [...source.matchAll(/: w\(\s*'([^']*)',\s*'([^']*)',?\s*\)/g)];
  expect(texts.length).toBeGreaterThan(150);
  expect(texts.filter(([, en, zh]) => String(placeholders(en!)) !== String(placeholders(zh!)))).toEqual([]);
});

test('median and MAD are those of the textbook, and extremes do not move them', () => {
  expect([median([1, 1, 2, 2, 4, 6, 9]), mad([1, 1, 2, 2, 4, 6, 9])]).toEqual([2, 1]);
  expect([median([4, 1, 3, 2]), mad([4, 1, 3, 2])]).toEqual([2.5, 1]);
  expect([median([1, 1, 2, 2, 4, 6, 1e9]), mad([1, 1, 2, 2, 4, 6, 1e9])]).toEqual([2, 1]);
  expect(scoreOf(60, [8, 8, 8, 8, 8], 1)).toEqual({ count: 5, median: 8, mad: 0, spread: 1, score: 52 });
  expect(scoreOf(20, [6, 6, 7, 7, 8, 9, 9, 10, 10], 1).score).toBeCloseTo(12 / 1.4826, 10);
});

test('days and hours are those of the time zone, also of half an hour and where clocks change', () => {
  const at = Date.parse('2026-11-20T16:30:00Z');
  expect(zoneOf('Asia/Shanghai').moment(at)).toBe('2026-11-21 00:30');
  expect(zoneOf('Asia/Kolkata').day(Date.parse('2026-11-20T18:45:00Z'))).toBe('2026-11-21');
  expect(zoneOf('Asia/Kolkata').moment(zoneOf('Asia/Kolkata').startOfHour(at))).toBe('2026-11-20 22:00');
  const berlin = zoneOf('Europe/Berlin');
  expect([
    berlin.hour(Date.parse('2026-10-25T00:30:00Z')),
    berlin.hour(Date.parse('2026-10-25T01:30:00Z')),
  ]).toEqual([2, 2]);
  expect([
    zoneOf('UTC').isWeekend(Date.parse('2026-11-20T23:00:00Z')),
    zoneOf('Asia/Shanghai').isWeekend(Date.parse('2026-11-20T23:00:00Z')),
  ]).toEqual([false, true]);
  expect(() => zoneOf('Asia/Beijing')).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
});
