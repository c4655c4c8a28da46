/** Both stores of counters keep the same contract; the real Redis is asked at 127.0.0.1:6379 (REDIS_URL). */
import { randomUUID } from 'node:crypto';
import { createClient } from '@redis/client';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Claim, Counter, CounterStore } from '../../src/quotas/counters.ts';
import { createMemoryCounters } from '../../src/quotas/memory.ts';
import { createRedisCounters } from '../../src/quotas/redis.ts';
import { LONGEST, PERIODS, windowStart } from '../../src/quotas/windows.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { freshPrefix, REDIS } from '../support/redis.ts';

const redis = createClient({ url: REDIS });
const fresh = freshPrefix();
const START = Date.parse('2026-11-30T23:59:00Z');
const EXPIRY = 60_000;
const EXACT = 50;
let now = START;

beforeAll(async () => {
  await redis.connect();
});
afterAll(async () => {
  await fresh.drop();
  await redis.close();
});

const OPEN: Readonly<Record<string, () => CounterStore>> = {
  memory: () =>
    createMemoryCounters(
      { expiry: EXPIRY, exact: EXACT },
      () => now,
      () => now,
    ),
  redis: () =>
    createRedisCounters({
      urls: [REDIS],
      prefix: fresh.prefix,
      expiry: EXPIRY,
      exact: EXACT,
      timeout: 10_000,
      logger: silentLogger,
      now: () => now,
    }),
};

const counter = (over: Partial<Counter> = {}): Counter => ({
  key: randomUUID(),
  of: 'records',
  per: 'hour',
  limit: 10,
  ...over,
});
const claim = (of: Counter, wanted = 1, all = false): Claim => ({ counter: of, wanted, all });
const people = (from: number, to: number): Set<string> =>
  new Set(Array.from({ length: to - from }, (_, i) => `hmac-${from + i}`));

describe.each(Object.keys(OPEN))('counters in %s', (name) => {
  let store: CounterStore;
  beforeAll(async () => {
    store = OPEN[name]!();
    await vi.waitUntil(async () => (await store.ready()).ok);
  });
  afterAll(() => store.close());

  const reserve = async (of: Counter, wanted = 1, all = false) => {
    const id = randomUUID();
    const claims = [claim(of, wanted, all)];
    const granted = await store.reserve(id, claims);
    return {
      ...granted[0]!,
      settle: (records: number, subjects = new Set<string>()) =>
        store.settle({ id, claims, granted, records, dataSubjects: subjects }, false),
      /** what is done if the settlement may have failed */
      again: (records: number, subjects = new Set<string>()) =>
        store.settle({ id, claims, granted, records, dataSubjects: subjects }, true),
      giveBack: () => store.settle({ id, claims, granted: null, records: 0, dataSubjects: new Set() }, false),
    };
  };

  test('50 concurrent reservations of a limit of 10 grant exactly 10', async () => {
    now = START;
    const c = counter();
    const all = await Promise.all(Array.from({ length: 50 }, () => reserve(c)));
    expect(all.filter(({ granted }) => granted === 1)).toHaveLength(10);
    await Promise.all(all.map(({ granted, settle }) => settle(granted)));
    expect(await reserve(c)).toMatchObject({ used: 10, reserved: 0, granted: 0 });
  });

  test('a settlement gives back what was reserved and not disclosed', async () => {
    now = START;
    const c = counter();
    const one = await reserve(c, 8);
    expect(await reserve(c, 8)).toMatchObject({ reserved: 8, granted: 2 });
    await one.settle(3);
    expect(await reserve(c, 8)).toMatchObject({ used: 3, reserved: 2, granted: 5 });
  });

  test('a claim for all or nothing gets nothing where less is left, and holds nothing', async () => {
    now = START;
    const c = counter();
    await reserve(c, 8);
    expect(await reserve(c, 3, true)).toMatchObject({ granted: 0 });
    expect(await reserve(c, 2, true)).toMatchObject({ reserved: 8, granted: 2 });
  });

  test('a reservation that nobody settles is given back; settled late, it is counted all the same', async () => {
    now = START - 3_000_000;
    const c = counter();
    const lost = await reserve(c, 10);
    now += EXPIRY - 1;
    expect(await reserve(c)).toMatchObject({ granted: 0 });
    now += 1;
    expect(await reserve(c)).toMatchObject({ reserved: 0, granted: 1 });
    await lost.settle(7);
    expect(await reserve(c)).toMatchObject({ used: 7, reserved: 1 });
  });

  test('a settlement that is repeated counts once, whether the first attempt was carried out or not', async () => {
    now = START;
    const c = counter({ limit: 100 });
    const arrived = await reserve(c, 8);
    await arrived.settle(3);
    await arrived.again(3);
    const lost = await reserve(c, 8);
    await lost.again(4);
    expect(await reserve(c)).toMatchObject({ used: 7, reserved: 0 });
    const people_ = counter({ of: 'data_subjects', limit: 100 });
    const one = await reserve(people_, 8);
    await one.settle(3, people(0, 3));
    await one.again(3, people(0, 3));
    expect(await reserve(people_)).toMatchObject({ used: 3, reserved: 0 });
  });

  test('a reservation of which nobody knows what it holds is given back, and no other', async () => {
    now = START;
    const c = counter();
    const one = await reserve(c, 4);
    await reserve(c, 3);
    await one.giveBack();
    expect(await reserve(c)).toMatchObject({ used: 0, reserved: 3 });
    await one.giveBack();
    expect(await reserve(c)).toMatchObject({ used: 0, reserved: 4 });
  });

  test.each(PERIODS)(
    'a window of a %s ends at its border, and what is under way stays reserved',
    async (per) => {
      // The last minute of an hour, a day and a month.
      now = START;
      const c = counter({ per });
      const under = await reserve(c, 4);
      await (await reserve(c, 6)).settle(6);
      now = START + 59_999;
      expect(await reserve(c)).toMatchObject({ used: 6, granted: 0 });
      now = START + 60_000 - 1;
      const before = await reserve(c);
      expect(before).toMatchObject({ used: 6 });
      now = START + 60_000;
      expect((await reserve(c, 10)).used).toBe(0);
      await under.settle(4);
      expect((await reserve(c)).used).toBe(4);
    },
  );

  test('a clock that steps back over a border does not give back what was used', async () => {
    now = START + 120_000;
    const c = counter();
    await (await reserve(c, 10)).settle(10);
    now = START;
    expect(await reserve(c)).toMatchObject({ used: 10, granted: 0 });
    // Back in the window: the same count.
    now = START + 130_000;
    expect(await reserve(c)).toMatchObject({ used: 10, granted: 0 });
    now = START + 60_000 + LONGEST.hour;
    expect(await reserve(c)).toMatchObject({ used: 0, granted: 1 });
  });

  test('a clock that was far ahead does not close the quota until then', async () => {
    now = START + 1_000 * LONGEST.hour;
    const c = counter();
    await (await reserve(c, 10)).settle(10);
    now = START;
    expect(await reserve(c)).toMatchObject({ used: 10, granted: 0 });
    now = START + 60_000;
    expect(await reserve(c)).toMatchObject({ used: 0, granted: 1 });
  });

  test('data subjects count once, exactly up to the limit and estimated beyond it', async () => {
    now = START;
    const c = counter({ of: 'data_subjects', limit: 100_000 });
    await (await reserve(c, 50)).settle(99, people(0, 50));
    await (await reserve(c, 50)).settle(99, people(0, 50));
    expect(await reserve(c)).toMatchObject({ used: 50, exact: true });
    await (await reserve(c, 50)).settle(1, people(50, 51));
    expect((await reserve(c)).exact).toBe(false);
    await (await reserve(c, 50)).settle(1, people(25, 2_000));
    const { used, exact } = await reserve(c);
    expect(exact).toBe(false);
    // five standard errors of 0.81 %
    expect(Math.abs(used - 2_000)).toBeLessThan(2_000 * 5 * 0.0081);
    now = START + 60_000;
    expect(await reserve(c)).toMatchObject({ used: 0, exact: true });
  });

  test('windows begin where the calendar says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...PERIODS),
        fc.integer({ min: 0, max: Date.parse('2110-01-01') }),
        async (per, at) => {
          const c = counter({ per });
          const start = windowStart(per, at);
          now = start;
          await (await reserve(c, 5)).settle(5);
          now = at;
          expect((await reserve(c, 0)).used).toBe(5);
          now = start + LONGEST[per];
          expect((await reserve(c, 0)).used).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });
});

