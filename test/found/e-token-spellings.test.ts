/**
 * Class: a credential has more spellings than the list that revokes it. Root cause: a token was revoked by the digest of all its bytes, while
 * base64url decoders ignore unused bits and ECDSA has two signatures for one signing input.
 */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../src/identity/index.ts';
import {
  AUDIENCE,
  bearer,
  identityWith,
  ISSUER,
  issuerOf,
  newKey,
  NOW,
  type TestKey,
  verdict,
} from '../identity/setup.ts';

const ORDER = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ES512: BigInt(`0x01ff${'ff'.repeat(31)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
} as const;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const sha256 = (text: string): string => hash('sha256', text, 'hex');
const signingInput = (token: string): string => token.slice(0, token.lastIndexOf('.'));

/** The same signature to a verifier, in other bytes. */
function twin(token: string, alg: keyof typeof ORDER): string {
  const signature = Buffer.from(token.split('.')[2]!, 'base64url');
  const half = signature.length / 2;
  const s = ORDER[alg] - BigInt(`0x${signature.subarray(half).toString('hex')}`);
  const other = Buffer.concat([
    signature.subarray(0, half),
    Buffer.from(s.toString(16).padStart(2 * half, '0'), 'hex'),
  ]);
  return `${signingInput(token)}.${other.toString('base64url')}`;
}

/** Every spelling of one segment whose unused bits differ. */
function respelled(segment: string): string[] {
  const unused = { 0: 1, 2: 16, 3: 4 }[segment.length % 4] ?? 1;
  const last = ALPHABET.indexOf(segment.at(-1)!);
  return Array.from({ length: unused - 1 }, (_, i) => segment.slice(0, -1) + ALPHABET[last + i + 1]!);
}

let dir: string;
let keys: Record<string, TestKey>;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-'));
  const algorithms = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA'];
  keys = Object.fromEntries(await Promise.all(algorithms.map(async (a) => [a, await newKey(a, a)])));
});
afterAll(() => rmSync(dir, { recursive: true }));

const issuer = () =>
  issuerOf(
    Object.values(keys).map((k) => k.jwk),
    { algorithms: Object.keys(keys) },
  );
function revoking(...digests: string[]): Identity {
  const revocations = join(dir, 'revoked.yaml');
  writeFileSync(revocations, digests.map((d) => `- sha256: ${d}\n`).join(''));
  return identityWith({ issuers: [issuer()], revocations });
}

describe('A token', () => {
  test('is refused in every spelling of base64url but the canonical one', async () => {
    const identity = identityWith({ issuers: [issuer()] });
    const token = await keys['ES256']!.sign({ note: 'x'.repeat(7) });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 }),
        fc.constantFrom('bits', '=', '==', '~', '.', '+', '/'),
        fc.nat(),
        async (part, how, at) => {
          const parts = token.split('.');
          const segment = parts[part]!;
          const spellings = how === 'bits' ? respelled(segment) : [segment + how];
          if (spellings.length === 0) return;
          parts[part] = spellings[at % spellings.length]!;
          expect(await verdict(identity, bearer(parts.join('.')))).toBe('token_malformed');
        },
      ),
      { numRuns: 300 },
    );
    expect(await verdict(identity, bearer(token))).toBe('accepted');
    await identity.close();
  });

  test.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA'])(
    'of %s is revoked by the digest of its signing input',
    async (alg) => {
      const token = await keys[alg]!.sign();
      const identity = revoking(sha256(signingInput(token)));
      expect(await verdict(identity, bearer(token))).toBe('token_revoked');
      expect(await verdict(identity, bearer(token))).toBe('token_revoked');
      expect(await verdict(identity, bearer(await keys[alg]!.sign({ jti: 'another' })))).toBe('accepted');
      await identity.close();
    },
  );

  test.each(['ES256', 'ES384', 'ES512'] as const)(
    'of %s stays revoked under its second signature, whichever of its digests is listed',
    async (alg) => {
      const key = keys[alg]!;
      const token = await key.sign();
      const other = twin(token, alg);
      const { publicKey } = { publicKey: key.jwk };
      await expect(
        jwtVerify(other, publicKey, { issuer: ISSUER, audience: AUDIENCE, currentDate: new Date(NOW) }),
      ).resolves.toBeDefined();
      for (const listed of [sha256(signingInput(token)), sha256(token)]) {
        const identity = revoking(listed);
        expect(await verdict(identity, bearer(other))).toBe('token_revoked');
        await identity.close();
      }
    },
  );
});

test('A client certificate is revoked by its fingerprint.', async () => {
  const fingerprint256 = Array.from({ length: 32 }, () => 'AB').join(':');
  const revocations = join(dir, 'certificates.yaml');
  writeFileSync(revocations, `- sha256: ${'ab'.repeat(32)}\n`);
  const certificate = { subject: {}, fingerprint256, valid_to: 'Jan  1 00:00:00 2036 GMT' };
  for (const listed of ['ab'.repeat(32), 'AB'.repeat(32), fingerprint256, fingerprint256.toLowerCase()]) {
    writeFileSync(revocations, `- sha256: ${listed}\n`);
    const identity = identityWith({
      certificates: [{ fingerprint: fingerprint256, subject: { id: 'erp', organization: 'internal' } }],
      api_keys: [{ id: 'k', sha256: sha256('key'), subject: { id: 'svc', organization: 'internal' } }],
      issuers: [issuer()],
      revocations,
    });
    const token = await keys['ES256']!.sign();
    // the connection is no safer for another credential that is sent over it
    for (const headers of [{}, bearer(token), { 'x-api-key': 'key' }]) {
      expect(() => identity.authenticate(headers, { ip: null, certificate })).toThrow(
        expect.objectContaining({ code: 'token_revoked' }),
      );
    }
    expect(await verdict(identity, bearer(token))).toBe('accepted');
    await identity.close();
  }
});
