/** Two people whom two issuers call alike are two callers, wherever callers are compared; what is stored under a name without a realm permits nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realmsOf } from '../../src/identity/index.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { inRealm, mayBeSame, namesOf } from '../../src/model/realm.ts';
import { createReviews } from '../../src/reviews/index.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice } from '../cli/support.ts';
import { Api } from '../support/admin-api.ts';
import { startHostile, type HostileUpstream, reply } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { prepare, startSluice } from '../support/sluice.ts';
import { unrecorded } from '../support/unrecorded.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-realms-'));
let api: Api;
let upstream: HostileUpstream;
let staff: DevelopmentIssuer;
let partner: DevelopmentIssuer;
let key: string;

const issuerOf = ({ issuer, audience, jwks }: DevelopmentIssuer, realm?: string) => ({
  issuer,
  audience,
  jwks: { keys: jwks.keys },
  algorithms: ['ES256'],
  claims: { roles: 'roles', organization: 'org', department: 'dept' },
  ...(realm === undefined ? {} : { realm }),
});

const file = join(dir, 'sluice.yaml');
const command = (...argv: readonly string[]) => sluice([...argv, '--config', file]);

beforeAll(async () => {
  staff = await createDevelopmentIssuer('https://staff.example');
  partner = await createDevelopmentIssuer('https://partner.example');
  upstream = await startHostile();
  upstream.answer = (_request, socket) => {
    socket.write(reply('{"id":"C1","name":"王小明"}'));
  };
  api = new Api(
    await startSluice({
      dir,
      upstream: upstream.url,
      policy: await policyWith({}),
      identity: {
        issuers: [issuerOf(staff, 'staff'), issuerOf(partner, 'partner')],
        api_keys_in_store: true,
        revocations_in_store: true,
      },
      config: {
        store: { sqlite: './data/store.db' },
        admin: { scim: { realm: 'staff' } },
        grants: {
          approvers: { 'staff:u-lead': ['team_lead'], 'partner:u-17': ['team_lead'] },
          rules: [{ approved_by: ['team_lead'] }],
          break_glass: {},
        },
      },
    }),
  );
  const made = await command(
    ...['keys', 'create', 'okta', '--subject', 'u-17', '--organization', 'internal', '--role', 'scim_client'],
    ...['--by', 'u-admin'],
  );
  key = made.out.trim();
});
afterAll(async () => {
  await api.running.close();
  await upstream.close();
  rmSync(dir, { recursive: true });
});

/** Alike in everything but the issuer. */
const signed = (by: DevelopmentIssuer, sub = 'u-17', roles = ['support', 'grant_approver', 'auditor']) =>
  by.sign({ sub, roles, org: 'internal', dept: 'after-sales', amr: ['pwd', 'otp'] });

const WANTED = {
  purpose: 'after_sales',
  resource: 'customer',
  categories: ['identity'],
  justification: 'ticket 1',
};

const isLetIn = async (token: string): Promise<boolean> =>
  (await api.call(token, 'grants.list', {}, { query: '?state=all' })).status !== 401;

test('a grant of one is neither seen, used nor ended as their own by the other', async () => {
  const [one, other] = [await signed(staff), await signed(partner, 'u-17', ['support'])];
  const made = await api.call(one, 'grants.request', {}, { body: WANTED });
  expect(made).toMatchObject({
    status: 201,
    body: { subject: 'staff:u-17', requested_by: 'staff:u-17' },
    record: { subject: { id: 'staff:u-17' } },
  });
  const path = { id: String(made.body['id']) };
  for (const operation of ['grants.show', 'grants.reject'] as const)
    expect((await api.call(other, operation, path)).body.code).toBe('policy_denied');
  // The other is another person, and may approve where this one may not.
  expect((await api.call(one, 'grants.approve', path)).body.code).toBe('grant_self_approval');
  expect((await api.call(await signed(partner), 'grants.approve', path)).body).toMatchObject({
    state: 'active',
    approved_by: ['partner:u-17'],
  });
  expect((await api.call(other, 'grants.revoke', path)).body.code).toBe('policy_denied');
  const asked = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' };
    const answered = await fetch(`http://127.0.0.1:${api.running.port}/customers/C1`, { headers });
    await answered.text();
    const id = answered.headers.get('sluice-decision-id');
    return api.running.records().find((r) => r.decision_id === id)?.input as {
      readonly context: { readonly grants: readonly { readonly id: string }[] };
    };
  };
  expect((await asked(one)).context.grants).toMatchObject([path]);
  expect((await asked(other)).context.grants).toEqual([]);
});

