import { beforeAll, describe, expect, test } from 'vitest';
import type { Subject } from '../../src/model/input.ts';
import {
  bearer,
  identityWith,
  issuerOf,
  NOBODY,
  newKey,
  SettableClock,
  type TestKey,
  verdict,
} from './setup.ts';

let key: TestKey;
beforeAll(async () => {
  key = await newKey();
});

const subjectFrom = async (payload: Record<string, unknown>, issuer: object = {}): Promise<Subject> => {
  const identity = identityWith({ issuers: [issuerOf([key.jwk], issuer)] });
  return (await identity.authenticate(bearer(await key.sign(payload)), NOBODY)).subject;
};
const codeFor = async (payload: Record<string, unknown>, issuer: object = {}) =>
  verdict(identityWith({ issuers: [issuerOf([key.jwk], issuer)] }), bearer(await key.sign(payload)));

describe('a subject', () => {
  test('has every property, whatever the token leaves out', async () => {
    expect(await subjectFrom({})).toEqual({
      type: 'user',
      id: 'u-17',
      properties: {
        roles: [],
        department: null,
        organization: 'internal',
        clearance: null,
        assurance: { amr: [], acr: null, auth_time: null },
      },
    });
  });

  test('has what the mapped claims say', async () => {
    const subject = await subjectFrom(
      {
        roles: ['support'],
        dept: 'after-sales',
        org: 'internal',
        clearance: 3,
        amr: ['pwd', 'otp'],
        acr: '2',
        auth_time: 1767225600,
      },
      { claims: { department: 'dept', organization: 'org', clearance: 'clearance' } },
    );
    expect(subject.properties).toEqual({
      roles: ['support'],
      department: 'after-sales',
      organization: 'internal',
      clearance: 3,
      assurance: { amr: ['pwd', 'otp'], acr: '2', auth_time: 1767225600 },
    });
  });

  test.each([
    ['a list', { roles: ['a', 'b'] }, 'roles'],
    ['one text', { roles: 'a b' }, 'roles'],
    ['a dotted path', { realm_access: { roles: ['a', 'b'] } }, 'realm_access.roles'],
    ['a JSON Pointer', { realm_access: { roles: ['a', 'b'] } }, '/realm_access/roles'],
    [
      'a claim named by a URL',
      { 'https://idp.example.com/roles': ['a', 'b'] },
      'https://idp.example.com/roles',
    ],
  ])('takes roles from %s', async (_how, payload, roles) => {
    expect((await subjectFrom(payload, { claims: { roles } })).properties.roles).toEqual(['a', 'b']);
  });

  test('takes a list of one for a text, as some identity providers write attributes', async () => {
    const subject = await subjectFrom({ dept: ['claims'] }, { claims: { department: 'dept' } });
    expect(subject.properties.department).toBe('claims');
  });

  test('carries further properties, which cannot displace its own', async () => {
    const subject = await subjectFrom(
      { team: 'blue', x: ['admin'] },
      { claims: { properties: { team: 'team', roles: 'x' } } },
    );
    expect(subject.properties['team']).toBe('blue');
    expect(subject.properties.roles).toEqual([]);
  });

  test('is frozen through and through', async () => {
    const subject = await subjectFrom(
      { roles: ['support'], more: { a: [1] } },
      { claims: { properties: { more: 'more' } } },
    );
    expect(() => (subject.properties.roles as string[]).push('admin')).toThrow(TypeError);
    expect(() => (subject.properties['more'] as { a: number[] }).a.push(2)).toThrow(TypeError);
  });

  test.each([
    ['roles that are a number', { roles: 7 }],
    ['roles with a number among them', { roles: ['a', 1] }],
    ['roles that are an object', { roles: { admin: true } }],
    ['a clearance that is a fraction', { clearance: 2.5 }],
    ['a clearance that is a word', { clearance: 'high' }],
    ['a department that is a list of two', { dept: ['a', 'b'] }],
    ['an authentication time that is text', { auth_time: 'yesterday' }],
  ])('is not made of %s', async (_what, payload) => {
    expect(await codeFor(payload, { claims: { clearance: 'clearance', department: 'dept' } })).toBe(
      'token_claims_invalid',
    );
  });

  test('does not inherit roles from the prototype of objects', async () => {
    expect((await subjectFrom({}, { claims: { roles: 'constructor' } })).properties.roles).toEqual([]);
    expect(
      (await subjectFrom({ a: {} }, { claims: { roles: 'a.constructor.name' } })).properties.roles,
    ).toEqual([]);
  });
});

describe('an organization', () => {
  test('that the token should say and does not is a refusal, never "internal"', async () => {
    expect(await codeFor({}, { claims: { organization: 'org' } })).toBe('token_claims_invalid');
  });
  test("is the issuer's where the issuer has one and no claim says it", async () => {
    const partner = { claims: { organization: 'org' }, organization: 'swift_logistics' };
    expect((await subjectFrom({}, partner)).properties.organization).toBe('swift_logistics');
  });
});

