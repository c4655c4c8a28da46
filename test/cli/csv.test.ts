import { expect, test } from 'vitest';
import { csvLine } from '../../src/cli/csv.ts';

test.each(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'])(
  'a cell that begins with %j is no formula for a spreadsheet',
  (first) => {
    expect(csvLine([`${first}1+1`])).toMatch(/^"?'/);
  },
);

test('Chinese text, numbers and what is only in the middle stay as they are', () => {
  expect(csvLine(['张三', -1, 'a＝b', null])).toBe('张三,-1,a＝b,\r\n');
});
