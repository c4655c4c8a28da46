import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortHmac } from '../../src/decision-log/hmac.ts';

test('is the HMAC that Node makes, of any text under any key', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.string({ unit: 'binary', maxLength: 400 }), { minLength: 1 }),
      (bytes, texts) => {
        const key = Buffer.from(bytes);
        const hmac = shortHmac(key);
        for (const text of texts)
          expect(hmac(text)).toBe(createHmac('sha256', key).update(text, 'utf8').digest('hex'));
      },
    ),
  );
});

test('a long text and one with half a character are no exceptions', () => {
  const key = Buffer.from('0123456789abcdef');
  const hmac = shortHmac(key);
  for (const text of ['', '客'.repeat(341), '客'.repeat(342), 'x'.repeat(5000), 'a\ud800b'])
    expect(hmac(text)).toBe(createHmac('sha256', key).update(text, 'utf8').digest('hex'));
});
