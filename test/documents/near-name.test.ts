import { describe, expect, test } from 'vitest';
import { didYouMean } from '../../src/documents/near-name.ts';

const NAMES = ['crm', 'billing', 'customer', 'max_grade', 'timeout'];

describe('didYouMean', () => {
  test.each([
    ['a letter too many', 'custommer', 'customer'],
    ['a letter too few', 'biling', 'billing'],
    ['another letter', 'timeuot', 'timeout'],
    ['two letters in the wrong order', 'cmr', 'crm'],
    ['two letters in the wrong order in a longer name', 'max_garde', 'max_grade'],
    ['two letters in the wrong order and another letter missing', 'csutmer', 'customer'],
    ['other case', 'TimeOut', 'timeout'],
  ])('suggests the name for %s', (_what, wanted, name) => {
    expect(didYouMean(wanted, NAMES)).toBe(`; did you mean "${name}"?`);
  });

  test('suggests the nearest of several names', () => {
    expect(didYouMean('read_al', ['read', 'read_all'])).toBe('; did you mean "read_all"?');
  });

  test.each([
    ['a name that resembles none', 'policy'],
    ['a short name with two changes', 'crab'],
    ['no name', ''],
  ])('suggests nothing for %s', (_what, wanted) => {
    expect(didYouMean(wanted, NAMES)).toBe('');
  });
});