test('in memory a reservation is held as long after the clock was set back or forward', async () => {
  for (const by of [3_600_000, -3_600_000]) {
    let passed = 0;
    let set = 0;
    const store = createMemoryCounters(
      { expiry: EXPIRY, exact: EXACT },
      () => START + passed + set,
      () => passed,
    );
    const c = counter({ per: 'month' });
    const reserve = async (id: string) => (await store.reserve(id, [claim(c, 10)]))[0]!.granted;
    expect(await reserve('r-1')).toBe(10);
    set = by;
    passed = EXPIRY - 1;
    expect(await reserve('r-2')).toBe(0);
    passed = EXPIRY;
    expect(await reserve('r-3')).toBe(10);
  }
});

describe('keys in Redis', () => {
  test('those of a counter are in one slot of a cluster, hold no names, and expire', async () => {
    now = START;
    const store = OPEN['redis']!();
    await vi.waitUntil(async () => (await store.ready()).ok);
    const c = counter({ key: 'alice{x}', of: 'data_subjects' });
    const before = new Set(await fresh.keys());
    const claims = [claim(c)];
    const granted = await store.reserve('r-1', claims);
    await store.reserve('r-2', claims);
    const settlement = { id: 'r-1', claims, granted, records: 1, dataSubjects: people(0, 1) };
    await store.settle(settlement, false);
    const keys = (await fresh.keys()).filter((key) => !before.has(key));
    expect(keys).toHaveLength(3);
    // The slot is that of the text between the first braces, if it is not empty (Redis Cluster specification, "Hash tags").
    const tags = keys.map((key) => /^[^{]*\{([^}]+)\}/.exec(key)?.[1]);
    expect(tags[0]).toMatch(/^[\w-]{43}$/);
    expect(new Set(tags).size).toBe(1);
    expect(keys.join()).not.toContain('alice');
    for (const key of keys) expect(await redis.pTTL(key)).toBeGreaterThan(0);
    await store.close();
  });

  test('without a clock of its own a store goes by that of Redis', async () => {
    const store = createRedisCounters({
      urls: [REDIS],
      prefix: fresh.prefix,
      expiry: EXPIRY,
      exact: EXACT,
      timeout: 10_000,
      logger: silentLogger,
    });
    await vi.waitUntil(async () => (await store.ready()).ok);
    const before = new Set(await fresh.keys());
    await store.reserve('r-1', [claim(counter({ per: 'month' }))]);
    const key = (await fresh.keys()).find((k) => !before.has(k) && k.endsWith(':count'))!;
    const at = Number((await redis.sendCommand<[string, string]>(['TIME']))[0]) * 1000;
    expect([at, at - 60_000].map((t) => windowStart('month', t))).toContain(
      Number(await redis.hGet(key, 'start')),
    );
    await store.close();
  });
});
