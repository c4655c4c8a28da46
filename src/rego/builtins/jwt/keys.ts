/** Keys as `io.jwt.*` takes them: a PEM certificate or public key, a JWK or a JWK set (RFC 7517). */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { fail } from '../operands.ts';

export interface Key {
  readonly key: KeyObject;
  /** empty if the key does not name one */
  readonly alg: string;
  readonly kid: string;
}

export const ALGORITHMS: ReadonlySet<string> = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 HS256 HS384 HS512 EdDSA'.split(' '),
);

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n/g;
const END = '-----END ';
const END_REST = /-----\r?\n?/y;

interface PemBlock {
  readonly type: string;
  readonly text: string;
  /** the text after the block */
  readonly rest: string;
}

/** the first block whose END line names the same type as its BEGIN line */
export const pemBlock = (text: string): PemBlock | undefined => {
  let end = -1;
  for (const m of text.matchAll(BEGIN)) {
    const [begin, type = ''] = m;
    const from = m.index + begin.length;
    if (end < from) end = text.indexOf(END, from);
    if (end < 0) return undefined;
    const named = end + END.length;
    END_REST.lastIndex = named + type.length;
    if (!text.startsWith(type, named) || !END_REST.test(text)) continue;
    return { type, text: text.slice(m.index, END_REST.lastIndex), rest: text.slice(END_REST.lastIndex) };
  }
  return undefined;
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
  if (jwk.kty === 'oct') {
    // Node.js ignores characters that are not Base64, and would sign with the rest, or with an empty key.
    if (jwk.k === undefined || !/^(?:[\w-]{4})*(?:[\w-]{2,4})$/.test(jwk.k))
      return fail('the key has no valid k');
    return createSecretKey(jwk.k, 'base64url');
  }
  return attempt(() =>
    jwk.d === undefined
      ? createPublicKey({ key: jwk, format: 'jwk' })
      : createPrivateKey({ key: jwk, format: 'jwk' }),
  );
};

const text = (v: unknown): string => (typeof v === 'string' ? v : '');

/** the keys of a JWK or a JWK set, without those whose algorithm JWS does not define */
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
