/** Of several data subjects in a record the strictest answer wins; what is stricter is what the default policy says is. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TreatmentName } from '../../src/model/answers.ts';
import { answer, catalogOf, disclosed } from './support.ts';

const rego = readFileSync(new URL('../../policies/sluice/treatment/treatment.rego', import.meta.url), 'utf8');
const ranks = /_ranks := \{([^}]*)\}/.exec(rego)?.[1] ?? '';
const order = [...ranks.matchAll(/"(\w+)": (\d+)/g)]
  .sort((a, b) => Number(a[2]) - Number(b[2]))
  .map((m) => m[1] as TreatmentName);
const catalog = catalogOf({ '/a': 'id/1', '/b': 'id/1', '/v': 'x/1' }, { subjects: ['/a', '/b'] });

test('the default policy ranks every treatment', () => {
  expect(order).toHaveLength(9);
  expect([order[0], order.at(-1)]).toEqual(['disclose', 'drop']);
});

/** each writes its own name */
const treatments = order.map((name) => ({
  name,
  recognise: () => () => false,
  prepare: () => () => ({ kind: 'string', text: name }) as const,
}));
const LEFT: { readonly [name: string]: string } = { nullify: ',"v":null', drop: '' };

test.each(order.slice(1).map((stricter, i) => [order[i]!, stricter] as const))(
  'of %s and %s the latter wins, whichever data subject it is for',
  async (milder, stricter) => {
    for (const [one, other] of [
      [milder, stricter],
      [stricter, milder],
    ] as const)
      expect(
        await disclosed('{"a":"A","b":"B","v":"text"}', {
          catalog,
          treatments,
          states: { A: { flags: ['a'] }, B: { flags: ['b'] } },
          answer: (_resource, { flags }) =>
            answer({ 'id/1': 'disclose', 'x/1': flags.includes('a') ? one : other }),
        }),
      ).toBe(`{"a":"A","b":"B"${LEFT[stricter] ?? `,"v":"${stricter}"`}}`);
  },
);
