/** `cast_*`: deprecated by OPA; bundles of Rego v0 may still call them. */
import { sorted } from '../order.ts';
import type { RegoValue } from '../values.ts';
import { boolean, fail, items, object, string } from './operands.ts';
import type { Family } from './types.ts';

const list = (v: RegoValue | undefined): RegoValue[] => (v instanceof Set ? sorted(v) : [...items(v)]);

export const casts: Family = {
  cast_array: ([v]) => list(v),
  cast_set: ([v]) => new Set(list(v)),
  cast_string: ([v]) => string(v),
  cast_boolean: ([v]) => boolean(v),
  cast_null: ([v]) => (v === null ? null : fail('operand must be null')),
  cast_object: ([v]) => object(v),
};
