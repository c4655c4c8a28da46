/** However a request ends, its reservation is given back at its end, and what it disclosed counts. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createStaticConsents } from '../../src/consent/index.ts';
import { SluiceError } from '../../src/errors.ts';
import type { QuotaCount, QuotaState } from '../../src/model/quota.ts';
import { answers, type Behaviour, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

const LIMIT = 1_000_000;
let upstream: HostileUpstream;
let running: Running;
let consentsFail = false;
const json = (body: unknown): Behaviour => answers(JSON.stringify(body));
const person = (n: number): object => ({
  id: `C1${String(n).padStart(5, '0')}`,
  orders: [],
  note: 'x'.repeat(500),
});

beforeAll(async () => {
  upstream = await startHostile();
  const consents = createStaticConsents();
  running = await startSluice({
    upstream: upstream.url,
    routes: CUSTOMER_ROUTES,
    policy: await policyWith({
      data: {
        quotas: {
          marketing_daily: null,
          ours: {
            title: 'x',
            by: [],
            of: 'records',
            per: 'month',
            limit: LIMIT,
            over: 'deny',
            reserve: 500_000,
          },
        },
      },
    }),
    parts: {
      given: {
        consents: {
          ...consents,
          lookup: (ids, at) => {
            if (consentsFail) throw new SluiceError('consent_unavailable', 'Consents cannot be read.');
            return consents.lookup(ids, at);
          },
        },
      },
    },
  });
});
afterAll(async () => {
  await running.close();
  await upstream.close();
});
beforeEach(() => {
  consentsFail = false;
  upstream.answer = json({ items: [person(1)], total: 1 });
});

const get = (path: string, headers = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.port}${path}`, {
    headers: { ...running.caller, ...headers },
    ...(signal && { signal }),
  });

/** What the counter holds, which the next request is told before it reserves. */
async function counter(): Promise<QuotaCount> {
  upstream.answer = json({ items: [], total: 0 });
  await (await get('/customers')).text();
  const { context } = running.records().at(-1)!.input!;
  return (context as unknown as { quota: QuotaState }).quota.counts['ours']!;
}

interface Path {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly upstream?: Behaviour;
  readonly code: string;
}
const PATHS: Readonly<Record<string, Path>> = {
  'the policy denies': { headers: { 'Sluice-Purpose': 'marketing' }, code: 'policy_denied' },
  'the guard refuses the search': {
    path: '/customers?id_number=110101199003070011',
    code: 'query_field_withheld',
  },
  'the upstream closes the connection': {
    upstream: (_, socket) => socket.destroy(),
    code: 'upstream_aborted',
  },
  'the upstream has an error': { upstream: answers('{}', {}, '500 Oops'), code: 'upstream_status_withheld' },
  'the upstream sends no JSON': { upstream: answers('{"items":[}'), code: 'response_malformed' },
  'the upstream sends another format': {
    upstream: answers('x', { 'Content-Type': 'image/png' }),
    code: 'response_format_unsupported',
  },
};

test.each(Object.entries(PATHS))(
  '%s',
  async (_what, { path = '/customers', headers, upstream: said, code }) => {
    const before = await counter();
    if (said !== undefined) upstream.answer = said;
    const response = await get(path, headers);
    expect(await response.json()).toMatchObject({ code });
    expect(await counter()).toEqual(before);
  },
);

test('consents cannot be read', async () => {
  const before = await counter();
  upstream.answer = json({ items: [person(1)], total: 1 });
  consentsFail = true;
  expect(await (await get('/customers')).json()).toMatchObject({ code: 'consent_unavailable' });
  consentsFail = false;
  expect(await counter()).toEqual(before);
});

test('the caller goes away while the upstream is asked', async () => {
  const before = await counter();
  const gone = new AbortController();
  const ended = Promise.withResolvers<Socket>();
  upstream.answer = (_, socket) => {
    socket.on('close', () => ended.resolve(socket));
    gone.abort();
  };
  await expect(get('/customers', {}, gone.signal)).rejects.toThrow();
  await ended.promise;
  await vi.waitFor(async () => expect(await counter()).toEqual(before));
});

test('the record cannot be written: what it may have said counts, and the rest is given back', async () => {
  const before = await counter();
  upstream.answer = json({ items: [person(1), person(2)], total: 2 });
  const append = vi.spyOn(running.sluice.log, 'append');
  append.mockRejectedValueOnce(new SluiceError('journal_unwritable', 'No space.'));
  expect((await get('/customers')).status).toBe(503);
  append.mockRestore();
  expect(await counter()).toEqual({ ...before, used: before.used + 2, remaining: before.remaining - 2 });
});

test('a long answer breaks off in the middle: what has left counts', async () => {
  const before = await counter();
  const orders = Array.from({ length: 1_000 }, (_, n) => ({ id: `O-${n}`, status: 'shipped', amount: n }));
  const many = Array.from({ length: 100 }, (_, n) => JSON.stringify({ ...person(n), orders })).join();
  upstream.answer = answers(`{"items":[${many},{"id":}`);
  const response = await get('/customers');
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  const after = await counter();
  const left = running
    .records()
    .filter(({ decision_id }) => decision_id === response.headers.get('sluice-decision-id'))
    .reduce((sum, { disclosure }) => sum + (disclosure?.records ?? 0), 0);
  expect(left).toBeGreaterThan(0);
  expect(after).toEqual({ ...before, used: before.used + left, remaining: before.remaining - left });
});
