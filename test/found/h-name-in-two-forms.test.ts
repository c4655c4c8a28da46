/**
 * Class: a name in two forms or two orders, of which one stayed readable. Root cause: the finder stopped at the first form behind a label,
 * and the mask took the first word of a Chinese name for the surname.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMask } from '../../src/disclosure/treatments/masks/kinds.ts';
import { scrubText } from '../../src/disclosure/treatments/scrub.ts';

const CHINESE = ['张三', '欧阳娜娜', '王小明'];
const LATIN = ['Zhang San', 'OUYANG NANA', 'Xiaoming Wang', 'Zhang, San'];
const LABELS = ['姓名：', '联系人：', 'Name: ', '"customerName":"', '<name>'];
const BETWEEN = [
  ['（', '）'],
  ['(', ')'],
  [' (', ')'],
  ['[', ']'],
  ['【', '】'],
  ['/', ''],
  [' / ', ''],
  [' ', ''],
] as const;

test.each(LABELS)('hides both forms of a name behind %s', (label) => {
  for (const chinese of CHINESE) {
    for (const latin of LATIN) {
      for (const [open, close] of BETWEEN) {
        for (const [first, second] of [
          [chinese, latin],
          [latin, chinese],
        ] as const) {
          const note = `${label}${first}${open}${second}${close}，电话`;
          const scrubbed = scrubText(note);
          expect([note, scrubbed.includes(chinese.slice(1))]).toEqual([note, false]);
          for (const word of latin.split(/[ ,]+/))
            expect([note, scrubbed.includes(word)]).toEqual([note, false]);
        }
      }
    }
  }
});

test.each([
  ['姓名：张三（曾用名：张小三）', '姓名：张*（曾用名：张**）'],
  ['姓名：张三，英文名：Sam Zhang，', '姓名：张*，英文名：S** Z****，'],
  ['姓名：阿依古丽（AYIGULI）', '姓名：阿***（A******）'],
  ['Mr. Wang (王强)', 'Mr. W*** (王*)'],
  ['张伟先生（Zhang Wei）', '张*先生（Z**** W**）'],
  ['姓名：伟 张', '姓名：* 张'],
])('hides every form in %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each(['联系人：王小明（VIP客户）', '投保人张伟，USD 1,683.20', 'Name: Lars Nilsson (brother)'])(
  'leaves what is no other form in %s',
  (note) => {
    for (const word of ['VIP客户', 'USD', 'brother'])
      if (note.includes(word)) expect(scrubText(note)).toContain(word);
  },
);

const mask = createMask('person_name');

test.each([
  ['伟 张', '* 张'],
  ['张 伟', '张 *'],
  ['小明 王', '** 王'],
  ['方圆 张', '** 张'],
  ['娜娜 欧阳', '** 欧阳'],
  ['欧阳 娜娜', '欧阳 **'],
  ['伟, 张', '*, 张'],
  ['文 张', '* *'],
  ['田中 太郎', '田* **'],
])('masks the given name of %s, wherever it stands', (name, masked) => {
  expect(mask.apply(name)).toBe(masked);
  expect(mask.recognises(masked)).toBe(true);
});

test('masks a name in several words so that masking it again changes nothing', () => {
  const word = fc.string({
    unit: fc.constantFrom(...'张王文伟明娜方圆欧阳司马'),
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.array(word, { minLength: 2, maxLength: 3 }), (words) => {
      const masked = mask.apply(words.join(' '));
      expect(mask.apply(masked)).toBe(masked);
      // no more than one word is a surname
      expect(masked.split(' ').filter((part) => /[^*]/.test(part)).length).toBeLessThanOrEqual(1);
    }),
  );
});
