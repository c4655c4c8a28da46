/** The admin API for what customers ask for, and for recipients outside, in both databases: who may, and the record of each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRecipients, type Recipients } from '../../src/compose/recipients.ts';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { newDecisionId } from '../../src/decision-log/decision-log.ts';
import type { Database } from '../../src/model/database.ts';
import type { OperationName } from '../../src/model/operations.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice } from '../cli/support.ts';
import { Api } from '../support/admin-api.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { startSluice } from '../support/sluice.ts';

const DAY = 86_400_000;
const PARTNER = 'swift_logistics';
const OTHER = 'city_clinic';
const COMPLETE = { evidence: '工单 8812' };

describe.each(['sqlite', 'postgres'])('the admin API for customers and recipients, with %s', (dialect) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  let api: Api;
  let upstream: HostileUpstream;
  let database: Database;
  let recipients: Recipients;
  let drop: (() => Promise<void>) | null = null;
  let officer: string;
  let auditor: string;
  let support: string;
  let partner: { readonly headers: Record<string, string> };

  beforeAll(async () => {
    upstream = await startHostile();
    let store: object = { sqlite: './data/store.db' };
    if (dialect === 'postgres') {
      const schema = await freshSchema('admin_more');
      drop = schema.drop;
      database = openPostgres(POSTGRES, { schema: schema.schema });
      await migrate(database, MIGRATIONS, () => new Date());
      store = { postgres: schemaUrl(schema.schema) };
    }
    api = new Api(
      await startSluice({
        dir,
        upstream: upstream.url,
        policy: await policyWith({
          data: {
            admin: {
              roles: { access_admin: { gives: { roles: ['privacy_officer'], organizations: ['*'] } } },
            },
          },
        }),
        identity: { api_keys_in_store: true },
        config: {
          store,
          consent: { store: true },
          decision_log: {
            journal: { dir: './journal' },
            data_subject_key: 'a key of the test with more than 32 bytes in it',
          },
          insecure: { literal_secrets: true },
          erasure: {},
          shares: {},
          data_subject_page: { url: 'https://me.example/' },
          listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0', data_subjects: '127.0.0.1:0' },
          verification: {
            code: {
              ...{ upstream: 'crm', path: '/codes', per_data_subject: 1 },
              secret: 'a secret of the test with more than 32 bytes',
            },
          },
        },
      }),
    );
    if (dialect === 'sqlite') database = openSqlite(join(dir, 'data/store.db'));
    recipients = createRecipients({
      config: {
        shares: { expires: DAY, confirm_within: 14 * DAY },
        admin: { access_requests: 900_000, idempotency: DAY },
      } as Parameters<typeof createRecipients>[0]['config'],
      store: database,
      pseudonym: (id) => id,
      newId: newDecisionId,
      now: () => new Date(),
    });
    officer = await api.token('u-隐私', ['privacy_officer']);
    auditor = await api.token('u-auditor', ['auditor']);
    support = await api.token('u-17', ['support']);
    const made = await api.call(
      await api.token('u-admin', ['access_admin']),
      'keys.create',
      {},
      {
        body: {
          id: 'swift',
          subject: { id: 'swift-erp', type: 'service', organization: PARTNER, roles: ['privacy_officer'] },
        },
      },
    );
    partner = { headers: { 'X-Api-Key': String(made.body['key']) } };
  });
  afterAll(async () => {
    await api.running.close();
    await database.close();
    await upstream.close();
    await drop?.();
    rmSync(dir, { recursive: true });
  });

  /** an expired share of a recipient. @returns the demand about it */
  async function demandOf(recipient: string): Promise<string> {
    await recipients.shares!.note({
      decision_id: newDecisionId(),
      recipient,
      purpose: 'delivery',
      timestamp: new Date(Date.now() - 2 * DAY).toISOString(),
      data_subjects: ['d'],
    });
    await recipients.shares!.demand(async () => undefined);
    const open = await recipients.shares!.demands({ open: true, recipient, limit: 100 });
    return open.at(-1)!.id;
  }
  const noticeOf = async (recipient: string | null, data_subject: string): Promise<string> => {
    const told = { recipient, type: 'consent.withdrawn', data: { data_subject } } as const;
    return (await recipients.notices.add(database, [told]))[0]!;
  };
  const codesOf = ({ record }: { record: { reasons: readonly { code: string }[] } }): string[] =>
    record.reasons.map(({ code }) => code);

  test('takes a request for erasure from its letter to its end, and every step is on record', async () => {
    const data_subject = '王小明/1';
    const asked = { body: { data_subject, note: '来信' } };
    const made = await api.call(officer, 'erasure.request', {}, asked);
    expect(made).toMatchObject({
      status: 201,
      body: { state: 'requested', data_subject, requested_by: 'u-隐私', kind: 'erasure' },
      record: { kind: 'erasure', outcome: 'allowed', action: 'erasure.request' },
    });
    expect(codesOf(made)).toEqual(['role_permits', 'erasure_requested']);
    const id = String(made.body['id']);
    const again = await api.call(officer, 'erasure.request', {}, asked);
    expect(again).toMatchObject({ status: 200, body: { id }, record: { kind: 'admin' } });
    expect(again.record.disclosure?.data_subjects).toEqual(made.record.disclosure?.data_subjects);
    const hold = { category: 'transaction', basis: '保险法 87', until: '2031-12-31' };
    const steps: readonly [OperationName, object, string, object][] = [
      ['erasure.accept', { note: '已核实' }, 'erasure_accepted', { state: 'in_progress' }],
      ['erasure.hold', hold, 'erasure_held', { holds: [hold] }],
      ['erasure.release', { category: 'transaction', note: 'over' }, 'erasure_released', { holds: [] }],
      ['erasure.complete', COMPLETE, 'erasure_completed', { state: 'completed', ...COMPLETE }],
    ];
    for (const [name, body, code, after] of steps) {
      const done = await api.call(officer, name, { id }, { body });
      expect(done).toMatchObject({
        status: 200,
        body: after,
        record: { kind: 'erasure', outcome: 'allowed' },
      });
      expect(done.records).toHaveLength(1);
      expect(codesOf(done)).toEqual(['role_permits', code]);
    }
    const misnamed = await api.call(officer, 'erasure.request', {}, { body: { data_subject: '王小明/2' } });
    const other = { id: String(misnamed.body['id']) };
    const unknown = await api.call(officer, 'erasure.hold', other, {
      body: { ...hold, category: 'transactoin' },
    });
    expect(unknown).toMatchObject({
      ...{ status: 400, body: { code: 'erasure_invalid' }, record: { outcome: 'denied' } },
    });
    expect(unknown.body['detail']).toContain('did you mean "transaction"? Its categories: ');
    const late = await api.call(officer, 'erasure.reject', { id }, { body: { reason: 'r' } });
    expect(late).toMatchObject({
      status: 409,
      body: { code: 'erasure_closed' },
      record: { outcome: 'denied' },
    });
    const lifted = await api.call(officer, 'erasure.lift', { id }, { body: { reason: '新保单' } });
    expect(lifted).toMatchObject({
      ...{ status: 200, body: { state: 'lifted', reason: '新保单', ...COMPLETE } },
      record: { kind: 'erasure', outcome: 'allowed', justification: '新保单' },
    });
    expect(codesOf(lifted)).toEqual(['role_permits', 'erasure_lifted']);
    expect(await api.call(auditor, 'erasure.lift', { id }, { body: { reason: 'r' } })).toMatchObject({
      ...{ status: 403, record: { outcome: 'denied' } },
    });
    const shown = await api.call(auditor, 'erasure.show', { id });
    expect((shown.body['events'] as { what: string }[]).map(({ what }) => what)).toEqual([
      'requested',
      'accepted',
      'held',
      'released',
      'completed',
      'lifted',
    ]);
    expect(shown.record.disclosure?.data_subjects).toEqual(made.record.disclosure?.data_subjects);
    expect(JSON.stringify([made.records, shown.records, again.records])).not.toContain('王小明');
    expect((await api.call(auditor, 'erasure.show', { id: 'x' })).body.code).toBe('erasure_not_found');
  });

  test('a request that is rejected is a change that was permitted', async () => {
    const body = { data_subject: 'C-no', kind: 'restriction' };
    const { id } = (await api.call(officer, 'erasure.request', {}, { body })).body;
    const path = { id: String(id) };
    const rejected = await api.call(officer, 'erasure.reject', path, { body: { reason: '不是本人' } });
    expect(rejected).toMatchObject({
      status: 200,
      record: { outcome: 'allowed', justification: '不是本人' },
    });
    const bad = await api.call(officer, 'erasure.request', {}, { body: { data_subject: 'C1\u200b' } });
    expect(bad).toMatchObject({ status: 400, body: { code: 'erasure_invalid' } });
  });

  test.each(['erasure.list', 'shares.demands', 'notices.list'] as const)(
    'the pages of %s, put together, are the list',
    async (name) => {
      for (let i = 0; i < 5; i++) {
        await api.call(officer, 'erasure.request', {}, { body: { data_subject: `C-${name}-${i}` } });
        await demandOf(OTHER);
        await noticeOf(OTHER, `C-${i}`);
      }
      const all = async (limit: number): Promise<unknown[]> => {
        const found: unknown[] = [];
        for (let cursor: unknown = ''; cursor !== null; ) {
          const query = `?state=all&limit=${limit}${cursor === '' ? '' : `&cursor=${String(cursor)}`}`;
          const { body } = await api.call(auditor, name, {}, { query });
          const [rows] = Object.values(body).filter(Array.isArray);
          found.push(...(rows as { id: string }[]).map(({ id }) => id));
          cursor = body['cursor'];
        }
        return found;
      };
      const whole = await all(1000);
      expect(whole.length).toBeGreaterThanOrEqual(5);
      expect(await all(2)).toEqual(whole);
    },
  );

  test('a demand is confirmed once, and a notice is acknowledged once, in the name of the caller', async () => {
    const demand = { id: await demandOf(OTHER) };
    const totals = (await api.call(auditor, 'shares.list')).body['recipients'] as object[];
    expect(totals).toContainEqual(expect.objectContaining({ recipient: OTHER, overdue: 0 }));
    const confirmed = await api.call(officer, 'shares.confirm', demand, { body: { how: 'archived' } });
    expect(confirmed).toMatchObject({
      status: 200,
      body: { recipient: OTHER, how: 'archived', confirmed_by: 'u-隐私' },
      record: { kind: 'share', outcome: 'allowed', recipient: OTHER, labels: { demand: demand.id } },
    });
    const again = await api.call(officer, 'shares.confirm', demand, { body: { how: 'destroyed' } });
    expect(again).toMatchObject({ status: 409, body: { code: 'demand_confirmed' } });
    const gone = await api.call(officer, 'shares.confirm', { id: 'x' }, { body: { how: 'archived' } });
    expect(gone).toMatchObject({ status: 404, body: { code: 'demand_not_found' } });
    const notice = { id: await noticeOf(OTHER, '李四') };
    expect((await api.call(officer, 'notices.retry', notice)).body.code).toBe('notice_unsendable');
    const listed = await api.call(officer, 'notices.list', {}, { query: `?recipient=${OTHER}` });
    expect(JSON.stringify(listed.body)).toContain('李四');
    expect(listed.record.disclosure?.data_subjects.length).toBeGreaterThan(0);
    expect(JSON.stringify(listed.records)).not.toContain('李四');
    const known = await api.call(officer, 'notices.acknowledge', notice, { body: { note: '电话' } });
    expect(known).toMatchObject({ status: 200, body: { state: 'acknowledged' }, record: { kind: 'share' } });
    expect(known.body).not.toHaveProperty('data');
    expect((await api.call(officer, 'notices.acknowledge', notice)).body.code).toBe('notice_acknowledged');
    expect((await api.call(officer, 'notices.acknowledge', { id: 'x' })).body.code).toBe('notice_not_found');
  });

  test('a partner confirms its own demands and knows its own notices, and reaches nobody else’s', async () => {
    const mine = { id: await demandOf(PARTNER) };
    const theirs = { id: await demandOf(OTHER) };
    const notice = { id: await noticeOf(PARTNER, '赵六') };
    const alert = { id: await noticeOf(null, '赵六') };
    const callback = { id: await noticeOf('callback:portal', '赵六') };
    const foreign = { id: await noticeOf(OTHER, '赵六') };
    const body = { how: 'destroyed' };
    const denials = [
      ...[theirs, { id: 'nobody' }].map((path) =>
        api.call(null, 'shares.confirm', path, { body, ...partner }),
      ),
      ...[alert, callback, foreign, { id: 'nobody' }].map((path) =>
        api.call(null, 'notices.acknowledge', path, partner),
      ),
      api.call(null, 'notices.retry', notice, partner),
      api.call(null, 'shares.list', {}, partner),
      ...(['shares.demands', 'notices.list'] as const).flatMap((name) =>
        ['', `?recipient=${OTHER}`, '?recipient=internal', '?recipient=callback:portal'].map((query) =>
          api.call(null, name, {}, { query, ...partner }),
        ),
      ),
    ];
    for (const denied of await Promise.all(denials))
      expect(denied).toMatchObject({
        status: 403,
        body: { code: 'policy_denied', reasons: [{ code: 'operation_not_permitted' }] },
        record: { outcome: 'denied', subject: { id: 'swift-erp' } },
      });
    const twice = await api.call(
      null,
      'shares.demands',
      {},
      { query: `?recipient=${PARTNER}&recipient=${OTHER}`, ...partner },
    );
    expect(twice).toMatchObject({ status: 400, body: { code: 'request_malformed' } });
    const query = `?recipient=${PARTNER}&state=all`;
    for (const name of ['shares.demands', 'notices.list'] as const) {
      const listed = await api.call(null, name, {}, { query, ...partner });
      expect(codesOf(listed)).toEqual(['own_recipient']);
      const [rows = []] = Object.values(listed.body).filter(Array.isArray) as { recipient: string }[][];
      expect(new Set(rows.map(({ recipient }) => recipient))).toEqual(new Set([PARTNER]));
    }
    const confirmed = await api.call(null, 'shares.confirm', mine, { body, ...partner });
    expect(confirmed).toMatchObject({ status: 200, body: { confirmed_by: 'swift-erp' } });
    expect((await api.call(null, 'notices.acknowledge', notice, partner)).status).toBe(200);
    const open = await recipients.shares!.demands({ open: true, recipient: OTHER, limit: 1000 });
    expect(open.map(({ id }) => id)).toContain(theirs.id);
  });

  test('a link is shown once, and is kept nowhere', async () => {
    const sent = { body: { data_subject: '王五' }, headers: { 'Idempotency-Key': randomUUID() } };
    const made = await api.call(officer, 'links.create', {}, sent);
    expect(made).toMatchObject({ status: 201, record: { kind: 'consent', outcome: 'allowed' } });
    const url = String(made.body['url']);
    expect(url).toMatch(/^https:\/\/me\.example\/l\/\S+$/);
    const page = new URL(new URL(url).pathname, api.running.sluice.data_subjects);
    expect((await fetch(page, { redirect: 'manual' })).status).toBe(303);
    const again = await api.call(officer, 'links.create', {}, sent);
    expect(again.body).toEqual({ ...made.body, url: null });
    const kept = JSON.stringify([
      await database.query('SELECT * FROM sluice_idempotency'),
      await database.query('SELECT * FROM subject_links'),
      made.records,
      api.running.log(),
    ]);
    expect(kept).not.toContain(url.split('/').at(-1));
    const { data_subject } = sent.body;
    const revoked = await api.call(officer, 'links.revoke', {}, { body: { data_subject } });
    expect(revoked.body).toEqual({ revoked: [made.body['id']] });
    expect((await fetch(page, { redirect: 'manual' })).status).toBe(403);
    const none = await api.call(officer, 'links.revoke', {}, { body: { data_subject } });
    expect(none).toMatchObject({ status: 200, body: { revoked: [] } });
    // Nobody has such an id: the link would open an empty page.
    for (const never of [' 王五', '王五\u200b', '王\u0000五']) {
      const refused = await api.call(officer, 'links.create', {}, { body: { data_subject: never } });
      expect(refused).toMatchObject({ status: 400, body: { code: 'input_invalid' } });
    }
  });

  test('a code is sent for the caller, and is in no answer and no record', async () => {
    upstream.received.length = 0;
    const body = { data_subject: 'C100001' };
    const sent = await api.call(support, 'verification.send', {}, { body });
    expect(sent).toMatchObject({
      status: 200,
      record: { kind: 'admin', action: 'verification.send', labels: { caller: 'u-17' } },
    });
    const message = JSON.parse(upstream.received[0]!.body.toString()) as { code: string };
    expect(JSON.stringify([sent.body, sent.records])).not.toContain(`"${message.code}"`);
    const more = await api.call(support, 'verification.send', {}, { body });
    expect(more).toMatchObject({ status: 429, body: { code: 'verification_limited' } });
    upstream.answer = (_, socket) => void socket.write(reply('{}', {}, '500 Broken'));
    const down = await api.call(support, 'verification.send', {}, { body: { data_subject: 'C100002' } });
    expect(down).toMatchObject({ status: 503, body: { code: 'verification_unavailable' } });
    expect(down.records.map(({ outcome }) => outcome)).toEqual(['allowed', 'error']);
    const other = { body: { data_subject: 'C3', caller: 'u-18' } };
    expect((await api.call(support, 'verification.send', {}, other)).body.code).toBe('input_invalid');
  });

  test('whoever has no role for it may do none of it, and an auditor only looks', async () => {
    const nobody = await api.token('u-0', []);
    const body = { data_subject: 'C9' };
    for (const [token, name, path] of [
      [nobody, 'erasure.list', {}],
      [nobody, 'links.revoke', {}],
      [nobody, 'verification.send', {}],
      [auditor, 'erasure.request', {}],
      [auditor, 'links.create', {}],
      [support, 'links.create', {}],
    ] as const) {
      const sent = name === 'erasure.list' ? {} : { body };
      expect(await api.call(token, name, path, sent)).toMatchObject({
        status: 403,
        body: { code: 'policy_denied' },
      });
    }
    const weak = await api.token('u-隐私', ['privacy_officer'], { amr: ['pwd'] });
    expect(codesOf(await api.call(weak, 'links.create', {}, { body }))).toEqual(['mfa_required']);
  });

  test('the journal of all of it is whole', async () => {
    expect((await sluice(['decisions', 'verify', '--journal', api.running.journal])).code).toBe(0);
  });
});

test('what is not configured is said, to who may do it', async () => {
  const running = await startSluice({ policy: await policyWith({}) });
  const api = new Api(running);
  const officer = await api.token('u-1', ['privacy_officer', 'support']);
  const body = { data_subject: 'C1' };
  for (const name of ['erasure.request', 'links.create', 'verification.send'] as const)
    expect((await api.call(officer, name, {}, { body })).body.code).toBe('admin_unconfigured');
  for (const token of [officer, await api.token('u-2', [])]) {
    const { status, body } = await api.call(
      token,
      'shares.confirm',
      { id: 'x' },
      { body: { how: 'archived' } },
    );
    expect([status, body.code]).toEqual(
      token === officer ? [404, 'shares_unconfigured'] : [403, 'policy_denied'],
    );
  }
  await running.close();
});
