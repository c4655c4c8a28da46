/** The obligation `record_filter` in the disclosure stage: what an attribute may look like, in every format, and what counts tell. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FilterCondition } from '../../src/model/record-filter.ts';
import { answer, catalogOf, disclosed, partsOf, type Setting, summaryOf } from './support.ts';

const catalog = catalogOf(
  { '/id': 'reference/1', '/at': 'transaction/2', '/region': 'contact/2', '/sum': 'transaction/2' },
  {
    attributes: { dated: '/at', region: '/region', sum: '/sum' },
    envelope: { '/total': 'total', '/count': 'record_count', '/items': 'records' },
  },
);
const says = answer({ 'reference/1': 'disclose', 'transaction/2': 'disclose', 'contact/2': 'disclose' });
const condition = (over: Partial<FilterCondition>): FilterCondition => ({
  resource: 'customer',
  attribute: 'dated',
  in: null,
  at_least: null,
  at_most: null,
  offset: 0,
  order: null,
  ...over,
});
const since = condition({ at_least: '2026-05-30', at_most: '2026-12-01' });
const china = { ...since, offset: 480 };
const of = (filter: FilterCondition[], over: Partial<Setting> = {}): Setting => ({
  catalog,
  records: '/items/*',
  answer: says,
  filter,
  ...over,
});

/** what happens to one record with this value of `/at`: `yes`, or the code */
async function fate(value: unknown, filter: FilterCondition[], member = 'at'): Promise<string> {
  const body = JSON.stringify({ items: [{ id: 'C1', ...(value === undefined ? {} : { [member]: value }) }] });
  const { records, withheld_reasons = {} } = await summaryOf(body, of(filter));
  return records === 1 ? 'yes' : Object.keys(withheld_reasons).join();
}
const OUT = 'outside_record_filter';
const UNREADABLE = 'record_filter_unreadable';

