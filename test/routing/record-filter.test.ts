import { describe, expect, test } from 'vitest';
import type { FilterCondition } from '../../src/model/record-filter.ts';
import { withFilter } from '../../src/routing/record-filter.ts';
import type { FilterParamsConfig } from '../../src/routing/section/filter-params.ts';

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
type Mapping = Partial<FilterParamsConfig[string]>;
const sent = (
  mapping: Mapping,
  filter: FilterCondition,
  own: readonly (readonly [string, string])[] = [],
): string =>
  withFilter({ dated: { format: 'date', ...mapping } }, 'customer', [filter], own)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');

test.each<[Mapping['format'], string]>([
  ['date', 'a=2026-05-30&b=2026-12-01'],
  ['compact', 'a=20260530&b=20261201'],
  ['datetime', 'a=2026-05-30T00:00:00+08:00&b=2026-12-01T23:59:59+08:00'],
  ['epoch', 'a=1780070400&b=1796140799'],
  ['epoch_ms', 'a=1780070400000&b=1796140799000'],
])('dates as %s', (format, wanted) => {
  expect(sent({ at_least: 'a', at_most: 'b', format: format! }, { ...since, offset: 480 })).toBe(wanted);
});

describe('values', () => {
  test('one is sent, several only with a separator', () => {
    expect(sent({ in: 'r' }, condition({ in: ['广东省'] }))).toBe('r=广东省');
    expect(sent({ in: 'r' }, condition({ in: ['a', 'b'] }))).toBe('');
    expect(sent({ in: 'r', separator: '|' }, condition({ in: ['a', 'b'] }))).toBe('r=a|b');
  });

  test('that contain the separator are not sent: they would be others', () => {
    expect(sent({ in: 'r', separator: ',' }, condition({ in: ['a', 'b,c'] }))).toBe('');
  });

  test('of the request stay, also those in brackets', () => {
    expect(sent({ in: 'r' }, condition({ in: ['a'] }), [['r', 'z']])).toBe('r=z');
    expect(sent({ in: 'r' }, condition({ in: ['a'] }), [['r[]', 'z']])).toBe('r[]=z');
  });
});

describe('a bound of the request', () => {
  test.each([
    ['1970-01-01', '2026-05-30'],
    ['2026-05-29', '2026-05-30'],
    ['2026-05-30', '2026-05-30'],
    ['2026-08-01', '2026-08-01'],
    ['last-week', 'last-week'],
    ['', ''],
  ])('%s is sent as %s', (own, wanted) => {
    expect(sent({ at_least: 'a' }, since, [['a', own]])).toBe(`a=${wanted}`);
  });

  test('at the end is narrowed as well', () => {
    expect(sent({ at_most: 'b' }, since, [['b', '2030-01-01']])).toBe('b=2026-12-01');
    expect(sent({ at_most: 'b' }, since, [['b', '2026-06-01']])).toBe('b=2026-06-01');
  });

  test('of numbers is compared as a number', () => {
    expect(sent({ at_least: 'a' }, condition({ at_least: 100 }), [['a', '9']])).toBe('a=100');
    expect(sent({ at_least: 'a' }, condition({ at_least: 100 }), [['a', '1000']])).toBe('a=1000');
  });

  test('that stands twice stays', () => {
    expect(
      sent({ at_least: 'a' }, since, [
        ['a', '1970-01-01'],
        ['a', '2027-01-01'],
      ]),
    ).toBe('a=1970-01-01&a=2027-01-01');
  });
});

test('a condition on another resource or an attribute that the route does not map is not sent', () => {
  expect(sent({ at_least: 'a' }, { ...since, resource: 'employee' })).toBe('');
  expect(sent({ at_least: 'a' }, { ...since, attribute: 'toString' })).toBe('');
});
