/** A denial that a grant could lift says how to request it; the request becomes a task, and the approved task lets the denied request through. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AccessRequestOffer } from '../../src/model/access-request.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { createSigning } from '../../src/signing/index.ts';
import { faultsBy, sluice } from '../cli/support.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-requests-'));
const CANARY = 'C8855667701';
const URL_OF_ADMIN = 'https://sluice.example/admin';
let upstream: HostileUpstream;
let running: Running;
let caller: string;
let lead: string;

const token = (sub: string, roles: readonly string[], more: object = {}): Promise<string> =>
  running.issuer.sign({
    sub,
    roles,
    dept: 'after-sales',
    org: 'internal',
    clearance: 3,
    amr: ['pwd', 'otp'],
    ...more,
  });

/** The application that asks for access, and is called back. */
const application = {
  url: '',
  server: createServer((req, res) => {
    let text = '';
    req.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    req.on('end', () => {
      application.calls.push({ text, headers: req.headers as Record<string, string> });
      res.writeHead(application.calls.length === 1 ? 500 : 204).end();
    });
  }),
  calls: [] as { readonly text: string; readonly headers: Record<string, string> }[],
};
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

beforeAll(async () => {
  await new Promise<void>((resolve) => application.server.listen(0, '127.0.0.1', resolve));
  application.url = `http://127.0.0.1:${(application.server.address() as AddressInfo).port}/callbacks`;
  upstream = await startHostile();
  upstream.answer = (request, socket) => {
    const id = /customers\/([^ ?]+)/.exec(request.target)?.[1];
    const one = (n: string) => ({ id: n, name: '张三丰', phone: '13812345678' });
    const body = JSON.stringify(id === undefined ? { items: [one(CANARY)], total: 1 } : one(id));
    socket.write(
      `${reply('', { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) })}${body}`,
    );
  };
  running = await startSluice({
    upstream: upstream.url,
    dir,
    policy: await policyWith({}),
    routes: CUSTOMER_ROUTES,
    config: {
      admin: { url: `${URL_OF_ADMIN}/` },
      insecure: { literal_secrets: true },
      notices: { callbacks: { portal: { url: application.url, secret: SECRET } } },
      grants: { rules: [{ approved_by: ['team_lead'] }] },
    },
  });
  caller = await token('u-17', ['support']);
  lead = await token('u-lead', ['grant_approver', 'team_lead']);
});
afterAll(async () => {
  await running.close();
  await upstream.close();
  await new Promise((resolve) => application.server.close(resolve));
  rmSync(dir, { recursive: true });
});

interface Answered {
  readonly status: number;
  readonly id: string;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of several kinds
  readonly body: any;
}

const send = async (url: string, bearer: string, body?: unknown): Promise<Answered> => {
  const response = await fetch(url, {
    headers: {
      Authorization: `Bearer ${bearer}`,
      'Sluice-Purpose': 'after_sales',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    id: response.headers.get('sluice-decision-id')!,
    headers: response.headers,
    body: await response.json(),
  };
};
const get = (path: string, bearer = caller): Promise<Answered> =>
  send(`http://127.0.0.1:${running.port}${path}`, bearer);
const admin = (path: string, bearer = caller, body?: unknown): Promise<Answered> =>
  send(`http://127.0.0.1:${running.adminPort}${path}`, bearer, body);
/** a URL of the offer, as this machine reaches it */
const local = (url: string): string => {
  expect(url.startsWith(`${URL_OF_ADMIN}/`)).toBe(true);
  return url.slice(URL_OF_ADMIN.length);
};
const answer = (offer: AccessRequestOffer, more: object = {}, bearer = caller): Promise<Answered> =>
  admin(local(offer.endpoint), bearer, {
    denial: {
      binding_token: offer.binding_token,
      expires_at: offer.expires_at,
      ...((more as { denial?: object }).denial ?? {}),
    },
    context: { justification: '工单 8812' },
    ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== 'denial')),
  });

const DENIED = '/customers?name=%E5%BC%A0%E4%B8%89%E4%B8%B0';

