/**
 * JWS signatures (RFC 7518, RFC 8037). Signing is deterministic, so that an evaluation can be repeated: ECDSA by
 * RFC 6979, PSS with a salt derived from the key and the message.
 */
import {
  constants,
  createECDH,
  createHash,
  createHmac,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
  privateEncrypt,
  timingSafeEqual,
} from 'node:crypto';
import { fail } from '../operands.ts';

const hashOf = (alg: string): string => `sha${alg.slice(2)}`;

interface Curve {
  /** name in OpenSSL */
  readonly name: string;
  /** order of the group (SEC 2) */
  readonly order: bigint;
  /** bytes of a coordinate */
  readonly size: number;
}

const CURVES: { readonly [name: string]: Curve } = {
  prime256v1: {
    name: 'prime256v1',
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    size: 32,
  },
  secp384r1: {
    name: 'secp384r1',
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    size: 48,
  },
  secp521r1: {
    name: 'secp521r1',
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    size: 66,
  },
};

const curveOf = (key: KeyObject): Curve | undefined => {
  const name = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : undefined;
  return name === undefined ? undefined : CURVES[name];
};

const big = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
const bytesOf = (n: bigint, size: number): Buffer =>
  Buffer.from(n.toString(16).padStart(size * 2, '0'), 'hex');

/** the two numbers r and s of a signature of any length, each padded to the size that OpenSSL expects */
const halves = (signature: Uint8Array, size: number): Buffer | undefined => {
  const middle = Math.floor(signature.length / 2);
  const r = big(signature.subarray(0, middle));
  const s = big(signature.subarray(middle));
  const limit = 1n << BigInt(size * 8);
  return r < limit && s < limit ? Buffer.concat([bytesOf(r, size), bytesOf(s, size)]) : undefined;
};

/** @returns false, too, if the key is not of the algorithm's type */
export const verifies = (
  alg: string,
  key: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): boolean => {
  if (alg.startsWith('HS')) {
    if (key.type !== 'secret') return false;
    const mac = createHmac(hashOf(alg), key).update(message).digest();
    return mac.length === signature.length && timingSafeEqual(mac, signature);
  }
  if (key.type !== 'public') return false;
  if (alg === 'EdDSA')
    return key.asymmetricKeyType === 'ed25519' && nodeVerify(null, message, key, signature);
  if (alg.startsWith('ES')) {
    const curve = curveOf(key);
    const raw = curve === undefined ? undefined : halves(signature, curve.size);
    return raw !== undefined && nodeVerify(hashOf(alg), message, { key, dsaEncoding: 'ieee-p1363' }, raw);
  }
  if (key.asymmetricKeyType !== 'rsa') return false;
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return nodeVerify(
    hashOf(alg),
    message,
    { key, padding, saltLength: constants.RSA_PSS_SALTLEN_AUTO },
    signature,
  );
};

const modulo = (n: bigint, m: bigint): bigint => ((n % m) + m) % m;

const power = (base: bigint, exponent: bigint, m: bigint): bigint => {
  let out = 1n;
  let b = modulo(base, m);
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) out = (out * b) % m;
    b = (b * b) % m;
  }
  return out;
};

/** the nonces that are derived from key and message (RFC 6979, 3.2) */
function* nonces(hash: string, secret: Buffer, digest: Buffer, curve: Curve): Generator<bigint> {
  const width = curve.order.toString(2).length;
  const toInt = (bytes: Buffer): bigint => {
    const extra = bytes.length * 8 - width;
    return extra > 0 ? big(bytes) >> BigInt(extra) : big(bytes);
  };
  const mac = (key: Buffer, ...parts: readonly Buffer[]): Buffer => {
    const h = createHmac(hash, key);
    for (const part of parts) h.update(part);
    return h.digest();
  };
  const reduced = bytesOf(modulo(toInt(digest), curve.order), curve.size);
  let v: Buffer = Buffer.alloc(digest.length, 1);
  let k: Buffer = Buffer.alloc(digest.length, 0);
  for (const round of [0, 1]) {
    k = mac(k, v, Buffer.from([round]), secret, reduced);
    v = mac(k, v);
  }
  for (;;) {
    let t = Buffer.alloc(0);
    while (t.length * 8 < width) {
      v = mac(k, v);
      t = Buffer.concat([t, v]);
    }
    const nonce = toInt(t);
    if (nonce > 0n && nonce < curve.order) yield nonce;
    k = mac(k, v, Buffer.from([0]));
    v = mac(k, v);
  }
}

