import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, compareNumbers, equal, integerOf, jsonOf, sorted } from '../../src/rego/order.ts';
import {
  bytesOf,
  decode,
  encode,
  NumberText,
  numberOf,
  parseJson,
  type RegoValue,
  stringOf,
} from '../../src/rego/values.ts';

const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => numberOf(String(n))),
  fc.bigInt().map((n) => numberOf(String(n))),
  fc.constantFrom('1.0', '1e400', '-0', '0.10', '12345678901234567890.5').map(numberOf),
);
const scalar: fc.Arbitrary<RegoValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  number,
  fc.string({ unit: 'grapheme' }),
);
const value: fc.Arbitrary<RegoValue> = fc.letrec<{ value: RegoValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).value;

describe('value text', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(decode(encode(v))).toEqual(v);
      }),
    );
  });

  test('a number keeps its text', () => {
    for (const text of ['1.0', '1e3', '1E+3', '-0', '0.10', '123456789012345678901234567890', '1e400']) {
      expect(encode(decode(text))).toBe(text);
    }
  });

  test('an empty set is not an empty object', () => {
    expect(decode('[set(), {}]')).toEqual([new Set(), new Map()]);
  });

  test('keys may be of any type', () => {
    expect(decode('{[1]: 2, {3}: {"a"}}')).toEqual(
      new Map<RegoValue, RegoValue>([
        [[1], 2],
        [new Set([3]), new Set(['a'])],
      ]),
    );
  });

  test.each(['', '[1', '{"a":}', '{1:2,3}', 'nul', '"a', '01x', '1 2', 'set(1)'])('%s is refused', (text) => {
    expect(() => decode(text)).toThrow(SyntaxError);
  });

  test('JSON with a set is refused', () => {
    expect(() => parseJson('{1}')).toThrow(SyntaxError);
  });
});

describe('strings', () => {
  test('any bytes survive as a string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        expect([...bytesOf(stringOf(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  test('text that is UTF-8 is the text itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(stringOf(new TextEncoder().encode(text))).toBe(text);
      }),
    );
  });
});

describe('order', () => {
  test('types come in the order of OPA', () => {
    const mixed: RegoValue[] = [new Set(), new Map(), [], 'a', 1, true, null];
    expect(sorted(mixed)).toEqual([null, true, 1, 'a', [], new Map(), new Set()]);
  });

  test('numbers are compared by value, not by spelling', () => {
    expect(compareNumbers(new NumberText('1.0'), 1)).toBe(0);
    expect(compareNumbers(new NumberText('10e-1'), new NumberText('1.00'))).toBe(0);
    expect(compareNumbers(new NumberText('1e1000000'), new NumberText('1e999999'))).toBeGreaterThan(0);
    expect(compareNumbers(new NumberText('-0.0'), 0)).toBe(0);
    expect(
      compareNumbers(new NumberText('9007199254740993'), new NumberText('9007199254740992')),
    ).toBeGreaterThan(0);
  });

  test('comparing is antisymmetric and consistent', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) || 0);
        expect(equal(a, a)).toBe(true);
      }),
    );
  });

  test('strings are compared by their bytes', () => {
    expect(compare('\u{1f600}', '\uffee')).toBeGreaterThan(0);
  });

  test('recognizes an integer in any notation', () => {
    expect(integerOf(new NumberText('1.50e1'))).toBe(15n);
    expect(integerOf(new NumberText('1.5'))).toBeUndefined();
  });

  test('JSON has sets as sorted arrays, and keys of any type as strings', () => {
    const v = new Map<RegoValue, RegoValue>([
      ['a', new Set<RegoValue>([3, 1, 'x'])],
      [[1, new Set([2])], null],
    ]);
    expect(jsonOf(v)).toBe('{"a":[1,3,"x"],"[1,[2]]":null}');
  });
});
