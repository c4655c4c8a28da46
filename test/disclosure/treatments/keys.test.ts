import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyRing, type KeysConfig } from '../../../src/disclosure/keys.ts';
import { secret } from './support.ts';

const at = (time: string) => ({ clock: { now: () => new Date(time), micros: () => 0 } });
const message = (config: KeysConfig): string => {
  try {
    createKeyRing(config);
    return '';
  } catch (error) {
    return String(error);
  }
};

test('the key whose time has come last is current, all others stay', () => {
  const ring = (time: string) =>
    createKeyRing(
      {
        a: { use: 'pseudonymize', secret: secret() },
        b: { use: 'pseudonymize', secret: secret(), from: '2026-01-01' },
        c: { use: 'pseudonymize', secret: secret(), from: '2027-01-01T00:00:00Z' },
      },
      at(time),
    );
  expect(ring('2025-06-01').secret('pseudonymize').id).toBe('a');
  expect(ring('2026-06-01').secret('pseudonymize').id).toBe('b');
  expect(ring('2027-06-01').secret('pseudonymize').id).toBe('c');
  expect(ring('2027-06-01').secret('pseudonymize', 'a').id).toBe('a');
});

test('a key serves its own use only', () => {
  const ring = createKeyRing({ d: { use: 'data_subjects', secret: secret() } }, {});
  expect(ring.secret('data_subject').id).toBe('d');
  expect(() => ring.secret('tokenize')).toThrow(/no current key for tokenize/);
  expect(() => ring.secret('tokenize', 'd')).toThrow(/no key for tokenize has this id/);
});

test('a secret is base64 or base64url, with or without white space around it', () => {
  const bytes = Buffer.alloc(32, 251);
  const ring = createKeyRing({
    a: { use: 'tokenize', secret: bytes.toString('base64') },
    b: { use: 'tokenize', secret: ` ${bytes.toString('base64url')}\n` },
  });
  for (const id of 'ab') expect(Buffer.from(ring.secret('tokenize', id).bytes)).toEqual(bytes);
});

test('a fault names the key and what is wrong, and never the secret', () => {
  const short = Buffer.alloc(16, 1).toString('base64');
  expect(message({ k: { use: 'tokenize', secret: short } })).toMatch(/keys\.k: .*at least 32 bytes.*16/);
  expect(message({ k: { use: 'tokenize', secret: short } })).not.toContain(short);
  expect(message({ k: { use: 'tokenize', secret: 'hunter2!' } })).toMatch(/must be base64 or base64url/);
  expect(message({ k: { use: 'tokenize', secret: 'hunter2!' } })).not.toContain('hunter2');
  expect(message({ k: { use: 'encrypt', secret: secret() } })).toMatch(/names its recipient/);
  expect(message({ k: { use: 'tokenize', secret: secret(), recipient: 'x' } })).toMatch(
    /only a key for encrypt/,
  );
});

test('a recipient’s key is public and strong, as PEM or JWK', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const load = (text: string) => createKeyRing({ e: { use: 'encrypt', recipient: 'p', secret: text } });
  expect(load(publicKey.export({ type: 'spki', format: 'pem' }).toString()).recipient('p').id).toBe('e');
  expect(load(JSON.stringify(publicKey.export({ format: 'jwk' }))).recipient('p').key.type).toBe('public');
  for (const bad of [
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    JSON.stringify(privateKey.export({ format: 'jwk' })),
    weak.export({ type: 'spki', format: 'pem' }).toString(),
    'rubbish',
    '{}',
    'null',
  ])
    expect(() => load(bad)).toThrow(/must be the recipient’s public key/);
});
