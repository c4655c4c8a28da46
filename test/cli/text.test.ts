import { expect, test } from 'vitest';
import { plain } from '../../src/cli/decisions/table.ts';
import { wrap } from '../../src/cli/text.ts';

test.each([
  ['a Chinese character takes two columns', '客户数据', 5, '客户\n数据'],
  ['a full-width digit takes two columns, a half-width kana one', '１２ｱｲ', 3, '１\n２ｱ\nｲ'],
  ['an emoji of several code points takes two columns and is not broken', 'a👨‍👩‍👧b', 3, 'a👨‍👩‍👧\nb'],
  ['a combining mark stays with its letter', 'e\u0301e\u0301e\u0301', 2, 'e\u0301e\u0301\ne\u0301'],
  ['a character that is wider than the line stands alone', '客户', 1, '客\n户'],
  ['line breaks of the text stay', 'ab\ncd', 9, 'ab\ncd'],
  ['control characters become a visible mark', '\u001b[31mred', 9, '·[31mred'],
])('%s', (_name, text, columns, wrapped) => {
  expect(wrap(text, columns)).toBe(wrapped);
});

test.each(['\n', '\u2028', '\u2029', '\u202e'])(
  'a cell of a table stays one line, in its own direction: %j',
  (c) => {
    expect(plain(`客户${c}x`)).toBe('客户·x');
  },
);
