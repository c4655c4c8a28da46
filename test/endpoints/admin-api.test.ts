/** The admin API over real sockets, in both databases: permitted, refused and repeated calls, and the record of each. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { ADMIN_OPERATIONS } from '../../src/endpoints/admin/api/operations.ts';
import { OPERATIONS } from '../../src/model/operations.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sluice } from '../cli/support.ts';
import { type Answered, Api } from '../support/admin-api.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { policyWith } from '../support/policy.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { startSluice } from '../support/sluice.ts';

let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('admin_api');
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
});
afterAll(() => schema.drop());

const STORES: Readonly<Record<string, () => object>> = {
  SQLite: () => ({ sqlite: './data/store.db' }),
  PostgreSQL: () => ({ postgres: schemaUrl(schema.schema) }),
};

const config = (store: object) => ({
  store,
  consent: { store: true },
  grants: {
    rules: [{ max_grade: 3, approved_by: ['team_lead'] }, { approved_by: ['team_lead', 'data_protection'] }],
    break_glass: {},
  },
});

/** Pointers to the members of a schema that are moments. */
function* momentsOf(schema: unknown, pointer = ''): Generator<string> {
  const { properties = {}, pattern } = (schema ?? {}) as {
    properties?: Record<string, unknown>;
    pattern?: string;
  };
  if (pattern?.startsWith('^\\d{4}-') === true) yield pointer;
  for (const [name, member] of Object.entries(properties)) yield* momentsOf(member, `${pointer}/${name}`);
}

/** @param pointer to a member of an object in the body, or in an object of it */
function withMember(body: object, pointer: string, value: unknown): object {
  const [name, ...rest] = pointer.slice(1).split('/') as [string, ...string[]];
  const inner = (body as Record<string, object>)[name];
  return {
    ...body,
    [name]: rest.length === 0 ? value : withMember(inner ?? {}, `/${rest.join('/')}`, value),
  };
}

