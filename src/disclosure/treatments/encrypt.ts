/**
 * `encrypt`: the value as a JWE (RFC 7516, compact) for the recipient's public key. Implemented with node:crypto because a treatment is
 * synchronous and jose is not; the tests decrypt with jose.
 *
 * RSA keys: RSA-OAEP-256. P-256, P-384, P-521, X25519: ECDH-ES+A256KW with an ephemeral key for each value. Content: A256GCM. The plaintext is
 * the value as JSON (`cty: json`), so that a number stays a number; an object or array keeps the upstream's spelling.
 */
import {
  constants,
  createCipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { plainly } from './masks/returned.ts';
import { onlyKnown, text } from './parameters.ts';
import { merged, orDrop } from './prepared.ts';
import type { Recognise, Treatment } from './treatment.ts';

/** within any text, since nothing else has this form */
const JWE =
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+/;
/** RFC 3394, section 2.2.3.1 */
const WRAP_IV = Buffer.from('a6a6a6a6a6a6a6a6', 'hex');
const KEY_WRAP = 'ECDH-ES+A256KW';

interface Wrapped {
  readonly header: { readonly [name: string]: unknown };
  readonly key: Buffer;
}
type Wrap = (contentKey: Buffer) => Wrapped;

const length32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};

/** Concat KDF (NIST SP 800-56A) by RFC 7518, section 4.6.2, with empty party information, for one 256-bit key. */
const agreedKey = (secret: Buffer): Buffer =>
  createHash('sha256')
    .update(length32(1))
    .update(secret)
    .update(length32(KEY_WRAP.length))
    .update(KEY_WRAP)
    .update(length32(0))
    .update(length32(0))
    .update(length32(256))
    .digest();

function publicOnly(key: KeyObject): JsonWebKey {
  const { kty, crv, x, y } = key.export({ format: 'jwk' });
  return { kty, crv, x, ...(y === undefined ? {} : { y }) } as JsonWebKey;
}

function ephemeral(curve: string | undefined): { publicKey: KeyObject; privateKey: KeyObject } {
  return curve === undefined
    ? generateKeyPairSync('x25519')
    : generateKeyPairSync('ec', { namedCurve: curve });
}

function wrapFor(recipient: KeyObject): Wrap | null {
  const type = recipient.asymmetricKeyType;
  if (type === 'rsa') {
    return (contentKey) => ({
      header: { alg: 'RSA-OAEP-256' },
      key: publicEncrypt(
        { key: recipient, oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING },
        contentKey,
      ),
    });
  }
  if (type !== 'ec' && type !== 'x25519') return null;
  const curve = type === 'ec' ? recipient.asymmetricKeyDetails?.namedCurve : undefined;
  return (contentKey) => {
    const own = ephemeral(curve);
    const shared = diffieHellman({ privateKey: own.privateKey, publicKey: recipient });
    const wrapping = createCipheriv('id-aes256-wrap', agreedKey(shared), WRAP_IV);
    return {
      header: { alg: KEY_WRAP, epk: publicOnly(own.publicKey) },
      key: Buffer.concat([wrapping.update(contentKey), wrapping.final()]),
    };
  };
}

function sealed(plaintext: string, content: string, kid: string, wrap: Wrap): string {
  const contentKey = randomBytes(32);
  const wrapped = wrap(contentKey);
  const header = { ...wrapped.header, enc: 'A256GCM', kid, cty: content };
  const head = Buffer.from(JSON.stringify(header)).toString('base64url');
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', contentKey, iv);
  cipher.setAAD(Buffer.from(head, 'ascii'));
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  const parts = [wrapped.key, iv, body, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  return [head, ...parts].join('.');
}

// a client may have wrapped the text, so that it contains line breaks
const recognise: Recognise = (value) =>
  value.kind === 'string' && (JWE.test(plainly(value.text)) || JWE.test(value.text.replace(/\s+/g, '')));

export const encrypt: Treatment = {
  name: 'encrypt',
  containers: true,
  prepare: (entry, choice, context) =>
    orDrop(() => {
      const parameters = merged(entry.encrypt, choice);
      onlyKnown(parameters, ['key']);
      const { id, key } = context.keys.recipient(context.recipient, text(parameters, 'key'));
      const wrap = wrapFor(key);
      if (wrap === null) return () => 'drop';
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        // as in every treatment, since some formats do not distinguish an empty text from null
        if (value.kind === 'string' && value.text === '') return { kind: 'string', text: '' };
        if (!value.text.isWellFormed()) return 'drop';
        const markup = value.kind === 'container' && /^\s*</.test(value.text);
        const plaintext = value.kind === 'string' ? JSON.stringify(value.text) : value.text;
        return { kind: 'string', text: sealed(plaintext, markup ? 'xml' : 'json', id, wrap) };
      };
    }),
  recognise: () => recognise,
};
