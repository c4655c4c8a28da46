/**
 * Class: groups of digits of another country's plan taken for an area code, a mobile or an extension of the mainland's, so that digits stay
 * that should not. Root cause: the rules of the mainland looked at the digits alone and not at where the number is cut.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMask } from '../../src/disclosure/treatments/masks/kinds.ts';

const mask = createMask('phone');

test.each([
  ['0912-345-678', '****-**5-678'],
  ['0912 345 678', '**** **5 678'],
  ['0912.345.678', '****.**5.678'],
  ['090-1234-5678', '***-****-5678'],
  ['1-312-555-0123', '*-***-***-0123'],
  ['415-555-2671', '***-***-2671'],
  ['06-12-34-56-78', '**-**-**-56-78'],
  ['123-4567-890', '***-***7-890'],
  ['07911 123456', '***** **3456'],
])('masks %s as a number of another plan', (number, masked) => {
  expect(mask.apply(number)).toBe(masked);
});

test.each([
  ['010-62345678-803', '010-****5678-***'],
  ['62345678-803', '****5678-***'],
  ['0755-8612345', '0755-****345'],
  ['010-6234-5678', '010-****-5678'],
  ['(010)62345678', '(010)****5678'],
  ['+86 10 6234 5678', '+86 10 **** 5678'],
  ['138-1234-5678', '138-****-5678'],
  ['1381234-5678', '138****-5678'],
])('masks %s by the plan of the mainland', (number, masked) => {
  expect(mask.apply(number)).toBe(masked);
});

test('of a number in any groups at least four digits are hidden, and masking it again changes nothing', () => {
  const group = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(group, { minLength: 2, maxLength: 5 }),
      fc.constantFrom('-', ' ', '.'),
      (groups, cut) => {
        const number = groups.join(cut);
        const masked = mask.apply(number);
        expect(mask.apply(masked)).toBe(masked);
        expect((masked.match(/\*/g) ?? []).length).toBeGreaterThanOrEqual(4);
      },
    ),
  );
});