describe('a search by a field that is masked for the caller', () => {
  test('is denied with an offer, requested, approved, and then answered', async () => {
    const denied = await get(DENIED);
    expect(denied).toMatchObject({
      status: 403,
      body: { code: 'query_field_withheld', evaluation_id: denied.id },
    });
    const offer = denied.body.access_request as AccessRequestOffer;
    expect(Object.keys(offer).sort()).toEqual([
      'binding_token',
      'endpoint',
      'expires_at',
      'request_schema_url',
    ]);
    const left = Date.parse(offer.expires_at) - Date.now();
    expect(left).toBeGreaterThan(13 * 60_000);
    expect(left).toBeLessThanOrEqual(15 * 60_000);
    // Signed by the published key, for this use alone.
    const { keys } = JSON.parse((await running.admin('/.well-known/jwks.json')).text) as {
      keys: [Record<string, string>];
    };
    const { payload } = await compactVerify(offer.binding_token!, await importJWK(keys[0], 'EdDSA'));
    expect(decodeProtectedHeader(offer.binding_token!).typ).toBe('sluice-access-request+jws');
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({
      jti: denied.id,
      sub: 'u-17',
      purpose: 'after_sales',
      resource: { type: 'customer' },
      action: 'search',
      categories: ['identity'],
    });

    const pending = await answer(offer, {
      subject: { type: 'user', id: 'u-17' },
      resource: { type: 'customer' },
      action: { name: 'search' },
      denial: { evaluation_id: denied.id },
    });
    expect(pending).toMatchObject({ status: 202, body: { task: { status: 'pending' } } });
    expect(pending.headers.get('retry-after')).toBe('5');
    const { task } = pending.body as {
      task: { id: string; status_endpoint: string; links: { cancel: string } };
    };
    expect(pending.headers.get('location')).toBe(task.status_endpoint);
    const made = recordsOf(running.journal).find((r) => r.decision_id === pending.id)!;
    expect(made).toMatchObject({
      kind: 'grant',
      action: 'grants.request',
      labels: { denial: denied.id, holder: 'u-17' },
    });
    expect(faultsBy('decision-record.schema.json', made)).toBeNull();

    // An identical request returns the pending one, also from another denial of the same.
    const again = await answer((await get(DENIED)).body.access_request as AccessRequestOffer, {
      context: { justification: 'again' },
    });
    expect(again).toMatchObject({ status: 202, body: { task: { id: task.id, status: 'pending' } } });
    expect((await get(DENIED)).status).toBe(403);

    expect(await admin(`/v1/grants/${task.id}/approve`, lead, {})).toMatchObject({
      status: 200,
      body: { state: 'active' },
    });
    const done = await admin(local(task.status_endpoint));
    expect(done.body).toMatchObject({
      task: { id: task.id, status: 'approved' },
      result: { mode: 'reevaluate', approval: { id: task.id } },
    });
    expect(Date.parse(done.body.result.approval.approved_until)).toBeGreaterThan(Date.now());
    const found = await get(DENIED);
    expect(found).toMatchObject({ status: 200, body: { items: [{ name: '张三丰' }] } });
  });

  test('a task that is rejected is denied, and one that its requester ends is cancelled', async () => {
    const other = await token('u-18', ['support']);
    const ask = async (uses: number): Promise<{ id: string; cancel: string }> => {
      const offer = (await get(DENIED, other)).body.access_request as AccessRequestOffer;
      const { body } = await answer(offer, { requested_access: { max_uses: uses } }, other);
      return { id: body.task.id, cancel: local(body.task.links.cancel) };
    };
    const [one, two] = [await ask(1), await ask(2)];
    await admin(one.cancel, lead, { note: '没有必要' });
    await admin(two.cancel, other, {});
    const status = async ({ id }: { id: string }) =>
      (await admin(`/v1/access-requests/${id}`, other)).body.task.status;
    expect([await status(one), await status(two)]).toEqual(['denied', 'cancelled']);
    // Nobody else sees it.
    expect((await admin(`/v1/access-requests/${one.id}`)).status).toBe(403);
  });

  test.each([
    ['another caller', async (o: AccessRequestOffer) => answer(o, {}, await token('u-99', ['support']))],
    [
      'the same id of another kind',
      async (o: AccessRequestOffer) =>
        answer(o, { subject: { type: 'service', id: 'u-20' } }, await token('u-20', ['support'])),
    ],
    [
      'another resource',
      async (o: AccessRequestOffer) =>
        answer(o, { resource: { type: 'employee' } }, await token('u-20', ['support'])),
    ],
    [
      'another action',
      async (o: AccessRequestOffer) =>
        answer(o, { action: { name: 'export' } }, await token('u-20', ['support'])),
    ],
    [
      'another decision',
      async (o: AccessRequestOffer) =>
        answer(o, { denial: { evaluation_id: 'd-0' } }, await token('u-20', ['support'])),
    ],
    [
      'a changed token',
      async (o: AccessRequestOffer) =>
        answer(
          { ...o, binding_token: `${o.binding_token!.slice(0, -3)}AAA` },
          {},
          await token('u-20', ['support']),
        ),
    ],
    [
      'no token',
      async (o: AccessRequestOffer) =>
        answer({ ...o, binding_token: '' }, {}, await token('u-20', ['support'])),
    ],
  ])('the offer is refused for %s', async (what, submit) => {
    const offer = (await get(DENIED, await token('u-20', ['support']))).body
      .access_request as AccessRequestOffer;
    const refused = await submit(offer);
    expect(refused).toMatchObject({
      status: 400,
      body: { code: what === 'no token' ? 'input_invalid' : 'denial_binding_invalid' },
    });
    expect(recordsOf(running.journal).find((r) => r.decision_id === refused.id)).toMatchObject({
      kind: 'admin',
      outcome: 'denied',
    });
  });

  test('another signed document is no token, nor is one whose time is over', async () => {
    const offer = (await get(DENIED, await token('u-23', ['support']))).body
      .access_request as AccessRequestOffer;
    const signing = createSigning(
      { file: join(dir, 'data/signing.jwk'), retired: [] },
      { logger: silentLogger },
    );
    const { payload } = await signing.verify('access-request', offer.binding_token!);
    for (const [binding_token, status, code, type] of [
      [
        await signing.sign('consent-receipt', payload),
        400,
        'denial_binding_invalid',
        'invalid_denial_binding',
      ],
      [await signing.sign('access-request', { ...payload, exp: 1 }), 410, 'denial_expired', 'expired_denial'],
    ] as const) {
      const refused = await answer({ ...offer, binding_token }, {}, await token('u-23', ['support']));
      expect(refused).toMatchObject({
        status,
        body: { code, type: `urn:openid:authzen:access-request:error:${type}` },
      });
    }
    // Who has the grant by now is not denied.
    expect((await get(DENIED)).status).toBe(200);
  });
});