describe('an issuer', () => {
  test('may demand further claims', async () => {
    expect(await codeFor({}, { required_claims: ['jti'] })).toBe('token_claims_invalid');
    expect(await codeFor({ jti: 'x' }, { required_claims: ['jti'] })).toBe('accepted');
  });
  test('may demand a type', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk], { typ: 'at+jwt' })] });
    expect(await verdict(identity, bearer(await key.sign()))).toBe('token_claims_invalid');
    expect(await verdict(identity, bearer(await key.sign({}, { typ: 'at+jwt' })))).toBe('accepted');
  });
  test('may have several audiences', async () => {
    expect(await codeFor({ aud: ['x', 'two'] }, { audience: ['one', 'two'] })).toBe('accepted');
  });

  test.each([
    ['the listener', 'https://crm.example.com', 'accepted'],
    ['an MCP server', ['https://crm.example.com/mcp'], 'accepted'],
    [
      'another resource and an MCP server',
      ['https://hr.example.com', 'https://crm.example.com/mcp'],
      'accepted',
    ],
    ['another resource', 'https://hr.example.com', 'token_audience_mismatch'],
    ['no resource', [], 'token_audience_mismatch'],
    ['a resource below one of them', 'https://crm.example.com/mcp/x', 'token_audience_mismatch'],
    ['a resource with a slash at its end', 'https://crm.example.com/', 'token_audience_mismatch'],
    ['a resource in other letters', 'https://CRM.example.com', 'token_audience_mismatch'],
    [
      'two resources in one text',
      'https://crm.example.com https://crm.example.com/mcp',
      'token_audience_mismatch',
    ],
    ['an object', { 0: 'https://crm.example.com' }, 'token_audience_mismatch'],
  ])('whose audiences are resources (RFC 8707) takes a token for %s as it says', async (_, aud, code) => {
    const audience = ['https://crm.example.com', 'https://crm.example.com/mcp'];
    expect(await codeFor({ aud }, { audience })).toBe(code);
  });
  test('may bound the age of tokens', async () => {
    expect(await codeFor({ iat: Date.parse('2026-11-21T08:00:00Z') / 1000 }, { max_token_age: '1h' })).toBe(
      'token_expired',
    );
  });
  test('tolerates clocks that differ by what is configured and no more', async () => {
    const clock = new SettableClock();
    const identity = identityWith({ issuers: [issuerOf([key.jwk], { clock_tolerance: '30s' })] }, clock);
    const token = await key.sign();
    clock.time += 629_000;
    expect(await verdict(identity, bearer(token))).toBe('accepted');
    clock.time += 2_000;
    expect(await verdict(identity, bearer(token))).toBe('token_expired');
  });
  test('whose keys have no ids is answered by trying those that fit', async () => {
    const [a, b] = await Promise.all([newKey(null), newKey(null)]);
    const stranger = await newKey(null);
    const identity = identityWith({ issuers: [issuerOf([a.jwk, b.jwk])] });
    expect(await verdict(identity, bearer(await b.sign()))).toBe('accepted');
    expect(await verdict(identity, bearer(await stranger.sign()))).toBe('token_signature_invalid');
  });
  test.each(['RS256', 'PS384', 'ES512', 'EdDSA'])('may sign with %s', async (alg) => {
    const own = await newKey('x', alg);
    const identity = identityWith({ issuers: [issuerOf([own.jwk], { algorithms: [alg] })] });
    expect(await verdict(identity, bearer(await own.sign()))).toBe('accepted');
  });
});

describe('a verified token', () => {
  test('is remembered: the same frozen subject, at once and without a promise', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk])] });
    const headers = bearer(await key.sign());
    const first = await identity.authenticate(headers, NOBODY);
    const second = identity.authenticate(headers, NOBODY);
    expect(second).not.toBeInstanceOf(Promise);
    expect((second as typeof first).subject).toBe(first.subject);
    expect(identity.remembered).toEqual({ size: 1, hits: 1, misses: 1 });
  });
  test('is forgotten the moment it expires', async () => {
    const clock = new SettableClock();
    const identity = identityWith({ issuers: [issuerOf([key.jwk], { clock_tolerance: '0s' })] }, clock);
    const headers = bearer(await key.sign());
    await identity.authenticate(headers, NOBODY);
    clock.time += 600_000;
    expect(await verdict(identity, headers)).toBe('token_expired');
  });
  test('takes one place of a bounded number', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk])], remembered: 3 });
    for (let i = 0; i < 10; i++)
      await identity.authenticate(bearer(await key.sign({ sub: `u-${i}` })), NOBODY);
    expect(identity.remembered.size).toBe(3);
  });
  test('is not remembered when nothing is to be', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk])], remembered: 0 });
    await identity.authenticate(bearer(await key.sign()), NOBODY);
    expect(identity.remembered.size).toBe(0);
  });
  test('is checked once however many requests bring it at the same time', async () => {
    const identity = identityWith({ issuers: [issuerOf([key.jwk])] });
    const headers = bearer(await key.sign());
    const all = await Promise.all(Array.from({ length: 50 }, () => identity.authenticate(headers, NOBODY)));
    expect(new Set(all.map((a) => a.subject)).size).toBe(1);
  });
});
