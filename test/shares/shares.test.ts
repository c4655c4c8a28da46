/** What recipients outside have received, are told and confirm, in both databases, with a clock that the test sets and a webhook of the test. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Facts, Recorder } from '../../src/changes/change.ts';
import { createRecipients, type Recipients } from '../../src/compose/recipients.ts';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { createConsentRecords } from '../../src/consent/index.ts';
import { newDecisionId } from '../../src/decision-log/decision-log.ts';
import type { Database } from '../../src/model/database.ts';
import { createDelivery } from '../../src/notices/index.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const DAY = 86_400_000;
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const dir = mkdtempSync(join(tmpdir(), 'sluice-shares-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
let server: Server;
let url: string;
/** what the webhook has received */
let received: {
  readonly id: string;
  readonly text: string;
  readonly headers: Record<string, string>;
  readonly type: string;
  readonly data: Record<string, unknown>;
}[] = [];
/** the webhook answers after it */
let before: (recipient: unknown) => Promise<void> | void = () => undefined;
let answer: () => { readonly status: number; readonly body?: unknown } = () => ({
  status: 204,
});

beforeAll(async () => {
  schema = await freshSchema('shares');
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const headers = request.headers as Record<string, string>;
    const message = JSON.parse(text) as { type: string; data: Record<string, unknown> };
    received.push({ id: String(headers['webhook-id']), text, headers, ...message });
    await before(message.data['recipient']);
    const { status, body } = answer();
    response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
});
afterAll(async () => {
  server.close();
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, `${newDecisionId()}.db`)),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};

