import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../src/model/catalog.ts';
import { isRecordFilter, type RecordCondition, resolvedFilter } from '../../src/model/record-filter.ts';

const catalog = (resource: string): Catalog => ({
  resource,
  data_subject: [],
  attributes: { dated: '/at', region: '/region' },
  fields: {},
  envelope: {},
});
const catalogs = new Map([catalog('customer'), catalog('employee')].map((c) => [c.resource, c]));
const asked = (time: string, properties: Record<string, unknown> = {}) =>
  ({
    context: { time },
    resource: { type: 'customer', properties: {} },
    subject: { type: 'user', id: 'u', properties },
  }) as unknown as Parameters<typeof resolvedFilter>[1];
const resolved = (condition: Partial<RecordCondition>, input = asked('2026-11-30T19:00:00Z')) =>
  resolvedFilter([{ resource: 'customer', attribute: 'dated', ...condition }], input, catalogs);
const boundsOf = (within: string, time: string, offset?: string) => {
  const filter = resolved({ within, ...(offset === undefined ? {} : { offset }) }, asked(time));
  if ('code' in filter) throw new Error(filter.code);
  return [filter[0]!.at_least, filter[0]!.at_most];
};

describe('a duration before the request', () => {
  test.each([
    ['P6M', '2026-11-30T19:00:00Z', undefined, '2026-05-30', '2026-12-01'],
    ['P6M', '2026-11-30T19:00:00Z', '+08:00', '2026-06-01', '2026-12-02'],
    ['P6M', '2026-08-31T00:00:00Z', undefined, '2026-02-28', '2026-09-01'],
    ['P1Y', '2024-02-29T00:00:00Z', undefined, '2023-02-28', '2024-03-01'],
    ['P1Y6M', '2026-01-15T00:00:00Z', undefined, '2024-07-15', '2026-01-16'],
    ['P2W3D', '2026-01-10T00:00:00Z', undefined, '2025-12-24', '2026-01-11'],
    ['P0D', '2026-01-10T23:59:59Z', undefined, '2026-01-10', '2026-01-11'],
    ['P0D', '2026-01-10T01:00:00Z', '-05:00', '2026-01-09', '2026-01-10'],
    ['P999Y', '2026-01-10T01:00:00Z', undefined, '1027-01-10', '2026-01-11'],
  ])('%s at %s, offset %s', (within, time, offset, from, to) => {
    expect(boundsOf(within, time, offset)).toEqual([from, to]);
  });

  test('never begins later for a longer one, nor earlier for a later request', () => {
    const time = fc
      .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((d) => d.toISOString());
    fc.assert(
      fc.property(time, time, fc.nat(60), fc.nat(60), (s, t, n, more) => {
        const [early, late] = [s, t].sort() as [string, string];
        expect(boundsOf(`P${n}M`, early)[0]! <= boundsOf(`P${n}M`, late)[0]!).toBe(true);
        expect(boundsOf(`P${n + more}M`, late)[0]! <= boundsOf(`P${n}M`, late)[0]!).toBe(true);
      }),
    );
  });
});

describe("a property of the caller's", () => {
  const own = { attribute: 'region', in: { subject: 'regions' } };
  test.each<[unknown, readonly string[]]>([
    ['广东省', ['广东省']],
    [
      ['广东省', 46],
      ['广东省', '46'],
    ],
    [true, ['true']],
  ])('%j permits its values', (regions, values) => {
    expect(resolved(own, asked('2026-11-30T19:00:00Z', { regions }))).toMatchObject([{ in: values }]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['missing', {}],
    ['null', { regions: null }],
    ['empty', { regions: [] }],
    ['an empty text', { regions: '' }],
    ['an object', { regions: { 广东省: true } }],
    ['a list with a list', { regions: [['广东省']] }],
    ['a list with null', { regions: ['广东省', null] }],
    ['inherited', Object.create({ regions: '广东省' })],
  ])('that is %s denies the request', (_, properties) => {
    expect(resolved(own, asked('2026-11-30T19:00:00Z', properties))).toMatchObject({
      code: 'record_filter_undetermined',
    });
  });

  test('that is missing permits nothing of a resource that the request is not about', () => {
    expect(resolved({ ...own, resource: 'employee' })).toMatchObject([{ in: [] }]);
  });
});

test.each<[string, Partial<RecordCondition>]>([
  ['resource', { resource: 'ledger', within: 'P1D' }],
  ['attribute', { attribute: 'toString', within: 'P1D' }],
])('a condition on an unknown %s denies the request', (_, condition) => {
  expect(resolved(condition)).toMatchObject({ code: 'record_filter_undetermined' });
});

describe('an answer', () => {
  const base = { resource: 'customer', attribute: 'dated' };
  test.each<[string, unknown]>([
    ['no list', base],
    ['no condition', []],
    ['a condition without an operator', [base]],
    ['an empty condition', [{}]],
    ['null', [null]],
    ['a list', [[]]],
    ['two operators', [{ ...base, within: 'P1D', in: ['x'] }]],
    ['an unknown member', [{ ...base, within: 'P1D', not: true }]],
    ['no attribute', [{ resource: 'customer', within: 'P1D' }]],
    ['an empty duration', [{ ...base, within: 'P' }]],
    ['a duration of hours', [{ ...base, within: 'PT6H' }]],
    ['a negative duration', [{ ...base, within: '-P6M' }]],
    ['a number for a duration', [{ ...base, within: 6 }]],
    ['a date that does not exist', [{ ...base, at_least: '2026-02-30' }]],
    ['a time', [{ ...base, at_least: '2026-05-30T00:00:00Z' }]],
    ['a date and a number', [{ ...base, at_least: '2026-05-30', at_most: 7 }]],
    ['no value', [{ ...base, in: [] }]],
    ['null among values', [{ ...base, in: [null] }]],
    ['one value outside a list', [{ ...base, in: 'x' }]],
    ['another place of values', [{ ...base, in: { subject: 'a', also: 'b' } }]],
    ['an offset of a name', [{ ...base, within: 'P1D', offset: 'Asia/Shanghai' }]],
    ['an offset beside values', [{ ...base, in: ['x'], offset: '+08:00' }]],
  ])('with %s is malformed', (_, value) => {
    expect(isRecordFilter(value)).toBe(false);
  });

  test.each<[string, unknown]>([
    ['values', [{ ...base, in: ['x', 1, true] }]],
    ['a property', [{ ...base, in: { subject: 'regions' } }]],
    ['a duration', [{ ...base, within: 'P6M', offset: '+08:00', order: 'dmy' }]],
    ['a range', [{ ...base, at_least: 1, at_most: 2 }]],
    [
      'several conditions',
      [
        { ...base, at_least: '2026-05-30' },
        { ...base, in: ['x'] },
      ],
    ],
  ])('with %s is not', (_, value) => {
    expect(isRecordFilter(value)).toBe(true);
  });
});