test('a review is closed by the other, and never by the one it is about', async () => {
  const [one, other] = [await signed(staff), await signed(partner)];
  const body = { purpose: 'after_sales', reason: 'fraud' };
  expect((await api.call(one, 'grants.break_glass', {}, { body })).status).toBe(201);
  const listed = await api.call(other, 'reviews.list', {}, { query: '?subject=staff%3Au-17' });
  const [review] = listed.body['reviews'] as { readonly decision_id: string }[];
  const closing = { body: { verdict: 'justified', note: 'checked' } };
  const path = { decision_id: review!.decision_id };
  expect((await api.call(one, 'reviews.close', path, closing)).body.code).toBe('review_of_own_decision');
  expect((await api.call(other, 'reviews.close', path, closing)).body).toMatchObject({
    closed_by: 'partner:u-17',
  });
});

test('who is revoked by the whole name, by SCIM or by a command is the only one; a name without a realm revokes all', async () => {
  const [one, other] = [await signed(staff), await signed(partner)];
  const scim = (method: string, active?: boolean) =>
    fetch(`http://127.0.0.1:${api.running.adminPort}/scim/v2/Users/u-17`, {
      method,
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/scim+json' },
      ...(active === undefined
        ? {}
        : {
            body: JSON.stringify({
              schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
              Operations: [{ op: 'replace', path: 'active', value: active }],
            }),
          }),
    });
  expect((await scim('DELETE')).status).toBe(204);
  expect([await isLetIn(one), await isLetIn(other)]).toEqual([false, true]);
  expect((await scim('PATCH', true)).status).toBe(200);
  expect([await isLetIn(one), await isLetIn(other)]).toEqual([true, true]);
  const by = ['--reason', 'left', '--by', 'hr'];
  expect((await command('subject', 'revoke', 'partner:u-17', ...by)).code).toBe(0);
  expect([await isLetIn(one), await isLetIn(other)]).toEqual([true, false]);
  expect((await command('subject', 'restore', 'partner:u-17', ...by)).code).toBe(0);
  expect((await command('subject', 'revoke', 'u-17', ...by)).code).toBe(0);
  expect([await isLetIn(one), await isLetIn(other)]).toEqual([false, false]);
  // The key of the SCIM client has the id u-17, too.
  expect((await scim('GET')).status).toBe(401);
  expect((await command('subject', 'restore', 'u-17', ...by)).code).toBe(0);
  expect((await command('subject', 'history', 'staff:u-17', '--json')).out).toContain('"name": "u-17"');
});

test('what is stored under a name without a realm permits nothing, and still restricts', async () => {
  const database = openSqlite(join(dir, 'data', 'store.db'));
  const reviews = createReviews(database, 1, () => new Date());
  const reviewed = {
    purpose: 'after_sales',
    tier: 2,
    recipient: 'internal',
    action: 'break_glass',
    resource: '*',
  };
  try {
    await reviews.open({
      decision_id: 'old',
      timestamp: '2020-01-01T00:00:00Z',
      subject: 'u-old',
      ...reviewed,
    });
    for (const by of ['staff:u-old', 'partner:u-old', 'u-old'])
      await expect(reviews.close('old', by, 'justified', 'n', unrecorded)).rejects.toMatchObject({
        code: 'review_of_own_decision',
      });
    expect(await reviews.overdue('staff:u-old')).toBe(1);
    expect(await reviews.overdue('staff:u-new')).toBe(0);
    const one = await signed(staff, 'u-old');
    const made = await api.call(one, 'grants.request', {}, { body: WANTED });
    const id = String(made.body['id']);
    await database.write(`UPDATE sluice_grants SET subject = 'u-old', requested_by = 'u-old' WHERE id = $1`, [
      id,
    ]);
    for (const issuer of [staff, partner]) {
      const support = await signed(issuer, 'u-old', ['support']);
      expect((await api.call(support, 'grants.show', { id })).body.code).toBe('policy_denied');
    }
    // Nobody who may be the one it is for approves it.
    const approver = await signed(staff, 'u-old', ['grant_approver']);
    expect((await api.call(approver, 'grants.approve', { id })).body.code).toBe('grant_self_approval');
  } finally {
    await database.close();
  }
});

