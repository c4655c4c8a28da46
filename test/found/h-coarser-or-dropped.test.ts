/**
 * Class: a value that leaves as it came although its field is generalized, and a text that is read as a date because it nearly is one. Root
 * causes: rules looked at what they could write and not at how finely the value had been told; words, times and zones were matched by shape.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shown, text, treat } from '../disclosure/treatments/support.ts';

const coarse = (parameters: object, value: string): string =>
  shown(treat('generalize', text(value), { generalize: parameters as never }));
const UNITS = ['year', 'quarter', 'month', 'day'] as const;
/** a value of each precision, in several spellings, with the units that make it coarser */
const TOLD: readonly (readonly [value: string, coarser: readonly string[]])[] = [
  ...['1990', '1990年', '民国79年', '１９９０'].map((v) => [v, []] as const),
  ...['1990-03', '1990/3', '1990年3月', 'March 1990', 'Mar. 1990'].map(
    (v) => [v, ['year', 'quarter']] as const,
  ),
  ...[
    '1990-03-07',
    '19900307',
    '1990年3月7日',
    '7 March 1990',
    'Wed, 7 Mar 1990',
    '079/03/07',
    '13/03/1990',
  ].map((v) => [v, ['year', 'quarter', 'month']] as const),
  ...[
    '1990-03-07 10:00',
    '1990-03-07T23:59:59.123+08:00',
    '1990-03-07T10:00:00Z',
    '1990-03-07上午10:20',
    '1990年3月7日10时30分',
    '1990年3月7日 10点半',
    '19900307T102030Z',
    'Wed Mar 07 1990 10:00:00 GMT+0800 (China Standard Time)',
    'Wed, 07 Mar 1990 10:00:00 GMT',
    '1990-03-07 10:00:00 +0800 CST',
    '3/13/1990 12:30 PM',
    '1990-03-07+08:00',
  ].map((v) => [v, ['year', 'quarter', 'month', 'day']] as const),
];

describe('A date', () => {
  test.each(TOLD)('%s is told more coarsely, or not at all', (value, coarser) => {
    for (const unit of UNITS) {
      const out = coarse({ date: unit }, value);
      if (coarser.includes(unit)) expect(out, unit).toMatch(/^1990(-Q1|-03|-03-(07|13))?$/);
      else expect(out, unit).toBe('drop');
    }
  });

  test('that a rule has written is dropped by the same rule', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2090-01-01') }),
        fc.constantFrom(...UNITS),
        (at, unit) => {
          const once = coarse({ date: unit }, at.toISOString());
          expect(once).not.toBe('drop');
          expect(coarse({ date: unit }, once)).toBe('drop');
        },
      ),
    );
  });

  test.each([
    'janitor 5 1990',
    'marvellous 7 1990',
    'decide 1990',
    'maybe 1990',
    'Sep 31 1990',
    'someday, 7 Mar 1990',
    'Mon, 7 Mar 1990',
    '1990-03-07 25:00',
    '1990-03-07 24:00',
    '1990-03-07 10:60',
    '1990-03-07 10:00:61',
    '1990-03-07 13:00 PM',
    '1990-03-07 AM 10:00 PM',
    '1990-03-0710:00',
    '1990-03-07T10:00:00+25:00',
    '1990-03-07T10:00:00+08:75',
    '1990-03-07 10:00 ward',
    '1990-03-07T10:00:00Z in room 7',
    '7 Mar 1990 in room 7',
    '1990年3月7日25:00',
    '1990年3月7日 10:00 张三',
    '1990年3月7日 30时',
    '19900307T256000Z',
    '19900307999999',
    '/Date(636768000000+9900)/',
    '1990-03-07 10',
  ])('is not what only looks like one: %s', (value) => {
    for (const unit of UNITS) expect(coarse({ date: unit }, value), unit).toBe('drop');
    expect(coarse({ age: 10 }, value)).toBe('drop');
  });
});

describe('An age', () => {
  test('leaves as a band of more years than one, or not at all', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 130 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 130 }),
        fc.constantFrom('', '岁', ' years', '周岁'),
        (years, age, top, unit) => {
          const out = coarse({ age, top }, `${years}${unit}`);
          expect(out).toMatch(/^(drop|\d+-\d+|\d+\+)$/);
          if (out.includes('-')) {
            const [low, high] = out.split('-').map(Number);
            expect(low! < high! && low! <= years && years <= high!).toBe(true);
          }
        },
      ),
    );
  });
  test('in parts of a year is told in years where bands are that narrow', () => {
    expect(coarse({ age: 1 }, '34.5')).toBe('34');
    expect(coarse({ age: 1 }, '34')).toBe('drop');
    expect(coarse({ age: 1, top: 130 }, '130')).toBe('drop');
  });
});

test.each([
  ['province', '广东省'],
  ['province', '广东'],
  ['city', '广东省深圳市'],
  ['city', '深圳市'],
])('An address that is no more than its %s is dropped: %s.', (address, value) => {
  expect(coarse({ address }, value)).toBe('drop');
  expect(coarse({ address }, `${value}南山区科技园路1号`)).not.toBe('drop');
});

describe('Treatments of what an answer brings itself', () => {
  const made = (catalog: object | undefined, own: object | undefined): string =>
    shown(
      treat(
        'tokenize',
        text('6222021234567894'),
        catalog === undefined ? {} : { tokenize: catalog as never },
        own === undefined ? {} : { with: own as never },
      ),
    );
  test('make no token that its catalog cannot turn back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        (keep_first, keep_last, other) => {
          const out = made({ keep_first, keep_last }, { keep_first: other });
          expect(out === 'drop').toBe(other !== keep_first);
        },
      ),
    );
    expect(made(undefined, { keep_last: 4 })).toBe('drop');
    expect(made({ keep_last: 4 }, {})).toMatch(/7894$/);
  });
  test('leave an empty text empty and a null a null', () => {
    for (const name of ['encrypt', 'tokenize', 'pseudonymize', 'mask', 'scrub', 'generalize'] as const) {
      const entry = { mask: 'phone', generalize: { prefix: 2 } } as const;
      expect(treat(name, text(''), entry), name).toEqual({ kind: 'string', text: '' });
    }
    expect(shown(treat('encrypt', text('x')))).toMatch(/^eyJ/);
    expect(shown(treat('encrypt', text(' ')))).toMatch(/^eyJ/);
  });
});