const signEs = (alg: string, key: KeyObject, message: Uint8Array): Buffer => {
  const curve = curveOf(key) ?? fail('not a key on a curve that JWS uses');
  const secret = Buffer.from((key.export({ format: 'jwk' }) as { d: string }).d, 'base64url');
  const padded = bytesOf(big(secret), curve.size);
  const digest = createHash(hashOf(alg)).update(message).digest();
  const extra = digest.length * 8 - curve.order.toString(2).length;
  const z = extra > 0 ? big(digest) >> BigInt(extra) : big(digest);
  for (const nonce of nonces(hashOf(alg), padded, digest, curve)) {
    const ecdh = createECDH(curve.name);
    ecdh.setPrivateKey(bytesOf(nonce, curve.size));
    // The public key is the point nonce × G, uncompressed: 04, x, y.
    const r = modulo(big(ecdh.getPublicKey().subarray(1, 1 + curve.size)), curve.order);
    const s = modulo(power(nonce, curve.order - 2n, curve.order) * (z + r * big(padded)), curve.order);
    if (r !== 0n && s !== 0n) return Buffer.concat([bytesOf(r, curve.size), bytesOf(s, curve.size)]);
  }
  return fail('no nonce');
};

/** MGF1 (RFC 8017, B.2.1) */
const mask = (hash: string, seed: Buffer, length: number): Buffer => {
  const parts: Buffer[] = [];
  for (let i = 0; i * 20 < length + 64; i++) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(i);
    parts.push(createHash(hash).update(seed).update(counter).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
};

/** RSASSA-PSS (RFC 8017, 8.1.1) with a salt as long as the hash */
const signPs = (alg: string, key: KeyObject, message: Uint8Array): Buffer => {
  const hash = hashOf(alg);
  const bits = (key.asymmetricKeyDetails?.modulusLength ?? fail('not an RSA key')) - 1;
  const length = Math.ceil(bits / 8);
  const digest = createHash(hash).update(message).digest();
  const size = digest.length;
  if (length < 2 * size + 2) return fail('the key is too short');
  const salt = createHmac(hash, key.export({ format: 'der', type: 'pkcs8' }))
    .update(message)
    .digest();
  const h = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const db = Buffer.concat([Buffer.alloc(length - 2 * size - 2), Buffer.from([1]), salt]);
  const masked = mask(hash, h, db.length).map((b, i) => b ^ (db[i] as number));
  masked[0] = (masked[0] as number) & (0xff >> (8 * length - bits));
  const encoded = Buffer.concat([masked, h, Buffer.from([0xbc])]);
  const block = Buffer.concat([Buffer.alloc(Math.ceil((bits + 1) / 8) - length), encoded]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, block);
};

export const sign = (alg: string, key: KeyObject, message: Uint8Array): Buffer => {
  if (alg.startsWith('HS')) {
    return key.type === 'secret'
      ? createHmac(hashOf(alg), key).update(message).digest()
      : fail('not a secret');
  }
  if (key.type !== 'private') return fail('not a private key');
  if (alg === 'EdDSA') {
    return key.asymmetricKeyType === 'ed25519' ? nodeSign(null, message, key) : fail('not an Ed25519 key');
  }
  if (alg.startsWith('ES')) return signEs(alg, key, message);
  if (key.asymmetricKeyType !== 'rsa') return fail('not an RSA key');
  return alg.startsWith('PS') ? signPs(alg, key, message) : nodeSign(hashOf(alg), message, key);
};
