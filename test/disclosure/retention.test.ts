/** The obligation `retention`: fields of a category are dropped in records that are older, and nothing else changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogOf as catalogsOf } from './support.ts';
import { isRetention, resolvedRetention, type RetentionRule } from '../../src/model/retention.ts';
import { answer, disclosed, type Setting, summaryOf } from './support.ts';

const catalog = catalogsOf(
  {
    '/id': 'reference/1',
    '/date': 'transaction/2',
    '/amount': 'transaction/2',
    '/lines/*/item': 'transaction/2',
    '/phone': 'contact/3',
    '/diagnosis': 'health/4',
  },
  { attributes: { dated: '/date' }, envelope: { '/items': 'records', '/count': 'record_count' } },
);
const says = answer({
  'reference/1': 'disclose',
  'transaction/2': 'disclose',
  'contact/3': 'disclose',
  'health/4': 'disclose',
});
const rule = (category: string, at_least: string): RetentionRule => ({
  category,
  condition: {
    resource: 'customer',
    attribute: 'dated',
    in: null,
    at_least,
    at_most: null,
    offset: 0,
    order: null,
  },
});
const SEVEN = rule('transaction', '2019-11-30');
const of = (retention: readonly RetentionRule[], over: Partial<Setting> = {}): Setting => ({
  catalog,
  records: '/items/*',
  answer: says,
  retention,
  ...over,
});
const order = (date: unknown, more: object = {}) => ({
  id: 'C1',
  date,
  amount: 88.5,
  lines: [{ item: '行车记录仪' }],
  phone: '13812345678',
  diagnosis: '骨折',
  ...more,
});
const kept = async (body: object, setting: Setting) =>
  (JSON.parse(await disclosed(JSON.stringify({ items: [body] }), setting)) as { items: object[] }).items[0];

const WITHOUT = { id: 'C1', lines: [{}], phone: '13812345678', diagnosis: '骨折' };

