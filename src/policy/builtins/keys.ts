/** Keys as `io.jwt.*` takes them: a PEM certificate or public key, a JWK or a JWK set (RFC 7517). */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { fail } from './operands.ts';

export interface Key {
  readonly key: KeyObject;
  /** empty if the key does not say */
  readonly alg: string;
  readonly kid: string;
}

export const ALGORITHMS: ReadonlySet<string> = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 HS256 HS384 HS512 EdDSA'.split(' '),
);

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[\s\S]*?-----END \1-----\r?\n?/;

interface PemBlock {
  readonly type: string;
  readonly text: string;
  /** what follows it */
  readonly rest: string;
}

export const pemBlock = (text: string): PemBlock | undefined => {
  const m = PEM.exec(text);
  return m === null
    ? undefined
    : { type: m[1] as string, text: m[0], rest: text.slice(m.index + m[0].length) };
};

const attempt = <T>(run: () => T): T => {
  try {
    return run();
  } catch {
    return fail('not a key');
  }
};

interface Jwk extends JsonWebKey {
  readonly alg?: string;
  readonly kid?: string;
}

const isRecord = (v: unknown): v is Record<string, unknown> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);

const jwkKey = (jwk: Jwk): KeyObject => {
  if (jwk.kty === 'oct') return createSecretKey(jwk.k ?? fail('the key has no k'), 'base64url');
  return attempt(() =>
    jwk.d === undefined
      ? createPublicKey({ key: jwk, format: 'jwk' })
      : createPrivateKey({ key: jwk, format: 'jwk' }),
  );
};

const text = (v: unknown): string => (typeof v === 'string' ? v : '');

/** the keys of a JWK or a JWK set, those with an algorithm that JWS does not know left out */
export const jwks = (source: string): Key[] => {
  const parsed: unknown = attempt(() => JSON.parse(source));
  if (!isRecord(parsed)) return fail('not a JWK');
  const list: readonly unknown[] = Array.isArray(parsed['keys']) ? parsed['keys'] : [parsed];
  return list.map((jwk): Key => {
    if (!isRecord(jwk)) return fail('not a JWK');
    return { key: jwkKey(jwk as Jwk), alg: text(jwk['alg']), kid: text(jwk['kid']) };
  });
};

export const verificationKeys = (source: string): Key[] => {
  const block = pemBlock(source);
  if (block === undefined) return jwks(source).filter(({ alg }) => alg === '' || ALGORITHMS.has(alg));
  if (block.rest !== '') return fail('more than one PEM block');
  if (block.type === 'CERTIFICATE') {
    return [{ key: attempt(() => new X509Certificate(block.text).publicKey), alg: '', kid: '' }];
  }
  if (block.type !== 'PUBLIC KEY') return fail('neither a certificate nor a public key');
  return [{ key: attempt(() => createPublicKey(block.text)), alg: '', kid: '' }];
};
