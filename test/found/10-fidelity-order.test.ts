/**
 * Class: what depends on the order of sets and objects. Root cause: the module iterates in the order of its hash table, OPA's
 * interpreter in the order of the elements or keys. The module is rewritten: iteration asks the host, which goes in order.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, type RegoValue } from '../../src/policy/values.ts';
import { answersAsOpa, answersOf, expectSame } from '../policy/builtins/oracle.ts';

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
