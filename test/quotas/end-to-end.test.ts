/** Quotas over a real proxy: the default policy, two sidecars that share a Redis, and a Redis that fails. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { SluiceError } from '../../src/errors.ts';
import type { QuotaState } from '../../src/model/quota.ts';
import type { Claim } from '../../src/quotas/counters.ts';
import { createQuotas, openQuotas } from '../../src/quotas/index.ts';
import { createMemoryCounters } from '../../src/quotas/memory.ts';
import { createRedisCounters } from '../../src/quotas/redis.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { type Forwarder, openForwarder, schemaUrl } from '../support/forwarder.ts';
import { freshSchema } from '../support/postgres.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { freshPrefix, ownRedis, REDIS } from '../support/redis.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

let upstream: HostileUpstream;
let found = 3;
let prefixes: ReturnType<typeof freshPrefix>[] = [];
let open: { close(): Promise<unknown> }[] = [];

const person = (n: number): object => ({ id: `C10023${n}`, orders: [] });

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (request, socket) => {
    const body = /^GET \/customers\/C/.test(request.head)
      ? person(0)
      : { items: Array.from({ length: found }, (_, i) => person(i)), total: found };
    answers(JSON.stringify(body), { 'Content-Type': 'application/json' })(request, socket);
  };
});
afterEach(async () => {
  for (const one of open) await one.close();
  open = [];
});
afterAll(async () => {
  for (const one of prefixes) await one.drop();
  prefixes = [];
  await upstream.close();
});

const QUOTA = {
  title: 'test',
  by: ['subject'],
  of: 'records',
  per: 'month',
  limit: 10,
  over: 'cut',
  reserve: 8,
};
const newPrefix = (): string => {
  const made = freshPrefix();
  prefixes.push(made);
  return made.prefix;
};

async function start(quota: object, quotas: object = {}): Promise<Running> {
  const policy = await policyWith({
    data: { quotas: { marketing_daily: null, ours: { ...QUOTA, ...quota } } },
  });
  const running = await startSluice({
    upstream: upstream.url,
    routes: CUSTOMER_ROUTES,
    policy,
    config: { quotas, insecure: { literal_secrets: true } },
  });
  open.push(running);
  return running;
}

const get = (running: Running, path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.port}${path}`, { headers: running.caller });
const recordsOf = async (response: Response): Promise<number> =>
  ((await response.json()) as { items: unknown[] }).items.length;
const last = (running: Running) => running.records().at(-1)!;
const quotaOf = (running: Running) =>
  (last(running).input!.context as unknown as { quota: QuotaState }).quota;
const counted = async (running: Running, event: string): Promise<number> => {
  const { text } = await running.admin('/metrics');
  return Number(new RegExp(`sluice_quota_events_total\\{event="${event}"\\} (\\d+)`).exec(text)?.[1]);
};

test('while a reservation in Redis is under way, the consents of the data subject are looked up', async () => {
  const { schema, drop } = await freshSchema('quota_ahead');
  open.push({ close: drop });
  const redis = await ownRedis();
  open.push(redis);
  const forwarder = await openForwarder(redis.url);
  open.push(forwarder);
  const database = openPostgres(schemaUrl(schema));
  await migrate(database, [...MIGRATIONS], () => new Date());
  await database.close();
  const policy = await policyWith({ data: { quotas: { marketing_daily: null, ours: QUOTA } } });
  const running = await startSluice({
    upstream: upstream.url,
    routes: CUSTOMER_ROUTES,
    policy,
    config: {
      store: { postgres: schemaUrl(schema) },
      consent: { store: true },
      quotas: { redis: `redis://127.0.0.1:${forwarder.port()}` },
      insecure: { literal_secrets: true },
    },
  });
  open.push(running);
  const lookups = async (): Promise<number> => {
    const { text } = await running.admin('/metrics');
    return [...text.matchAll(/sluice_consent_cache_lookups_total\{result="\w+"\} (\d+)/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };
  // The scripts are loaded, and announcements arrive.
  expect((await get(running, '/customers')).status).toBe(200);
  await vi.waitFor(async () =>
    expect((await running.admin('/readyz')).text).toContain('"cached_for_at_most"'),
  );
  const before = await lookups();
  forwarder.hold();
  const answer = get(running, '/customers/C100230');
  await vi.waitFor(async () => expect(await lookups()).toBe(before + 1), { timeout: 3_000 });
  forwarder.release();
  // The reservation is lost with its connection: consents alone permit nothing.
  expect((await answer).status).toBe(503);
  await vi.waitFor(async () => expect((await get(running, '/customers/C100230')).status).toBe(200), {
    timeout: 10_000,
  });
});

test('a list is cut at what is left, what was reserved and not disclosed is given back, and the record says what was used', async () => {
  const running = await start({});
  found = 3;
  expect(await recordsOf(await get(running, '/customers'))).toBe(3);
  expect(quotaOf(running)).toEqual({
    counts: { ours: { exact: true, limit: 10, remaining: 10, used: 0 } },
    exceeded: [],
    max_records: 8,
    near: ['ours'],
  });
  // The journal holds the record in its compact form.
  expect(running.journalText()).toContain('"quota":');
  expect(running.journalText()).not.toContain('"input":');
  found = 9;
  expect(await recordsOf(await get(running, '/customers'))).toBe(7);
  expect(quotaOf(running)).toMatchObject({
    counts: { ours: { remaining: 7, used: 3 } },
    max_records: 7,
  });
  expect(last(running).reasons).toContainEqual(expect.objectContaining({ code: 'quota_near' }));
  expect(await recordsOf(await get(running, '/customers'))).toBe(0);
  expect(quotaOf(running)).toMatchObject({ counts: { ours: { remaining: 0, used: 10 } }, max_records: 0 });
  // A single record is withheld for the same reason.
  const single = await get(running, '/customers/C100230');
  expect(single.status).toBe(403);
  expect(await single.json()).toMatchObject({
    code: 'record_withheld',
    reasons: [{ code: 'record_withheld' }, { code: 'max_records' }],
  });
  expect(await counted(running, 'cut')).toBe(3);
});

test('with `over: deny` a request is denied that may take more than is left, before the upstream is asked', async () => {
  const running = await start({ over: 'deny' });
  found = 8;
  expect(await recordsOf(await get(running, '/customers'))).toBe(8);
  const denied = await get(running, '/customers');
  expect(denied.status).toBe(403);
  expect(await denied.json()).toMatchObject({ code: 'policy_denied', reasons: [{ code: 'quota_exceeded' }] });
  expect(last(running)).toMatchObject({ outcome: 'denied', upstream: null });
  // Two single records are still within the limit.
  for (const status of [200, 200, 403])
    expect((await get(running, '/customers/C100230')).status).toBe(status);
  expect(quotaOf(running)).toMatchObject({ counts: { ours: { used: 10 } }, exceeded: ['ours'] });
});

test('a quota of data subjects counts each once', async () => {
  const running = await start({ of: 'data_subjects' });
  found = 4;
  for (const used of [0, 4, 4]) {
    expect(await recordsOf(await get(running, '/customers'))).toBe(4);
    expect(quotaOf(running).counts['ours']!.used).toBe(used);
  }
});

test('a quota about other roles or purposes leaves no trace: no member of the input, no round trip', async () => {
  const running = await start({ roles: ['marketer'] }, { redis: 'redis://127.0.0.1:9' });
  found = 9;
  expect(await recordsOf(await get(running, '/customers'))).toBe(9);
  expect(last(running).input!.context).not.toHaveProperty('quota');
});

test('what remains does not defeat the cache of the policy', async () => {
  const { reads } = await policyWith({});
  const read = reads!.get('sluice/decision')!.input.map((path) => path.join('.'));
  expect(read.filter((path) => path.startsWith('context.quota')).sort()).toEqual([
    'context.quota.exceeded',
    'context.quota.max_records',
    'context.quota.near',
  ]);
  expect(read).not.toContain('context');
  const running = await start({ limit: 1_000 });
  found = 2;
  const lookups = async (): Promise<{ hit: number; miss: number }> => {
    const { text } = await running.admin('/metrics');
    const of = (result: string) =>
      Number(new RegExp(`sluice_policy_cache_lookups_total\\{result="${result}"\\} (\\d+)`).exec(text)![1]);
    return { hit: of('hit'), miss: of('miss') };
  };
  await (await get(running, '/customers')).text();
  const before = await lookups();
  for (let i = 0; i < 20; i++) await (await get(running, '/customers')).text();
  const after = await lookups();
  expect(quotaOf(running).counts['ours']!.used).toBe(40);
  // The policy reads the time as well, in steps: a few are asked again. Each would be if it read what remains.
  expect(after.miss - before.miss).toBeLessThan(20);
  expect(after.hit - before.hit).toBeGreaterThan(20);
});

test('two sidecars share a quota: 50 concurrent requests get exactly what is left', async () => {
  const quotas = { redis: REDIS, prefix: newPrefix(), timeout: '10s' };
  const sidecars = [await start({ over: 'deny' }, quotas), await start({ over: 'deny' }, quotas)];
  const answered = await Promise.all(
    Array.from({ length: 50 }, (_, i) => get(sidecars[i % 2]!, '/customers/C100230')),
  );
  expect(answered.filter(({ status }) => status === 200)).toHaveLength(10);
  expect(answered.filter(({ status }) => status === 403)).toHaveLength(40);
});

test('Redis that is down at the start, lost in flight, or slow: refused, recorded, and served again', async () => {
  const forwarder: Forwarder = await openForwarder(REDIS);
  open.push(forwarder);
  await forwarder.stop();
  const running = await start(
    { limit: 1_000 },
    { redis: `redis://127.0.0.1:${forwarder.port()}`, prefix: newPrefix(), timeout: '300ms' },
  );
  const status = async (): Promise<number> => {
    const answered = await get(running, '/customers/C100230');
    await answered.text();
    return answered.status;
  };
  const refused = await get(running, '/customers/C100230');
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'quota_unavailable' });
  expect(last(running)).toMatchObject({
    outcome: 'error',
    upstream: null,
    reasons: [{ code: 'quota_unavailable' }],
  });
  expect((await running.admin('/readyz')).status).toBe(503);
  await forwarder.start();
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
  expect((await running.admin('/readyz')).status).toBe(200);
  await forwarder.stop();
  expect(await status()).toBe(503);
  await forwarder.start();
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
  forwarder.hold();
  expect(await status()).toBe(503);
  forwarder.release();
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
  expect(await counted(running, 'unavailable')).toBeGreaterThanOrEqual(3);
});

const SETTINGS = { logger: silentLogger, expiry: 60_000 };
const inMemory = () =>
  createQuotas(
    createMemoryCounters({ expiry: 60_000, exact: 10 }, () => 0),
    SETTINGS,
  );
const ASKED = {
  data: { quotas: { ours: QUOTA } },
  subject: { type: 'user', id: 'u', properties: { roles: [] } } as never,
  purpose: 'p',
  single: true,
};

describe('a settlement that the store does not take', () => {
  const memory = () => createMemoryCounters({ expiry: 60_000, exact: 10 }, () => 0);

  test('is repeated until it does, and counts once', async () => {
    const store = memory();
    let failures = 0;
    const settle = vi.fn<typeof store.settle>(async (settlement, isRepeated) => {
      // The second attempt is carried out, and its answer is lost.
      if (failures++ === 1) await store.settle(settlement, isRepeated);
      if (failures <= 2) throw new Error('gone');
      await store.settle(settlement, isRepeated);
    });
    const quotas = createQuotas({ ...store, settle }, SETTINGS);
    (await quotas.reserve(ASKED)!).settle(1, new Set());
    await vi.waitFor(() => expect(settle).toHaveBeenCalledTimes(3), { timeout: 10_000 });
    expect((await quotas.reserve({ ...ASKED, single: false })!).state.counts['ours']).toMatchObject({
      used: 1,
      remaining: 9,
    });
    expect(quotas.events.unsettled).toBe(0);
    await quotas.close();
  });

  test('is tried once more at the end; then it is logged and counted, and the request has not failed', async () => {
    const store = memory();
    const settle = vi.fn<typeof store.settle>(() => Promise.reject(new Error('gone')));
    const quotas = createQuotas({ ...store, settle }, SETTINGS);
    (await quotas.reserve(ASKED)!).settle(1, new Set());
    await quotas.close();
    expect(settle.mock.calls.map(([, isRepeated]) => isRepeated)).toEqual([false, true]);
    expect(quotas.events).toMatchObject({ reserved: 1, unsettled: 1 });
  });

  test('is not repeated when its reservation has expired: it could count twice', async () => {
    const store = memory();
    const settle = vi.fn<typeof store.settle>(() => Promise.reject(new Error('gone')));
    const quotas = createQuotas({ ...store, settle }, { ...SETTINGS, expiry: 0 });
    (await quotas.reserve(ASKED)!).settle(1, new Set());
    await quotas.close();
    expect(settle).toHaveBeenCalledTimes(1);
    expect(quotas.events.unsettled).toBe(1);
  });
});

test('a reservation whose answer is lost is given back', async () => {
  const forwarder: Forwarder = await openForwarder(REDIS);
  open.push(forwarder);
  const options = {
    urls: [`redis://127.0.0.1:${forwarder.port()}`],
    prefix: newPrefix(),
    timeout: 1_000,
    exact: 10,
    expiry: 3_600_000,
    logger: silentLogger,
  };
  const store = createRedisCounters(options);
  const direct = createRedisCounters({ ...options, urls: [REDIS] });
  open.push(direct);
  await Promise.all([store.tried, direct.tried]);
  const reserve = async (id: string, claims: readonly Claim[]) => {
    const granted = await store.reserve(id, claims);
    // It was carried out; then the connection is lost.
    await forwarder.stop();
    await forwarder.start();
    throw new SluiceError('quota_unavailable', `no answer, though ${granted[0]!.granted} are reserved`);
  };
  const quotas = createQuotas({ ...store, reserve }, { ...SETTINGS, expiry: 3_600_000 });
  open.push(quotas);
  await expect(quotas.reserve({ ...ASKED, single: false })).rejects.toMatchObject({
    code: 'quota_unavailable',
  });
  const others = createQuotas(direct, SETTINGS);
  await expect
    .poll(
      async () => {
        const { state, settle } = await others.reserve(ASKED)!;
        settle(0, new Set());
        return state.counts['ours']!.remaining;
      },
      { timeout: 20_000 },
    )
    .toBe(10);
});

test('several workers without Redis: a start warns, and a policy without quotas does not', async () => {
  const warn = vi.fn();
  const quotas = await openQuotas(
    { redis: undefined, prefix: 'x', timeout: 1_000, reservation: 1_000, exact: 10 } as never,
    { logger: { ...silentLogger, warn }, now: () => new Date(), workers: 2 },
  );
  quotas.check({});
  expect(warn).not.toHaveBeenCalled();
  quotas.check({ quotas: { ours: QUOTA } });
  expect(warn).toHaveBeenCalledWith(
    { quotas: ['ours'] },
    expect.stringContaining('set quotas.redis, or workers: 1'),
  );
  await quotas.close();
});

test('a policy whose quotas cannot be read does not go live', async () => {
  await expect(start({ per: 'week' })).rejects.toMatchObject({
    code: 'policy_data_invalid',
    message: expect.stringContaining('quotas.ours is not `per` hour, day or month'),
  });
});

test.each([
  ['no mapping', []],
  ['an unknown member', { q: { ...QUOTA, limits: 1 } }],
  ['a limit of nothing', { q: { ...QUOTA, limit: 0 } }],
  ['another period', { q: { ...QUOTA, per: 'week' } }],
  ['another `over`', { q: { ...QUOTA, over: 'warn' } }],
  ['another `by`', { q: { ...QUOTA, by: ['route'] } }],
  ['no `reserve`', { q: { ...QUOTA, reserve: undefined } }],
])('quotas that cannot be read are not passed over: %s', (_what, quotas) => {
  const stage = inMemory();
  expect(() =>
    stage.reserve({
      data: { quotas },
      subject: { type: 'user', id: 'u', properties: { roles: [] } } as never,
      purpose: 'p',
      single: true,
    }),
  ).toThrow(expect.objectContaining({ code: 'quota_unavailable' }));
});

test('a caller with several roles counts in each of them', async () => {
  const stage = inMemory();
  const reserve = (...roles: string[]) =>
    stage.reserve({
      data: { quotas: { ours: { ...QUOTA, by: ['role'] } } },
      subject: { type: 'user', id: roles.join(), properties: { roles } } as never,
      purpose: 'p',
      single: false,
    })!;
  (await reserve('a', 'b')).settle(7, new Set());
  (await reserve('b')).settle(1, new Set());
  expect((await reserve('a')).state.counts['ours']!.used).toBe(7);
  expect((await reserve('b')).state.counts['ours']!.used).toBe(8);
  expect((await reserve('a', 'b')).state.max_records).toBe(0);
});

test('the quotas of the default policy are read, and are about campaign managers alone', async () => {
  const { data } = await policyWith({});
  const stage = inMemory();
  const reserve = (role: string) =>
    stage.reserve({
      data,
      subject: { type: 'user', id: 'u', properties: { roles: [role] } } as never,
      purpose: 'marketing',
      single: false,
    });
  expect(reserve('support')).toBeNull();
  expect((await reserve('marketer'))!.state).toMatchObject({
    counts: { marketing_daily: { limit: 5000 } },
    max_records: 1000,
  });
});
