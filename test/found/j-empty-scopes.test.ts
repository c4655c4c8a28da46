/** A list that says whom a rule is for is absent (everybody) or names somebody: an emptied one would switch the rule off without a word. */
import { expect, test } from 'vitest';
import { dataSchemas } from '../../src/policy/schemas/data.ts';
import { quotasOf } from '../../src/quotas/definitions.ts';

interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly minItems?: number;
}

/** Lists of the policy's data that are described by `only …`, by their path. */
function* scopes(value: unknown, path = ''): Generator<readonly [string, Schema]> {
  if (typeof value !== 'object' || value === null) return;
  const { type, description = '' } = value as Schema;
  if (type === 'array' && /^only /.test(description)) yield [path, value as Schema];
  for (const [name, inner] of Object.entries(value)) yield* scopes(inner, `${path}/${name}`);
}

test('no list that says whom a limit is for may be empty', () => {
  const { quotas, record_filters, retention, subject_verification } = dataSchemas;
  const found = [...scopes({ quotas, record_filters, retention, subject_verification })];
  expect(found.length).toBeGreaterThan(8);
  for (const [path, { minItems }] of found) expect({ path, minItems }).toEqual({ path, minItems: 1 });
});

test.each(['roles', 'purposes'])('a quota with an empty list of %s is not passed over', (list) => {
  const quota = {
    title: 't',
    by: [],
    of: 'records',
    per: 'day',
    limit: 1,
    over: 'deny',
    reserve: 1,
    [list]: [],
  };
  expect(() => quotasOf({ quotas: { ours: quota } })).toThrow('at least one name');
});