describe.each(Object.keys(STORES))('the admin API with a store in %s', (store) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  let api: Api;
  let officer: string;
  let admin: string;
  let auditor: string;
  let lead: string;
  let dpo: string;
  let support: string;
  /** of this run, since the stores of PostgreSQL are one */
  const own = (name: string): string => `${name}-${store}`;

  beforeAll(async () => {
    api = new Api(
      await startSluice({
        dir,
        policy: await policyWith({
          data: { admin: { roles: { access_admin: { gives: { roles: ['sync_service', 'hr_sync'] } } } } },
        }),
        identity: { api_keys_in_store: true, revocations_in_store: true },
        config: config(STORES[store]!()),
      }),
    );
    officer = await api.token('u-同意', ['consent_officer']);
    admin = await api.token('u-admin', ['access_admin']);
    auditor = await api.token('u-auditor', ['auditor']);
    lead = await api.token('u-lead', ['grant_approver', 'team_lead']);
    dpo = await api.token('u-dpo', ['grant_approver', 'data_protection']);
    support = await api.token(own('u-17'), ['support']);
  });
  afterAll(async () => {
    await api.running.close();
    rmSync(dir, { recursive: true });
  });

  test('records what customers say, withdraws it, and tells both', async () => {
    const id = own('王小明/1');
    const path = { data_subject: id };
    expect((await api.call(officer, 'consents.get', path)).body.code).toBe('consent_not_found');
    const set = await api.call(officer, 'consents.set', path, {
      body: {
        consent: { purpose: 'marketing', categories: ['contact'], explicit: true, until: '2030-12-31' },
        add_flags: ['opt_out'],
        aliases: [{ type: 'login', alias: own('wang') }],
        method: '电话',
      },
    });
    expect(set).toMatchObject({
      status: 200,
      body: { events: [{ actor: 'u-同意', what: 'given' }, {}, {}] },
    });
    expect(set.records).toHaveLength(1);
    expect(set.record).toMatchObject({
      kind: 'consent',
      outcome: 'allowed',
      action: 'consents.set',
      subject: { id: 'u-同意', properties: { roles: ['consent_officer'] } },
      request: {
        method: 'POST',
        route: 'POST /v1/consents/{data_subject}/statements',
        path: '/v1/consents/{data_subject}/statements',
      },
      response: { status: 200 },
      policy: { bundle: expect.any(String) as string },
    });
    expect(set.record.reasons.map(({ code }) => code)).toEqual([
      'role_permits',
      'consent_given',
      'consent_flags',
      'consent_aliases',
    ]);
    const got = await api.call(officer, 'consents.get', path);
    expect(got.body).toMatchObject({ data_subject: id, flags: ['opt_out'], consents: [{ status: 'given' }] });
    expect(got.record).toMatchObject({ kind: 'admin', action: 'consents.get', outcome: 'allowed' });
    // Who looked at somebody can be found by the person, who is not named in clear.
    expect(got.record.disclosure?.data_subjects).toEqual(set.record.disclosure?.data_subjects);
    expect(api.running.journalText()).not.toContain('王小明');
    const withdrawn = await api.call(officer, 'consents.withdraw', path, { body: { purpose: 'marketing' } });
    expect(withdrawn.record).toMatchObject({ kind: 'consent', action: 'consents.withdraw' });
    const again = await api.call(officer, 'consents.withdraw', path, { body: { purpose: 'marketing' } });
    expect(again).toMatchObject({
      status: 200,
      body: { events: [] },
      record: { kind: 'admin', action: 'consents.withdraw' },
    });
    expect(
      (await api.call(officer, 'consents.withdraw', path, { body: { purpose: 'claims' } })).body.code,
    ).toBe('consent_not_found');
    const whats: unknown[] = [];
    let cursor: unknown = null;
    do {
      const query = `?limit=1${cursor === null ? '' : `&cursor=${encodeURIComponent(String(cursor))}`}`;
      const page = await api.call(auditor, 'consents.history', path, { query });
      const { events } = page.body as unknown as { events: { what: string }[] };
      expect(events).toHaveLength(1);
      whats.push(events[0]!.what);
      cursor = page.body['cursor'];
    } while (cursor !== null);
    expect(whats).toEqual(['given', 'flags', 'aliases', 'withdrawn']);
  });

  describe('times that are in no calendar, and empty lists of what is permitted', () => {
    /** Members of bodies that are moments: pointer → operation. */
    const moments = ADMIN_OPERATIONS.flatMap(({ name, method, path, body }) =>
      [...momentsOf(body)].map((pointer) => ({ name, method, path, pointer })),
    );
    const impossible = [
      '2027-02-30',
      '2027-13-01',
      '2027-01-01T23:59:60Z',
      '2027-01-01T00:00:00+24:00',
      '9999-12-31T23:59:59-23:59',
    ];
    const scope = { purpose: 'after_sales', resource: 'customer', categories: ['identity'] };

    test('every moment of a call is one of the calendar, or the call is refused and changes nothing', async () => {
      expect(moments.map(({ pointer }) => pointer)).toEqual(
        expect.arrayContaining(['/starts_at', '/issued_before', '/ends_at', '/consent/from']),
      );
      const bodies: Readonly<Record<string, object>> = {
        'grants.request /v1/grants': { ...scope, justification: 'ticket 8812' },
        'subjects.revoke /v1/revocations': { subject: own('nobody'), reason: 'HR 2211' },
        'consents.set /v1/consents/{data_subject}/statements': {
          consent: { purpose: 'marketing', categories: ['contact'] },
        },
      };
      for (const { name, method, path, pointer } of moments) {
        // It answers a denial, which takes another configuration: access-requests.test.ts.
        if (path === '/v1/access-requests') continue;
        const body = bodies[`${name} ${path}`];
        expect(body, `a call of ${name} ${path}`).toBeDefined();
        const token = { grants: support, subjects: admin, consents: officer }[name.split('.')[0]!]!;
        for (const text of impossible) {
          const sent = withMember(body!, pointer, text);
          const filled = path.replace('{data_subject}', encodeURIComponent(own('T1')));
          const { status, body: answer } = await api.raw(token, method, filled, { body: sent });
          expect({ name, pointer, text, status, detail: answer['detail'] }).toEqual({
            name,
            pointer,
            text,
            status: 400,
            detail: expect.stringMatching(/calendar/) as string,
          });
        }
      }
      expect((await api.call(support, 'grants.list', {}, { query: `?subject=${own('u-17')}` })).body).toEqual(
        {
          grants: [],
          cursor: null,
        },
      );
    });

    test.each([
      ['purpose', { consent: { purpose: 'marketin', categories: ['contact'] } }, 'marketing'],
      ['category', { consent: { purpose: 'marketing', categories: ['contact', 'contcat'] } }, 'contact'],
      ['recipient', { consent: { purpose: 'delivery', categories: ['contact'], recipient: 'swift' } }, null],
      ['flag', { add_flags: ['optout'] }, 'opt_out'],
      ['flag', { add_flags: ['opt_out:marketin'] }, null],
    ])(
      'a %s that the policy does not know is refused: it would withhold all of this person',
      async (kind, body, meant) => {
        const path = { data_subject: own(JSON.stringify(body)) };
        const { status, body: answer } = await api.call(officer, 'consents.set', path, { body });
        expect([status, answer.code]).toEqual([400, 'consent_invalid']);
        expect(answer['detail']).toContain(`The policy has no ${kind} "`);
        if (meant !== null) expect(answer['detail']).toContain(`did you mean "${meant}"?`);
        expect((await api.call(officer, 'consents.get', path)).body.code).toBe('consent_not_found');
        // What is there under a name that is not known any more can be taken away.
        const removed = await api.call(officer, 'consents.set', path, { body: { remove_flags: ['optout'] } });
        expect(removed.status).toBe(200);
      },
    );

    test('an empty list of ids or categories is refused, and not read as any', async () => {
      for (const list of ['ids', 'categories'])
        for (const [name, body] of [
          ['grants.request', { ...scope, justification: 'the selection is empty' }],
          ['grants.break_glass', { ...scope, reason: 'the selection is empty' }],
        ] as const) {
          const { status, body: answer } = await api.call(
            support,
            name,
            {},
            { body: { ...body, [list]: [] } },
          );
          expect({ name, list, status, detail: answer['detail'] }).toEqual({
            name,
            list,
            status: 400,
            detail: `The body: /${list} must not have fewer than 1 items.`,
          });
        }
    });
  });

  test('a request for access is the caller’s own, approved by the roles of two others’ credentials, shown and revoked', async () => {
    const wanted = {
      purpose: 'after_sales',
      resource: 'customer',
      categories: ['identity'],
      ids: ['C8855667701'],
      justification: '工单 8812',
      duration_seconds: 3600,
    };
    const asked = await api.call(support, 'grants.request', {}, { body: wanted });
    expect(asked).toMatchObject({
      status: 201,
      body: { state: 'requested', subject: own('u-17'), requested_by: own('u-17'), grade: 4 },
      record: {
        kind: 'grant',
        action: 'grants.request',
        outcome: 'allowed',
        reasons: [{ code: 'own_access' }, { code: 'grant_requested' }],
      },
    });
    const id = String(asked.body['id']);
    const pending = await api.call(support, 'grants.request', {}, { body: wanted });
    expect(pending).toMatchObject({ status: 200, body: { id }, record: { kind: 'admin' } });
    // No body names who asks or approves.
    for (const who of [{ requested_by: 'u-lead' }, { by: 'u-lead' }])
      expect((await api.call(support, 'grants.request', {}, { body: { ...wanted, ...who } })).body.code).toBe(
        'input_invalid',
      );
    expect(
      (await api.call(support, 'grants.request', {}, { body: { ...wanted, subject: 'u-99' } })).status,
    ).toBe(403);

    const denied = await api.call(support, 'grants.approve', { id });
    expect(denied).toMatchObject({
      body: { code: 'policy_denied' },
      record: { outcome: 'denied', grant_id: id },
    });
    const none = await api.token('u-none', ['grant_approver']);
    expect((await api.call(none, 'grants.approve', { id })).body.code).toBe('grant_approver_unauthorized');
    expect((await api.call(lead, 'grants.approve', { id }, { body: { note: '已核实' } })).body).toMatchObject(
      {
        state: 'requested',
        approved_by: ['u-lead'],
      },
    );
    expect((await api.call(lead, 'grants.approve', { id })).body.code).toBe('grant_approver_unauthorized');
    const approved = await api.call(dpo, 'grants.approve', { id });
    expect(approved).toMatchObject({
      status: 200,
      body: { state: 'active', approved_by: ['u-lead', 'u-dpo'] },
      record: { kind: 'grant', grant_id: id, subject: { id: 'u-dpo' }, labels: { holder: own('u-17') } },
    });
    const shown = await api.call(support, 'grants.show', { id });
    expect(shown.body).toMatchObject({
      ids: ['C8855667701'],
      events: [{ what: 'requested' }, { what: 'approved', note: '已核实' }, {}, {}],
    });
    const { events } = shown.body as unknown as { events: { decision_id: string }[] };
    expect(events.at(-1)!.decision_id).toBe(approved.record.decision_id);
    const mine = await api.call(support, 'grants.list', {}, { query: `?state=all&subject=${own('u-17')}` });
    expect(mine.body).toMatchObject({ grants: [{ id, ids: 1 }], cursor: null });
    expect(api.running.journalText()).not.toContain('C8855667701');
    // Of others nobody learns anything, not even that there is such a grant.
    const other = await api.token('u-18', ['support']);
    const [foreign, absent] = [
      await api.call(other, 'grants.show', { id }),
      await api.call(other, 'grants.show', { id: 'g-0' }),
    ];
    expect(foreign.status).toBe(403);
    const told = ({ body: { decision_id: _, ...rest } }: Answered) => rest;
    expect(told(foreign)).toEqual(told(absent));
    expect((await api.call(lead, 'grants.show', { id: 'g-0' })).body.code).toBe('grant_not_found');
    expect((await api.call(other, 'grants.list', {}, { query: '?state=all' })).status).toBe(403);
    const revoked = await api.call(support, 'grants.revoke', { id }, { body: { note: '不再需要' } });
    expect(revoked).toMatchObject({
      body: { state: 'revoked' },
      record: { kind: 'grant', justification: '不再需要' },
    });
    expect((await api.call(lead, 'grants.revoke', { id })).body.code).toBe('grant_not_active');
    expect((await api.call(lead, 'grants.reject', { id })).body.code).toBe('grant_not_pending');
  });

  test('break-glass opens a review, which somebody else closes', async () => {
    const broke = await api.call(
      support,
      'grants.break_glass',
      {},
      { body: { purpose: 'after_sales', reason: '诈骗进行中' } },
    );
    expect(broke).toMatchObject({ status: 201, body: { state: 'active', kind: 'break_glass' } });
    const decision_id = broke.record.decision_id;
    const open = await api.call(auditor, 'reviews.list', {}, { query: `?subject=${own('u-17')}` });
    expect(open.body['reviews']).toMatchObject([{ decision_id, action: 'break_glass', closed_at: null }]);
    const body = { verdict: 'justified', note: '已报警' };
    const self = await api.token(own('u-17'), ['auditor']);
    expect((await api.call(self, 'reviews.close', { decision_id }, { body })).body.code).toBe(
      'review_of_own_decision',
    );
    const closed = await api.call(auditor, 'reviews.close', { decision_id }, { body });
    expect(closed).toMatchObject({
      body: { verdict: 'justified', closed_by: 'u-auditor' },
      record: { kind: 'admin', action: 'reviews.close', labels: { reviewed: decision_id } },
    });
    expect((await api.call(auditor, 'reviews.close', { decision_id }, { body })).body.code).toBe(
      'review_closed',
    );
    expect((await api.call(auditor, 'reviews.close', { decision_id: 'd-0' }, { body })).body.code).toBe(
      'review_not_found',
    );
  });

  test('takes access away and gives it back', async () => {
    const subject = own('u-陈');
    const gone = await api.token(subject, ['auditor']);
    expect((await api.call(gone, 'reviews.list')).status).toBe(200);
    const revoked = await api.call(admin, 'subjects.revoke', {}, { body: { subject, reason: '离职' } });
    expect(revoked).toMatchObject({
      status: 201,
      body: { kind: 'subject', name: subject, revoked_by: 'u-admin' },
      record: {
        kind: 'admin',
        action: 'subjects.revoke',
        labels: { target_subject: subject },
        justification: '离职',
      },
    });
    await expect.poll(async () => (await api.call(gone, 'reviews.list')).body.code).toBe('token_revoked');
    expect((await api.call(admin, 'subjects.list')).body['revocations']).toContainEqual(revoked.body);
    const history = await api.call(auditor, 'subjects.history', { id: subject });
    expect(history.body).toMatchObject({ subject, revocations: [{ name: subject }], reviews: [] });
    expect((history.body['decisions'] as { outcome: string }[]).map(({ outcome }) => outcome)).toContain(
      'denied',
    );
    const restored = await api.call(admin, 'subjects.restore', {}, { body: { subject, reason: '回来' } });
    expect(restored.body['revocations']).toMatchObject([{ name: subject, restored_by: 'u-admin' }]);
    expect(
      (await api.call(admin, 'subjects.restore', {}, { body: { subject, reason: 'r' } })).body.code,
    ).toBe('revocation_not_found');
    expect(
      (await api.call(admin, 'subjects.revoke', {}, { body: { subject, jti: 'x', reason: 'r' } })).body.code,
    ).toBe('input_invalid');
    await expect.poll(async () => (await api.call(gone, 'reviews.list')).status).toBe(200);
  });

  test('nobody gives by a key what none of their roles may give, nor takes it by replacing a key', async () => {
    const subject = { id: own('erp'), type: 'service', organization: 'internal', roles: ['sync_service'] };
    const create = (id: string, change: object, more: object = {}) =>
      api.call(admin, 'keys.create', {}, { body: { id, subject: { ...subject, ...change }, ...more } });
    for (const [change, more] of [
      [{ roles: ['sync_service', 'access_admin'] }, {}],
      [{ roles: ['grant_approver'] }, {}],
      [{ type: 'user' }, {}],
      [{ organization: 'swift_logistics' }, {}],
      [{ clearance: 5 }, {}],
      [{}, { expires_in_seconds: 367 * 86_400 }],
    ] as const) {
      const { status, body, record } = await create(own('gift'), change, more);
      expect({ status, reasons: body['reasons'] }).toMatchObject({
        status: 403,
        reasons: [{ code: 'giving_not_permitted' }],
      });
      expect(record).toMatchObject({
        outcome: 'denied',
        labels: { gives: expect.stringContaining(`"subject":"${own('erp')}"`) as string },
      });
    }
    const made = await create(own('gift'), { clearance: 3 }, { expires_in_seconds: 366 * 86_400 });
    expect(made.status).toBe(201);
    expect((await api.call(admin, 'keys.rotate', { id: own('gift') })).status).toBe(201);
    // One that a command has made, with a role that administers.
    const strong = own('strong');
    const command = ['keys', 'create', strong, '--subject', 's', '--organization', 'internal'];
    const by = ['--role', 'scim_client', '--by', 'ops', '--config', join(dir, 'sluice.yaml')];
    expect((await sluice([...command, ...by])).code).toBe(0);
    const rotated = await api.call(admin, 'keys.rotate', { id: strong });
    expect(rotated).toMatchObject({ status: 403, body: { reasons: [{ code: 'giving_not_permitted' }] } });
    expect((await api.call(admin, 'keys.rotate', { id: own('absent') })).body.code).toBe('api_key_not_found');
  });

  test('an API key is shown once; it calls the API itself until it is revoked', async () => {
    const id = own('hr');
    const body = {
      id,
      subject: { id: own('hr-sync'), type: 'service', organization: 'internal', roles: ['hr_sync'] },
    };
    const made = await api.call(admin, 'keys.create', {}, { body });
    const key = String(made.body['key']);
    expect(key).toMatch(/^slk_[\w-]{43}$/);
    expect(made).toMatchObject({
      status: 201,
      record: {
        kind: 'admin',
        action: 'keys.create',
        labels: { key: id, holder: `${own('hr-sync')}` },
      },
    });
    expect((await api.call(admin, 'keys.create', {}, { body })).body.code).toBe('api_key_taken');
    const byKey = { 'X-Api-Key': key };
    const target = { body: { subject: own('u-left'), reason: 'left' }, headers: byKey };
    await expect.poll(async () => (await api.call(null, 'subjects.revoke', {}, target)).status).toBe(201);
    expect((await api.call(null, 'keys.list', {}, { headers: byKey })).body.code).toBe('policy_denied');
    const rotated = await api.call(admin, 'keys.rotate', { id }, { body: { overlap_seconds: 0 } });
    expect(rotated.body['key']).not.toBe(key);
    const listed = await api.call(admin, 'keys.list');
    expect(JSON.stringify(listed.body)).not.toContain('slk_');
    expect(await api.call(admin, 'keys.revoke', { id }, { body: { reason: 'found' } })).toMatchObject({
      status: 200,
    });
    expect((await api.call(admin, 'keys.revoke', { id }, { body: { reason: 'found' } })).body.code).toBe(
      'api_key_not_found',
    );
    expect((await api.call(admin, 'keys.rotate', { id })).body.code).toBe('api_key_not_found');
    for (const secret of [key, String(rotated.body['key'])]) {
      expect(api.running.journalText()).not.toContain(secret);
      expect(api.running.log()).not.toContain(secret);
    }
  });

  test('tells what is left of the caller’s own quotas', async () => {
    const marketer = await api.token(own('u-m'), ['marketer']);
    const left = await api.call(marketer, 'quotas.get', {}, { query: '?purpose=marketing' });
    expect(left.body).toEqual({
      quotas: { marketing_daily: { limit: 5000, used: 0, remaining: 5000, exact: true } },
    });
    // Nothing was reserved by asking.
    expect((await api.call(marketer, 'quotas.get', {}, { query: '?purpose=marketing' })).body).toEqual(
      left.body,
    );
    expect((await api.call(support, 'quotas.get', {}, { query: '?purpose=claims' })).body).toEqual({
      quotas: {},
    });
  });

  test('refuses, with a record, whoever has no credential, no role, another organisation or no second factor', async () => {
    const body = { subject: own('u-x'), reason: 'r' };
    const nobody = await api.call(null, 'subjects.revoke', {}, { body });
    expect(nobody).toMatchObject({
      status: 401,
      body: { code: 'token_missing' },
      record: { kind: 'admin', outcome: 'denied', subject: null },
    });
    const weak = await api.token('u-admin', ['access_admin'], { amr: ['pwd'] });
    const partner = await api.token('u-p', ['access_admin'], { org: 'swift_logistics' });
    for (const [token, code] of [
      [support, 'operation_not_permitted'],
      [partner, 'operation_not_permitted'],
      [weak, 'mfa_required'],
    ] as const) {
      const refused = await api.call(token, 'subjects.revoke', {}, { body });
      expect(refused).toMatchObject({
        status: 403,
        body: { code: 'policy_denied', reasons: [{ code }] },
        record: { kind: 'admin', outcome: 'denied', action: 'subjects.revoke', reasons: [{ code }] },
      });
      expect(refused.records).toHaveLength(1);
    }
    expect((await api.call(weak, 'subjects.list')).status).toBe(200);
    const { revocations } = (await api.call(admin, 'subjects.list', {}, { query: '?state=all&limit=1000' }))
      .body;
    expect(JSON.stringify(revocations)).not.toContain(own('u-x'));
  });

  test.each([
    ['GET', '/v1/nothing', undefined, 404, 'route_unknown'],
    ['DELETE', '/v1/grants/g-1', undefined, 405, 'method_not_allowed'],
    ['GET', '/v1/consents/%E0%A4%A', undefined, 400, 'path_not_canonical'],
    ['GET', '/v1/consents/a%00b', undefined, 400, 'input_invalid'],
    ['GET', '/v1/keys?limit=0', undefined, 400, 'input_invalid'],
    ['GET', '/v1/keys?limit=1&limit=2', undefined, 400, 'request_malformed'],
    ['GET', '/v1/keys?secret=CANARY', undefined, 400, 'input_invalid'],
    ['GET', '/v1/keys?__proto__=CANARY', undefined, 400, 'input_invalid'],
    ['GET', '/V1/keys', undefined, 404, 'route_unknown'],
    ['GET', '/v1/keys/', undefined, 404, 'route_unknown'],
    ['OPTIONS', '/v1/keys', undefined, 405, 'method_not_allowed'],
    ['GET', '/v1/subjects/u-1/history?limit=0', undefined, 400, 'input_invalid'],
    ['GET', '/v1/keys?cursor=CANARY', undefined, 400, 'input_invalid'],
    ['POST', '/v1/revocations', '{"subject":"CANARY"', 400, 'body_unreadable'],
    [
      'POST',
      '/v1/revocations',
      '{"subject":"u","reason":"r","subj\\u0065ct":"CANARY"}',
      400,
      'body_unreadable',
    ],
    ['POST', '/v1/access-requests', `{"context":${'['.repeat(40)}${']'.repeat(40)}}`, 400, 'body_unreadable'],
    [
      'POST',
      '/v1/revocations',
      '{"subject":"u","reason":"r","__proto__":{"CANARY":1}}',
      400,
      'input_invalid',
    ],
    ['POST', '/v1/revocations', { subject: 'CANARY' }, 400, 'input_invalid'],
    ['POST', '/v1/revocations', { subject: 'CANARY\0', reason: 'r' }, 400, 'input_invalid'],
    ['POST', '/v1/revocations', { subject: '\ud800', reason: 'r' }, 400, 'input_invalid'],
    ['POST', '/v1/revocations', { CANARY: 'x', reason: 'r' }, 400, 'input_invalid'],
    ['POST', '/v1/revocations', { reason: 'x'.repeat(70_000) }, 413, 'body_too_large'],
    ['POST', '/v1/revocations', { subject: 'u', reason: 'r', ends_at: 'CANARY' }, 400, 'input_invalid'],
  ] as const)(
    '%s %s with %j: %i %s, recorded, without what was sent',
    async (method, path, body, status, code) => {
      const refused = await api.raw(admin, method, path, body === undefined ? {} : { body });
      expect(refused).toMatchObject({ status, body: { code }, record: { kind: 'admin', outcome: 'denied' } });
      expect(JSON.stringify([refused.body, refused.record])).not.toContain('CANARY');
    },
  );

  test.each([
    ['application/json; charset=gb18030', 400],
    ['application/json;CHARSET="utf-16"', 400],
    ['application/json; charset=utf-8', 201],
    ['application/json;charset="UTF-8"; x=1', 201],
  ])('a body of the type %s is answered with %i', async (type, status) => {
    const body = { subject: own('u-charset'), reason: '离职' };
    const sent = { body, headers: { 'Content-Type': type } };
    expect((await api.raw(admin, 'POST', '/v1/revocations', sent)).status).toBe(status);
  });

  describe('Idempotency-Key', () => {
    const keyed = (key: string) => ({ 'Idempotency-Key': `"${key}"` });

    test('a repetition is not carried out again and gets the same answer; another request with the key is refused', async () => {
      const headers = keyed(randomUUID());
      const body = { subject: own('u-once'), reason: 'r' };
      const first = await api.call(admin, 'subjects.revoke', {}, { body, headers });
      const second = await api.call(admin, 'subjects.revoke', {}, { body, headers });
      expect(second).toMatchObject({
        status: 201,
        body: first.body,
        record: { kind: 'admin', outcome: 'allowed' },
      });
      expect(second.headers.get('idempotency-replayed')).toBe('true');
      expect(second.record.reasons).toContainEqual({ code: 'idempotent_replay' });
      expect(second.record.decision_id).not.toBe(first.record.decision_id);
      const { revocations } = (await api.call(admin, 'subjects.list', {}, { query: '?state=all&limit=1000' }))
        .body;
      expect((revocations as { name: string }[]).filter(({ name }) => name === own('u-once'))).toHaveLength(
        1,
      );
      const other = await api.call(admin, 'subjects.revoke', {}, { body: { ...body, reason: 'x' }, headers });
      expect(other).toMatchObject({
        status: 422,
        body: { code: 'idempotency_key_reused' },
        record: { outcome: 'denied' },
      });
      expect((await api.call(admin, 'subjects.restore', {}, { body, headers })).body.code).toBe(
        'idempotency_key_reused',
      );
      // Another caller's key is another key.
      const admin2 = await api.token('u-admin-2', ['access_admin']);
      const theirs = await api.call(admin2, 'subjects.revoke', {}, { body, headers });
      expect(theirs.body['id']).not.toBe(first.body['id']);
      // Who may no longer do it gets no kept answer either.
      const demoted = await api.token('u-admin', ['support']);
      expect((await api.call(demoted, 'subjects.revoke', {}, { body, headers })).body.code).toBe(
        'policy_denied',
      );
    });

    test('of many at once exactly one is carried out, and the others are told or wait', async () => {
      const headers = keyed(randomUUID());
      const body = { subject: own('u-many'), reason: 'r' };
      const all = await Promise.all(
        Array.from({ length: 12 }, () => api.call(admin, 'subjects.revoke', {}, { body, headers })),
      );
      const ids = new Set(all.filter(({ status }) => status === 201).map((a) => a.body['id']));
      expect(ids.size).toBe(1);
      for (const { status, body: told } of all)
        if (status !== 201) expect(told.code).toBe('idempotency_pending');
      const { revocations } = (await api.call(admin, 'subjects.list', {}, { query: '?state=all&limit=1000' }))
        .body;
      expect((revocations as { name: string }[]).filter(({ name }) => name === own('u-many'))).toHaveLength(
        1,
      );
    });

    test('a call that was refused has changed nothing, and its key may be used again', async () => {
      const headers = keyed(randomUUID());
      const body = { subject: own('u-later'), reason: 'r' };
      expect((await api.call(admin, 'subjects.restore', {}, { body, headers })).body.code).toBe(
        'revocation_not_found',
      );
      await api.call(admin, 'subjects.revoke', {}, { body });
      expect((await api.call(admin, 'subjects.restore', {}, { body, headers })).status).toBe(200);
    });

    test('a repetition does not show a key again, and the store never has it', async () => {
      const headers = keyed(randomUUID());
      const body = {
        id: own('once'),
        subject: { id: 's', type: 'service', organization: 'internal', roles: [] },
      };
      const first = await api.call(admin, 'keys.create', {}, { body, headers });
      const second = await api.call(admin, 'keys.create', {}, { body, headers });
      expect(second).toMatchObject({ status: 201, body: { ...first.body, key: null } });
      const key = String(first.body['key']);
      if (store === 'SQLite') {
        const data = join(dir, 'data');
        const stored = readdirSync(data).map((file) => readFileSync(join(data, file), 'latin1'));
        expect(stored.join('')).toContain(String(first.body['sha256']));
        expect(stored.join('')).not.toContain(key.slice(4));
      } else {
        const database = openPostgres(POSTGRES, { schema: schema.schema });
        const rows = JSON.stringify([
          await database.query('SELECT * FROM sluice_idempotency'),
          await database.query('SELECT * FROM sluice_api_keys'),
        ]);
        await database.close();
        expect(rows).toContain(String(first.body['sha256']));
        expect(rows).not.toContain(key.slice(4));
      }
    });

    test.each(['', '"', '""', 'a b', '"a", "b"', `"${'x'.repeat(256)}"`, '?1'])(
      '%j is no key',
      async (key) => {
        const body = { subject: own('u-no'), reason: 'r' };
        const refused = await api.call(
          admin,
          'subjects.revoke',
          {},
          { body, headers: { 'Idempotency-Key': key } },
        );
        expect(refused).toMatchObject({ status: 400, body: { code: 'idempotency_key_invalid' } });
      },
    );
  });

  test('the pages of a list, put together, are the list, whatever their size', async () => {
    for (let i = 0; i < 7; i++)
      await api.call(admin, 'subjects.revoke', {}, { body: { subject: own(`u-page-${i}`), reason: 'r' } });
    const all = async (limit: number): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (let cursor: unknown = ''; cursor !== null; ) {
        const query = `?state=all&limit=${limit}${cursor === '' ? '' : `&cursor=${String(cursor)}`}`;
        const { body } = await api.call(admin, 'subjects.list', {}, { query });
        const page = body['revocations'] as { id: string }[];
        expect(page.length).toBeLessThanOrEqual(limit);
        found.push(...page.map(({ id }) => id));
        cursor = body['cursor'];
      }
      return found;
    };
    const whole = await all(1_000);
    expect(whole.length).toBeGreaterThan(7);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length + 1 }), async (limit) => {
        expect(await all(limit)).toEqual(whole);
      }),
      { numRuns: 6 },
    );
  });

  test('commands that ask the policy about data say that a call of the API is none', async () => {
    const { record } = await api.call(admin, 'keys.list');
    const journal = ['--journal', api.running.journal];
    for (const argv of [
      ['explain', '--decision', record.decision_id, ...journal, '--policies', 'policies'],
      ['test', '--from-decision', record.decision_id, ...journal],
    ]) {
      const said = await sluice(argv);
      expect({ argv, code: said.code, out: said.out }).toEqual({ argv, code: 3, out: '' });
      expect(said.err).toContain('call of the admin API');
    }
  });

  test('the journal of all of it is whole', async () => {
    expect((await sluice(['decisions', 'verify', '--journal', api.running.journal])).code).toBe(0);
  });
});

