/** What Sluice's own headers say, as their readers read them. */
import fc from 'fast-check';
import { parseList } from 'structured-headers';
import { expect, test } from 'vitest';
import { withheldHeader } from '../../src/endpoints/responses.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '/姓名/电话',
    '/a"b\\\\c',
    '/%41',
    '/\ud800',
    '/\u0000\u0007\u000f\u007f',
    `/${'长'.repeat(3000)}`,
    '*',
  ),
);
const account = fc.record({
  path: text,
  do: fc.constantFrom('mask', 'drop'),
  because: fc.oneof(text, fc.constantFrom('consent_missing', 'uncatalogued')),
  count: fc.constant(1),
});

test('Sluice-Withheld is an RFC 9651 list of at most 4 KiB, for any names of fields and reasons', () => {
  fc.assert(
    fc.property(fc.array(account, { minLength: 1, maxLength: 60 }), (withheld) => {
      const header = withheldHeader(withheld);
      expect(header).toMatch(/^[\x20-\x7e]{1,4096}$/);
      expect(parseList(header).length).toBeGreaterThan(0);
    }),
    { seed: 9651, numRuns: 500 },
  );
});
