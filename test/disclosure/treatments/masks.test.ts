import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divisionOf, PROVINCES } from '../../../src/disclosure/treatments/masks/china.ts';
import {
  createMask,
  isMasked,
  MASK_KINDS,
  type MaskSpec,
} from '../../../src/disclosure/treatments/masks/kinds.ts';
import {
  bankCard,
  chineseName,
  email,
  englishName,
  identityNumber,
  landline,
  mobile,
  plate,
} from '../../../bench/scrub/values.ts';
import { seeded } from '../../../bench/scrub/random.ts';

const SPECS: readonly MaskSpec[] = [
  ...MASK_KINDS,
  { kind: 'generic', keep_first: 3, keep_last: 4 },
  { kind: 'generic', keep_first: 1 },
  { kind: 'generic', keep_last: 2 },
  { kind: 'bank_card', keep_first: 6 },
  { kind: 'bank_card', keep_first: 8 },
  { kind: 'email', domain: 'hide' },
  { kind: 'address', keep: 'province' },
];

/** Any text, and texts made of what the masks look at, so that they are often nearly of the right shape. */
const nearly = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...'0123456789138+-() .@:*XAaZz') },
      { weight: 2, arbitrary: fc.constantFrom(...'１３８＊＠张三欧阳司马光·粤京省市区广东深圳转é٣') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '\u0301',
          '\u200d',
          '\u202e',
          '\0',
          '👨‍👩‍👧',
          '🇨🇳',
          '\ud800',
          'ൎ',
          '\u0600',
          'ᄀ',
          '\n',
          '\u200b',
        ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '广东省',
          '深圳市',
          'John',
          'Smith',
          'example.com',
          '+86',
          '::',
          'London, UK',
          '****',
          '***',
        ),
      },
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));
const anyText = fc.oneof(nearly, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

const values = fc.nat().map((seed) => {
  const r = seeded(seed);
  return [identityNumber, mobile, landline, bankCard, email, plate, chineseName, englishName][r.below(8)]!(r);
});

describe.each(SPECS.map((spec) => [JSON.stringify(spec), spec] as const))('the mask %s', (_name, spec) => {
  const mask = createMask(spec);

  test('hides something of every text that is not empty and not already masked', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, values), (input) => {
        const output = mask.apply(input);
        if (input === '') return output === '';
        return output.includes('*') && (output !== input || input.includes('*'));
      }),
      { numRuns: 1000 },
    );
  });

  test('changes nothing of its own output, and recognises it, with blanks around and in full width too', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyText, values).filter((input) => input !== ''),
        (input) => {
          const output = mask.apply(input);
          expect(mask.apply(output)).toBe(output);
          expect(mask.recognises(output)).toBe(true);
          expect(mask.recognises(` ${output} `)).toBe(true);
          expect(mask.recognises(output.replaceAll('*', '＊'))).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('takes no real value for a masked one', () => {
    fc.assert(fc.property(values, (input) => !mask.recognises(input)));
    expect(mask.recognises('')).toBe(false);
  });
});

const digits = (value: string): number => value.normalize('NFKC').replace(/[^0-9]/g, '').length;

