/**
 * HMAC-SHA-256 (RFC 2104) of short texts under one key. `createHmac` makes a stream for each of them: an export names a data subject in each row,
 * and that took a fifth of the time of a CSV. Two calls of the one-shot `hash` take about half of it (bench/RESULTS.md, Proxy).
 */
import { createHmac, createSecretKey, hash } from 'node:crypto';

/** bytes of a block of SHA-256, and of its result */
const BLOCK = 64;
const DIGEST = 32;
/** code units; a longer text is left to `createHmac` */
const SHORT = 256;
/** UTF-8 takes at most three bytes for a code unit */
const MOST = BLOCK + 3 * SHORT;

/** @returns the hexadecimal HMAC of a text in UTF-8 */
export function hmacSha256(key: Buffer): (text: string) => string {
  const secret = createSecretKey(key);
  const [inner, outer] = [padded(key, 0x36, MOST), padded(key, 0x5c, BLOCK + DIGEST)];
  return (text) => {
    if (text.length > SHORT) return createHmac('sha256', secret).update(text, 'utf8').digest('hex');
    const end = BLOCK + inner.write(text, BLOCK, 'utf8');
    // as a text of one character a byte, which is made faster than a buffer
    outer.write(hash('sha256', inner.subarray(0, end), 'binary'), BLOCK, 'binary');
    return hash('sha256', outer, 'hex');
  };
}

/** The key, xored with `pad` to the length of a block, before room for what is hashed with it. */
function padded(key: Buffer, pad: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.set(key.length > BLOCK ? hash('sha256', key, 'buffer') : key);
  for (let i = 0; i < BLOCK; i++) bytes[i]! ^= pad;
  return bytes;
}
