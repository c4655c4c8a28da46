/** Catalogs of many paths: name/value lists with hundreds of names, and names that begin alike. */
import { expect, test } from 'vitest';
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { catalogOf, answer, disclosed } from './support.ts';

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const number = (i: number) => String(i).padStart(5, '0');
const says = answer({ 'open/1': 'disclose', 'masked/3': 'mask' });
const classOf = (i: number) => ['open/1', 'masked/3', 'hidden/5'][i % 3]!;

/** Tables of the scanner are made anew for a state that was not there: with hundreds of them a first answer took half a minute. */
test('what selectors lead to is there before the first record', () => {
  const paths = range(300).map((i) => [`/attributes/[name=k${i}]/value`, classOf(i)]);
  const automaton = new Automaton(catalogOf(Object.fromEntries(paths)), new Map());
  automaton.settle();
  const { length } = automaton.states;
  const pair = automaton.item(automaton.step(automaton.root, 'attributes'), 7);
  for (const i of range(301)) automaton.select(pair, (key) => (key === 'name' ? `k${i}` : undefined));
  automaton.select(pair, () => undefined);
  expect(automaton.states.length).toBe(length);
});

test('selectors by several keys at one place are followed together, however many they are', async () => {
  const paths = range(80).flatMap((i) => [
    [`/a/[type=t${i}]/value`, 'open/1'],
    [`/a/[use=u${i}]/note`, 'masked/3'],
  ]);
  const pairs = range(160).map((i) => ({
    type: `t${i % 90}`,
    use: `u${(i * 7) % 90}`,
    value: `v${i}`,
    note: `n${i}`,
  }));
  const left = await disclosed(JSON.stringify({ a: pairs }), {
    catalog: catalogOf(Object.fromEntries(paths)),
    answer: says,
  });
  const wanted = pairs.map(({ type, use, value }) => ({
    ...(Number(type.slice(1)) < 80 ? { value } : {}),
    ...(Number(use.slice(1)) < 80 ? { note: '***' } : {}),
  }));
  // a pair that no path selects is in no catalog
  expect(JSON.parse(left)).toEqual({ a: wanted.filter((pair) => Object.keys(pair).length > 0) });
});

test('a name/value list with hundreds of names is disclosed pair by pair', async () => {
  const count = 500;
  const paths = range(count).map((i) => [`/attributes/[name=k${i}]/value`, classOf(i)]);
  const pairs = range(count + 5).map((i) => ({ name: `k${i}`, value: `v${i}` }));
  const left = await disclosed(JSON.stringify({ attributes: pairs.toReversed() }), {
    catalog: catalogOf(Object.fromEntries([...paths, ['/attributes/*/name', 'open/1']])),
    answer: says,
  });
  const wanted = pairs.map(({ name, value }, i) => {
    const cls = i < count ? classOf(i) : 'hidden/5';
    return cls === 'hidden/5' ? { name } : { name, value: cls === 'open/1' ? value : '***' };
  });
  expect(JSON.parse(left)).toEqual({ attributes: wanted.toReversed() });
});

test.each([1, 7, 8, 9, 15, 16, 17, 40])(
  'names that begin alike in %i characters are told apart',
  async (n) => {
    const name = (i: number) => 'customer_attribute_of_a_very_long_name_x'.slice(0, n) + number(i);
    const count = 600;
    const paths = range(count).map((i) => [`/${name(i)}`, classOf(i)]);
    // in an order in which no name follows the one that it followed in the catalog
    const order = range(count + 50).map((i) => (i * 7919) % (count + 50));
    const body = Object.fromEntries(order.map((i) => [name(i), i]));
    const left = await disclosed(JSON.stringify(body), {
      catalog: catalogOf(Object.fromEntries(paths)),
      answer: says,
    });
    const kept = order.filter((i) => i < count && classOf(i) !== 'hidden/5');
    expect(JSON.parse(left)).toEqual(
      Object.fromEntries(kept.map((i) => [name(i), classOf(i) === 'open/1' ? i : '***'])),
    );
  },
);