describe('what a mask reveals', () => {
  const generated = (make: (r: ReturnType<typeof seeded>) => string) =>
    fc.nat().map((seed) => make(seeded(seed)));

  test('is at most prefix, 3 and 4 digits of a mobile, and 4 are always hidden', () => {
    const mask = createMask('phone');
    fc.assert(
      fc.property(generated(mobile), (number) => {
        const masked = mask.apply(number);
        expect(masked.split('*').length - 1).toBe(4);
        const national = masked.normalize('NFKC').replace(/^(?:\+?86|0086)[ -]?/, '');
        expect(digits(national)).toBeLessThanOrEqual(7);
      }),
    );
  });

  test('is never fewer than four hidden places of any telephone number', () => {
    const mask = createMask('phone');
    fc.assert(
      fc.property(fc.stringMatching(/^\+?[0-9 ()-]{1,24}$/), (number) => {
        expect(mask.apply(number).split('*').length - 1).toBeGreaterThanOrEqual(4);
      }),
      { numRuns: 1000 },
    );
  });

  test('is ten characters of an identity number', () => {
    const mask = createMask('national_id');
    fc.assert(
      fc.property(generated(identityNumber), (id) => {
        expect(mask.apply(id).replace(/[* ]/g, '')).toHaveLength(10);
      }),
    );
  });

  test('is four digits of a card, or ten where the catalog keeps six more', () => {
    fc.assert(
      fc.property(generated(bankCard), (card) => {
        expect(digits(createMask('bank_card').apply(card))).toBe(4);
        expect(digits(createMask({ kind: 'bank_card', keep_first: 6 }).apply(card))).toBe(10);
      }),
    );
  });

  test('is one initial of each word of a name', () => {
    const mask = createMask('person_name');
    fc.assert(
      fc.property(generated(englishName), (name) => {
        for (const word of mask.apply(name).split(' ')) expect(word).toMatch(/^(?:\p{L}\*+|\*\.?)$/u);
      }),
    );
  });

  test('is the surname of a Chinese name', () => {
    const mask = createMask('person_name');
    fc.assert(
      fc.property(generated(chineseName), (name) => {
        const kept = mask.apply(name).replaceAll('*', '');
        expect(name.startsWith(kept)).toBe(true);
        expect(kept.length).toBeLessThanOrEqual(
          ['欧阳', '司马', '诸葛', '上官', '令狐'].includes(kept) ? 2 : 1,
        );
      }),
    );
  });

  test('is, of an address in Chinese, only what stands in the list of divisions', () => {
    const mask = createMask('address');
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'广东省深圳市南山区路张三丰号一二123') }), (rest) => {
        expect(mask.apply(`广东省深圳市${rest}`)).toMatch(/^广东省深圳市\*{4}$/);
      }),
    );
  });

  test('is nothing at all of a value of another shape', () => {
    const shapes: readonly [MaskSpec, string][] = [
      ['phone', 'call my wife on the usual number'],
      ['phone', '12345'],
      ['national_id', 'none'],
      ['email', 'zhang at example'],
      ['email', 'a@localhost'],
      ['bank_card', '1234'],
      ['plate', 'AB12 CDE'],
      ['ip', 'localhost'],
      ['passport', 'not a passport'],
      ['person_name', 'R2-D2'],
      ['person_name', '北京某某科技有限公司'],
      ['address', 'beside the old mill'],
      ['address', '张三家住深圳市'],
    ];
    for (const [spec, value] of shapes) expect(createMask(spec).apply(value)).toBe('****');
  });
});

test('every city of the list is read by its full and by its short name', () => {
  for (const province of PROVINCES) {
    for (const city of province.cities) {
      expect(divisionOf(`${province.full}${city}南山路1号`)).toMatchObject({ city });
      expect(divisionOf(`${city}南山路1号`)?.city).toBe(city);
    }
  }
  expect(createMask('address').apply('湖北恩施州利川市')).toBe('湖北恩施州****');
  expect(createMask('address').apply('云南大理下关')).toBe('云南大理****');
  expect(createMask('address').apply('湖北恩典路1号')).toBe('湖北****');
});

test('a value that a person edits after it was masked is still recognised where the stars stand', () => {
  expect(isMasked('phone', '138****5679')).toBe(true);
  expect(isMasked('person_name', '李**')).toBe(true);
  expect(isMasked('phone', '13812345678')).toBe(false);
});