test('a grant for a name without a realm is refused, and the names are told', async () => {
  const asked = await command(
    ...['grants', 'request', '--subject', 'u-17', '--purpose', 'after_sales', '--category', 'identity'],
    ...['--resource', 'customer', '--justification', 'ticket 1'],
  );
  expect(asked).toMatchObject({ code: 3 });
  expect(asked.err).toMatch(/write staff:u-17 or partner:u-17 or local:u-17/);
});

test('an issuer without a realm gives no name of a caller in one', async () => {
  const alone = await startSluice({
    upstream: upstream.url,
    identity: { issuers: [issuerOf(staff), issuerOf(partner, 'partner')], api_keys_in_store: true },
    config: { store: { sqlite: './data/store.db' } },
  });
  try {
    const answered = async (sub: string) => {
      const headers = {
        Authorization: `Bearer ${await signed(staff, sub)}`,
        'Sluice-Purpose': 'after_sales',
      };
      const response = await fetch(`http://127.0.0.1:${alone.port}/customers/C1`, { headers });
      return { status: response.status, text: await response.text() };
    };
    expect((await answered('u-17')).status).toBe(200);
    for (const name of ['local:u-17', 'partner:u-17'])
      expect(await answered(name)).toMatchObject({
        status: 401,
        text: expect.stringContaining('token_claims_invalid') as string,
      });
  } finally {
    await alone.close();
  }
});

test.each<[string, object, object, RegExp]>([
  ['the realm of API keys', { issuers: ['a:local'] }, {}, /realm of API keys/],
  [
    'an approver without a realm',
    { issuers: ['a:staff'] },
    { grants: { approvers: { lead: ['x'] }, rules: [{ approved_by: ['x'] }] } },
    /lead.*staff:lead/s,
  ],
  [
    'SCIM without a realm',
    { issuers: ['a:staff'], revocations_in_store: true },
    { admin: { scim: {} } },
    /scim.*realm.*staff/s,
  ],
])(
  '%s is refused at the start',
  async (_what, { issuers, ...identity }: { issuers?: string[] }, config, wanted) => {
    const told = (issuers ?? []).map((spelled) => {
      const [issuer, realm] = spelled.split(':');
      return { ...issuerOf(staff, realm), issuer };
    });
    const store = { store: { sqlite: './data/store.db' } };
    const at = await prepare(
      { identity: { issuers: told, ...identity }, config: { ...store, ...config } },
      staff,
    );
    try {
      expect(() => parseConfig(at.text, at.file, {})).toThrow(wanted);
    } finally {
      rmSync(at.dir, { recursive: true });
    }
  },
);

test('names of different realms never meet, and one without a realm meets each of its id', () => {
  const realm = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);
  const id = fc.string({ minLength: 1, unit: 'grapheme' });
  fc.assert(
    fc.property(realm, realm, id, id, (r, s, a, b) => {
      if (r !== s || a !== b) expect(inRealm(r, a)).not.toBe(inRealm(s, b));
      if (r !== s && !a.includes(':')) expect(mayBeSame(inRealm(r, a), inRealm(s, a))).toBe(false);
      expect(mayBeSame(inRealm(r, a), a)).toBe(true);
      expect(namesOf(inRealm(r, a))).toEqual([inRealm(r, a), a]);
    }),
  );
});

test('where no issuer has a realm, names are as they come, and a grant is for them', () => {
  const [one] = [issuerOf(staff)];
  for (const issuers of [[], [one], [one, { ...one, issuer: 'https://new.example' }]])
    expect(realmsOf({ issuers } as never)).toBeNull();
  expect(realmsOf({ issuers: [issuerOf(staff, 'staff')] } as never)).toEqual(['staff', 'local']);
  expect(realmsOf({ issuers: [issuerOf(staff, 'staff'), one] } as never)).toBeNull();
});

test('several issuers without a realm name the same people, and a start and check warn of it', async () => {
  const { dir, text, file } = await prepare({}, staff);
  try {
    const config = JSON.parse(text) as { identity: { issuers: object[] } };
    const [issuer] = config.identity.issuers;
    config.identity.issuers.push({ ...issuer, issuer: 'https://new.example' });
    const { warnings } = parseConfig(JSON.stringify(config), file, {});
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('has no realm'),
      expect.stringContaining('has no realm'),
    ]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
