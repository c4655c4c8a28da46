/** Private keys in PEM, in the shape of Go's structures and as JWK. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { fieldsOf, numberOf, type RegoValue } from '../../values.ts';
import { base64 } from '../encoding.ts';
import { pemBlock } from '../jwt/keys.ts';
import { fail } from '../operands.ts';

export interface PrivateKey {
  readonly key: KeyObject;
  readonly fields: RegoValue;
}

const TYPES = ['RSA PRIVATE KEY', 'PRIVATE KEY', 'EC PRIVATE KEY'];

const number = (base64url: string | undefined): RegoValue =>
  numberOf(String(BigInt(`0x${Buffer.from(base64url ?? '', 'base64url').toString('hex') || '0'}`)));

interface PrivateJwk {
  readonly kty?: string;
  readonly crv?: string;
  readonly n?: string;
  readonly e?: string;
  readonly d?: string;
  readonly p?: string;
  readonly q?: string;
  readonly dp?: string;
  readonly dq?: string;
  readonly qi?: string;
  readonly x?: string;
  readonly y?: string;
}

const jwkOf = (key: KeyObject): PrivateJwk => {
  try {
    return key.export({ format: 'jwk' }) as PrivateJwk;
  } catch {
    return fail('unknown type of key');
  }
};

/** rsa.PrivateKey, ecdsa.PrivateKey or ed25519.PrivateKey */
const fieldsOfKey = (jwk: PrivateJwk): RegoValue => {
  if (jwk.kty === 'RSA') {
    return fieldsOf({
      N: number(jwk.n),
      E: number(jwk.e),
      D: number(jwk.d),
      Primes: [number(jwk.p), number(jwk.q)],
      Precomputed: fieldsOf({ Dp: number(jwk.dp), Dq: number(jwk.dq), Qinv: number(jwk.qi), CRTValues: [] }),
    });
  }
  if (jwk.kty === 'EC')
    return fieldsOf({ Curve: new Map(), X: number(jwk.x), Y: number(jwk.y), D: number(jwk.d) });
  const seed = Buffer.from(jwk.d ?? '', 'base64url');
  return Buffer.concat([seed, Buffer.from(jwk.x ?? '', 'base64url')]).toString('base64');
};

const pemOf = (text: string): string => {
  try {
    return Buffer.from(base64(text)).toString('latin1');
  } catch {
    return text;
  }
};

/** the private keys of PEM blocks, or of base64 of PEM blocks */
export const privateKeys = (text: string): PrivateKey[] => {
  const out: PrivateKey[] = [];
  for (let block = pemBlock(pemOf(text)); block !== undefined; block = pemBlock(block.rest)) {
    if (!TYPES.includes(block.type)) continue;
    let key: KeyObject;
    try {
      key = createPrivateKey(block.text);
    } catch {
      return fail('not a private key');
    }
    out.push({ key, fields: fieldsOfKey(jwkOf(key)) });
  }
  return out;
};

/** the first private key as a JWK (RFC 7517), whatever its kind; null if there is none */
export const rsaJwk = (text: string): RegoValue => {
  if (text === '') return fail('no PEM data');
  const pem = text.startsWith('-----BEGIN') ? text : Buffer.from(base64(text)).toString('latin1');
  const [first] = privateKeys(pem);
  if (first === undefined) return null;
  return fieldsOf({ ...(jwkOf(first.key) as { [member: string]: string }) });
};
