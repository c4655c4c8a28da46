/** SCIM and security events over real sockets: who is deactivated elsewhere loses access here, at the next request. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { sluice } from '../cli/support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-scim-'));
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const SESSION_REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const DISABLED = 'https://schemas.openid.net/secevent/risc/event-type/account-disabled';
let upstream: HostileUpstream;
let running: Running;
let key: string;
let weak: string;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (_request, socket) =>
    void socket.write(reply('{"id":"C1","name":"张三"}', { 'Content-Type': 'application/json' }));
  keys = await generateKeyPair('ES256');
  writeFileSync(
    join(dir, 'events.json'),
    JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'e1' }] }),
  );
  running = await startSluice({
    dir,
    upstream: upstream.url,
    policy: await policyWith({}),
    identity: {
      api_keys_in_store: true,
      revocations_in_store: true,
      security_events: [
        {
          issuer: 'https://events.example',
          audience: 'sluice-events',
          jwks: { file: './events.json' },
          algorithms: ['ES256'],
          subjects_of: ['https://idp.sluice.example'],
        },
      ],
    },
    config: { admin: { scim: {} }, store: { sqlite: './data/store.db' } },
  });
  const made = async (name: string, role: string) =>
    (
      await sluice([
        ...['keys', 'create', name, '--subject', name, '--organization', 'internal', '--role', role],
        ...['--by', 'u-admin', '--config', join(dir, 'sluice.yaml')],
      ])
    ).out.trim();
  key = await made('okta', 'scim_client');
  weak = await made('other', 'sync_service');
});
afterAll(async () => {
  await running.close();
  await upstream.close();
  rmSync(dir, { recursive: true });
});

interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown> & { readonly Resources?: readonly Record<string, unknown>[] };
  readonly type: string | null;
  readonly id: string;
}

async function scim(method: string, path: string, body?: unknown, bearer = key): Promise<Answered> {
  const response = await fetch(`http://127.0.0.1:${running.adminPort}/scim/v2${path}`, {
    method,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Answered['body']),
    type: response.headers.get('content-type'),
    id: response.headers.get('sluice-decision-id') ?? '',
  };
}
const user = (sub: string, iat?: number) =>
  running.issuer.sign({
    sub,
    roles: ['support'],
    dept: 'after-sales',
    org: 'internal',
    clearance: 3,
    ...(iat === undefined ? {} : { iat }),
  });
const asks = async (token: string): Promise<number> =>
  (
    await fetch(`http://127.0.0.1:${running.port}/customers/C1`, {
      headers: { authorization: `Bearer ${token}`, 'sluice-purpose': 'after_sales' },
    })
  ).status;

describe('SCIM', () => {
  const deactivations: Readonly<Record<string, unknown>> = {
    'as RFC 7644 has it': {
      schemas: [PATCH_OP],
      Operations: [{ op: 'replace', path: 'active', value: false }],
    },
    'as Okta sends it': { schemas: [PATCH_OP], Operations: [{ op: 'replace', value: { active: false } }] },
    'as Microsoft Entra ID sends it': {
      schemas: [PATCH_OP],
      Operations: [{ op: 'Replace', path: 'active', value: 'False' }],
    },
    'with the schema before the name': {
      schemas: [PATCH_OP],
      Operations: [{ op: 'replace', value: { 'urn:ietf:params:scim:schemas:core:2.0:User:active': false } }],
    },
    'in an object of the schema': {
      schemas: [PATCH_OP],
      Operations: [
        { op: 'replace', value: { 'urn:ietf:params:scim:schemas:core:2.0:User': { active: false } } },
      ],
    },
    'among other attributes': {
      schemas: [PATCH_OP],
      Operations: [
        { op: 'add', path: 'name.familyName', value: '王' },
        { op: 'replace', value: { ACTIVE: false } },
      ],
    },
  };
  test.each(Object.keys(deactivations))(
    'a user who is deactivated %s is refused at the next request',
    async (how) => {
      const id = `王芳/${randomUUID()}`;
      const token = await user(id);
      expect(await asks(token)).toBe(200);
      const patched = await scim('PATCH', `/Users/${encodeURIComponent(id)}`, deactivations[how]);
      expect(patched).toMatchObject({ status: 200, body: { id, userName: id, active: false } });
      expect(patched.type).toContain('application/scim+json');
      expect(await asks(token)).toBe(401);
      expect(recordsOf(running.journal).find((r) => r.decision_id === patched.id)).toMatchObject({
        kind: 'admin',
        action: 'subjects.revoke',
        subject: { id: 'okta' },
        labels: { target_subject: id },
      });
      // Said again, nothing changes; said otherwise, access is given back.
      await scim('PATCH', `/Users/${encodeURIComponent(id)}`, deactivations[how]);
      const activated = { Operations: [{ op: 'replace', path: 'active', value: 'True' }] };
      expect((await scim('PATCH', `/Users/${encodeURIComponent(id)}`, activated)).body['active']).toBe(true);
      expect(await asks(token)).toBe(200);
    },
  );

  test('a user who is deleted is refused', async () => {
    const id = randomUUID();
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(204);
    expect(await asks(await user(id))).toBe(401);
    expect((await scim('GET', `/Users/${id}`)).body['active']).toBe(false);
  });

  test('a client that provisions finds, makes and replaces users', async () => {
    const id = `u-${randomUUID()}`;
    const found = await scim('GET', `/Users?filter=${encodeURIComponent(`userName eq "${id}"`)}`);
    expect(found.body).toMatchObject({ totalResults: 1, Resources: [{ id, active: true }] });
    const made = await scim('POST', '/Users', { userName: id, active: true });
    expect(made).toMatchObject({ status: 201, body: { id, active: true } });
    const replaced = await scim('PUT', `/Users/${id}`, { userName: id, active: false });
    expect(replaced.body['active']).toBe(false);
    expect(
      (await scim('GET', `/Users?filter=${encodeURIComponent('externalId eq "x"')}`)).body['totalResults'],
    ).toBe(0);
    for (const path of ['/ServiceProviderConfig', '/ResourceTypes', '/Schemas'])
      expect((await scim('GET', path)).status).toBe(200);
  });

  test('what somebody else has revoked is not given back', async () => {
    const id = randomUUID();
    await sluice([
      'subject',
      'revoke',
      id,
      '--reason',
      'fraud',
      '--by',
      'u-ciso',
      '--config',
      join(dir, 'sluice.yaml'),
    ]);
    const activated = await scim('PUT', `/Users/${id}`, { userName: id, active: true });
    expect(activated).toMatchObject({ status: 409, body: { code: 'revocation_foreign', status: '409' } });
    expect(await asks(await user(id))).toBe(401);
  });

  const revoke = (id: string, ...terms: string[]) =>
    sluice([
      ...['subject', 'revoke', id, '--reason', 'fraud', '--by', 'u-ciso', ...terms],
      ...['--config', join(dir, 'sluice.yaml')],
    ]);
  const revocationsOf = async (id: string) =>
    (await sluice(['subject', 'history', id, '--json', '--config', join(dir, 'sluice.yaml')])).json<{
      revocations: { revoked_by: string; restored_at: string | null }[];
    }>().revocations;

  test('what somebody else has revoked in part, or for a later day, is not given back either', async () => {
    const id = randomUUID();
    await revoke(id, '--issuer', 'https://idp.sluice.example');
    await revoke(id, '--from', '2099-01-01');
    await scim('DELETE', `/Users/${id}`);
    const activated = await scim('PUT', `/Users/${id}`, { userName: id, active: true });
    expect(activated).toMatchObject({ status: 200, body: { active: true } });
    const left = (await revocationsOf(id)).filter(({ restored_at }) => restored_at === null);
    expect(left.map(({ revoked_by }) => revoked_by)).toEqual(['u-ciso', 'u-ciso']);
    expect(await asks(await user(id))).toBe(401);
  });

  test('who is deactivated stays so when what somebody else has revoked for a while is over', async () => {
    const id = randomUUID();
    await revoke(id, '--until', '2099-01-01');
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(204);
    expect((await revocationsOf(id)).map(({ revoked_by }) => revoked_by).sort()).toEqual(['okta', 'u-ciso']);
  });

  test('a caller without a role does not learn whose access somebody has taken away', async () => {
    const [revoked, other] = [randomUUID(), randomUUID()];
    await revoke(revoked);
    const told = async (id: string) =>
      await scim('PUT', `/Users/${id}`, { userName: id, active: true }, weak);
    const [about, unknown] = [await told(revoked), await told(other)];
    expect([about.status, unknown.status]).toEqual([403, 403]);
    expect({ ...about.body, decision_id: null }).toEqual({ ...unknown.body, decision_id: null });
  });

  test('two credentials in one request are refused, as elsewhere', async () => {
    const id = randomUUID();
    const refused = await fetch(`http://127.0.0.1:${running.adminPort}/scim/v2/Users/${id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${key}`, 'x-api-key': weak },
    });
    expect(refused.status).toBe(401);
    expect(await asks(await user(id))).toBe(200);
  });

  const patch = (operation: object) => ({ Operations: [{ op: 'replace', ...operation }] });
  test.each([
    ['a body that is no PATCH', 'PATCH', '/Users/u', { active: false }, 400],
    [
      'a value that is neither true nor false',
      'PATCH',
      '/Users/u',
      { Operations: [{ op: 'replace', path: 'active', value: 'no' }] },
      400,
    ],
    ['another name, by PUT', 'PUT', '/Users/u', { userName: 'v', active: true }, 400],
    ['another name, by PATCH', 'PATCH', '/Users/u', patch({ path: 'userName', value: 'v' }), 400],
    [
      'another name among others',
      'PATCH',
      '/Users/u',
      patch({ value: { username: 'v', active: true } }),
      400,
    ],
    ['two filters', 'GET', '/Users?filter=id%20eq%20%22a%22&filter=id%20eq%20%22b%22', undefined, 400],
    ['active said twice', 'PUT', '/Users/u', { active: true, Active: false }, 400],
    ['a removal of active', 'PATCH', '/Users/u', { Operations: [{ op: 'remove', path: 'active' }] }, 400],
    ['a filter that is not supported', 'GET', '/Users?filter=userName%20sw%20%22a%22', undefined, 400],
    ['a list of everybody', 'GET', '/Users', undefined, 400],
    ['a group', 'GET', '/Groups', undefined, 404],
  ])('refuses %s, in the form of SCIM', async (_what, method, path, body, status) => {
    const refused = await scim(method, path, body);
    expect(refused).toMatchObject({
      status,
      body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: String(status) },
    });
  });

  test('who is deactivated and renamed at once loses access all the same', async () => {
    const id = randomUUID();
    expect((await scim('PUT', `/Users/${id}`, { userName: `${id}-left`, active: false })).status).toBe(200);
    expect(await asks(await user(id))).toBe(401);
  });

  test('a caller whose role does not permit it changes nothing', async () => {
    const id = randomUUID();
    expect((await scim('DELETE', `/Users/${id}`, undefined, weak)).status).toBe(403);
    expect((await scim('DELETE', `/Users/${id}`, undefined, 'slk_none')).status).toBe(401);
    expect(await asks(await user(id))).toBe(200);
  });
});

describe('security events', () => {
  const sign = (
    claims: object,
    {
      typ = 'secevent+jwt',
      by = keys.privateKey,
      iss = 'https://events.example',
      aud = 'sluice-events',
    } = {},
  ) =>
    new SignJWT({ jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'e1', typ })
      .setIssuer(iss)
      .setAudience(aud)
      .setIssuedAt()
      .sign(by);
  const push = async (token: string, type = 'application/secevent+jwt') => {
    const response = await fetch(`http://127.0.0.1:${running.adminPort}/v1/security-events`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: token,
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? null : (JSON.parse(text) as Record<string, unknown>),
    };
  };
  const session = (sub: string, more: object = {}) => ({
    sub_id: { format: 'iss_sub', iss: 'https://idp.sluice.example', sub },
    events: { [SESSION_REVOKED]: { event_timestamp: Math.floor(Date.now() / 1000), ...more } },
  });

  test('a session that is revoked ends: older tokens are refused, later ones are not', async () => {
    const id = randomUUID();
    const now = Math.floor(Date.now() / 1000);
    const older = await user(id, now - 60);
    expect(await asks(older)).toBe(200);
    expect(await push(await sign(session(id, { event_timestamp: now - 30 })))).toEqual({
      status: 202,
      body: null,
    });
    expect(await asks(older)).toBe(401);
    expect(await asks(await user(id, now))).toBe(200);
  });

  test('a time in milliseconds with a fraction counts', async () => {
    const id = randomUUID();
    const older = await user(id, Math.floor(Date.now() / 1000) - 60);
    expect((await push(await sign(session(id, { event_timestamp: Date.now() - 0.5 })))).status).toBe(202);
    expect(await asks(older)).toBe(401);
  });

  test('a body that is compressed is refused as such', async () => {
    const response = await fetch(`http://127.0.0.1:${running.adminPort}/v1/security-events`, {
      method: 'POST',
      headers: { 'content-type': 'application/secevent+jwt', 'content-encoding': 'gzip' },
      body: await sign(session('u')),
    });
    expect(await response.json()).toMatchObject({ description: expect.stringContaining('compressed') });
  });

  test('an account that is disabled is refused altogether, and an event that comes twice counts once', async () => {
    const id = randomUUID();
    const token = await sign({ sub_id: { format: 'opaque', id }, events: { [DISABLED]: {} } });
    expect((await push(token)).status).toBe(202);
    expect((await push(token)).status).toBe(202);
    expect(await asks(await user(id))).toBe(401);
    const listed = await sluice(['subject', 'history', id, '--json', '--config', join(dir, 'sluice.yaml')]);
    expect(listed.json<{ revocations: object[] }>().revocations).toHaveLength(1);
  });

  test('an event that takes no access away is acknowledged, and on record', async () => {
    const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification';
    expect(
      (
        await push(
          await sign({
            sub_id: { format: 'opaque', id: 'stream' },
            events: { [verification]: { state: 'x' } },
          }),
        )
      ).status,
    ).toBe(202);
    const codes = recordsOf(running.journal).flatMap(({ reasons }) => reasons.map(({ code }) => code));
    expect(codes).toContain('event_without_effect');
  });

  test.each<[string, () => Promise<string>, string]>([
    ['another transmitter', () => sign(session('u'), { iss: 'https://evil.example' }), 'invalid_issuer'],
    ['another receiver', () => sign(session('u'), { aud: 'crm' }), 'invalid_audience'],
    [
      'another key',
      async () => sign(session('u'), { by: (await generateKeyPair('ES256')).privateKey }),
      'invalid_key',
    ],
    ['another kind of token', () => sign(session('u'), { typ: 'JWT' }), 'invalid_request'],
    [
      'a user of another issuer',
      () => sign({ ...session('u'), sub_id: { format: 'iss_sub', iss: 'https://x.example', sub: 'u' } }),
      'invalid_request',
    ],
    [
      'a subject without a name',
      () => sign({ ...session('u'), sub_id: { format: 'phone_number', phone_number: '+86' } }),
      'invalid_request',
    ],
    [
      'two events',
      () => sign({ ...session('u'), events: { [SESSION_REVOKED]: {}, [DISABLED]: {} } }),
      'invalid_request',
    ],
    ['an id that no store keeps', () => sign({ ...session('u'), jti: 'a\0b' }), 'invalid_request'],
    ['an id without bound', () => sign({ ...session('u'), jti: 'j'.repeat(20_000) }), 'invalid_request'],
    ['a time that is none', () => sign(session('u', { event_timestamp: 1e300 })), 'invalid_request'],
    ['no event', () => sign({ events: {} }), 'invalid_request'],
    ['no token', async () => 'no token', 'invalid_request'],
  ])('refuses %s, and changes nothing', async (_what, token, err) => {
    expect(await push(await token())).toMatchObject({ status: 400, body: { err } });
    expect(await asks(await user('u'))).toBe(200);
  });
});
