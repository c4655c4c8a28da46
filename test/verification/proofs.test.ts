/** Proofs over a real proxy with the default policy, a real upstream that knows customers and cases and sends codes, and both stores. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { type Said, sluice } from '../cli/support.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const SECRET = 'a secret of the test with more than 32 bytes';
const ROUTES = [
  { match: 'GET /customers/{id}', resource: 'customer', action: 'read', id: '{id}', data_subject: '{id}' },
  { match: 'GET /orders/{no}', resource: 'customer', action: 'read', id: '{no}' },
  {
    match: 'GET /customers',
    resource: 'customer',
    action: 'search',
    records: '/items/*',
    query_fields: { phone: '/phone' },
  },
  {
    match: 'PATCH /customers/{id}',
    resource: 'customer',
    action: 'update',
    id: '{id}',
    data_subject: '{id}',
  },
  { match: 'PATCH /orders/{no}', resource: 'customer', action: 'update', id: '{no}' },
  {
    match: 'GET /claims-only/{id}',
    resource: 'customer',
    action: 'read',
    id: '{id}',
    data_subject: '{id}',
    verification: ['assertion'],
  },
].map((route) => ({ upstream: 'crm', ...route }));
/** number → the case, or a status */
const CASES: Record<string, unknown> = {
  'CL-1': { customer: 'C1', agent: 'u-1', state: 'open' },
  'CL-2': { customer: 'C2', agent: 'u-1', state: 'open' },
  'CL-9': { customer: 'C1', agent: 'u-9', state: 'open' },
  'CL-7': { customer: 'C1', agent: 'u-1', state: 'closed' },
  'CL-6': { agent: 'u-1', state: 'open' },
  'CL-5': 500,
  'CL-4': 'no JSON',
};

let upstream: HostileUpstream;
let running: Running;
let idp: DevelopmentIssuer;
let dir: string;
let codes: { data_subject: string; code: string; expires: string }[] = [];
let isDown = false;

const record = (id: string) => ({ id, name: '张三丰', phone: '13812345678' });

beforeAll(async () => {
  upstream = await startHostile();
  idp = await createDevelopmentIssuer('https://telephone.example', 'sluice-proofs');
  upstream.answer = ({ method, target, body }, socket) => {
    const path = target.split('?')[0]!;
    const say = (value: unknown, status = '200 OK') =>
      socket.write(reply(typeof value === 'string' ? value : JSON.stringify(value), {}, status));
    if (method === 'POST' && path === '/codes') {
      if (isDown) return say({}, '503 Unavailable');
      codes.push(JSON.parse(body.toString()) as (typeof codes)[number]);
      return say({});
    }
    const number = /^\/cases\/(.*)$/.exec(path)?.[1];
    if (number !== undefined) {
      if (isDown) return socket.destroy();
      const found = CASES[number];
      if (found === undefined) return say({}, '404 Not Found');
      return typeof found === 'number' ? say({}, `${found} Failed`) : say(found);
    }
    const one = /^\/(?:customers|claims-only)\/(C[0-9]+)$/.exec(path)?.[1];
    if (one !== undefined) return say(record(one));
    const order = /^\/orders\/O([0-9])$/.exec(path)?.[1];
    if (order !== undefined) return order === '8' ? say({}, '404 Not Found') : say(record(`C${order}`));
    say({ total: 3, page: 1, items: ['C1', 'C2', 'C3'].map(record) });
  };
});
afterAll(() => upstream.close());

const POLICY = {
  data: {
    subject_verification: {
      desk: {
        title: 'desk',
        purposes: ['after_sales'],
        resources: ['customer'],
        methods: ['case', 'code', 'assertion'],
      },
    },
  },
};

async function start(store: object, over: object = {}): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), 'sluice-proofs-'));
  writeFileSync(join(dir, 'idp.json'), JSON.stringify(idp.jwks));
  running = await startSluice({
    upstream: upstream.url,
    dir,
    policy: await policyWith(POLICY),
    routes: ROUTES,
    claims: { sub: 'u-1', roles: ['support'], dept: 'after-sales', org: 'internal', clearance: 3 },
    config: {
      store,
      insecure: { literal_secrets: true },
      verification: {
        case: {
          upstream: 'crm',
          path: '/cases/{value}',
          data_subject: '/customer',
          caller: '/agent',
          open: { at: '/state', in: ['open'] },
          cache: '0s',
        },
        assertion: {
          issuer: idp.issuer,
          audience: idp.audience,
          algorithms: ['ES256'],
          jwks: { file: './idp.json' },
          claims: { data_subject: 'customer' },
        },
        code: { upstream: 'crm', path: '/codes', secret: SECRET, lasts: '0s', ...over },
        failures: 1000,
      },
    },
  });
}
const stop = async (): Promise<void> => {
  await running.close();
  rmSync(dir, { recursive: true, force: true });
};
beforeEach(() => {
  codes = [];
  isDown = false;
  upstream.received.length = 0;
});

