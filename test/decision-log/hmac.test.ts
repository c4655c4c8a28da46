import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hmacSha256 } from '../../src/decision-log/hmac.ts';

const wanted = (key: Uint8Array, text: string): string =>
  createHmac('sha256', key).update(text, 'utf8').digest('hex');

/** half of a character is hashed as U+FFFD */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('王', '𠮷', '\ud800', '\udc00', 'a', '\0'), maxLength: 300 }),
);

describe('the HMAC of a data subject', () => {
  it('is that of node:crypto, for keys and texts of any length, in any order', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 130 }),
        fc.array(texts, { minLength: 1, maxLength: 6 }),
        (key, ids) => {
          const hmac = hmacSha256(Buffer.from(key));
          expect(ids.map(hmac)).toEqual(ids.map((id) => wanted(key, id)));
        },
      ),
    );
  });

  it('does not cut a text of the longest characters, nor one that is longer than its buffer', () => {
    const key = Buffer.alloc(32, 7);
    const hmac = hmacSha256(key);
    for (const length of [0, 1, 255, 256, 257, 5000]) {
      const text = '龘'.repeat(length);
      expect(hmac(text)).toBe(wanted(key, text));
    }
  });
});
