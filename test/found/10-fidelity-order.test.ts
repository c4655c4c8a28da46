/**
 * Class: what depends on the order of sets and objects. Root cause: the module iterates in the order of its hash table, OPA's
 * interpreter in the order of the elements or keys. The module is rewritten: it sorts what it iterates, or asks the host to.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, type RegoValue } from '../../src/rego/values.ts';
import { answersAsOpa, answersOf, expectSame } from '../rego/builtins/oracle.ts';

describe('what iterates over a literal', () => {
  answersAsOpa(`
    concat(", ", {"beta", "alpha", "gamma", "delta", "é", "z", "Z", "10", "9"})
    [x | some x in {"q", "w", "e", "r", "t", "y"}][0]
    [k | some k, _ in {"q": 1, "w": 2, "e": 3, 7: 4, [1]: 5, null: 6}]
    [p | walk({"z": {"y": [3, {"b": 1, "a": 2}]}, "a": {3, 1, 2}}, [p, _])]
    [v | walk({"z": {"y": 1, "x": 2}, "a": {"c", "b"}}, [_, v]); not is_object(v)]
    [[x, y] | some x in {3, 1, 2}; some y in {"c", "a", "b"}]
    [[x, y] | s := {3, 1, 2, 20, 100}; some x in s; some y in s; x != y]
    sprintf("%v", [[x | some x in {1.5, 1, "a", null, true, [1], {"a": 1}, {1}}]])
    [x | some x in object.keys({"b": 1, "a": 2, "c": 3})]
    json.marshal({"b": {"d": 1, "c": "<&>"}, "a": [{"z": 1, "y": {3, 2, 1}}]})
    [x | some x in union({{"b", "x"}, {"a", "y"}})]
    [x | some x in {10, 9, 8, 100, -1, 0.5, 12345678901234567890, 1e3}]
  `);
});

const key = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 5 }),
  fc.constantFrom('a', 'b', 'aa', 'Z', '10', '9'),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(key, fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(key, tie('value'), { maxKeys: 8 }),
  ),
}));

test('any value is walked, listed and collected in the order of the interpreter', async () => {
  const values = fc.sample(value, { numRuns: 60, seed: 10 });
  const input = new Map<RegoValue, RegoValue>([['v', decode(JSON.stringify(values))]]);
  await expectSame(
    values.flatMap((_, i) => [
      `[[p, v] | walk(input.v[${i}], [p, v])]`,
      `[x | some x in input.v[${i}]]`,
      `[k | some k, _ in input.v[${i}]]`,
      `[x | some x in {y | some y in [input.v[${i}], input.v[${(i + 1) % values.length}], input.v[${(i + 2) % values.length}]]}]`,
      `json.marshal({input.v[${i}], [input.v[${i}]]})`,
    ]),
    input,
  );
});

test('a set larger than its first table, and two iterations over it at once, stay in order', async () => {
  const numbers = Array.from({ length: 300 }, (_, i) => (i * 7919) % 1000);
  const input = new Map<RegoValue, RegoValue>([['n', numbers]]);
  const [listed, pairs] = await answersOf(
    [
      '[x | some x in {sprintf("k%d", [n]) | some n in input.n}]',
      '[[x, y] | s := {n | some n in input.n; n < 60}; some x in s; some y in s; x < y]',
    ],
    input,
  );
  expect(encode(listed?.ours ?? null)).toBe(encode(listed?.opa ?? null));
  expect(encode(pairs?.ours ?? null)).toBe(encode(pairs?.opa ?? null));
});

/** what is sorted in the module, what the host sorts, and what begins in one and must go on in the other */
const KINDS: { readonly [kind: string]: (i: number) => RegoValue } = {
  'short strings': (i) => String.fromCharCode(97 + (i % 26)) + (i >> 4),
  'strings that begin alike': (i) => `/orders/*/lines/${(i * 7919) % 1009}/amount`,
  'strings that are the beginning of others': (i) => 'ab'.repeat(i % 40) + (i > 39 ? i : ''),
  'strings of other planes': (i) => String.fromCodePoint(0xff00 + i, 0x1f600 + (i % 7), 0xe9 - (i % 3)),
  integers: (i) => (i % 2 === 0 ? -1 : 1) * ((i * 7919) % 1009) * 2 ** (i % 40),
  'integers and strings': (i) => (i % 2 === 0 ? i : `s${i}`),
  'strings and one null': (i) => (i === 3 ? null : `s${(i * 31) % 101}`),
  'strings and fractions': (i) => (i % 5 === 4 ? i + 0.5 : `s${(i * 31) % 997}`),
  'lists and strings': (i) => (i % 3 === 0 ? [i % 7, `s${i}`] : `s${i}`),
};
const SIZES = [2, 3, 7, 8, 9, 16, 17, 40, 129, 520];

test.each(Object.keys(KINDS))(
  'sets and objects of %s, few and many, loaded and made, are in order',
  async (kind) => {
    const lists = SIZES.map((n) => Array.from({ length: n }, (_, i) => KINDS[kind]!(i)));
    await expectSame(
      SIZES.flatMap((n, i) => [
        `[x | s := {e | some e in input.lists[${i}]}; some x in s]`,
        `[[k, v] | o := {e: 1 | some e in input.lists[${i}]}; some k, v in o]`,
        // the same value again within itself, and one that is left early
        ...(n < 20
          ? [
              `[[x, y] | s := {e | some e in input.lists[${i}]}; some x in s; some y in s]`,
              `[[x, y] | s := {e | some e in input.lists[${i}]}; some x in s; some y in s; every z in s { z <= y }]`,
            ]
          : []),
      ]),
      new Map([['lists', lists]]),
    );
  },
);

test('more sets at once than there are places for their order stay in order', async () => {
  const lists = Array.from({ length: 150 }, (_, n) =>
    Array.from({ length: 2 + (n % 9) }, (_, i) => `k${(i * 7919 + n * 31) % 1009}`),
  );
  const input = new Map<RegoValue, RegoValue>([['lists', lists]]);
  const sets = '{i: {e | some e in l} | some i, l in input.lists}';
  await expectSame(
    [
      `[[i, x] | some i, s in ${sets}; some x in s]`,
      `[[x, count([1 | some j, t in s; some y in t; y > x])] | s := ${sets}; some x in s[7]]`,
      `[[a, b, c] | s := ${sets}; some a in s[3]; some b in s[67]; some c in s[131]]`,
    ],
    input,
  );
});
