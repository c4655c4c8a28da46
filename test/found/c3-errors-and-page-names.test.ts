/**
 * Class: a search that tells by something other than its list: by an error that only a withheld record brings about, or by a page whose
 * parameter has a name that was not known as one. Root cause: operators were judged by the fields that they name, and page parameters by
 * names of few systems.
 */
import { describe, expect, test } from 'vitest';
import { grammars, type Reading } from '../../src/routing/grammars/index.ts';
import { isPagingName } from '../../src/routing/paging.ts';

const reading: Reading = {
  field: () => {},
  returned: () => {},
  everything: () => {},
  listed: () => true,
  refuse: (what) => {
    throw new Error(what);
  },
};
const read = (filter: string): unknown => grammars.odata.parameter?.('$filter', filter, reading);

describe('a division in an OData filter', () => {
  test.each([
    '100 div (Balance sub 3001.5) gt 0',
    '1 mod Balance eq 0',
    '1 divby -Balance gt 0',
    'Balance div 0 gt 1',
    'Balance div 0.0 gt 1',
    'Orders/any(o: 1 div o/Amount gt 1)',
  ])('is refused where it may fail for one record: %s', (filter) => {
    expect(() => read(filter)).toThrow('divides by something other than a number');
  });

  test.each(['Balance mod 2 eq 0', 'Balance div 0.5 gt 1', 'Balance divby 100 ge 3'])(
    'by a number is read: %s',
    (filter) => {
      expect(read(filter)).toBe(true);
    },
  );
});

describe('a parameter that asks for a page', () => {
  test.each([
    ...['pagination[limit]', 'pagination[pageSize]', 'filter[skip]', 'page[number]', 'current', 'curPage'],
    ...['MaxResultCount', 'SkipCount', 'iDisplayStart', 'jtPageSize', 'pageNo', '_count', '$top'],
  ])('is known by its name: %s', (name) => {
    expect(isPagingName(name)).toBe(true);
  });

  test.each(['phone', 'filter[phone]', 'currency', 'city', 'filter[name][_eq]'])(
    'is not taken for one: %s',
    (name) => {
      expect(isPagingName(name)).toBe(false);
    },
  );
});
