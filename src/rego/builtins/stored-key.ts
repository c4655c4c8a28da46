/** How OPA's store looks up a step of a path below `data`, which it takes as a string (`wasm/data-accesses.ts`). */
import { isNumber, numberText } from '../values.ts';
import { fail } from './operands.ts';
import type { Family } from './types.ts';

/** what Go's `strconv.Atoi` reads; an index of more digits is in no list */
const INDEX = /^[+-]?\d{1,15}$/;

export const storedKey: Family = {
  'internal.stored_key': ([key]) => {
    if (key === undefined) return fail('no key');
    if (isNumber(key)) return numberText(key);
    return typeof key === 'string' && INDEX.test(key) ? Number(key) + 0 : fail('not an index');
  },
};