describe('a date', () => {
  test.each<[unknown, string]>([
    ['2026-05-30', 'yes'],
    ['2026-05-29', OUT],
    ['2026/5/30', 'yes'],
    ['2026.05.30', 'yes'],
    ['2026年5月30日', 'yes'],
    ['2026年05月29日', OUT],
    ['２０２６年５月３０日', 'yes'],
    ['2026年5月30日 下午3:20', 'yes'],
    ['民国115年5月30日', 'yes'],
    ['20260530', 'yes'],
    [20260530, 'yes'],
    [20260529, OUT],
    ['20260530102030', 'yes'],
    ['  2026-05-30  ', 'yes'],
    ['2026-05-30T00:00:00Z', 'yes'],
    ['2026-05-30 23:59:59.123', 'yes'],
    // The day that is written counts, wherever it was written.
    ['2026-05-29T23:00:00-08:00', OUT],
    ['2026-05-30T00:00:00+14:00', 'yes'],
    ['30 May 2026', 'yes'],
    ['31/05/2026', 'yes'],
  ])('%j: %s', async (value, wanted) => {
    expect(await fate(value, [since])).toBe(wanted);
  });

  test.each<[string, unknown, string]>([
    ['seconds', 1780099200, 'yes'],
    ['seconds the day before', 1780099199, OUT],
    ['milliseconds', 1780099200000, 'yes'],
    ['milliseconds as text', '1780099199999', OUT],
    ['JSON of .NET', '/Date(1780099200000)/', 'yes'],
  ])('since 1970 in %s', async (_, value, wanted) => {
    expect(await fate(value, [since])).toBe(wanted);
  });

  test('since 1970 is of the day at the offset of the condition', async () => {
    // 2026-05-29T16:00:00Z is 30 May in China.
    expect(await fate(1780070400, [since])).toBe(OUT);
    expect(await fate(1780070400, [china])).toBe('yes');
    expect(await fate(1780070399, [china])).toBe(OUT);
  });

  test.each<[string, unknown]>([
    ['none', undefined],
    ['null', null],
    ['empty', ''],
    ['blank', '　'],
    ['true', true],
    ['a word', '昨天'],
    ['a month', '2026-06'],
    ['a year', '2026'],
    ['one of two dates', '05/06/2026'],
    ['30 February', '2026-02-30'],
    ['two digits for the year', '26-06-01'],
    ['a serial number of a spreadsheet', 46173],
    ['seconds before 2001', 999999999],
    ['microseconds', 1780099200000000],
    ['negative', -1780099200],
    ['a list', ['2026-05-30']],
    ['an object', { date: '2026-05-30' }],
    ['an object with toString', { toString: '2026-05-30', valueOf: '2026-05-30' }],
    ['a date and more', '2026-05-30 or so'],
    ['two dates', '2026-05-30/2026-06-30'],
    ['a very long text', `2026-05-30${' '.repeat(100)}x`],
  ])('that is %s withholds its record', async (_, value) => {
    expect(await fate(value, [since])).toBe(UNREADABLE);
  });

  test('that stands for none lies in the future, and is not within the last months', async () => {
    expect(await fate('9999-12-31', [since])).toBe(OUT);
    expect(await fate('2026-12-01', [since])).toBe('yes');
    expect(await fate('2026-12-02', [since])).toBe(OUT);
  });

  test('with its day first is read if the condition says so', async () => {
    expect(await fate('05/06/2026', [{ ...since, order: 'dmy' }])).toBe('yes');
    expect(await fate('06/05/2026', [{ ...since, order: 'dmy' }])).toBe(OUT);
    expect(await fate('06/05/2026', [{ ...since, order: 'mdy' }])).toBe('yes');
  });

  test('of any day is compared as the calendar orders days', async () => {
    const day = fc.date({ min: new Date('1900-01-01'), max: new Date('2199-12-31'), noInvalidDate: true });
    await fc.assert(
      fc.asyncProperty(day, day, async (a, b) => {
        const [value, bound] = [a, b].map((d) => d.toISOString().slice(0, 10)) as [string, string];
        const expected = value >= bound ? 'yes' : OUT;
        expect(await fate(value, [condition({ at_least: bound })])).toBe(expected);
        const [y, m, d] = value.split('-').map(Number);
        expect(await fate(`${y}年${m}月${d}日`, [condition({ at_least: bound })])).toBe(expected);
        expect(await fate(Number(value.replaceAll('-', '')), [condition({ at_least: bound })])).toBe(
          expected,
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('a value of a list', () => {
  const own = condition({ attribute: 'region', in: ['广东省', '44', 'true'] });
  test.each<[unknown, string]>([
    ['广东省', 'yes'],
    ['广东省　 ', 'yes'],
    [44, 'yes'],
    ['44', 'yes'],
    [true, 'yes'],
    ['广东', OUT],
    ['广东省广州市', OUT],
    ['44.0', OUT],
    [444, OUT],
    [false, OUT],
    ['', OUT],
    [null, UNREADABLE],
    [undefined, UNREADABLE],
    [['广东省'], UNREADABLE],
    [{ 广东省: true }, UNREADABLE],
  ])('%j: %s', async (value, wanted) => {
    expect(await fate(value, [own], 'region')).toBe(wanted);
  });

  test('that is empty permits nothing', async () => {
    expect(await fate('', [condition({ attribute: 'region', in: [] })], 'region')).toBe(OUT);
  });
});

test.each<[unknown, string]>([
  [100, 'yes'],
  ['100.00', 'yes'],
  [99.99, OUT],
  [1e3, OUT],
  ['1e2', UNREADABLE],
  ['一百', UNREADABLE],
  ['0x64', UNREADABLE],
  ['100元', UNREADABLE],
  [true, UNREADABLE],
  [[100], UNREADABLE],
])('a number between 100 and 200: %j: %s', async (value, wanted) => {
  expect(await fate(value, [condition({ attribute: 'sum', at_least: 100, at_most: 200 })], 'sum')).toBe(
    wanted,
  );
});

test('two values for one attribute refuse the answer', async () => {
  const twice = catalogOf({ '/id': 'reference/1' }, { attributes: { dated: '/dates/*' } });
  const body = JSON.stringify([{ id: 'C1', dates: ['2020-01-01', '2026-06-01'] }]);
  await expect(partsOf(body, of([since], { catalog: twice, records: '/*' }))).rejects.toMatchObject({
    code: 'response_malformed',
  });
});

test('a member that is named twice does not choose its value', async () => {
  const body = '{"items":[{"id":"C1","at":"2020-01-01","at":"2026-06-01"}]}';
  await expect(partsOf(body, of([since]))).rejects.toMatchObject({ code: 'response_malformed' });
});

describe('in every format', () => {
  const filter = [since];
  test.each<[string, Partial<Setting>, string, string]>([
    [
      'csv',
      { format: 'csv', records: null },
      'id,at\nC1,20260601\nC2,20200101\nC3,\n',
      'id,at\nC1,20260601\n',
    ],
    [
      'ndjson',
      { format: 'ndjson', records: null },
      '{"id":"C1","at":"2026-06-01"}\n{"id":"C2"}\n',
      '{"id":"C1","at":"2026-06-01"}\n',
    ],
    [
      'xml',
      { format: 'xml', records: '/l/c' },
      '<l><c><id>C1</id><at>2026年6月1日</at></c><c><id>C2</id><at/></c></l>',
      '<l><c><id>C1</id><at>2026年6月1日</at></c></l>',
    ],
    ['form', { format: 'form', records: null }, 'id=C1&at=2020-01-01', ''],
    ['whole', { format: 'whole', records: null, options: { field: '/id', types: ['text/plain'] } }, 'C1', ''],
  ])('%s', async (_, over, body, wanted) => {
    expect(await disclosed(body, of(filter, over))).toBe(wanted);
  });
});

describe('embedded records', () => {
  const order = catalogOf(
    { '/no': 'reference/1', '/buyer': '@customer', '/others/*': '@customer' },
    { resource: 'order' },
  );
  const setting = of([since], { catalog: order, catalogs: [catalog], records: '/*' });

  test('outside the filter are dropped from the record that they stand in', async () => {
    const body = JSON.stringify([
      {
        no: 1,
        buyer: { id: 'C1', at: '2026-06-01' },
        others: [{ id: 'C2', at: '2020-01-01' }, { id: 'C3', at: '2026-06-02' }, { id: 'C4' }],
      },
      { no: 2, buyer: { id: 'C5', at: 'never' } },
    ]);
    expect(JSON.parse(await disclosed(body, setting))).toEqual([
      { no: 1, buyer: { id: 'C1', at: '2026-06-01' }, others: [{ id: 'C3', at: '2026-06-02' }] },
      { no: 2 },
    ]);
  });

  test('do not lend their attributes to the record around them', async () => {
    const around = catalogOf(
      { '/id': 'reference/1', '/at': 'transaction/2', '/parent': '@customer' },
      { attributes: { dated: '/at' } },
    );
    const body = JSON.stringify([{ id: 'C1', at: '2020-01-01', parent: { id: 'C2', at: '2026-06-01' } }]);
    expect(await disclosed(body, of([since], { catalog: around, records: '/*' }))).toBe('[]');
  });
});

describe('what an answer tells of records outside', () => {
  const row = fc.record({ inside: fc.boolean(), n: fc.nat(999) });
  const bodyOf = (rows: readonly { inside: boolean; n: number }[], total: number | null): string =>
    JSON.stringify({
      total: total ?? rows.length,
      count: rows.length,
      items: rows.map(({ inside, n }) => ({ id: `C${n}`, at: inside ? '2026-06-01' : '2020-01-01', sum: n })),
    });

  test('a list reads as if they were not there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1 }), fc.nat(60), async (rows, step) => {
        const setting = of([since], step === 0 ? {} : { step });
        const inside = rows.filter((r) => r.inside);
        const told = JSON.parse(await disclosed(bodyOf(rows, null), setting));
        expect(told.items.map((r: { sum: number }) => r.sum)).toEqual(inside.map(({ n }) => n));
        expect(told.count).toBe(inside.length);
        expect(told.total).toBe(inside.length === 0 ? null : inside.length);
        if (inside.length > 0)
          expect(told).toEqual(JSON.parse(await disclosed(bodyOf(inside, null), setting)));
      }),
    );
  });

  test('the total of a list that the upstream cut is not told, even if nothing in it is withheld', async () => {
    expect(JSON.parse(await disclosed(bodyOf([{ inside: true, n: 1 }], 100_000), of([since])))).toMatchObject(
      {
        count: 1,
        total: null,
      },
    );
  });

  test('an answer of a thousand dates is one question to the policy', async () => {
    let asked = 0;
    const rows = Array.from({ length: 1000 }, (_, n) => ({ id: `C${n}`, at: 20260101 + (n % 28), sum: n }));
    await disclosed(
      JSON.stringify({ items: rows }),
      of([since], {
        attributesRead: [],
        answer: () => {
          asked += 1;
          return says;
        },
      }),
    );
    expect(asked).toBe(1);
  });
});
