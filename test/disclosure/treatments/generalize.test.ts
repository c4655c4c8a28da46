import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDecimal, roundDecimal } from '../../../src/disclosure/treatments/generalize/decimal.ts';
import { number, shown, text, treat, treatment } from './support.ts';

const coarse = (parameters: { readonly [name: string]: unknown }, value: string): string =>
  shown(treat('generalize', text(value), { generalize: parameters }));

describe('dates', () => {
  test.each([
    ['year', '1990-03-07', '1990'],
    ['year', '1990-03-07T23:59:59.123+08:00', '1990'],
    ['year', '1990年3月7日', '1990'],
    ['year', '03/07/1990', '1990'],
    ['year', '19900307', '1990'],
    ['year', '１９９０-０３-０７', '1990'],
    ['month', '1990/3/7', '1990-03'],
    ['month', '7 Mar 1990', '1990-03'],
    ['month', 'March 7, 1990', '1990-03'],
    ['month', 'Wed, 07 Mar 1990 10:00:00 GMT', '1990-03'],
    ['month', '13/07/1990', '1990-07'],
    ['quarter', '1990-12-31', '1990-Q4'],
    ['day', '1990-03-07 10:00', '1990-03-07'],
    // xs:date, PostgreSQL, .NET, Taiwan
    ['day', '1990-03-07Z', '1990-03-07'],
    ['day', '1990-03-07+08:00', '1990-03-07'],
    ['day', '1990-03-07 10:00:00+08', '1990-03-07'],
    ['day', '31/3/1990 12:00:00 AM', '1990-03-31'],
    ['day', '/Date(636768000000)/', '1990-03-07'],
    ['day', '/Date(636768000000-0700)/', '1990-03-06'],
    ['day', '1990 年 3 月 7 日 上午10:20', '1990-03-07'],
    ['month', '民國79年3月7日', '1990-03'],
    ['month', '079/03/07', '1990-03'],
    ['quarter', 'March 1990', '1990-Q1'],
    ['month', 'Mar-07-1990', '1990-03'],
  ])('to the %s: %s becomes %s', (unit, value, wanted) => {
    expect(coarse({ date: unit }, value)).toBe(wanted);
  });

  test.each([
    '1990-02-30',
    '1990-13-01',
    'tomorrow',
    '1990',
    '03/07/1990',
    '90-03-07',
    '1990-03-07junk',
    '636768000000',
    '199003071020',
    'Foo 1990',
  ])('that have no certain month are dropped where the month is wanted: %s', (value) => {
    expect(coarse({ date: 'month' }, value)).toBe('drop');
  });

  test('take the order the catalog gives', () => {
    expect(coarse({ date: 'month', order: 'dmy' }, '03/07/1990')).toBe('1990-07');
    expect(coarse({ date: 'month', order: 'mdy' }, '03/07/1990')).toBe('1990-03');
  });
});

describe('numbers that count from 1970', () => {
  test('are dates where the catalog says so, on the clock it names', () => {
    const born = '636739200000';
    expect(coarse({ date: 'day', epoch: 'millis' }, born)).toBe('1990-03-06');
    expect(coarse({ date: 'day', epoch: 'millis', offset: '+08:00' }, born)).toBe('1990-03-07');
    expect(coarse({ date: 'day', epoch: 'millis', offset: '+08:00' }, `/Date(${born})/`)).toBe('1990-03-07');
    expect(coarse({ date: 'year', epoch: 'seconds' }, '-86400')).toBe('1969');
    expect(coarse({ age: 10, epoch: 'seconds' }, '636739200')).toBe('30-39');
    expect(coarse({ date: 'year', epoch: 'millis' }, '1990-03-07')).toBe('1990');
  });
  test.each([
    { epoch: 'ms' },
    { offset: '+08:00' },
    { epoch: 'millis', offset: '8' },
    { epoch: 'millis', offset: '+99:00' },
  ])('parameters that make no sense drop: %j', (more) =>
    expect(coarse({ date: 'year', ...more }, '1990-03-07')).toBe('drop'),
  );
});

describe('coming back in a write', () => {
  const known = (parameters: object, value: string | number): boolean =>
    treatment('generalize').recognise(
      { category: 'c', grade: 3, generalize: parameters as never },
      { do: 'generalize', because: 'test' },
    )(typeof value === 'number' ? number(String(value)) : text(value));
  test.each([
    [{ date: 'year' }, ['1990', 1990, '1990年', ' 1990 '], ['1990-03-07', '03/07/1990']],
    [{ date: 'quarter' }, ['1990-Q1', '1990q1', '１９９０－Ｑ１'], ['1990-03-07']],
    [{ date: 'month' }, ['1990-03', '1990/3', '1990年3月', '1990–03'], ['1990-03-07', '1990']],
    [{ age: 10 }, ['30-39', '30–39', '30 ~ 39岁', '90+'], ['34', 34, '35-40', '1990-03-07']],
    [{ age: 1 }, ['34', 34], ['30-39']],
    [{ round: 100 }, ['1200', 1200, '1,200.00', '¥1200'], ['1250', 1250, '¥1,250']],
    [{ ranges: [0, 1000] }, ['0-1000', '0 – 1000', '1000+'], ['500', '0-100']],
    [{ prefix: 3 }, ['518***', '518•••', '518 ＊＊＊', '51**'], ['518000', '5180**', '518*']],
    [{ address: 'province' }, ['广东省', '广东'], ['广东省深圳市', '科技园']],
    [{ address: 'city' }, ['广东省深圳市', '深圳市', '广东 深圳'], ['深圳市南山区']],
  ] as const)(
    '%j: what is as coarse is known, and a value that is finer is a new one',
    (parameters, coarseOnes, fine) => {
      for (const value of coarseOnes) expect([value, known(parameters, value)]).toEqual([value, true]);
      for (const value of fine) expect([value, known(parameters, value)]).toEqual([value, false]);
    },
  );
});

