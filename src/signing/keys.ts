/** Ed25519 keys, as JWK or PEM; and the key that is generated where none is configured. Messages never quote a key. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeOnce } from '../documents/once.ts';
import { SluiceError } from '../errors.ts';
import type { PublicKey } from '../model/signing.ts';

export interface VerifyingKey {
  readonly kid: string;
  readonly key: KeyObject;
  readonly jwk: PublicKey;
}

export interface SigningKey extends VerifyingKey {
  readonly privateKey: KeyObject;
}

/** @throws SluiceError `config_invalid` that names `where` */
export function signingKey(text: string, where: string): SigningKey {
  const key = read(text, where, 'private');
  return { ...verifying(createPublicKey(key)), privateKey: key };
}

/** Of a private key, the public part. @throws SluiceError `config_invalid` that names `where` */
export const verifyingKey = (text: string, where: string): VerifyingKey =>
  verifying(read(text, where, 'public'));

function read(text: string, where: string, wanted: 'private' | 'public'): KeyObject {
  let key: KeyObject;
  try {
    const plain = text.trim();
    const jwk = plain.startsWith('{') ? (JSON.parse(plain) as JsonWebKey) : null;
    const input = jwk === null ? plain : ({ key: jwk, format: 'jwk' } as const);
    key = wanted === 'private' ? createPrivateKey(input) : createPublicKey(input);
    // Node takes the private number of a JWK and does not compare its public one.
    if (wanted === 'private' && jwk !== null && verifying(createPublicKey(key)).jwk.x !== jwk.x)
      throw new Error('halves of two keys');
  } catch {
    // no cause: it may quote the key
    throw invalid(where, wanted);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(where, wanted);
  return key;
}

const invalid = (where: string, wanted: string): SluiceError =>
  new SluiceError('config_invalid', `${where}: must be a ${wanted} Ed25519 key, as JWK or PEM.`);

function verifying(key: KeyObject): VerifyingKey {
  const { x } = key.export({ format: 'jwk' }) as { x: string };
  // RFC 7638, section 3.2, with the members of RFC 8037, section 2
  const kid = hash('sha256', JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }), 'base64url');
  return { kid, key, jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' } };
}

/**
 * The key in the file. Where there is no file, a key is generated; of several processes that do so at once, all get the key of the first.
 * @param created called with the path of a new key
 * @throws SluiceError `signing_key_unavailable`
 */
export function generatedKey(path: string, created: (path: string) => void): SigningKey {
  try {
    return signingKey(readFileSync(path, 'utf8'), path);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw unavailable(path, e);
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
    const { privateKey } = generateKeyPairSync('ed25519');
    if (writeOnce(path, `${JSON.stringify(privateKey.export({ format: 'jwk' }))}\n`)) created(path);
    return signingKey(readFileSync(path, 'utf8'), path);
  } catch (e) {
    throw unavailable(path, e);
  }
}

const unavailable = (path: string, cause: unknown): SluiceError =>
  new SluiceError('signing_key_unavailable', {
    message: `The key that signs cannot be read or made: ${path} (${(cause as { code?: string }).code ?? 'unknown error'}). Restore the file, make its directory writable, or set signing.key.`,
    cause,
  });
