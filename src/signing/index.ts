/**
 * Signs with one Ed25519 key, and checks what this key or a retired one has signed. A generated key is made at its first use, and read again by
 * no one: it does not change while a process runs.
 */
import { createPublicKey, sign as signBytes } from 'node:crypto';
import { CompactSign, compactVerify, decodeProtectedHeader, errors } from 'jose';
import { SluiceError } from '../errors.ts';
import type { Signed, SignedType, Signing } from '../model/signing.ts';
import { type Clock, systemClock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { generatedKey, type SigningKey, signingKey, type VerifyingKey, verifyingKey } from './keys.ts';
import type { SigningConfig } from './section.ts';

export interface VerifierDependencies {
  readonly clock?: Clock;
  /** what to do where a document is signed with another key */
  readonly unknownKey: string;
}

/**
 * Checks what these keys have signed.
 * @param known by `kid`
 */
function createVerifier(
  known: () => ReadonlyMap<string, VerifyingKey>,
  { clock = systemClock, unknownKey }: VerifierDependencies,
): Pick<Signing, 'verify'> {
  return {
    async verify(type, token) {
      const kid = kidOf(type, token);
      const key = known().get(kid);
      if (key === undefined) throw invalid(`It is signed with a key that is not known here. ${unknownKey}`);
      let bytes: Uint8Array;
      try {
        ({ payload: bytes } = await compactVerify(token, key.key, { algorithms: ['EdDSA'] }));
      } catch (cause) {
        throw cause instanceof errors.JWSSignatureVerificationFailed
          ? invalid('The signature does not fit: it was changed, or somebody else has signed it.', cause)
          : invalid('It is no signed document in the form of a compact JWS.', cause);
      }
      const payload = payloadOf(bytes);
      const { exp } = payload;
      if (exp !== undefined && typeof exp !== 'number') throw invalid('Its `exp` is no number.');
      if (exp !== undefined && exp * 1000 <= clock.now().getTime())
        throw new SluiceError('signature_expired', 'Its time is over.');
      return { payload, kid };
    },
  };
}

/**
 * Checks with a published key set alone, without configuration or store.
 * @param text JWK Set (RFC 7517), as `signing keys` prints it
 * @param where for messages
 * @throws SluiceError `input_invalid`
 */
export function verifierOf(text: string, where: string): Pick<Signing, 'verify'> {
  const known = new Map(keySetOf(text, where).map((key) => [key.kid, key]));
  return createVerifier(() => known, { unknownKey: 'Get the current key set of whoever signed it.' });
}

/** The Ed25519 keys of a JWK Set (RFC 7517). @param where for messages. @throws SluiceError `input_invalid` */
export function keySetOf(text: string, where: string): readonly VerifyingKey[] {
  const invalidSet = (cause?: unknown): SluiceError =>
    new SluiceError('input_invalid', {
      message: `${where} is no JWK Set with Ed25519 keys, as "sluice signing keys" prints and /.well-known/jwks.json answers.`,
      cause,
    });
  let keys: unknown;
  try {
    ({ keys } = JSON.parse(text) as { readonly keys?: unknown });
  } catch (cause) {
    throw invalidSet(cause);
  }
  if (!Array.isArray(keys) || keys.length === 0) throw invalidSet();
  return keys.map((key, i) => {
    try {
      return verifyingKey(JSON.stringify(key), `${where}: key ${i + 1}`);
    } catch (cause) {
      throw invalidSet(cause);
    }
  });
}

export interface SigningDependencies {
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** Far more than a receipt or a certificate has. */
const LONGEST = 64 * 1024;

/** @throws SluiceError `config_invalid` if a configured key is none */
export function createSigning(config: SigningConfig, deps: SigningDependencies): Signing {
  const { logger, clock = systemClock } = deps;
  const configured = config.key === undefined ? null : signingKey(config.key, 'signing.key');
  const retired = config.retired.map((key, i) => verifyingKey(key, `signing.retired.${i}`));

  let generated: SigningKey | null = null;
  const current = (): SigningKey => {
    if (configured !== null) return configured;
    generated ??= generatedKey(config.file, (path) =>
      logger.warn(
        { path },
        'signing.key is not set: a key was generated; keep it as long as anybody may check what it signed',
      ),
    );
    return generated;
  };
  /** Each key once, the current one first. */
  const known = (): ReadonlyMap<string, VerifyingKey> => {
    const keys = new Map<string, VerifyingKey>();
    for (const key of [current(), ...retired]) if (!keys.has(key.kid)) keys.set(key.kid, key);
    return keys;
  };

  return {
    async sign(type, payload) {
      const { kid, privateKey } = current();
      return new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: typOf(type) })
        .sign(privateKey);
    },

    ...createVerifier(known, {
      clock,
      unknownKey: 'A key that was replaced belongs into signing.retired.',
    }),

    notes: {
      publicKey: () => createPublicKey(current().privateKey),
      async sign(text) {
        if (!text.endsWith('\n')) throw new Error('a note ends with a newline');
        return signBytes(null, Buffer.from(text), current().privateKey);
      },
    },

    publicKeys: () => ({ keys: [...known().values()].map(({ jwk }) => jwk) }),
  };
}

const typOf = (type: SignedType): string => `sluice-${type}+jws`;

/** @throws SluiceError `signature_invalid` */
function kidOf(type: SignedType, token: string): string {
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    if (token.length > LONGEST || !token.split('.').every(isCanonical)) throw new Error('spelling');
    header = decodeProtectedHeader(token);
  } catch (cause) {
    throw invalid('It is no signed document in the form of a compact JWS.', cause);
  }
  if (header.typ !== typOf(type))
    throw invalid(`It is no ${type.replaceAll('-', ' ')} (\`typ\` of its header).`);
  if (typeof header.kid !== 'string') throw invalid('It does not say which key has signed it (`kid`).');
  return header.kid;
}

/** Base64url has several spellings of the same bytes, in the bits that its last character does not use. */
const isCanonical = (part: string): boolean => Buffer.from(part, 'base64url').toString('base64url') === part;

function payloadOf(bytes: Uint8Array): Signed['payload'] {
  const text = new TextDecoder('utf-8', { fatal: true });
  let value: unknown;
  try {
    value = JSON.parse(text.decode(bytes));
  } catch (cause) {
    throw invalid('Its payload is no JSON.', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('Its payload is no object.');
  return value as Signed['payload'];
}

const invalid = (message: string, cause?: unknown): SluiceError =>
  new SluiceError('signature_invalid', { message, ...(cause === undefined ? {} : { cause }) });