describe('an answer of which fields were withheld', () => {
  test('is named by its decision: the grant covers the record and the categories that a grant lifts', async () => {
    const other = await token('u-21', ['support']);
    const masked = await get(`/customers/${CANARY}`, other);
    expect(masked).toMatchObject({ status: 200, body: { name: '张**' } });
    const submit = (more: object, bearer = other): Promise<Answered> =>
      admin('/v1/access-requests', bearer, {
        denial: { evaluation_id: masked.id },
        context: { justification: '客户改名' },
        ...more,
      });
    const resource = { type: 'customer', id: CANARY };
    const asked = await submit({ resource, requested_access: { max_uses: 1 } });
    expect(asked).toMatchObject({ status: 202, body: { task: { status: 'pending' } } });
    const { id } = asked.body.task as { id: string };
    const shown = await admin(`/v1/grants/${id}`, other);
    expect(shown.body).toMatchObject({
      ids: [CANARY],
      categories: ['identity'],
      purpose: 'after_sales',
      max_uses: 1,
    });
    await admin(`/v1/grants/${id}/approve`, lead, {});
    const response = await fetch(`http://127.0.0.1:${running.port}/customers/${CANARY}`, {
      headers: { Authorization: `Bearer ${other}`, 'Sluice-Purpose': 'after_sales', 'Sluice-Grant': id },
    });
    expect(await response.json()).toMatchObject({ name: '张三丰' });
    for (const refused of [
      await submit({}),
      await submit({ resource: { type: 'customer', id: 'C1' } }),
      await submit({ resource }, await token('u-22', ['support'])),
      await submit({ resource, denial: { evaluation_id: 'd-0' } }),
    ])
      expect(refused).toMatchObject({ status: 400, body: { code: 'denial_binding_invalid' } });
    expect(running.journalText()).not.toContain(CANARY);
  });
});

