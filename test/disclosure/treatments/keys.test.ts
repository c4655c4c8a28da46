import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { createKeyRing, type KeysConfig, keysConfigSchema } from '../../../src/disclosure/keys.ts';
import { secret } from './support.ts';

const at = (time: string) => ({ clock: { now: () => new Date(time), micros: () => 0 } });
const message = (config: KeysConfig, env = {}): string => {
  try {
    createKeyRing(config, env);
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
      {},
      at(time),
    );
  expect(ring('2025-06-01').secret('pseudonymize').id).toBe('a');
  expect(ring('2026-06-01').secret('pseudonymize').id).toBe('b');
  expect(ring('2027-06-01').secret('pseudonymize').id).toBe('c');
  expect(ring('2027-06-01').secret('pseudonymize', 'a').id).toBe('a');
  expect(ring('2026-06-01').list()).toContainEqual({ id: 'b', use: 'pseudonymize', current: true });
});

test('a key serves its own use only', () => {
  const ring = createKeyRing({ d: { use: 'data_subjects', secret: secret() } }, {});
  expect(ring.secret('data_subject').id).toBe('d');
  expect(() => ring.secret('tokenize')).toThrow(/no current key for tokenize/);
  expect(() => ring.secret('tokenize', 'd')).toThrow(/no key for tokenize has this id/);
});

test('secrets come from the environment, from a file and from the text itself', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  try {
    const bytes = Buffer.alloc(32, 1);
    writeFileSync(join(dir, 'key'), `${bytes.toString('base64')}\n`);
    const ring = createKeyRing(
      {
        a: { use: 'tokenize', secret: 'env:MY_KEY' },
        b: { use: 'tokenize', secret: 'file:key' },
        c: { use: 'tokenize', secret: { file: 'key' } },
        d: { use: 'tokenize', secret: `base64:${bytes.toString('base64url')}` },
      },
      { MY_KEY: bytes.toString('base64') },
      { base: dir },
    );
    for (const id of 'abcd') expect(Buffer.from(ring.secret('tokenize', id).bytes)).toEqual(bytes);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a fault names the key and what is wrong, and never the secret', () => {
  const short = Buffer.alloc(16, 1).toString('base64');
  expect(message({ k: { use: 'tokenize', secret: `base64:${short}` } })).toMatch(
    /keys\.k: .*at least 32 bytes.*16/,
  );
  expect(message({ k: { use: 'tokenize', secret: `base64:${short}` } })).not.toContain(short);
  expect(message({ k: { use: 'tokenize', secret: 'env:NOT_SET' } })).toMatch(/NOT_SET is not set/);
  expect(message({ k: { use: 'tokenize', secret: 'file:/nonexistent/key' } })).toMatch(/cannot be read/);
  expect(message({ k: { use: 'tokenize', secret: 'env:BAD' } }, { BAD: 'hunter2!' })).not.toContain(
    'hunter2',
  );
  expect(message({ k: { use: 'tokenize', secret: secret(), from: 'next week' } })).toMatch(
    /from: an RFC 3339/,
  );
  expect(message({ k: { use: 'encrypt', secret: secret() } })).toMatch(/names its recipient/);
  expect(message({ k: { use: 'tokenize', secret: secret(), recipient: 'x' } })).toMatch(
    /only a key for encrypt/,
  );
});

test('a recipient’s key is public and strong, as PEM or JWK', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const load = (text: string) =>
    createKeyRing({ e: { use: 'encrypt', recipient: 'p', secret: 'env:K' } }, { K: text });
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
    expect(() => load(bad)).toThrow(/public key is wanted/);
});

test('the schema knows the section and refuses what it does not know', () => {
  const good = { k1: { use: 'tokenize', secret: 'env:NAME', from: '2026-01-01' } };
  expect(Value.Check(keysConfigSchema, good)).toBe(true);
  expect(Value.Check(keysConfigSchema, { k1: { use: 'sign', secret: 'env:NAME' } })).toBe(false);
  expect(Value.Check(keysConfigSchema, { k1: { use: 'tokenize', secret: 'hunter2' } })).toBe(false);
  expect(Value.Check(keysConfigSchema, { k1: { ...good.k1, extra: 1 } })).toBe(false);
});
