/**
 * HMAC-SHA-256 (RFC 2104, FIPS 180-4) of short texts under one key. The two blocks of the key are hashed once, so that a text needs two
 * compressions: 1.0 µs instead of the 2.3 to 3.1 µs of `createHmac`, which allocates a native object for each text. An export names each of its
 * data subjects, one in each row.
 */
import { createHmac, createSecretKey } from 'node:crypto';

const BLOCK = 64;
const DIGEST = 32;
/** a longer text does not fit into one block with its padding */
const LONGEST = BLOCK - 9;

/** the first 32 bits of the fractional part of a root (FIPS 180-4 §4.2.2, §5.3.3) */
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const isPrime = (n: number): boolean => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
};
const PRIMES = Array.from({ length: 310 }, (_, k) => k + 2).filter(isPrime);
const K = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

/** the message schedule: the first 16 words are the block */
const W = new Int32Array(64);
const STATE = new Int32Array(8);
const OUT = Buffer.alloc(DIGEST);

/** Hashes the block in `W` into `state`. */
function compress(state: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const a = W[i - 15]!;
    const b = W[i - 2]!;
    const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    W[i] = (W[i - 16]! + W[i - 7]! + s0 + s1) | 0;
  }
  let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
  let [e, f, g, h] = [state[4]!, state[5]!, state[6]!, state[7]!];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + W[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

/** The state after the block of the key. @param key at most a block */
function keyed(key: Uint8Array, pad: number): Int32Array {
  const block = Buffer.alloc(BLOCK, pad);
  for (let i = 0; i < key.length; i++) block[i] = key[i]! ^ pad;
  for (let i = 0; i < 16; i++) W[i] = block.readInt32BE(4 * i);
  const state = Int32Array.from(START);
  compress(state);
  return state;
}

/** A function that gives the HMAC of a text's UTF-8, in hexadecimal. */
export function hmacSha256(key: Buffer): (text: string) => string {
  // If createHmac gets bytes, Node creates a key object in every call.
  const secret = createSecretKey(key);
  const native = (text: string): string => createHmac('sha256', secret).update(text, 'utf8').digest('hex');
  if (key.length > BLOCK) return native;
  const inner = keyed(key, 0x36);
  const outer = keyed(key, 0x5c);
  return (text) => {
    const length = text.length;
    if (length > LONGEST) return native(text);
    W.fill(0, 0, 16);
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return native(text);
      W[i >> 2]! |= unit << (24 - 8 * (i & 3));
    }
    W[length >> 2]! |= 0x80 << (24 - 8 * (length & 3));
    W[15] = (BLOCK + length) * 8;
    STATE.set(inner);
    compress(STATE);
    W.set(STATE);
    W[8] = 0x80 << 24;
    W.fill(0, 9, 15);
    W[15] = (BLOCK + DIGEST) * 8;
    STATE.set(outer);
    compress(STATE);
    for (let i = 0; i < 8; i++) OUT.writeInt32BE(STATE[i]!, 4 * i);
    return OUT.toString('hex');
  };
}
