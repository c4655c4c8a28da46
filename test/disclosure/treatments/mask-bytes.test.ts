/** What a mask does from bytes to bytes is what it does to the text, or it does not do it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMask, MASK_KINDS, type MaskSpec } from '../../../src/disclosure/treatments/masks/kinds.ts';
import { COMPOUND_SURNAMES } from '../../../src/disclosure/treatments/masks/surnames.ts';
import { LONGER } from '../../../src/disclosure/treatments/treatment.ts';

const SPECS: readonly MaskSpec[] = [
  ...MASK_KINDS,
  { kind: 'bank_card', keep_first: 6 },
  { kind: 'bank_card', keep_first: 8 },
  { kind: 'generic', keep_first: 2, keep_last: 3 },
];
const MASKS = SPECS.map((spec) => createMask(spec)).filter((mask) => mask.bytes !== undefined);

/** the text in the middle of other bytes; null: not in bytes */
function inBytes(mask: (typeof MASKS)[number], text: string): string | null {
  const before = 5;
  const value = Buffer.from(text);
  const source = Buffer.concat([Buffer.from('13800'), value, Buffer.from('0000王')]);
  const into = Buffer.alloc(before + value.length + LONGER + 1, '#');
  const end = mask.bytes!(source, before, before + value.length, into, before);
  expect(into.subarray(0, before).toString()).toBe('#####');
  if (end < 0) return null;
  expect(into[into.length - 1]).toBe(0x23);
  return into.toString('utf8', before, end);
}

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 22 });
const near = fc.string({ unit: fc.constantFrom(...'0138９*Xx -+'), maxLength: 22 });
const names = fc.string({
  unit: fc.constantFrom(...'一鿿䷿ꀀ王欧阳司马诸葛万俟a*·é😀'),
  maxLength: 5,
});
const numbered = fc
  .tuple(fc.constantFrom('1', '13', '138', '44030519900101123', ''), digits)
  .map(([head, tail]) => head + tail);

describe('a mask in bytes', () => {
  test('agrees with the mask of the text, whatever stands there', () => {
    fc.assert(
      fc.property(fc.oneof(numbered, near, names, fc.string({ unit: 'binary' })), (drawn) => {
        const text = drawn.toWellFormed();
        for (const mask of MASKS) {
          const masked = inBytes(mask, text);
          if (masked !== null) expect([mask.kind, text, masked]).toEqual([mask.kind, text, mask.apply(text)]);
        }
      }),
      { numRuns: 3000, seed: 20261129 },
    );
  });

  test('writes nothing that a JSON string must escape unless it read it', () => {
    fc.assert(
      fc.property(fc.oneof(numbered, names, fc.string({ unit: 'grapheme' })), (text) => {
        const plain = text.replace(/["\\\p{Cc}]/gu, '');
        for (const mask of MASKS) {
          const masked = inBytes(mask, plain);
          if (masked !== null) expect(JSON.parse(`"${masked}"`)).toBe(masked);
        }
      }),
      { numRuns: 1000, seed: 20261129 },
    );
  });

  test.each([
    ['phone', '13812345678', '138****5678'],
    ['person_name', '张三', '张*'],
    ['person_name', '张三丰', '张**'],
    ['national_id', '440305199001011234', '440305********1234'],
    ['national_id', '44030519900101123x', '440305********123x'],
    ['bank_card', '6222021234567890123', '***************0123'],
    ['generic', 'whatever it is', '****'],
    ['generic', '', ''],
  ])('of kind %s takes %s', (kind, text, masked) => {
    expect(inBytes(createMask(kind), text)).toBe(masked);
  });

  test('knows every compound surname', () => {
    const mask = createMask('person_name');
    for (const surname of COMPOUND_SURNAMES) expect(inBytes(mask, `${surname}光`)).toBe(`${surname}*`);
  });

  test.each([
    ['phone', '12812345678'],
    ['phone', '138-1234-5678'],
    ['person_name', '张三丰三'],
    ['person_name', 'Wang'],
    ['national_id', '44030519900101123Y'],
    ['bank_card', '62220212345'],
  ])('of kind %s leaves %s to the other', (kind, text) => {
    expect(inBytes(createMask(kind), text)).toBeNull();
  });
});