interface Got {
  readonly status: number;
  readonly text: string;
  readonly body: {
    readonly id?: string;
    readonly code?: string;
    readonly total?: number | null;
    readonly items?: readonly { readonly id: string }[];
    readonly reasons?: readonly { readonly code: string; readonly message?: string }[];
  };
  readonly record: DecisionRecord;
}

async function get(
  path: string,
  proof: Readonly<Record<string, string>> = {},
  init: RequestInit = {},
): Promise<Got> {
  const response = await fetch(`http://127.0.0.1:${running.port}${path}`, {
    ...init,
    headers: { ...running.caller, ...proof, ...(init.headers as Record<string, string>) },
  });
  const text = await response.text();
  const id = response.headers.get('sluice-decision-id')!;
  return {
    status: response.status,
    text: text.replaceAll(id, '{id}'),
    body: text === '' ? {} : (JSON.parse(text) as Got['body']),
    record: recordsOf(running.journal).find((r) => r.decision_id === id)!,
  };
}
const asked = (path: string): number => upstream.received.filter((r) => r.target.startsWith(path)).length;
const byCase = (value: string) => ({ 'Sluice-Case': value });
const byCode = (value: string) => ({ 'Sluice-Code': value });
const patch = (path: string, proof = {}) =>
  get(path, proof, {
    method: 'PATCH',
    body: '{"phone":"13812345679"}',
    headers: { 'content-type': 'application/json' },
  });

describe('a case', () => {
  beforeAll(() => start({ sqlite: './store.db' }));
  afterAll(stop);

  test('about the data subject opens their record and nobody else’s', async () => {
    expect(await get('/customers/C1', byCase('CL-1'))).toMatchObject({ status: 200, body: { id: 'C1' } });
    expect(await get('/customers/C2', byCase('CL-1'))).toMatchObject({
      status: 403,
      body: { code: 'verification_failed' },
    });
    expect(asked('/customers')).toBe(1);
  });

  test('is named with its kinds where it is missing, and nothing is asked of anybody', async () => {
    const got = await get('/customers/C1');
    expect(got).toMatchObject({ status: 403, body: { code: 'verification_required' } });
    for (const word of ['Sluice-Case', 'Sluice-Code', 'Sluice-Assertion'])
      expect(got.body.reasons![0]!.message).toContain(word);
    expect(upstream.received).toEqual([]);
  });

  test.each([
    ['that nobody knows', 'CL-404'],
    ['of another caller', 'CL-9'],
    ['that is closed', 'CL-7'],
    ['about nobody', 'CL-6'],
    ['about another data subject', 'CL-2'],
    ['that is no number of a case', '../customers/C1'],
    ['of dots', '..'],
    ['that is empty', ''],
    ['longer than any', 'C'.repeat(4000)],
  ])('%s fails like every other', async (_, value) => {
    const usual = await get('/customers/C1', byCase('CL-404'));
    expect(usual.status).toBe(403);
    expect((await get('/customers/C1', byCase(value))).text).toBe(usual.text);
    // neither does it tell whether there is such a customer
    expect((await get('/customers/C999', byCase(value))).text).toBe(usual.text);
    expect((await get('/customers/nobody', byCase(value))).text).toBe(usual.text);
    expect(asked('/customers')).toBe(0);
    expect(upstream.received.every((r) => /^\/cases\/CL-\d+$/.test(r.target))).toBe(true);
  });

  test('that was proven tells nothing of others: neither records nor that they exist', async () => {
    const other = await get('/orders/O2', byCase('CL-1'));
    const none = await get('/orders/O8', byCase('CL-1'));
    expect(other.text).toBe(none.text);
    expect(other.status).toBe(404);
    expect(await get('/orders/O1', byCase('CL-1'))).toMatchObject({ status: 200, body: { id: 'C1' } });
    const list = await get('/customers', byCase('CL-2'));
    expect(list.body).toMatchObject({ items: [{ id: 'C2' }], total: 1 });
    expect(list.record.disclosure).toMatchObject({ withheld_reasons: { subject_unverified: 2 } });
  });

  test('lets the record of its data subject be written, and no other', async () => {
    expect((await patch('/customers/C1', byCase('CL-1'))).status).toBe(200);
    expect((await patch('/customers/C2', byCase('CL-1'))).body.code).toBe('verification_failed');
    // Whose record it is shows only in the answer, after the write.
    expect((await patch('/orders/O1', byCase('CL-1'))).body.code).toBe('verification_failed');
    expect((await patch('/customers/C1')).body.code).toBe('verification_required');
    expect(upstream.received.filter((r) => r.method === 'PATCH').length).toBe(1);
  });

  test.each(['CL-5', 'CL-4'])('that cannot be checked (%s) is 503, and recorded', async (value) => {
    const got = await get('/customers/C1', byCase(value));
    expect(got).toMatchObject({ status: 503, body: { code: 'verification_unavailable' } });
    expect(got.record).toMatchObject({ outcome: 'error', reasons: [{ code: 'verification_unavailable' }] });
  });

  test('cannot be checked while the system is down', async () => {
    isDown = true;
    expect(await get('/customers/C1', byCase('CL-1'))).toMatchObject({
      status: 503,
      body: { code: 'verification_unavailable' },
    });
  });

  test('is not needed for another purpose', async () => {
    const got = await get('/customers/C1', { 'Sluice-Purpose': 'order_processing' });
    expect(got.status).toBe(200);
  });

  test('is recorded by its method, never by its number or the plain id of the data subject', async () => {
    const { record: entry } = await get('/customers/C1', byCase('CL-1'));
    expect(entry.input).toMatchObject({
      context: {
        subject_verification: {
          method: 'case',
          verified: true,
          data_subject: expect.stringMatching(/^hmac:/),
        },
      },
    });
    expect(running.journalText()).not.toContain('CL-1');
    expect(running.log()).not.toContain('CL-1');
  });

  test('of two proofs in one request neither counts', async () => {
    const got = await get('/customers/C1', { ...byCase('CL-1'), ...byCode('123456') });
    expect(got).toMatchObject({ status: 400, body: { code: 'request_malformed' } });
  });
});

