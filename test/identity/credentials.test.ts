import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PeerCertificate } from '../../src/model/exchange.ts';
import {
  bearer,
  identityWith,
  issuerOf,
  NOBODY,
  newKey,
  NOW,
  SettableClock,
  type TestKey,
  verdict,
} from './setup.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
let key: TestKey;
beforeAll(async () => {
  key = await newKey();
});

describe('an API key', () => {
  const subject = { id: 'erp', roles: ['sync'], organization: 'internal', purpose: 'order_processing' };
  const config = { api_keys: [{ id: 'erp-1', sha256: sha256('s3cret'), subject, expires: '2026-12-01' }] };

  test('is known by its digest', async () => {
    const found = await identityWith(config).authenticate({ 'x-api-key': 's3cret' }, NOBODY);
    expect(found).toMatchObject({
      issuer: 'api-key:erp-1',
      purpose: 'order_processing',
      subject: { type: 'service', id: 'erp' },
    });
  });
  test.each(['', 'S3cret', 's3cret ', 's3cret, s3cret', 'x'.repeat(600)])(
    'that is %j is refused',
    async (value) => {
      expect(await verdict(identityWith(config), { 'x-api-key': value })).toBe('token_key_unknown');
    },
  );
  test('is refused once it has expired', async () => {
    const clock = new SettableClock();
    clock.time = Date.parse('2026-12-01T00:00:00Z');
    expect(await verdict(identityWith(config, clock), { 'x-api-key': 's3cret' })).toBe('token_expired');
  });
  test('together with a token is refused: nobody could say who asks', async () => {
    const identity = identityWith({ ...config, issuers: [issuerOf([key.jwk])] });
    expect(await verdict(identity, { 'x-api-key': 's3cret', ...bearer(await key.sign()) })).toBe(
      'token_malformed',
    );
  });
  test('is ignored where none is configured', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk])] });
    expect(await verdict(identity, { 'x-api-key': 'whatever' })).toBe('token_missing');
  });
});

describe('a client certificate', () => {
  const certificate = (more: Partial<PeerCertificate> = {}): PeerCertificate => ({
    subject: { O: 'Swift Logistics', CN: 'gateway' },
    subjectaltname: 'DNS:gateway.swift.example, URI:spiffe://swift/gateway',
    fingerprint256: Array.from({ length: 32 }, () => 'AB').join(':'),
    valid_to: 'Dec  1 00:00:00 2026 GMT',
    ...more,
  });
  const subject = { type: 'partner', id: 'swift', organization: 'swift_logistics' };
  const who = async (entry: object, shown = certificate()): Promise<string | null> => {
    const identity = identityWith({ certificates: [{ ...entry, subject }] });
    try {
      return (await identity.authenticate({}, { ip: null, certificate: shown })).subject.id;
    } catch (e) {
      return (e as { code: string }).code;
    }
  };

  test.each([
    ['its fingerprint', { fingerprint: Array.from({ length: 32 }, () => 'ab').join(':') }],
    ['a DNS name', { dns: 'GATEWAY.swift.example' }],
    ['a URI', { uri: 'spiffe://swift/gateway' }],
    ['its subject', { subject_name: { O: 'Swift Logistics', CN: 'gateway' } }],
  ])('is known by %s', async (_how, entry) => {
    expect(await who(entry)).toBe('swift');
  });
  test.each([
    ['part of a DNS name', { dns: 'swift.example' }],
    ['a DNS name that stands in a URI', { dns: 'spiffe://swift/gateway' }],
    ['one attribute of two', { subject_name: { O: 'Swift Logistics', CN: 'other' } }],
  ])('is not known by %s', async (_how, entry) => {
    expect(await who(entry)).toBe('token_missing');
  });
  test('cannot smuggle in a name by its spelling (CVE-2021-44532)', async () => {
    const shown = certificate({ subjectaltname: 'URI:"http://evil.example/, DNS:gateway.swift.example"' });
    expect(await who({ dns: 'gateway.swift.example' }, shown)).toBe('token_missing');
  });
  test('that repeats an attribute is not known by it', async () => {
    const shown = certificate({ subject: { O: ['Swift Logistics', 'Evil'], CN: 'gateway' } });
    expect(await who({ subject_name: { O: 'Swift Logistics' } }, shown)).toBe('token_missing');
  });
  test('is refused once it has expired', async () => {
    expect(
      await who({ dns: 'gateway.swift.example' }, certificate({ valid_to: 'Nov  1 00:00:00 2026 GMT' })),
    ).toBe('token_expired');
  });
  test('gives way to a token', async () => {
    const identity = identityWith({
      issuers: [issuerOf([key.jwk])],
      certificates: [{ dns: 'gateway.swift.example', subject }],
    });
    const found = await identity.authenticate(bearer(await key.sign()), {
      ip: null,
      certificate: certificate(),
    });
    expect(found.subject.id).toBe('u-17');
  });
});

describe('a revoked credential', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-revoked-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const withList = async (list: string, payload: Record<string, unknown>) => {
    const revocations = join(dir, 'revoked.yaml');
    writeFileSync(revocations, list);
    const identity = identityWith({ issuers: [issuerOf([key.jwk])], revocations });
    const code = await verdict(identity, bearer(await key.sign(payload)));
    await identity.close();
    return code;
  };
  test('is refused by its id', async () => {
    expect(await withList('- jti: t-1', { jti: 't-1' })).toBe('token_revoked');
    expect(await withList('- jti: t-2', { jti: 't-1' })).toBe('accepted');
  });
  test('is refused by its subject, if it was issued before', async () => {
    const before = new Date(NOW).toISOString();
    expect(await withList(`- { subject: u-17, before: "${before}" }`, { iat: NOW / 1000 - 1 })).toBe(
      'token_revoked',
    );
    expect(await withList(`- { subject: u-17, before: "${before}" }`, { iat: NOW / 1000 })).toBe('accepted');
  });
  test('is refused by its digest', async () => {
    const token = await key.sign();
    const revocations = join(dir, 'revoked.yaml');
    writeFileSync(revocations, `- sha256: ${sha256(token)}`);
    const identity = identityWith({ issuers: [issuerOf([key.jwk])], revocations });
    expect(await verdict(identity, bearer(token))).toBe('token_revoked');
    await identity.close();
  });
  test('is refused though it is remembered', async () => {
    const revocations = join(dir, 'revoked.yaml');
    writeFileSync(revocations, '[]');
    const identity = identityWith({ issuers: [issuerOf([key.jwk])], revocations });
    const headers = bearer(await key.sign({ jti: 't-1' }));
    expect(await verdict(identity, headers)).toBe('accepted');
    writeFileSync(revocations, '- jti: t-1');
    await vi.waitFor(async () => expect(await verdict(identity, headers)).toBe('token_revoked'), 20_000);
    await identity.close();
  });
  test.each(['- 7', '- { jti: a, subject: b }', '- { jti: a, before: never }', 'jti: a', '- sha256: abc'])(
    'cannot be listed as %j',
    (list) => {
      const revocations = join(dir, 'revoked.yaml');
      writeFileSync(revocations, list);
      expect(() => identityWith({ issuers: [issuerOf([key.jwk])], revocations })).toThrow(
        expect.objectContaining({ code: 'config_invalid' }),
      );
    },
  );
});