test('a change that PostgreSQL refuses at the very end is refused, and its record has a second part that says so', async () => {
  const running = await startSluice({
    policy: await policyWith({}),
    identity: { revocations_in_store: true },
    config: config(STORES['PostgreSQL']!()),
  });
  const api = new Api(running);
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await database.write(
    `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at the end'; END $$;
     CREATE CONSTRAINT TRIGGER late AFTER INSERT ON sluice_revocations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()`,
  );
  const admin = await api.token('u-admin', ['access_admin']);
  const sent = { body: { subject: 'u-late', reason: 'r' }, headers: { 'Idempotency-Key': randomUUID() } };
  const refused = await api.call(admin, 'subjects.revoke', {}, sent);
  await database.write('DROP TRIGGER late ON sluice_revocations');
  expect(refused).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
  expect(refused.records.map(({ outcome, part }) => [outcome, part.number])).toEqual([
    ['allowed', 1],
    ['error', 2],
  ]);
  expect(refused.records[1]!.reasons.map(({ code }) => code)).toEqual([
    'store_unavailable',
    'change_unconfirmed',
  ]);
  // Whether it was carried out is not for a repetition to find out by carrying it out.
  const again = await api.call(admin, 'subjects.revoke', {}, sent);
  expect(again).toMatchObject({ status: 409, body: { code: 'idempotency_pending' } });
  await database.write('UPDATE sluice_idempotency SET begun_at = begun_at - 60000 WHERE status IS NULL');
  const later = await api.call(admin, 'subjects.revoke', {}, sent);
  expect(later).toMatchObject({ status: 409, body: { code: 'idempotency_unknown' } });
  expect(later.body['detail']).toContain(refused.record.decision_id);
  // The clock was set back by an hour since.
  await database.write('UPDATE sluice_idempotency SET begun_at = begun_at + 3600000 WHERE status IS NULL');
  const stepped = await api.call(admin, 'subjects.revoke', {}, sent);
  expect(stepped).toMatchObject({ status: 409, body: { code: 'idempotency_unknown' } });
  await database.close();
  await running.close();
});