describe('an assertion', () => {
  beforeAll(() => start({ sqlite: './store.db' }));
  afterAll(stop);
  const by = async (claims: Record<string, unknown>, issuer = idp) => ({
    'Sluice-Assertion': await issuer.sign({
      sub: 'ivr',
      customer: 'C1',
      caller: 'u-1',
      iat: Math.floor(Date.now() / 1000),
      ...claims,
    }),
  });

  test('opens the record of its data subject for its caller', async () => {
    expect((await get('/customers/C1', await by({}))).status).toBe(200);
    expect((await get('/customers/C2', await by({}))).body.code).toBe('verification_failed');
    expect((await get('/customers/C1', await by({ caller: 'u-9' }))).body.code).toBe('verification_failed');
    expect((await get('/customers/C1', await by({ caller: undefined }))).body.code).toBe(
      'verification_failed',
    );
    expect((await get('/customers/C1', await by({ customer: undefined }))).body.code).toBe(
      'verification_failed',
    );
  });

  test('that is not signed by its issuer, or is the caller’s own token, proves nothing', async () => {
    const stranger = await createDevelopmentIssuer('https://telephone.example', 'sluice-proofs');
    expect((await get('/customers/C1', await by({}, stranger))).body.code).toBe('verification_failed');
    expect((await get('/customers/C1', { 'Sluice-Assertion': 'x.y.z' })).body.code).toBe(
      'verification_failed',
    );
    expect((await get('/customers/C1', await by({ aud: 'others' }))).body.code).toBe('verification_failed');
  });

  test('that has expired is told as such', async () => {
    const now = Math.floor(Date.now() / 1000);
    expect((await get('/customers/C1', await by({ exp: now - 60 }))).body.code).toBe('verification_expired');
    expect((await get('/customers/C1', await by({ iat: now - 3600 }))).body.code).toBe(
      'verification_expired',
    );
  });

  test('is no credential', async () => {
    const { 'Sluice-Assertion': token } = await by({ customer: 'C1' });
    const response = await fetch(`http://127.0.0.1:${running.port}/customers/C1`, {
      headers: { authorization: `Bearer ${token}`, 'sluice-purpose': 'after_sales' },
    });
    expect(response.status).toBe(401);
  });

  test('is the only proof on a route that asks for one', async () => {
    const refused = await get('/claims-only/C1', byCase('CL-1'));
    expect(refused.body.code).toBe('verification_required');
    expect(refused.body.reasons![0]!.message).not.toContain('Sluice-Case');
    expect((await get('/claims-only/C1', await by({}))).status).toBe(200);
    // the route asks for it whatever the policy says
    expect((await get('/claims-only/C1', { 'Sluice-Purpose': 'order_processing' })).body.code).toBe(
      'verification_required',
    );
  });
});

const send = (...args: string[]): Promise<Said> =>
  sluice(['verification', 'send', '--config', join(dir, 'sluice.yaml'), '--json', ...args]);
const sent = async (subject = 'C1', caller = 'u-1'): Promise<string> => {
  const said = await send('--data-subject', subject, '--caller', caller);
  expect(said.err).toBe('');
  return codes.at(-1)!.code;
};
const wrong = (code: string): string =>
  String((Number(code) + 1) % 10 ** code.length).padStart(code.length, '0');

