import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalize, canonical } from '../../src/decision-log/journal/canonical.ts';
import { singleLine } from '../../src/decision-log/journal/pages.ts';
import { serialize as spellTo } from '../../src/decision-log/journal/serialize.ts';

const serialize = (value: unknown): string | null => {
  const lines = singleLine();
  const length = spellTo(value, lines, 0);
  return length === null ? null : lines.page.toString('utf8', lines.at, lines.at + length);
};

/** Keys that JavaScript puts in an order of its own, and others that go wrong easily. */
const key = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.integer({ min: 0, max: 200 }).map(String),
  fc.constantFrom('__proto__', 'constructor', 'toJSON', '', 'é', '\u{1f600}', '\ufb33', '\r', '"', '\\'),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 6 })
      .map((members) => Object.assign(Object.create(null), Object.fromEntries(members)) as object),
  ),
})).value;

describe('canonical JSON', () => {
  test('is what the package canonicalize writes, for every JSON value', () => {
    fc.assert(
      fc.property(json, (value) => canonical(value) === canonicalize(value)),
      { numRuns: 2000 },
    );
  });

  test('does not change when the value is normalized first', () => {
    fc.assert(
      fc.property(json, (value) => {
        const arranged = normalize(value);
        return arranged.json === canonicalize(value) && canonical(arranged.value) === arranged.json;
      }),
      { numRuns: 2000 },
    );
  });

  test('orders integer-like keys as text, not by number', () => {
    expect(canonical({ 10: 1, 9: 2, b: { 2: 0, 10: 0 } })).toBe('{"10":1,"9":2,"b":{"10":0,"2":0}}');
  });

  test('keeps a member named __proto__', () => {
    const value: unknown = JSON.parse('{"b":1,"__proto__":{"z":1,"a":2}}');
    expect(normalize(value).json).toBe('{"__proto__":{"a":2,"z":1},"b":1}');
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\udc00': 1 }, [1n], { f: () => 1 }])(
    'refuses %s, for which JSON has no form',
    (value) => {
      expect(() => canonical(value)).toThrowError(expect.objectContaining({ code: 'input_invalid' }));
    },
  );

  test('normalize makes strings well formed, so that an unusual field name cannot prevent a record', () => {
    expect(normalize({ path: '/a\ud800b', '\udfff': 1 }).json).toBe('{"path":"/a\ufffdb","\ufffd":1}');
  });

  test('rejects endless nesting without a stack overflow', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => canonical(deep)).toThrowError(expect.objectContaining({ code: 'input_invalid' }));
    expect(() => normalize(deep)).toThrowError(expect.objectContaining({ code: 'input_invalid' }));
  });
});

const freeze = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
};

describe('serialize', () => {
  test('writes canonical JSON, both the first time and from the memo', () => {
    fc.assert(
      fc.property(json, (value) => {
        const wanted = canonicalize(value);
        const first = serialize(value);
        freeze(value);
        return [first, serialize(value), serialize(value), serialize([value])].every(
          (text, i) => text === null || text === (i === 3 ? `[${wanted}]` : wanted),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test('returns null for values that it does not support', () => {
    for (const value of [Number.NaN, '\ud800', { '\udc00': 1 }, [1n], { f: () => 1 }, { at: new Date(0) }])
      expect(serialize(value)).toBeNull();
  });

  test('returns null for endless nesting', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(serialize(deep)).toBeNull();
  });

  test('memoizes no object that can change', () => {
    const inner = { n: 1 };
    const accessor = Object.freeze({
      get n() {
        return inner.n;
      },
    });
    const shallow = Object.freeze({ inner });
    expect([serialize(accessor), serialize(shallow)]).toEqual(['{"n":1}', '{"inner":{"n":1}}']);
    inner.n = 2;
    expect([serialize(accessor), serialize(shallow)]).toEqual(['{"n":2}', '{"inner":{"n":2}}']);
  });
});