test('where the policy has no sluice/admin, and where nothing is in the store, nobody may do anything', async () => {
  const scripted = await startSluice();
  const api = new Api(scripted);
  const admin = await api.token('u-admin', ['access_admin']);
  const refused = await api.call(admin, 'reviews.list');
  expect(refused).toMatchObject({
    status: 403,
    body: { code: 'policy_undefined' },
    record: { kind: 'admin', outcome: 'denied' },
  });
  await scripted.close();
  const running = await startSluice({ policy: await policyWith({}) });
  const bare = new Api(running);
  const token = await bare.token('u-admin', ['access_admin', 'consent_officer', 'grant_approver']);
  expect(
    (
      await bare.call(
        token,
        'keys.create',
        {},
        { body: { id: 'k', subject: { id: 's', type: 'service', organization: 'internal', roles: [] } } },
      )
    ).body.code,
  ).toBe('admin_unconfigured');
  expect(
    (await bare.call(token, 'subjects.revoke', {}, { body: { subject: 'u', reason: 'r' } })).body.code,
  ).toBe('admin_unconfigured');
  expect(
    (await bare.call(token, 'consents.set', { data_subject: 'C1' }, { body: { add_flags: ['x'] } })).body
      .code,
  ).toBe('admin_unconfigured');
  expect((await bare.call(token, 'grants.approve', { id: 'g' })).body.code).toBe('admin_unconfigured');
  await running.close();
});