describe.each(['sqlite', 'postgres'] as const)('a code, kept in %s', (dialect) => {
  let schema: Awaited<ReturnType<typeof freshSchema>> | null = null;
  const begin = async (over: object = {}): Promise<void> => {
    if (dialect === 'sqlite') return start({ sqlite: './store.db' }, over);
    schema = await freshSchema('proofs');
    const postgres = `${POSTGRES}?options=-c%20search_path%3D${schema.schema}`;
    const database = openPostgres(POSTGRES, { schema: schema.schema });
    await migrate(database, MIGRATIONS, () => new Date());
    await database.close();
    await start({ postgres }, over);
  };
  afterEach(async () => {
    await stop();
    await schema?.drop();
    schema = null;
  });

  test('opens the record once, for the caller and the data subject that it was sent for', async () => {
    await begin();
    const code = await sent();
    expect((await get('/customers/C1', byCode(wrong(code)))).body.code).toBe('verification_failed');
    expect((await get('/customers/C1', byCode(code))).status).toBe(200);
    expect((await get('/customers/C1', byCode(code))).body.code).toBe('verification_expired');
    const other = await sent('C1', 'u-9');
    expect((await get('/customers/C1', byCode(other))).body.code).toBe('verification_failed');
    const another = await sent('C2');
    expect((await get('/customers/C1', byCode(another))).body.code).toBe('verification_failed');
    for (const { code: plain } of codes) {
      expect(running.journalText()).not.toContain(`"${plain}"`);
      expect(running.log()).not.toContain(plain);
    }
  });

  test('is void after as many wrong ones as are permitted, also at the same time', async () => {
    await begin({ attempts: 3 });
    const code = await sent();
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, n) => get('/customers/C1', byCode(String(n).padStart(6, '0')))),
    );
    expect(new Set(tries.map(({ body }) => body.code))).toEqual(new Set(['verification_failed']));
    expect((await get('/customers/C1', byCode(code))).body.code).toBe('verification_failed');
  });

  test('is used by one of several requests at the same time', async () => {
    await begin({ attempts: 20 });
    const code = await sent();
    const tries = await Promise.all(Array.from({ length: 8 }, () => get('/customers/C1', byCode(code))));
    expect(tries.filter(({ status }) => status === 200).length).toBe(1);
  });

  test('lasts for further requests of the caller where the configuration says so', async () => {
    await begin({ lasts: '5m' });
    const code = await sent();
    for (let n = 0; n < 8; n++) expect((await get('/customers/C1', byCode(code))).status).toBe(200);
    expect((await get('/customers/C2', byCode(code))).body.code).toBe('verification_failed');
  });

  test('does not use up the tries of another one of the same caller', async () => {
    await begin({ lasts: '5m', attempts: 2 });
    const [one, two] = [await sent('C1'), await sent('C2')];
    for (let n = 0; n < 4; n++) {
      expect((await get('/customers/C1', byCode(one))).status).toBe(200);
      expect((await get('/customers/C2', byCode(two))).status).toBe(200);
    }
    for (let n = 0; n < 2; n++) await get('/customers/C1', byCode(wrong(one)));
    expect((await get('/customers/C2', byCode(two))).body.code).toBe('verification_failed');
  });

  test('is not used up by a request that the policy denies', async () => {
    await begin();
    const code = await sent();
    const denied = await get('/customers/C1', { ...byCode(code), 'Sluice-Purpose': 'market_research' });
    expect(denied.body.code).toBe('policy_denied');
    expect((await get('/customers/C1', byCode(code))).status).toBe(200);
  });

  test('is sent only so often, on record, and is void if it cannot be sent', async () => {
    await begin({ per_data_subject: 2, per_caller: 4 });
    isDown = true;
    const failed = await send('--data-subject', 'C1', '--caller', 'u-1');
    expect(failed.err).toContain('verification_unavailable');
    isDown = false;
    await sent();
    expect((await send('--data-subject', 'C1', '--caller', 'u-2')).err).toContain('verification_limited');
    await sent('C2');
    await sent('C3');
    expect((await send('--data-subject', 'C4', '--caller', 'u-1')).err).toContain('verification_limited');
    const made = recordsOf(running.journal).filter((r) => r.action === ('verification.send' as string));
    // The one that could not be sent has a second part, which says so.
    expect(made.map(({ outcome }) => outcome)).toEqual(['allowed', 'error', 'allowed', 'allowed', 'allowed']);
    expect(made.at(-1)).toMatchObject({
      kind: 'admin',
      reasons: [{ code: 'verification_code_sent' }],
      disclosure: { data_subjects: [expect.stringMatching(/^hmac:/)] },
      labels: { caller: 'u-1' },
    });
  });
});