/** what a real value of each kind looks like */
const REAL: Readonly<Record<string, (r: ReturnType<typeof seeded>) => string>> = {
  address: (r) =>
    r.chance(0.5)
      ? `广东省深圳市南山区科技园路${1 + r.below(99)}号`
      : `${1 + r.below(99)} Main St, Springfield, IL 62704, USA`,
  bank_card: bankCard,
  email,
  generic: (r) => `P2019-${r.digits(9)}`,
  ip: (r) => `192.168.${r.below(256)}.${r.below(256)}`,
  landline,
  national_id: identityNumber,
  passport: (r) => `E${r.digits(8)}`,
  person_name: (r) => (r.chance(0.5) ? chineseName : englishName)(r),
  phone: (r) => (r.chance(0.7) ? mobile : landline)(r),
  plate,
};
const kindOf = (spec: MaskSpec): string => (typeof spec === 'string' ? spec : spec.kind);

/** what stands for one star, or for a run of them where fewer may be part of a value */
const SIGN = ['*', '＊', '•', '●', '×', '∗', '★', '■', '﹡'];
const UNSEEN = ['\u200b', '\u200d', '\u2060', '\ufeff', '\u00ad', '\ufe0f'];
const BLANK = [' ', '\u00a0', '\u3000', '\t'];

/** A masked value as clients have sent it back. */
function respelled(masked: string, r: ReturnType<typeof seeded>): string {
  const sign = r.chance(0.2) ? 'xX'[r.below(2)]! : SIGN[r.below(SIGN.length)]!;
  const [least, most] = /x/i.test(sign) ? [4, 5] : [1, 20];
  const blank = /x/i.test(sign) || r.chance(0.5) ? '' : BLANK[r.below(BLANK.length)]!;
  const unseen = r.chance(0.5) ? UNSEEN[r.below(UNSEEN.length)]! : '';
  const runs = masked.replace(/\*+/g, () => (sign + blank).repeat(least + r.below(most)) + unseen);
  const wide = r.chance(0.3)
    ? runs.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))
    : runs;
  return r.chance(0.3) ? [...wide].join(UNSEEN[r.below(UNSEEN.length)]) : wide;
}

describe.each(SPECS.map((spec) => [JSON.stringify(spec), spec] as const))(
  'coming back, the mask %s',
  (_name, spec) => {
    const mask = createMask(spec);
    const real = REAL[kindOf(spec)]!;

    test('is known however its stars are drawn, how many there are, and what nobody sees between', () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const r = seeded(seed);
          const back = respelled(mask.apply(real(r)), r);
          expect([back, mask.recognises(back)]).toEqual([back, true]);
        }),
        { numRuns: 1000 },
      );
    });

    test('is never a real value, in whatever spelling', () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const value = real(seeded(seed));
          for (const spelled of [value, value.normalize('NFKC'), [...value].join('\u200b')])
            expect([spelled, mask.recognises(spelled)]).toEqual([spelled, false]);
        }),
        { numRuns: 1000 },
      );
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme' }), (text) => {
          fc.pre(!/[*xX]|[^\p{L}\p{M}\p{N}\p{Z}!-~]/u.test(text.normalize('NFKC')));
          expect(mask.recognises(text)).toBe(false);
        }),
      );
    });
  },
);