test('the OpenAPI document has every operation, and is served to anybody', async () => {
  const elsewhere: readonly string[] = [
    // A command writes files; the admin API has pages.
    'decisions.export',
    // What an upstream has answered, and not what somebody says: `sluice erasure run` asks it.
    'erasure.confirm',
    // A sidecar opens demands itself, when data has expired.
    'shares.demand',
  ];
  const served = OPERATIONS.filter((name) => !elsewhere.includes(name));
  expect([...new Set(ADMIN_OPERATIONS.map(({ name }) => name))].sort()).toEqual([...served].sort());
  const running = await startSluice();
  const { status, text } = await running.admin('/openapi.json');
  expect(status).toBe(200);
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync('schemas/openapi.json', 'utf8')));
  await running.close();
});

test('two sidecars that share a store carry out a call once, and give its answer to both', async () => {
  const policy = await policyWith({});
  const start = async () =>
    new Api(
      await startSluice({
        policy,
        identity: { revocations_in_store: true },
        config: config(STORES['PostgreSQL']!()),
      }),
    );
  const [one, two] = await Promise.all([start(), start()]);
  const admin = await one.token('u-admin', ['access_admin']);
  const sent = { body: { subject: 'u-两边', reason: 'r' }, headers: { 'Idempotency-Key': randomUUID() } };
  const all = await Promise.all(
    [one, two, one, two, one, two].map((api) => api.call(admin, 'subjects.revoke', {}, sent)),
  );
  expect(new Set(all.filter(({ status }) => status === 201).map(({ body }) => body['id'])).size).toBe(1);
  const last = await Promise.all([one, two].map((api) => api.call(admin, 'subjects.revoke', {}, sent)));
  expect(last[0]!.body).toEqual(last[1]!.body);
  const { body } = await two.call(admin, 'subjects.list', {}, { query: '?state=all&limit=1000' });
  expect((body['revocations'] as { name: string }[]).filter(({ name }) => name === 'u-两边')).toHaveLength(1);
  await one.running.close();
  await two.running.close();
});

