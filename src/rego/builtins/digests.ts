/** `crypto.md5`, `crypto.sha*`, `crypto.hmac.*` */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { bytes } from './operands.ts';
import type { Builtin, Family } from './types.ts';

const digest =
  (algorithm: string): Builtin =>
  ([v]) =>
    createHash(algorithm).update(bytes(v)).digest('hex');

const hmac =
  (algorithm: string): Builtin =>
  ([message, key]) =>
    createHmac(algorithm, bytes(key)).update(bytes(message)).digest('hex');

export const digests: Family = {
  'crypto.md5': digest('md5'),
  'crypto.sha1': digest('sha1'),
  'crypto.sha256': digest('sha256'),
  'crypto.hmac.md5': hmac('md5'),
  'crypto.hmac.sha1': hmac('sha1'),
  'crypto.hmac.sha256': hmac('sha256'),
  'crypto.hmac.sha512': hmac('sha512'),
  'crypto.hmac.equal': ([a, b]) => {
    const x = bytes(a);
    const y = bytes(b);
    return x.length === y.length && timingSafeEqual(x, y);
  },
};