describe('ages', () => {
  test.each([
    ['1990-11-22', '30-39'],
    ['1996-11-23', '20-29'],
    ['1996-11-22', '30-39'],
    ['1930-01-01', '90+'],
    ['2026-11-22', '0-9'],
    ['34', '30-39'],
    ['2027-01-01', 'drop'],
    ['1990', 'drop'],
    ['1890-01-01', 'drop'],
  ])('of %s at 2026-11-22 are %s', (born, wanted) => {
    expect(coarse({ age: 10 }, born)).toBe(wanted);
  });

  test('end at the top band', () => {
    expect(coarse({ age: 20, top: 65 }, '62')).toBe('60-64');
    expect(coarse({ age: 20, top: 65 }, '65')).toBe('65+');
  });
});

describe('numbers', () => {
  test('are rounded in their own digits, however long', () => {
    expect(coarse({ round: 100 }, '123456789012345678901234567849.99')).toBe(
      '123456789012345678901234567800',
    );
    expect(treat('generalize', number('12345678901234567890'), { generalize: { round: 1000 } })).toEqual({
      kind: 'number',
      text: '12345678901234568000',
    });
  });

  test.each([
    [100, '149', '100'],
    [100, '150', '200'],
    [100, '-150', '-200'],
    [0.5, '1.3', '1.5'],
    [0.1, '0.25', '0.3'],
    [100, '1.5e3', '1500'],
    [100, '1,234.50', '1200'],
    [100, '49.99', '0'],
    [100, 'about 100', 'drop'],
    [100, '1e9999', 'drop'],
    [100, '0x10', 'drop'],
  ])('to multiples of %d: %s becomes %s', (round, value, wanted) => {
    expect(coarse({ round }, value)).toBe(wanted);
  });

  test('never move further than half a step, and always to a multiple', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        (n, step) => {
          const out = roundDecimal(parseDecimal(String(n))!, { units: step, scale: 0 }).units;
          expect(out % step).toBe(0n);
          const moved = out > n ? out - n : n - out;
          expect(2n * moved <= step).toBe(true);
        },
      ),
    );
  });

  test.each([
    ['-1', '<0'],
    ['0', '0-1000'],
    ['999.999', '0-1000'],
    ['1000', '1000-5000'],
    ['5000', '5000+'],
    ['99999999999999999999', '5000+'],
    ['many', 'drop'],
  ])('go into their range: %s into %s', (value, wanted) => {
    expect(coarse({ ranges: [0, 1000, 5000] }, value)).toBe(wanted);
  });
});

describe('places', () => {
  test.each([
    [{ prefix: 3 }, '518000', '518***'],
    [{ prefix: 3 }, 'SW1A 2AA', 'SW1***'],
    [{ prefix: 3 }, '518', 'drop'],
    [{ prefix: 0 }, '518000', '***'],
    [{ address: 'province' }, '广东深圳南山区科技园路1号', '广东省'],
    [{ address: 'province' }, '深圳市南山区', '广东省'],
    [{ address: 'city' }, '广东省深圳南山区', '广东省深圳市'],
    [{ address: 'city' }, '湖北恩施州利川市', '湖北省恩施土家族苗族自治州'],
    [{ address: 'province' }, '10 Downing Street', 'drop'],
  ])('by %j: %s becomes %s', (parameters, value, wanted) => {
    expect(coarse(parameters, value)).toBe(wanted);
  });
});

test('parameters that make no sense drop the value and refuse the write', () => {
  const choice = { do: 'generalize', because: 'test' } as const;
  for (const generalize of [
    undefined,
    {},
    { date: 'century' },
    { round: 0 },
    { round: '1OO' },
    { ranges: [5, 1] },
    { ranges: [] },
    { age: 0 },
    { prefix: -1 },
    { date: 'year', round: 10 },
    { round: 10, rond: 3 },
  ]) {
    const entry = generalize === undefined ? {} : { generalize };
    expect(treat('generalize', text('1990-03-07'), entry)).toBe('drop');
    expect(treatment('generalize').recognise({ category: 'c', grade: 3, ...entry }, choice)(text('x'))).toBe(
      true,
    );
  }
});

test('an answer’s own rule replaces the catalog’s', () => {
  const entry = { generalize: { date: 'year' } };
  expect(shown(treat('generalize', text('1990-03-07'), entry, { with: { date: 'month' } }))).toBe('1990-03');
  expect(shown(treat('generalize', text('1990-03-07'), entry, { with: { age: 10 } }))).toBe('30-39');
});

test('a value of any other kind than text or number is dropped, and null stays null', () => {
  const entry = { generalize: { prefix: 1 } };
  expect(treat('generalize', { kind: 'boolean', text: 'true' }, entry)).toBe('drop');
  expect(treat('generalize', { kind: 'container', text: '{"a":1}' }, entry)).toBe('drop');
  expect(treat('generalize', { kind: 'null', text: 'null' }, entry)).toEqual({ kind: 'null' });
});

test('no text makes a rule throw or disclose it', () => {
  const rules = [
    { date: 'month' },
    { age: 10 },
    { round: 1000 },
    { ranges: [0, 10] },
    { prefix: 2 },
    { address: 'city' },
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...rules),
      fc.oneof(fc.string({ unit: 'binary' }), fc.string()),
      (rule, value) => {
        const out = coarse(rule, value);
        if (value.length > 8) expect(out).not.toBe(value);
      },
    ),
  );
});