test.each([
  ['phone', '138***5678'],
  ['phone', '138••••5678'],
  ['phone', '138xxxx5678'],
  ['phone', '138 x x x x 5678'],
  ['phone', '138\u200b*\u200b*\u200b*\u200b*5678'],
  ['phone', '13900001111, 138***5678'],
  ['person_name', '张×'],
  ['person_name', '张x'],
  ['person_name', 'J● S●●'],
  ['person_name', 'Jxxx Sxxxx'],
  ['email', 'u•••••@example.com'],
  ['email', 'uxxx@example.com'],
  ['address', '广东省 深圳市 ●●'],
  ['bank_card', '●●●● 1234'],
  ['bank_card', 'XXXX-XXXX-XXXX-1234'],
  ['ip', '192.168.x.x'],
  ['generic', '●'],
  ['generic', 'xxxx'],
  // in a longer text
  ['phone', '电话138****5678（已核实）'],
  ['phone', '+86 138 **** 5678 (verified)'],
  ['phone', '138****5678 13900001111'],
  ['phone', '**** 已核实'],
  ['landline', '座机010-****5678，白天'],
  ['national_id', '身份证110101********4514'],
  ['national_id', 'HKID A12****(*)'],
  ['passport', '护照：E******78'],
  ['bank_card', '工行 **** **** **** 0123'],
  ['plate', '车牌粤B***45（蓝）'],
  ['ip', '来源：192.168.*.*'],
  ['ip', 'from 2001:db8:*:*:*:*:*:* (vpn)'],
  ['person_name', '姓名：张**'],
  ['person_name', '"张**"'],
  ['person_name', '张*先生'],
  ['person_name', 'J*** S**** (verified)'],
  ['email', '<z***@example.com>'],
  ['email', '邮箱：z***@example.com'],
  ['address', '广东省深圳市****（已核实）'],
  ['address', '"****, Springfield, IL, USA"'],
])('a %s sent back as %s is known', (kind, text) => {
  expect(isMasked(kind, text)).toBe(true);
});

test.each([
  ['phone', '010-12345678x803'],
  ['phone', '0571-88888888*8001'],
  ['phone', '13812345678 ***'],
  ['phone', '***13812345678***'],
  ['phone', '13812345678 ★★★'],
  ['phone', '*86*13812345678#'],
  ['national_id', '110101199003074514 (***)'],
  ['person_name', 'A*Teens'],
  ['person_name', '张*三'],
  ['address', '上海市**路1号'],
  ['address', '广东省深圳市 * 南山'],
  ['person_name', 'Jamie Foxx'],
  ['person_name', 'Max'],
  ['person_name', 'ジョン・スミス'],
  ['person_name', '阿卜杜拉•买买提'],
  ['email', 'lxx@example.com'],
  ['email', 'a*b@example.com'],
  ['address', 'Foxx Street 1, Berlin'],
  ['national_id', '11010119900307451X'],
  ['passport', 'EXX123456'],
  ['plate', '粤XX1234'],
  ['generic', 'XXL'],
  ['generic', 'XX'],
  ['generic', '5 * 3'],
  ['generic', '• milk\n• bread'],
])('a %s of %s is a new value', (kind, text) => {
  expect(isMasked(kind, text)).toBe(false);
});

test('an unknown kind or parameter is refused by name', () => {
  expect(() => createMask('phones')).toThrow(/unknown kind of mask "phones"/);
  expect(() => createMask({ kind: 'phone', keep: 3 })).toThrow(/unknown parameter "keep"/);
  expect(() => createMask({ kind: 'generic', keep_first: -1 })).toThrow(/keep_first/);
  expect(() => createMask({ kind: 'constructor' })).toThrow(/unknown kind/);
});

test('a value spelled plainly is masked as the same value in a spelling that only the general rule reads', () => {
  const random = seeded(5);
  const masked = (spec: MaskSpec, value: string) => createMask(spec).apply(value);
  for (let n = 0; n < 500; n += 1) {
    const id = identityNumber(random).normalize('NFKC').replaceAll(' ', '');
    const spaced = (value: string) => `${value.slice(0, 5)} ${value.slice(5)}`;
    expect(masked('national_id', id)).toBe(masked('national_id', spaced(id)).replace(' ', ''));
    const card = bankCard(random).normalize('NFKC').replace(/[ -]/g, '');
    for (const spec of ['bank_card', { kind: 'bank_card', keep_first: 6 }])
      expect(masked(spec, card)).toBe(masked(spec, spaced(card)).replace(' ', ''));
    const address = email(random);
    for (const spec of ['email', { kind: 'email', domain: 'hide' }])
      expect(masked(spec, address)).toBe(masked(spec, `${address},`).slice(0, -1));
    const name = englishName(random);
    expect(masked('person_name', name)).toBe(masked('person_name', `${name}\u00a0`).slice(0, -1));
  }
});