describe.each(Object.keys(OPEN))('recipients in %s', (dialect) => {
  let database: Database;
  let recipients: Recipients;
  let now: Date;
  let facts: Facts[];
  const pseudonym = (id: string): string => `hmac:${id}`;
  const recorder = (by: string): Recorder => ({
    by,
    roles: null,
    decision_id: newDecisionId(),
    record: async (fact) => void facts.push(fact),
    unconfirmed: async () => undefined,
  });
  const config = () => ({
    admin: { access_requests: 900_000, idempotency: 86_400_000 },
    shares: { expires: 30 * DAY, confirm_within: 14 * DAY },
    notices: {
      recipients: { 顺丰: { url, secret: SECRET } },
      alerts: { url, secret: SECRET },
      callbacks: {},
      timeout: 5_000,
      retry_for: 3 * DAY,
    },
  });
  const share = (recipient: string, purpose: string, ...people: string[]) => {
    const decision_id = newDecisionId();
    const timestamp = now.toISOString();
    return recipients
      .shares!.note({ decision_id, recipient, purpose, timestamp, data_subjects: people.map(pseudonym) })
      .then(() => decision_id);
  };
  const consents = () =>
    createConsentRecords(database, { now: () => now, changed: recipients.consentsChanged });
  const given = (data_subject: string, purpose: string, recipient: string) =>
    consents().edit(
      [
        {
          data_subject,
          statements: [
            {
              data_subject,
              consent: {
                purpose,
                categories: ['contact'],
                recipient,
                status: 'given',
                at: now.toISOString(),
              },
              evidence: {},
            },
          ],
        },
      ],
      'dpo',
    );
  const open = () => recipients.notices.list({ open: true, limit: 100 });
  const delivery = (after: Parameters<typeof createDelivery>[2]['answered'] = async () => undefined) =>
    createDelivery(database, config().notices, {
      logger: silentLogger,
      now: () => now,
      closing: new AbortController().signal,
      answered: after,
    });

  beforeEach(async () => {
    database = OPEN[dialect]!();
    await migrate(database, MIGRATIONS, () => new Date());
    now = new Date('2026-11-30T08:00:00Z');
    facts = [];
    received = [];
    answer = () => ({ status: 204 });
    before = () => undefined;
    recipients = createRecipients({
      config: config(),
      store: database,
      pseudonym,
      newId: newDecisionId,
      now: () => now,
    });
  });
  afterEach(async () => {
    for (const table of [
      'sluice_notices',
      'sluice_shares',
      'sluice_share_subjects',
      'sluice_demands',
      'sluice_withdrawals',
      'consent_subjects',
    ])
      await database.write(`DELETE FROM ${table}`);
    if (dialect === 'postgres') {
      await schema.drop();
      schema = await freshSchema('shares');
    }
    await database.close();
  });

  test('a withdrawal owes a notice to each recipient that received the data for that purpose, and to no other', async () => {
    await given('张三', 'delivery', '顺丰');
    const first = await share('顺丰', 'delivery', '张三', '李四');
    await share('顺丰', 'claims', '张三');
    await share('city_clinic', 'delivery', '张三');
    await share('顺丰', 'delivery', '王五');
    await consents().withdraw('张三', { purpose: 'delivery' }, {}, 'dpo');
    const notices = await open();
    expect(notices.map(({ recipient, type }) => ({ recipient, type }))).toEqual([
      { recipient: '顺丰', type: 'consent.withdrawn' },
    ]);
    expect(JSON.parse(notices[0]!.data!)).toMatchObject({
      data_subject: '张三',
      purpose: 'delivery',
      received: 1,
      decisions: [{ decision_id: first, purpose: 'delivery' }],
    });
  });

  test('whoever receives data at the moment of a withdrawal is told of it, once, however many sidecars look', async () => {
    await given('张三', 'delivery', '顺丰');
    await share('city_clinic', 'delivery', '张三');
    const early = await share('顺丰', 'delivery', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    expect((await open()).map((n) => n.recipient).sort()).toEqual(['city_clinic', '顺丰']);
    // The sidecar had looked the consents up before: it notes the share after the withdrawal, and the data leaves.
    const look = () => Promise.all(Array.from({ length: 4 }, () => recipients.shares!.lookAgain()));
    await look();
    now = new Date(now.getTime() + 1_600);
    const late = await share('顺丰', 'delivery', '张三', '李四');
    await look();
    expect(await open()).toHaveLength(2);
    now = new Date(now.getTime() + 3_400);
    await look();
    await look();
    const [, , notice, ...others] = await open();
    expect(others).toEqual([]);
    expect(notice).toMatchObject({ recipient: '顺丰', type: 'consent.withdrawn' });
    const { decisions, received: count } = JSON.parse(notice!.data!) as {
      decisions: { decision_id: string }[];
      received: number;
    };
    expect(count).toBe(2);
    expect(decisions.map(({ decision_id }) => decision_id)).toEqual([late, early]);
    // Nothing that names the person stays behind.
    expect(await database.query('SELECT id FROM sluice_withdrawals')).toEqual([]);
  });

  test('of a withdrawal that takes long, the time counts from when it is in force', async ({ skip }) => {
    skip(
      dialect === 'sqlite',
      'a transaction of SQLite keeps other writers waiting: nothing is noted beside it',
    );
    await given('张三', 'delivery', '顺丰');
    let beside = '';
    await consents().withdraw('张三', {}, {}, 'dpo', async () => {
      beside = await share('顺丰', 'delivery', '张三');
      await recipients.shares!.lookAgain();
      now = new Date(now.getTime() + 60_000);
      await recipients.shares!.lookAgain();
    });
    expect(await open()).toEqual([]);
    await recipients.shares!.lookAgain();
    await share('顺丰', 'delivery', '张三');
    now = new Date(now.getTime() + 5_000);
    await recipients.shares!.lookAgain();
    const notices = await open();
    expect(notices.map(({ recipient }) => recipient)).toEqual(['顺丰']);
    expect(JSON.parse(notices[0]!.data!)).toMatchObject({ received: 2 });
    expect(notices[0]!.data).toContain(beside);
  });

  test('a withdrawal that is undone owes nothing', async () => {
    await given('张三', 'delivery', '顺丰');
    await share('顺丰', 'delivery', '张三');
    const undone = consents().withdraw('张三', {}, {}, 'dpo', async () => {
      throw new Error('the journal is full');
    });
    await expect(undone).rejects.toThrow('the journal is full');
    expect(await open()).toEqual([]);
  });

  test('an objection to everything is told to every recipient, an objection to one purpose to those who received for it', async () => {
    await share('顺丰', 'delivery', '张三');
    await share('city_clinic', 'claims', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out:claims'] }], 'dpo');
    expect((await open()).map((n) => n.recipient)).toEqual(['city_clinic']);
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    expect((await open()).map((n) => n.recipient).sort()).toEqual(['city_clinic', 'city_clinic', '顺丰']);
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    expect(await open()).toHaveLength(3);
  });

  test('an erasure that is accepted is told to every recipient of the data, and to nobody else', async () => {
    await share('顺丰', 'delivery', '张三');
    await share('city_clinic', 'claims', '张三', '李四');
    await share('red_lantern', 'emergency', '李四');
    await database.transaction((queries) => recipients.erasureAccepted(queries, '张三'));
    const notices = await open();
    expect(notices.map(({ recipient, type }) => `${recipient} ${type}`).sort()).toEqual([
      'city_clinic erasure.accepted',
      '顺丰 erasure.accepted',
    ]);
    expect(JSON.parse(notices[0]!.data!)).toMatchObject({
      data_subject: '张三',
      categories: ['*'],
      received: 1,
    });
  });

  test('a notice is delivered with a signature that the library of Standard Webhooks accepts, once', async () => {
    await given('张三', 'delivery', '顺丰');
    await share('顺丰', 'delivery', '张三');
    await consents().withdraw('张三', {}, {}, 'dpo');
    now = new Date();
    await database.write('UPDATE sluice_notices SET next_at = $1', [now.getTime()]);
    expect(await delivery().run()).toBe(1);
    expect(await delivery().run()).toBe(0);
    expect(received).toMatchObject([{ type: 'consent.withdrawn', data: { data_subject: '张三' } }]);
    const { text, headers } = received[0]!;
    const webhook = new Webhook(SECRET);
    expect(webhook.verify(text, headers)).toMatchObject({ type: 'consent.withdrawn' });
    expect(() => webhook.verify(text.replace('张三', '李四'), headers)).toThrow();
    expect((await open())[0]).toMatchObject({ attempts: 1, next_at: null, last_error: null });
  });

  test('of many sidecars one delivers a notice', async () => {
    await share('顺丰', 'delivery', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    now = new Date();
    await database.write('UPDATE sluice_notices SET next_at = $1', [now.getTime()]);
    const runs = await Promise.all(Array.from({ length: 8 }, () => delivery().run()));
    expect(runs.reduce((a, b) => a + b)).toBe(1);
    expect(received).toHaveLength(1);
  });

  test('a recipient that does not answer keeps nobody else waiting', async () => {
    for (let n = 0; n < 3; n++) await share('顺丰', `purpose_${n}`, '张三');
    for (let n = 0; n < 3; n++)
      await consents().edit([{ data_subject: '张三', addFlags: [`opt_out:purpose_${n}`] }], 'dpo');
    now = new Date(now.getTime() + 1);
    await recipients.notices.add(database, [{ recipient: null, type: 'break_glass.opened', data: {} }]);
    let alerted = (): void => undefined;
    const alert = new Promise<void>((resolve) => {
      alerted = resolve;
    });
    before = (recipient) => (recipient === '顺丰' ? alert : alerted());
    const sender = delivery();
    expect(await sender.run()).toBe(4);
    expect(sender.counts).toEqual({ delivered: 4, failed: 0 });
  });

  test('of a recipient that fails one notice is tried in a round, so that closing does not wait for all', async () => {
    for (let n = 0; n < 3; n++) await share('顺丰', `purpose_${n}`, '张三');
    for (let n = 0; n < 3; n++)
      await consents().edit([{ data_subject: '张三', addFlags: [`opt_out:purpose_${n}`] }], 'dpo');
    answer = () => ({ status: 500 });
    const sender = delivery();
    for (const failed of [1, 2, 3, 3]) {
      expect(await sender.run()).toBe(0);
      expect(sender.counts).toEqual({ delivered: 0, failed });
    }
  });

  test('a delivery that fails is tried again until its time is over, and then by command', async () => {
    await share('顺丰', 'delivery', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    answer = () => ({ status: 503 });
    let attempts = 0;
    for (let next = (await open())[0]!.next_at; next !== null; next = (await open())[0]!.next_at) {
      now = new Date(next);
      expect(await delivery().run()).toBe(0);
      attempts++;
    }
    expect(attempts).toBeGreaterThan(3);
    expect(received).toHaveLength(attempts);
    expect(new Set(received.map(({ id }) => id)).size).toBe(1);
    const [failed] = await open();
    expect(failed).toMatchObject({ attempts, last_error: 'status 503' });
    answer = () => ({ status: 200, body: { acknowledged: true } });
    await recipients.changes.notices.retry(failed!.id, recorder('dpo'));
    expect(await delivery().run()).toBe(1);
    expect(facts.map(({ operation }) => operation)).toEqual(['notices.retry']);
  });

  test('what a recipient outside without a webhook has to be told is listed until somebody says that they were told', async () => {
    await share('city_clinic', 'claims', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    expect(await delivery().run()).toBe(0);
    const [notice] = await open();
    expect(notice).toMatchObject({ recipient: 'city_clinic', next_at: null, attempts: 0 });
    await expect(recipients.changes.notices.retry(notice!.id, recorder('dpo'))).rejects.toMatchObject({
      code: 'notice_unsendable',
    });
    const acknowledge = () =>
      recipients.changes.notices.acknowledge(notice!.id, 'by letter', recorder('dpo'));
    expect(await acknowledge()).toMatchObject({ acknowledged_by: 'dpo', data: null });
    await expect(acknowledge()).rejects.toMatchObject({ code: 'notice_acknowledged' });
    expect(await open()).toEqual([]);
    expect(facts).toMatchObject([{ kind: 'share', recipient: 'city_clinic', justification: 'by letter' }]);
  });

  test('a share that expires is asked about once, however many sidecars look, and blocks when the answer is late', async () => {
    const first = await share('顺丰', 'delivery', '张三');
    now = new Date(now.getTime() + DAY);
    await share('顺丰', 'delivery', '李四');
    now = new Date(Date.parse('2026-12-30T07:59:59.999Z'));
    expect(await recipients.changes.demand(recorder('sluice'))).toBeNull();
    now = new Date(Date.parse('2026-12-30T08:00:00Z'));
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => recipients.changes.demand(recorder('sluice'))),
    );
    const [demand] = opened.filter((d) => d !== null);
    expect(opened.filter((d) => d !== null)).toHaveLength(1);
    expect(demand).toMatchObject({ recipient: '顺丰', shares: 1 });
    expect(facts).toMatchObject([{ operation: 'shares.demand', recipient: '顺丰' }]);
    const [notice] = await open();
    expect(JSON.parse(notice!.data!)).toMatchObject({
      demand: demand!.id,
      confirm_until: '2027-01-13T08:00:00.000Z',
      decisions: [{ decision_id: first }],
    });
    const confirmations = () => recipients.shares!.confirmations('顺丰', now);
    expect(await confirmations()).toEqual({ open: 1, overdue: 0 });
    now = new Date(Date.parse('2027-01-13T08:00:00.001Z'));
    expect(await confirmations()).toEqual({ open: 1, overdue: 1 });
    await recipients.changes.confirm(demand!.id, 'destroyed', 'certificate 12', recorder('dpo'));
    expect(await confirmations()).toEqual({ open: 0, overdue: 0 });
  });

  test('of data that was destroyed nobody is told any more; of data that was archived they are', async () => {
    for (const [person, how] of [
      ['张三', 'destroyed'],
      ['李四', 'archived'],
    ] as const) {
      await share('顺丰', 'delivery', person);
      now = new Date(now.getTime() + 31 * DAY);
      const demand = await recipients.changes.demand(recorder('sluice'));
      await recipients.changes.confirm(demand!.id, how, null, recorder('dpo'));
    }
    expect(await recipients.changes.recipients()).toEqual([
      { recipient: '顺丰', current: 0, open: 0, overdue: 0 },
    ]);
    const [left] = await database.query<{ n: number }>('SELECT count(*) AS n FROM sluice_shares');
    expect(left!.n).toBe(1);
    const before = (await open()).length;
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    expect(await open()).toHaveLength(before);
    await consents().edit([{ data_subject: '李四', addFlags: ['opt_out'] }], 'dpo');
    expect(await open()).toHaveLength(before + 1);
  });

  test('an answer that cannot be stored makes the delivery due again', async () => {
    await share('顺丰', 'delivery', '张三');
    now = new Date();
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    answer = () => ({ status: 200, body: { acknowledged: true } });
    const failing = delivery(async () => {
      throw new Error('the journal is full');
    });
    expect(await failing.run()).toBe(0);
    const [notice] = await open();
    expect(notice!.delivered_at).toBeNull();
    expect(notice!.next_at).not.toBeNull();
  });

  test('a person of whom a recipient has received very often is told of with all, and the newest thousand are named', async () => {
    let newest = '';
    for (let n = 0; n < 1_003; n++) {
      now = new Date(now.getTime() + 1);
      newest = await share('顺丰', 'delivery', '张三');
    }
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    const { received, decisions } = JSON.parse((await open())[0]!.data!) as {
      received: number;
      decisions: { decision_id: string }[];
    };
    expect({ received, named: decisions.length, first: decisions[0]!.decision_id }).toEqual({
      received: 1_003,
      named: 1_000,
      first: newest,
    });
  });

  test('a stop breaks off a delivery under way, which is due again', async () => {
    await share('顺丰', 'delivery', '张三');
    await consents().edit([{ data_subject: '张三', addFlags: ['opt_out'] }], 'dpo');
    const closing = new AbortController();
    answer = () => {
      closing.abort();
      return { status: 200 };
    };
    const stopped = createDelivery(database, config().notices, {
      logger: silentLogger,
      now: () => now,
      closing: closing.signal,
      answered: async () => undefined,
    });
    expect(await stopped.run()).toBe(0);
    expect((await open())[0]).toMatchObject({ delivered_at: null });
    expect((await open())[0]!.next_at).not.toBeNull();
  });

  test('one who receives thousands in one answer is noted with all of them', async () => {
    const people = Array.from({ length: 9_000 }, (_, i) => `客户${i}`);
    await share('顺丰', 'delivery', ...people);
    const [row] = await database.query<{ n: number }>('SELECT count(*) AS n FROM sluice_share_subjects');
    expect(row!.n).toBe(9_000);
  });
});