describe('retention', () => {
  test.each<[unknown, boolean]>([
    ['2019-11-30', true],
    ['2019-11-29', false],
    ['2019年11月29日', false],
    ['２０１９年１１月３０日', true],
    ['20191129', false],
    ['2030-01-01', true],
    ['9999-12-31', true],
    [null, false],
    ['昨天', false],
    ['05/06/2020', false],
    [{ year: 2026 }, false],
    ['', false],
  ])('of a record of %j keeps its transactions: %s', async (date, isKept) => {
    const found = await kept(order(date), of([SEVEN]));
    if (isKept) expect(found).toEqual(order(date));
    else expect(found).toEqual(WITHOUT);
  });

  test('says in the record why: too old, or a date that cannot be read', async () => {
    const because = async (date: unknown) => {
      const body = JSON.stringify({ items: [order(date)] });
      const { withheld, records } = await summaryOf(body, of([SEVEN]));
      expect(records).toBe(1);
      return new Set(withheld.map((path) => path.because));
    };
    expect(await because('2010-01-01')).toEqual(new Set(['retention_over']));
    expect(await because('昨天')).toEqual(new Set(['retention_unreadable']));
    expect(await because('2026-01-01')).toEqual(new Set());
  });

  test('wins over what the answer says of a single field', async () => {
    const named = answer(
      { 'reference/1': 'disclose', 'transaction/2': 'drop', 'contact/3': 'disclose', 'health/4': 'disclose' },
      { '/amount': 'disclose' },
    );
    expect(await kept(order('2010-01-01'), of([SEVEN], { answer: named }))).toEqual(WITHOUT);
  });

  test('holds for other resources not at all', async () => {
    const other = { ...SEVEN, condition: { ...SEVEN.condition, resource: 'employee' } };
    expect(await kept(order('2010-01-01'), of([other]))).toEqual(order('2010-01-01'));
  });

  test('each record of a list is judged by its own date, and none is withheld', async () => {
    const days = fc.integer({ min: 0, max: 4_000 }).map((n) => new Date(Date.UTC(2016, 0, 1 + n)));
    await fc.assert(
      fc.asyncProperty(
        fc.array(days, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('2019-11-30', '2021-11-30'),
        fc.constantFrom('2019-11-30', '2021-11-30'),
        async (dates, transactions, health) => {
          const texts = dates.map((date) => date.toISOString().slice(0, 10));
          const rules = [rule('transaction', transactions), rule('health', health)];
          const body = JSON.stringify({ items: texts.map((date) => order(date)), count: texts.length });
          const found = JSON.parse(await disclosed(body, of(rules))) as { items: object[]; count: number };
          expect(found.count).toBe(texts.length);
          for (const [i, date] of texts.entries()) {
            const members = Object.keys(found.items[i]!);
            expect(members.includes('amount')).toBe(date >= transactions);
            expect(members.includes('diagnosis')).toBe(date >= health);
            expect(members).toContain('phone');
          }
        },
      ),
      { numRuns: Number(process.env['FC_RUNS'] ?? 40) },
    );
  });

  test('holds for rows of a table, whatever the order of the columns', async () => {
    const setting = of([SEVEN], { format: 'csv', records: null });
    const csv = 'id,amount,date,phone\nC1,88.5,2010-01-01,138\nC2,99,2026-01-01,139\n';
    const found = await disclosed(csv, setting);
    expect(found).not.toContain('88.5');
    expect(found).toContain('C2,99,2026-01-01,139');
    expect(found).toContain('138');
  });
});

describe('rules of an answer', () => {
  const input = {
    context: { time: '2026-11-30T20:00:00Z' },
    resource: { type: 'customer', properties: {} },
    subject: { properties: {} },
  } as unknown as Parameters<typeof resolvedRetention>[1];
  const one = { resource: 'customer', attribute: 'dated', category: 'transaction', within: 'P7Y' };
  const catalogs = new Map([['customer', catalog]]);

  test('count from the day of the request, at their offset, without an upper bound', () => {
    const bounds = (offset?: string) =>
      resolvedRetention([offset === undefined ? one : { ...one, offset }], input, catalogs);
    expect(bounds()).toMatchObject([{ condition: { at_least: '2019-11-30', at_most: null } }]);
    expect(bounds('+08:00')).toMatchObject([{ condition: { at_least: '2019-12-01', at_most: null } }]);
  });

  test('about a date that the catalog does not have are a reason to deny', () => {
    expect(resolvedRetention([{ ...one, attribute: 'ended' }], input, catalogs)).toMatchObject({
      code: 'retention_undetermined',
    });
  });

  test.each([
    ['no list', 'P7Y'],
    ['an empty rule', [{}]],
    ['a rule without a category', [{ resource: 'customer', attribute: 'dated', within: 'P7Y' }]],
    ['a rule without a time', [{ resource: 'customer', attribute: 'dated', category: 'transaction' }]],
    ['seven years in words', [{ ...one, within: '7 years' }]],
    ['a rule with a member that nobody knows', [{ ...one, until: '2026' }]],
  ])('that are %s cannot be read', (_what, value) => {
    expect(isRetention(value)).toBe(false);
  });

  test('that can be read are read', () => {
    expect(isRetention([one, { ...one, offset: '+08:00', order: 'dmy' }])).toBe(true);
    expect(isRetention([])).toBe(true);
  });
});

describe('names in a map', () => {
  const mapped = (classes: Parameters<typeof catalogsOf>[0], more: object) =>
    catalogsOf(classes, { attributes: { dated: '/date' }, envelope: {}, ...more });
  const CLASSES = { '/{key}': 'transaction/2', '/date': 'reference/1', '/phone': 'contact/3' } as const;
  const two = {
    'A-2010': { date: '2010-01-01', phone: '13812345678' },
    'A-2025': { date: '2025-01-01', phone: '13812345679' },
  };

  test('a name of a category that is too old does not leave with what else is in the record', async () => {
    const setting = { catalog: mapped(CLASSES, {}), records: '/*', answer: says, retention: [SEVEN] };
    const text = await disclosed(JSON.stringify(two), setting);
    expect(text).not.toContain('A-2010');
    expect(JSON.parse(text)).toEqual({ 'A-2025': two['A-2025'] });
  });

  test('a hidden name does not leave where the catalog names no data subject either', async () => {
    const hidden = answer({ 'transaction/2': 'drop', 'reference/1': 'disclose', 'contact/3': 'disclose' });
    for (const data_subject of [[], ['/{key}']]) {
      const setting = { catalog: mapped(CLASSES, { data_subject }), records: '/*', answer: hidden };
      expect(await disclosed(JSON.stringify(two), setting)).toBe('{}');
    }
  });
});
