/** What is signed can be checked, and nothing else passes the check. */
import { createHmac, createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/observability/logger.ts';
import { createSigning } from '../../src/signing/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-signing-'));
afterAll(() => rmSync(dir, { recursive: true }));
const RUNS = Number(process.env['FC_RUNS'] ?? 200);

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';

const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    jwk: JSON.stringify(privateKey.export({ format: 'jwk' })),
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicJwk: publicKey.export({ format: 'jwk' }),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    privateKey,
  };
};
const signing = (config: { key?: string; retired?: string[]; file?: string }, now = Date.now()) =>
  createSigning(
    { retired: [], file: join(dir, 'unused/signing.jwk'), ...config },
    { logger: silentLogger, clock: { now: () => new Date(now), micros: () => 0 } },
  );
const key = newKey();
const signer = signing({ key: key.jwk });
const PAYLOAD = { data_subject: '客户-100234', purpose: 'marketing' };
const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const headerOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as Record<string, unknown>;

describe('a signed document', () => {
  test('verifies as what it was signed as, with its payload unchanged', async () => {
    const token = await signer.sign('consent-receipt', PAYLOAD);
    const kid = await calculateJwkThumbprint(key.publicJwk as Record<string, string>);
    expect(headerOf(token)).toEqual({ alg: 'EdDSA', kid, typ: 'sluice-consent-receipt+jws' });
    expect(await signer.verify('consent-receipt', token)).toEqual({ payload: PAYLOAD, kid });
  });

  test('is not accepted as a document of another kind', async () => {
    const token = await signer.sign('consent-receipt', PAYLOAD);
    await expect(signer.verify('subject-link', token)).rejects.toMatchObject({ code: 'signature_invalid' });
  });

  test('does not verify when any character of it was replaced, removed or added', async () => {
    const token = await signer.sign('consent-receipt', PAYLOAD);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(token.length), fc.constant(token.length - 1)),
        fc.nat(1),
        fc.string({ maxLength: 2, unit: fc.constantFrom(...ALPHABET) }),
        async (at, removed, put) => {
          const changed = token.slice(0, at) + put + token.slice(at + removed);
          fc.pre(changed !== token);
          await expect(signer.verify('consent-receipt', changed)).rejects.toMatchObject({
            code: 'signature_invalid',
          });
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('does not verify by another algorithm, also not by one whose key is the public key', async () => {
    const header = headerOf(await signer.sign('consent-receipt', PAYLOAD));
    const forge = (alg: string, seal: (text: string) => Buffer): string => {
      const text = `${b64({ ...header, alg })}.${b64(PAYLOAD)}`;
      return `${text}.${seal(text).toString('base64url')}`;
    };
    const stranger = newKey().privateKey;
    for (const token of [
      forge('none', () => Buffer.alloc(0)),
      forge('HS256', (text) => createHmac('sha256', key.publicPem).update(text).digest()),
      forge('EdDSA', (text) => signWith(null, Buffer.from(text), stranger)),
    ])
      await expect(signer.verify('consent-receipt', token)).rejects.toMatchObject({
        code: 'signature_invalid',
      });
  });

  test('is over at its `exp`, and not before', async () => {
    const at = Date.parse('2026-11-30T08:00:00Z');
    const token = await signer.sign('subject-link', { exp: at / 1000 });
    await expect(signing({ key: key.jwk }, at).verify('subject-link', token)).rejects.toMatchObject({
      code: 'signature_expired',
    });
    expect(await signing({ key: key.jwk }, at - 1).verify('subject-link', token)).toMatchObject({
      payload: { exp: at / 1000 },
    });
  });
});

describe('keys', () => {
  test('a replaced key is published and verifies as long as it is in the list of retired ones', async () => {
    const next = newKey();
    const token = await signer.sign('erasure-certificate', PAYLOAD);
    for (const retired of [key.jwk, key.pem, key.publicPem]) {
      const rotated = signing({ key: next.pem, retired: [retired] });
      expect(await rotated.verify('erasure-certificate', token)).toMatchObject({ payload: PAYLOAD });
      expect(rotated.publicKeys().keys.map(({ x }) => x)).toEqual([next.publicJwk.x, key.publicJwk.x]);
      expect(headerOf(await rotated.sign('erasure-certificate', {}))['kid']).toBe(
        rotated.publicKeys().keys[0]?.kid,
      );
    }
    await expect(signing({ key: next.jwk }).verify('erasure-certificate', token)).rejects.toMatchObject({
      code: 'signature_invalid',
    });
  });

  test('what is published holds no private number', () => {
    const [published] = signing({ key: key.jwk, retired: [newKey().jwk] }).publicKeys().keys;
    expect(Object.keys(published!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    expect(createPublicKey({ key: { ...published! }, format: 'jwk' }).asymmetricKeyType).toBe('ed25519');
  });

  test('a configured key that cannot sign is refused at the start, without being quoted', () => {
    const { x } = JSON.parse(newKey().jwk) as { x: string };
    const halves = JSON.stringify({ ...(JSON.parse(key.jwk) as object), x });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    for (const wrong of [
      halves,
      key.publicPem,
      JSON.stringify(key.publicJwk),
      rsa.export({ format: 'pem', type: 'pkcs8' }).toString(),
      '{"kty":',
      'not a key',
    ])
      expect(() => signing({ key: wrong })).toThrow(
        'signing.key: must be a private Ed25519 key, as JWK or PEM.',
      );
    expect(() => signing({ key: key.jwk, retired: ['not a key'] })).toThrow('signing.retired.0: must be');
  });

  test('without one, a key is generated once, which only its owner can read and every process uses', async () => {
    const file = join(dir, 'made/signing.jwk');
    const [one, two] = [signing({ file }), signing({ file })];
    const token = await one.sign('consent-receipt', PAYLOAD);
    expect(await two.verify('consent-receipt', token)).toMatchObject({ payload: PAYLOAD });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(one.publicKeys()).toEqual(signing({ key: readFileSync(file, 'utf8') }).publicKeys());
  });

  test('a generated key that is damaged is reported, and not replaced', async () => {
    const file = join(dir, 'damaged.jwk');
    writeFileSync(file, '{"kty":"OKP"');
    await expect(signing({ file }).sign('consent-receipt', {})).rejects.toMatchObject({
      code: 'signing_key_unavailable',
    });
    expect(readFileSync(file, 'utf8')).toBe('{"kty":"OKP"');
  });
});
