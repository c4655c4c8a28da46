/** Attacks on bearer tokens, each a permanent test (RFC 8725 and the advisories behind it). */
import { createHmac, generateKeyPairSync, KeyObject, sign as signWith } from 'node:crypto';
import { type CryptoKey, exportSPKI, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../src/identity/index.ts';
import {
  AUDIENCE,
  bearer,
  claims,
  ISSUER,
  identityWith,
  issuerOf,
  newKey,
  NOW,
  type TestKey,
  verdict,
} from '../identity/setup.ts';

let key: TestKey;
let rsa: TestKey;
let other: TestKey;
let identity: Identity;

const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token put together by hand, signed by whatever is given. */
const craft = (header: unknown, payload: unknown, sign: (input: string) => string = () => ''): string => {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${sign(input)}`;
};

beforeAll(async () => {
  [key, rsa, other] = await Promise.all([newKey('k1'), newKey('r1', 'RS256'), newKey('k1')]);
  identity = identityWith({ issuers: [issuerOf([key.jwk, rsa.jwk], { algorithms: ['ES256', 'RS256'] })] });
});

const refused = (token: string) => verdict(identity, bearer(token));

describe('a token is refused', () => {
  test('when it has expired', async () => {
    expect(await refused(await key.sign({ exp: NOW / 1000 - 60 }))).toBe('token_expired');
  });
  test('when it never expires', async () => {
    expect(await refused(await key.sign({ exp: undefined }))).toBe('token_claims_invalid');
  });
  test('when its expiry is no number', async () => {
    expect(await refused(await key.sign({ exp: '9999999999' }))).toBe('token_claims_invalid');
  });
  test('before it is valid', async () => {
    expect(await refused(await key.sign({ nbf: NOW / 1000 + 60 }))).toBe('token_not_yet_valid');
  });
  test.each(['none', 'None', 'NONE', 'nOnE'])('when it is unsigned (alg %s)', async (alg) => {
    expect(await refused(craft({ alg }, claims()))).toBe('token_unsigned');
  });
  test('when it is unsigned as jose writes it', async () => {
    const token = new UnsecuredJWT(claims()).setIssuer(ISSUER).setAudience(AUDIENCE).encode();
    expect(await refused(token)).toBe('token_unsigned');
  });
  test('when its signature was cut off', async () => {
    const token = await key.sign();
    expect(await refused(token.replace(/[^.]*$/, ''))).toBe('token_signature_invalid');
  });
  test('when one bit of its payload was changed', async () => {
    const [head, , signature] = (await key.sign()).split('.');
    expect(await refused(`${head}.${b64(claims({ sub: 'u-18' }))}.${signature}`)).toBe(
      'token_signature_invalid',
    );
  });
  test('when it names no audience', async () => {
    expect(await refused(await key.sign({ aud: undefined }))).toBe('token_audience_mismatch');
  });
  test.each(['__proto__', 'constructor', ''])('when its issuer is %j', async (iss) => {
    expect(await refused(await key.sign({ iss }))).toBe('token_issuer_unknown');
  });
  test('when the public key is used as an HMAC secret (algorithm confusion, CVE-2015-9235)', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const secret = publicKey.export({ type: 'spki', format: 'pem' });
    const token = craft({ alg: 'HS256', kid: 'r1' }, claims(), (input) =>
      createHmac('sha256', secret).update(input).digest('base64url'),
    );
    expect(await refused(token)).toBe('token_algorithm_not_allowed');
  });
  test("when the issuer's own key in PEM is used as an HMAC secret", async () => {
    const { importJWK } = await import('jose');
    const pem = await exportSPKI((await importJWK(rsa.jwk, 'RS256')) as CryptoKey);
    const token = craft({ alg: 'HS256', kid: 'r1' }, claims(), (input) =>
      createHmac('sha256', pem).update(input).digest('base64url'),
    );
    expect(await refused(token)).toBe('token_algorithm_not_allowed');
  });
  test('when its algorithm is another than its key is for', async () => {
    expect(await refused(craft({ alg: 'RS256', kid: 'k1' }, claims(), () => b64('x')))).toBe(
      'token_key_unknown',
    );
  });
  test('when its algorithm is not on the list', async () => {
    const ps = await newKey('p1', 'PS256');
    expect(await refused(await ps.sign())).toBe('token_algorithm_not_allowed');
  });
  test('when its signature is all zeros (psychic signatures, CVE-2022-21449)', async () => {
    const token = craft({ alg: 'ES256', kid: 'k1' }, claims(), () => Buffer.alloc(64).toString('base64url'));
    expect(await refused(token)).toBe('token_signature_invalid');
  });
  test('when its ECDSA signature is in DER instead of JOSE form', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const token = craft({ alg: 'ES256', kid: 'k1' }, claims(), (input) =>
      signWith('sha256', Buffer.from(input), privateKey).toString('base64url'),
    );
    expect(await refused(token)).toBe('token_signature_invalid');
  });
  test.each([
    '../../../../etc/passwd',
    '/dev/null',
    "k1' OR '1'='1",
    'k1\0',
    'http://evil.example/k',
    '__proto__',
  ])('when its key id is %j (kid injection)', async (kid) => {
    expect(await refused(await other.sign({}, { kid }))).toBe('token_key_unknown');
  });
  test.each(['jku', 'x5u'])(
    'when it brings the address of its own keys (%s is never followed)',
    async (name) => {
      const header = { [name]: 'http://127.0.0.1:1/keys', kid: 'unknown' };
      expect(await refused(await other.sign({}, header))).toBe('token_key_unknown');
    },
  );
  test('when it brings its own key (jwk, CVE-2018-0114)', async () => {
    expect(await refused(await other.sign({}, { jwk: other.jwk, kid: 'k1' }))).toBe(
      'token_signature_invalid',
    );
  });
  test('when it has a critical header that nobody understands', async () => {
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', crit: ['urn:x'], 'urn:x': true })
      .sign(key.privateKey, { crit: { 'urn:x': true } });
    expect(await refused(token)).toBe('token_malformed');
  });
  test('when its payload is not encoded (b64 false, RFC 7797)', async () => {
    const privateKey = KeyObject.from(key.privateKey as Parameters<typeof KeyObject.from>[0]);
    const token = craft({ alg: 'ES256', kid: 'k1', b64: false, crit: ['b64'] }, claims(), (input) =>
      signWith('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString(
        'base64url',
      ),
    );
    expect(await refused(token)).toBe('token_malformed');
  });
  test('when it is encrypted rather than signed', async () => {
    expect(await refused(['a', 'b', 'c', 'd', 'e'].map((p) => b64({ p })).join('.'))).toBe('token_malformed');
  });
  test('when it is longer than the limit', async () => {
    expect(await refused(await key.sign({ padding: 'x'.repeat(9000) }))).toBe('token_malformed');
  });
  test.each(['', '.', '..', 'abc', 'a.b.c', 'a.b.c.d', '%00'])('when it is %j', async (token) => {
    expect(await refused(token)).toBe('token_malformed');
  });
  test('when its payload is a list', async () => {
    expect(await refused(craft({ alg: 'ES256', kid: 'k1' }, []))).toBe('token_malformed');
  });
  test('when its subject is missing', async () => {
    expect(await refused(await key.sign({ sub: undefined }))).toBe('token_claims_invalid');
  });
  test('when its subject has a control character', async () => {
    expect(await refused(await key.sign({ sub: 'u-17\nadmin' }))).toBe('token_claims_invalid');
  });
});

describe('a header is refused', () => {
  test('when it stands twice', async () => {
    const token = await key.sign();
    expect(await verdict(identity, { authorization: [`Bearer ${token}`, `Bearer ${token}`] })).toBe(
      'token_malformed',
    );
  });
  test('when two were joined into one', async () => {
    const token = await key.sign();
    expect(await verdict(identity, { authorization: `Bearer ${token}, Bearer ${token}` })).toBe(
      'token_malformed',
    );
  });
  test('when it is of another scheme', async () => {
    expect(await verdict(identity, { authorization: 'Basic dTpw' })).toBe('token_missing');
  });
  test('when it has text after the token', async () => {
    expect(await verdict(identity, { authorization: `Bearer ${await key.sign()} x` })).toBe(
      'token_malformed',
    );
  });
});

test('the very same table accepts a good token', async () => {
  expect(await refused(await key.sign())).toBe('accepted');
  expect(await refused(await rsa.sign())).toBe('accepted');
});

test('a remembered token is not taken for another with the same beginning', async () => {
  const token = await key.sign();
  expect(await refused(token)).toBe('accepted');
  expect(await refused(`${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`)).toBe(
    'token_signature_invalid',
  );
});
