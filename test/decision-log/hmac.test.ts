import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hmacSha256 } from '../../src/decision-log/hmac.ts';

describe('the HMAC of a short text', () => {
  it('equals that of node:crypto for keys and texts of any length and script', () => {
    for (const bytes of [0, 1, 20, 32, 63, 64, 65, 200]) {
      const key = randomBytes(bytes);
      const hmac = hmacSha256(key);
      for (let length = 0; length < 70; length++)
        for (const unit of ['a', '\x7f', '\x80', '客', '👤', '\ud800']) {
          const text = randomBytes(length).toString('base64').slice(0, length) + unit;
          expect(hmac(text)).toBe(createHmac('sha256', key).update(text, 'utf8').digest('hex'));
        }
    }
  });
});
