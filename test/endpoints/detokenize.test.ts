/** `POST /v1/detokenize` over real sockets: permitted and refused requests, and their records. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answer, type Running, startSluice } from '../support/sluice.ts';

const PHONE = '13812345678';
const KEY = (n: number): string => Buffer.alloc(32, n).toString('base64');
const CLASSES = { 'reference/1': 'disclose', 'identity/4': 'drop' };

let upstream: Server;
let running: Running;

beforeAll(async () => {
  upstream = createServer((_req, res) => {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ id: 'C1', phone: PHONE, card: '6222021234567894', id_number: 'x' }));
  });
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const port = (upstream.address() as AddressInfo).port;
  running = await startSluice({
    upstream: `http://127.0.0.1:${port}`,
    catalogs: {
      customer: {
        data_subject: ['/id'],
        attributes: {},
        fields: {
          '/id': { category: 'reference', grade: 1 },
          '/phone': { category: 'contact', grade: 3, tokenize: {} },
          '/card': { category: 'financial', grade: 4, tokenize: { keep_first: 6, keep_last: 4 } },
          '/id_number': { category: 'identity', grade: 4 },
          '/mobile': { category: 'contact', grade: 3 },
          '/agent': { resource: 'employee' },
        },
        envelope: {},
      },
      employee: {
        data_subject: [],
        attributes: {},
        fields: { '/phone': { category: 'contact', grade: 3 } },
        envelope: {},
      },
    },
    answers: {
      customer: {
        '*': answer({ ...CLASSES, 'contact/3': 'tokenize', 'financial/4': 'tokenize' }),
        detokenize: answer({ ...CLASSES, 'contact/3': 'disclose', 'financial/4': 'disclose' }),
        read: answer({ ...CLASSES, 'contact/3': 'tokenize', 'financial/4': 'tokenize' }),
      },
    },
    data: {
      purposes: { after_sales: {}, marketing: {}, claims: {} },
      partners: { logistics: {}, partner: {} },
    },
    config: {
      insecure: { literal_secrets: true },
      keys: {
        'tok-2025': { use: 'tokenize', secret: KEY(7) },
        'tok-2026': { use: 'tokenize', secret: KEY(8), from: '2026-01-01' },
        'tok-2096': { use: 'tokenize', secret: KEY(9), from: '2096-01-01' },
        pseudonyms: { use: 'pseudonymize', secret: KEY(10) },
      },
    },
  });
});

afterAll(async () => {
  await running?.close();
  await new Promise((done) => upstream.close(done));
});

async function disclosed(headers: Record<string, string> = {}): Promise<Record<string, string>> {
  const response = await fetch(`http://127.0.0.1:${running.port}/customers/C1`, {
    headers: { ...running.caller, ...headers },
  });
  return (await response.json()) as Record<string, string>;
}

interface Answered {
  readonly status: number;
  readonly type: string | null;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

async function ask(
  body: unknown,
  headers: Readonly<Record<string, string>> = running.caller,
  type = 'application/json',
): Promise<Answered> {
  const response = await fetch(`http://127.0.0.1:${running.adminPort}/v1/detokenize`, {
    method: 'POST',
    headers: { 'Content-Type': type, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    json: JSON.parse(text) as Record<string, unknown>,
    text,
  };
}

const last = () => running.records().at(-1)!;

describe('detokenize', () => {
  test('turns a token back into the value for a caller whom the policy permits', async () => {
    const { phone } = await disclosed();
    expect(phone).not.toBe(PHONE);
    const { status, json } = await ask({ token: phone, resource: 'customer', field: '/phone' });
    expect({ status, value: json['value'], key: json['key_id'] }).toEqual({
      status: 200,
      value: PHONE,
      key: 'tok-2026',
    });
  });

  test('uses the parameters of the field in the catalog', async () => {
    const { card } = await disclosed();
    expect(card).toMatch(/^622202\d{6}7894$/);
    const { json } = await ask({ token: card, resource: 'customer', field: '/card' });
    expect(json['value']).toBe('6222021234567894');
  });

  test('turns back a token of another recipient and purpose if both are named', async () => {
    const { phone } = await disclosed({ 'Sluice-Purpose': 'marketing', 'Sluice-Recipient': 'logistics' });
    const asked = { token: phone, resource: 'customer', field: '/phone' };
    expect((await ask(asked)).json['value']).not.toBe(PHONE);
    expect((await ask({ ...asked, recipient: 'logistics', purpose: 'marketing' })).json['value']).toBe(PHONE);
  });

  test('turns back a token of an older key if the key is named', async () => {
    const asked = { token: '73959630114', resource: 'customer', field: '/phone' };
    const made = { recipient: 'partner', purpose: 'claims', key_id: 'tok-2025' };
    const { json } = await ask({ ...asked, ...made });
    expect(json).toMatchObject({ value: PHONE, key_id: 'tok-2025' });
  });

  test('refuses a key that does not exist', async () => {
    const { status, json } = await ask({
      token: '73959630114',
      resource: 'customer',
      field: '/phone',
      key_id: 'gone',
    });
    expect([status, json['code'], json['value']]).toEqual([400, 'token_not_reversible', undefined]);
  });

  test.each([
    ['a recipient that the policy does not know', { recipient: 'nobody' }],
    ['a purpose that the policy does not know', { purpose: 'curiosity' }],
    ['a field that has no tokens to be turned back', { field: '/mobile' }],
    ['a key that does not exist', { key_id: 'gone' }],
    ['a key of another use', { key_id: 'pseudonyms' }],
    ['a key that has not begun', { key_id: 'tok-2096' }],
  ])('%s is the caller’s fault, and no value is made up', async (_what, wrong) => {
    const asked = { token: '73959630114', resource: 'customer', field: '/phone' };
    const { status, json } = await ask({ ...asked, ...wrong });
    expect([status, json['code'], json['value']]).toEqual([400, 'token_not_reversible', undefined]);
  });

  test('records the field, the class and the key, and neither token nor value', async () => {
    const { phone } = await disclosed();
    const { json } = await ask({ token: phone, resource: 'customer', field: '/phone' });
    const found = last();
    expect(found).toMatchObject({
      decision_id: json['decision_id'],
      outcome: 'allowed',
      action: 'detokenize',
      purpose: 'after_sales',
      resource: { type: 'customer' },
      subject: { id: 'u-1' },
      disclosure: { records: 1, released: ['/phone'], by_class: { 'contact/3': { detokenize: 1 } } },
      labels: { token_key: 'tok-2026' },
      request: { route: 'POST /v1/detokenize' },
    });
    expect(running.journalText()).not.toContain(PHONE);
    expect(running.journalText()).not.toContain(phone);
    expect(running.log()).not.toContain(PHONE);
  });

  test('refuses and records a caller without a credential', async () => {
    const { status, json, type } = await ask({ token: '1', resource: 'customer', field: '/phone' }, {});
    expect([status, json['code'], type]).toEqual([401, 'token_missing', 'application/problem+json']);
    expect(last()).toMatchObject({ outcome: 'denied', action: 'detokenize', subject: null });
  });

  test('tells nothing of the catalog to a caller whom the policy denies', async () => {
    const token = await running.issuer.sign({ sub: 'u-2', roles: ['denied'], org: 'internal', clearance: 3 });
    const headers = { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' };
    for (const field of ['/phone', '/no_such_field']) {
      const { status, json } = await ask({ token: '13812345678', resource: 'customer', field }, headers);
      expect([status, json['code']]).toEqual([403, 'policy_denied']);
    }
  });

  test('refuses a field that the caller would not be shown undisguised, although the decision permits the request', async () => {
    const { status, json } = await ask({
      token: '110101199003074514',
      resource: 'customer',
      field: '/id_number',
    });
    expect([status, json['code'], json['paths']]).toEqual([403, 'policy_denied', ['/id_number']]);
    expect(last()).toMatchObject({ outcome: 'denied' });
    expect(last().reasons[0]).toMatchObject({ code: 'field_withheld' });
  });

  test('refuses a request without a purpose', async () => {
    const { Authorization } = running.caller as { Authorization: string };
    const { status, json } = await ask(
      { token: '13812345678', resource: 'customer', field: '/phone' },
      { Authorization },
    );
    expect([status, json['code']]).toEqual([403, 'purpose_missing']);
  });

  test('refuses a caller from outside who names another recipient', async () => {
    const token = await running.issuer.sign({ sub: 'p', roles: ['x'], org: 'logistics', clearance: 3 });
    const { status, json } = await ask(
      { token: '13812345678', resource: 'customer', field: '/phone', recipient: 'internal' },
      { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' },
    );
    expect([status, json['code']]).toEqual([403, 'recipient_unknown']);
  });

  test.each([
    [
      'what cannot be a token',
      { token: '张三丰', resource: 'customer', field: '/phone' },
      'token_not_reversible',
    ],
    ['too short a token', { token: '12', resource: 'customer', field: '/phone' }, 'token_not_reversible'],
    ['an unknown member', { token: '1', resource: 'customer', field: '/phone', x: 1 }, 'body_unreadable'],
    ['a missing member', { token: '1', resource: 'customer' }, 'body_unreadable'],
    ['a list', [], 'body_unreadable'],
    ['no JSON', '{', 'body_unreadable'],
  ])('%s is refused with 400 and its code', async (_name, body, code) => {
    const { status, json } = await ask(body);
    expect([status, json['code']]).toEqual([400, code]);
  });

  test.each([
    ['a field the catalog does not know', '/nothing', /no such field/],
    ['a field of an embedded resource', '/agent', /ask for "employee"/],
  ])('%s is refused with a hint', async (_name, field, hint) => {
    const { status, json } = await ask({ token: '13812345678', resource: 'customer', field });
    expect([status, json['code']]).toEqual([403, 'catalog_unknown']);
    expect(json['detail']).toMatch(hint);
  });

  test('refuses a body that is too large or of another type', async () => {
    expect((await ask(`{"token":"${'1'.repeat(20_000)}"}`)).status).toBe(413);
    expect((await ask('token=1', running.caller, 'application/x-www-form-urlencoded')).status).toBe(400);
  });

  test('answers other methods with 405 and Allow: POST', async () => {
    const { status } = await running.admin('/v1/detokenize');
    expect(status).toBe(405);
  });
});

test('a token of a category that is kept for a time only is not turned back, since its record is not known', async () => {
  const kept = await startSluice({
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    catalogs: {
      customer: {
        data_subject: ['/id'],
        attributes: { dated: '/dated' },
        fields: {
          '/id': { category: 'reference', grade: 1 },
          '/dated': { category: 'reference', grade: 1 },
          '/phone': { category: 'contact', grade: 3, tokenize: {} },
          '/mobile': { category: 'mobile', grade: 3, tokenize: {} },
        },
        envelope: {},
      },
    },
    answers: {
      customer: {
        '*': answer({ 'reference/1': 'disclose', 'contact/3': 'disclose', 'mobile/3': 'disclose' }),
      },
    },
    obligations: {
      customer: {
        retention: [{ category: 'contact', resource: 'customer', attribute: 'dated', within: 'P7Y' }],
      },
    },
    config: { insecure: { literal_secrets: true }, keys: { t: { use: 'tokenize', secret: KEY(7) } } },
  });
  try {
    const turned = async (field: string) => {
      const response = await fetch(`http://127.0.0.1:${kept.adminPort}/v1/detokenize`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...kept.caller },
        body: JSON.stringify({ token: '13988887777', resource: 'customer', field }),
      });
      return {
        status: response.status,
        ...((await response.json()) as { reasons?: readonly { code: string }[] }),
      };
    };
    const refused = await turned('/phone');
    expect(refused.status).toBe(403);
    expect(refused.reasons?.map(({ code }) => code)).toContain('retention_undetermined');
    expect((await turned('/mobile')).status).toBe(200);
  } finally {
    await kept.close();
  }
});
