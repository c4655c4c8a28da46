/**
 * The order of the errors of `json.match_schema`. OPA iterates over Go maps, so for some schemas the order is another one from call to
 * call. Where OPA's order is always the same, ours is the same. Elsewhere the errors are the same as a set.
 */
import { expect, test } from 'vitest';
import { decode, encode, type RegoValue } from '../../../src/rego/values.ts';
import { answersOf } from './oracle.ts';

/** name, schema, document */
type Case = readonly [name: string, schema: object, document: unknown];

const STRING = { type: 'string' };
const STABLE: readonly Case[] = [
  ['required', { required: ['x', 'a', 'm', 'b'] }, {}],
  ['items', { items: STRING }, [1, 2, 3, 4]],
  ['a tuple', { items: [STRING, STRING], additionalItems: false }, [1, 2, 3]],
  ['allOf', { allOf: [{ required: ['a'] }, { required: ['b'] }, { minProperties: 2 }] }, {}],
  ['anyOf', { anyOf: [{ required: ['a', 'b'] }, { minProperties: 1 }] }, {}],
  ['oneOf', { oneOf: [{ required: ['a', 'b'] }, { minProperties: 1 }] }, {}],
  [
    'keywords of objects',
    { minProperties: 5, required: ['q'], properties: { a: STRING }, enum: [1] },
    { a: 1 },
  ],
  ['keywords of lists', { uniqueItems: true, minItems: 9, contains: STRING }, [1, 1, 2, 2, 1]],
  ['keywords of numbers', { multipleOf: 2, maximum: 1, minimum: 10, enum: [4] }, 3],
  ['keywords of texts', { minLength: 5, pattern: '^z', format: 'ipv4', const: 'k', enum: ['m'] }, 'abc'],
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  ['then', { if: { type: 'object' }, then: { required: ['b', 'a'] } }, {}],
  ['not', { not: {}, required: ['a'], properties: { b: STRING } }, { b: 1 }],
];
const ABC = { a: 1, b: 2, c: 3 };
const UNSTABLE: readonly Case[] = [
  ['properties', { properties: { a: STRING, b: STRING, c: STRING } }, ABC],
  ['additional properties', { additionalProperties: false }, ABC],
  ['a schema of additional properties', { additionalProperties: STRING }, ABC],
  ['one pattern of several properties', { patternProperties: { '^.$': STRING } }, ABC],
  [
    'several patterns of one property',
    { patternProperties: { '^a': STRING, '^.b': { type: 'null' } } },
    { ab: 1 },
  ],
  ['dependencies', { dependencies: { a: ['x'], b: ['y'], c: ['z'] } }, ABC],
  ['names of properties', { propertyNames: { maxLength: 0 } }, ABC],
];
const CASES = [...STABLE, ...UNSTABLE];
/** OPA keeps a compiled schema, and its order, by the text of the schema. With 24 copies all had one order by chance, now and then. */
const COPIES = 80;

const answers = answersOf(
  CASES.flatMap(([, schema, document]) =>
    Array.from({ length: COPIES }, (_, n) => {
      const copy = JSON.stringify({ ...schema, description: `copy ${n}` });
      return `json.match_schema(${JSON.stringify(JSON.stringify(document))}, ${copy})[1]`;
    }),
  ),
);
// A failure is reported by the tests that await it.
answers.catch(() => undefined);

/** the orders of OPA and ours, as texts */
const ordersOf = async (of: Case) => {
  const all = (await answers).slice(CASES.indexOf(of) * COPIES).slice(0, COPIES);
  const text = (v: RegoValue | undefined): string => (v === undefined ? 'undefined' : encode(v));
  return {
    theirs: new Set(all.map(({ opa }) => text(opa))),
    ours: new Set(all.map(({ ours }) => text(ours))),
  };
};

const sortedErrors = (text: string): string[] => (decode(text) as RegoValue[]).map(encode).sort();

test.each(STABLE.map((c) => [c[0], c] as const))('%s: the errors have the order of OPA', async (_, of) => {
  const { theirs, ours } = await ordersOf(of);
  expect([theirs.size, [...ours].map(sortedErrors)]).toEqual([1, [...theirs].map(sortedErrors)]);
  const fields = (text: string): string[] =>
    (decode(text) as Map<string, RegoValue>[]).map(
      (e) => `${e.get('type')} ${e.get('field')} ${e.get('desc')}`,
    );
  expect([...ours].map(fields)).toEqual([...theirs].map(fields));
});

test.each(UNSTABLE.map((c) => [c[0], c] as const))(
  '%s: OPA has several orders of the same errors, and ours is always the same',
  async (_, of) => {
    const { theirs, ours } = await ordersOf(of);
    expect(theirs.size).toBeGreaterThan(1);
    expect(ours.size).toBe(1);
    const [one] = ours;
    for (const order of theirs) expect(sortedErrors(order)).toEqual(sortedErrors(one!));
  },
);