describe('a callback', () => {
  const ask = async (who: string, callback: object): Promise<Answered> => {
    const other = await token(who, ['support']);
    const offer = (await get(DENIED, other)).body.access_request as AccessRequestOffer;
    return answer(offer, { callback }, other);
  };
  const called = (id: string) =>
    application.calls.filter(({ text }) => (JSON.parse(text) as { task: { id: string } }).task.id === id);

  test('is made when the request is decided, signed, again where it failed, and by a command as well', async () => {
    const asked = await ask('u-41', { endpoint: application.url, state: '打开的单据' });
    expect(asked.status).toBe(202);
    const { id, status_endpoint } = asked.body.task as { id: string; status_endpoint: string };
    expect((await admin(`/v1/grants/${id}`, await token('u-41', ['support']))).body.callback).toBeUndefined();
    expect(called(id)).toEqual([]);
    await admin(`/v1/grants/${id}/approve`, lead, {});
    // The first attempt is answered with 500.
    await vi.waitFor(() => expect(called(id)).toHaveLength(2), { timeout: 30_000 });
    const { text, headers } = called(id)[1]!;
    expect(new Webhook(SECRET).verify(text, headers)).toMatchObject({
      type: 'access_request.decided',
      state: '打开的单据',
      task: { id, status: 'approved', status_endpoint },
    });

    const cancelled = await ask('u-42', { endpoint: application.url });
    const task = cancelled.body.task as { id: string };
    const said = await sluice([
      'grants',
      'reject',
      task.id,
      '--by',
      'u-42',
      '--config',
      join(dir, 'sluice.yaml'),
    ]);
    expect(said.err).toBe('');
    await vi.waitFor(() => expect(called(task.id)).toHaveLength(1), { timeout: 30_000 });
    expect(JSON.parse(called(task.id)[0]!.text)).toMatchObject({
      task: { id: task.id, status: 'cancelled' },
    });
    const owed = await sluice(['recipients', 'notices', '--config', join(dir, 'sluice.yaml'), '--json']);
    expect(owed.out).not.toContain(task.id);
  }, 60_000);

  test.each([
    ['an address of this machine', () => 'http://127.0.0.1:1/'],
    ['another path of the same host', () => `${application.url}/other`],
    ['the same with a user', () => application.url.replace('127', 'x@127')],
    ['metadata of a cloud', () => 'http://169.254.169.254/latest'],
  ])('is refused for a URL that is not configured: %s', async (_, endpoint) => {
    const before = application.calls.length;
    const refused = await ask('u-43', { endpoint: endpoint() });
    expect(refused).toMatchObject({ status: 400, body: { code: 'input_invalid' } });
    expect(application.calls).toHaveLength(before);
  });

  test('is made also where it comes with a repetition of the request', async () => {
    const other = await token('u-43', ['support']);
    const offered = async () => (await get(DENIED, other)).body.access_request as AccessRequestOffer;
    const first = (await answer(await offered(), {}, other)).body.task as { id: string };
    const again = (await answer(await offered(), { callback: { endpoint: application.url } }, other)).body
      .task as { id: string };
    expect(again.id).toBe(first.id);
    await admin(`/v1/grants/${first.id}/reject`, lead, {});
    await vi.waitFor(() => expect(called(first.id).length).toBeGreaterThan(0), { timeout: 30_000 });
  });
});

describe('no offer', () => {
  test.each([
    ['a denial that no grant lifts', '/customers/C1', { roles: ['unknown'] }],
    ['a field that needs a second factor besides', '/customers?id_number=x', { amr: ['pwd'] }],
    ['a request of a partner', DENIED, { org: 'swift_logistics' }],
  ])('%s', async (_, path, claims) => {
    const denied = await get(path, await token('u-30', ['support'], claims));
    expect(denied.status).toBe(403);
    expect(denied.body.access_request).toBeUndefined();
    expect(denied.body.evaluation_id).toBeUndefined();
  });

  test('without admin.url, a denial says nothing of requests', async () => {
    const plain = await startSluice({
      policy: await policyWith({}),
      routes: CUSTOMER_ROUTES,
      config: { grants: { rules: [{ approved_by: ['team_lead'] }] } },
    });
    const response = await fetch(`http://127.0.0.1:${plain.port}${DENIED}`, { headers: plain.caller });
    const body = (await response.json()) as object;
    expect(body).toMatchObject({ code: 'query_field_withheld' });
    expect(Object.keys(body)).not.toContain('access_request');
    await plain.close();
  });
});

test('the schema that a denial names is served to anybody, and is the published one', async () => {
  const { status, text } = await running.admin('/schemas/access-request.schema.json');
  expect(status).toBe(200);
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync('schemas/access-request.schema.json', 'utf8')));
});

test('the journal of all of it is whole', async () => {
  expect((await sluice(['decisions', 'verify', '--journal', running.journal])).code).toBe(0);
});
