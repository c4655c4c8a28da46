/**
 * The SHA-256 digests by which a token can be revoked. One signed token has several encodings: base64url with other unused bits (rejected
 * by `tokens.ts`), and, for ECDSA, a second signature that anybody can compute from the first. The signing input has only one encoding, so
 * its digest (RFC 7515 §5.1, `header.payload`) covers them all.
 */
import { hash } from 'node:crypto';

/** the order n of each curve (NIST SP 800-186) */
const ORDERS: Readonly<Record<string, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ES512:
    0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
};

export const digestOf = (text: string): string => hash('sha256', text, 'hex');

/**
 * Digests of the signing input; of the entire token, as older lists contain it; and of the token with its other ECDSA signature
 * `(r, n - s)`, which is also valid.
 */
export function digestsOfToken(token: string, algorithm: string): readonly string[] {
  const end = token.lastIndexOf('.');
  const input = token.slice(0, end);
  const digests = [digestOf(input), digestOf(token)];
  const order = ORDERS[algorithm];
  if (order === undefined) return digests;
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  const half = signature.byteLength / 2;
  const s = BigInt(`0x${signature.subarray(half).toString('hex')}`);
  const other = Buffer.from((order - s).toString(16).padStart(2 * half, '0'), 'hex');
  const twin = Buffer.concat([signature.subarray(0, half), other]).toString('base64url');
  return [...digests, digestOf(`${input}.${twin}`)];
}
