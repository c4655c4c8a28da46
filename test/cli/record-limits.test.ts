/** What `matrix --diff` and `replay` say of a changed record filter or retention holds for every record that the filters themselves judge. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterDirection, retentionDirection } from '../../src/cli/policy/record-limits.ts';
import { outsideOf } from '../../src/disclosure/session/filtered.ts';
import type { FilterCondition, RecordFilter } from '../../src/model/record-filter.ts';

const days = fc.constantFrom('2024-01-01', '2025-06-30', '2026-12-01');
const numbers = fc.integer({ min: 0, max: 3 });
const regions = fc.constantFrom('广东省', '海南省', '44');
const base = { resource: 'customer', offset: 0, order: null } as const;
const range = <T extends string | number>(attribute: string, bounds: fc.Arbitrary<T>) =>
  fc
    .tuple(fc.option(bounds), fc.option(bounds))
    .filter(([least, most]) => least !== null || most !== null)
    .map(([at_least, at_most]): FilterCondition => ({ ...base, attribute, in: null, at_least, at_most }));
const conditions = fc.oneof(
  range('dated', days),
  range('vip', numbers),
  fc.uniqueArray(regions, { minLength: 1 }).map(
    (values): FilterCondition => ({
      ...base,
      attribute: 'region',
      in: values,
      at_least: null,
      at_most: null,
    }),
  ),
);
const filters: fc.Arbitrary<RecordFilter> = fc.array(conditions, { maxLength: 3 });
const records = fc.record(
  { dated: fc.oneof(days, fc.constant('unknown')), vip: numbers, region: regions },
  { requiredKeys: [] },
);

test('a filter that is called wider leaves every record that the other leaves, and a narrower one none more', () => {
  let told = 0;
  fc.assert(
    fc.property(filters, filters, fc.array(records, { minLength: 20, maxLength: 20 }), (a, b, some) => {
      const direction = filterDirection(a, b);
      const isLeft = (filter: RecordFilter, record: (typeof some)[number]): boolean =>
        outsideOf(filter, 'customer', record) === null;
      if (direction !== 'other') told++;
      for (const record of some) {
        if (direction === 'wider') expect(!isLeft(a, record) || isLeft(b, record)).toBe(true);
        if (direction === 'narrower') expect(!isLeft(b, record) || isLeft(a, record)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
  expect(told).toBeGreaterThan(20);
});

const since = (category: string, at_least: string) => ({
  category,
  condition: { ...base, attribute: 'dated', in: null, at_least, at_most: null },
});

test.each([
  ['a longer period', [since('health', '2021-12-01')], [since('health', '2019-12-01')], 'wider'],
  ['a shorter period', [since('health', '2019-12-01')], [since('health', '2021-12-01')], 'narrower'],
  ['the first period', [], [since('health', '2021-12-01')], 'narrower'],
  ['no period any more', [since('health', '2021-12-01')], [], 'wider'],
  [
    'the same period in other words',
    [since('health', '2021-12-01')],
    [since('health', '2021-12-01')],
    'other',
  ],
  [
    'one longer, one shorter',
    [since('health', '2021-12-01'), since('transaction', '2019-12-01')],
    [since('health', '2019-12-01'), since('transaction', '2021-12-01')],
    'other',
  ],
])('retention: %s', (_what, before, after, direction) => {
  expect(retentionDirection(before, after)).toBe(direction);
});