test('a client certificate counts as a credential over TLS, and probes of health need none', async () => {
  const pem = (name: string): string => join(import.meta.dirname, '../identity/certificates', `${name}.pem`);
  const running = await startSluice({
    policy: await policyWith({}),
    identity: {
      certificates: [
        {
          dns: 'gateway.swift.example',
          subject: { type: 'service', id: 'hr', organization: 'internal', roles: ['hr_sync'] },
        },
      ],
      revocations_in_store: true,
    },
    config: {
      listen: {
        proxy: '127.0.0.1:0',
        admin: '127.0.0.1:0',
        admin_tls: { cert: pem('server'), key: pem('server.key'), client_ca: pem('ca') },
      },
    },
  });
  const read = (name: string): string => readFileSync(pem(name), 'utf8');
  const send = (method: string, path: string, client: object, body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = {
        port: running.adminPort,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: read('ca'),
        agent: false,
        method,
        path,
        headers: body === '' ? {} : { 'content-type': 'application/json' },
        ...client,
      };
      const req = request(options as RequestOptions, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        res.on('end', () => resolve(`${res.statusCode} ${text}`));
      });
      req.on('error', reject).end(body);
    });
  const client = { cert: read('client'), key: read('client.key') };
  expect(await send('GET', '/healthz', {})).toMatch(/^200 /);
  const body = JSON.stringify({ subject: 'u-1', reason: 'left' });
  expect(await send('POST', '/v1/revocations', {}, body)).toContain('token_missing');
  expect(await send('POST', '/v1/revocations', client, body)).toMatch(/^201 .*"revoked_by":"hr"/);
  await running.close();
});
