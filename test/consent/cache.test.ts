/** What may be taken from the cache of consents, and what may not. */
import { describe, expect, test, vi } from 'vitest';
import { createLookedUpConsents, type EntrySource } from '../../src/consent/source.ts';
import { EntryCache } from '../../src/consent/cache.ts';
import { createStates } from '../../src/consent/states.ts';
import type { ConsentEntry } from '../../src/consent/schema.ts';
import { aliasKey, type ConsentSource } from '../../src/model/consent.ts';
import { type Change, createInvalidation } from '../../src/model/invalidation.ts';
import { silentLogger } from '../../src/observability/logger.ts';

const AT = new Date('2026-11-22T08:00:00Z');
const flagged = (...flags: string[]): ConsentEntry => ({ flags });
const about = (data_subject: string): Change => ({ kind: 'consents', scope: { data_subject } });

interface Bench {
  readonly source: ConsentSource;
  readonly entries: Map<string, ConsentEntry>;
  readonly aliases: Map<string, string>;
  readonly asked: (readonly string[])[];
  isUp: boolean;
  /** the next answers wait, with what they have read */
  hold: Promise<void> | null;
  failure: Error | null;
  announce(change: Change): void;
}

function bench(cache = { ttl: 30_000, entries: 100 }, silence = 1_500, hasChannel = true): Bench {
  const invalidation = createInvalidation();
  const entries = new Map<string, ConsentEntry>();
  const aliases = new Map<string, string>();
  const asked: (readonly string[])[] = [];
  const answer = async <V>(known: ReadonlyMap<string, V>, keys: readonly string[]) => {
    asked.push(keys);
    const read = keys.flatMap((key) => (known.has(key) ? [[key, known.get(key)!] as const] : []));
    const { failure } = self;
    await self.hold;
    if (failure !== null) throw failure;
    return new Map(read);
  };
  const source: EntrySource = {
    entries: (ids) => answer(entries, ids),
    aliases: (_, values) => answer(aliases, values),
    ready: async () => ({ ok: true }),
    close: async () => undefined,
  };
  const self: Bench = {
    entries,
    aliases,
    asked,
    isUp: true,
    hold: null,
    failure: null,
    announce: invalidation.announce,
    source: createLookedUpConsents(source, {
      states: createStates(() => false),
      logger: silentLogger,
      cache,
      invalidation,
      ...(hasChannel ? { announcements: { isUp: () => self.isUp, silence } } : {}),
    }),
  };
  return self;
}

const flagsOf = async ({ source }: Bench, ...ids: string[]) => {
  const states = await source.lookup(ids, AT);
  return ids.map((id) => states.get(id)?.flags.join() ?? 'absent');
};

describe('the cache of consents', () => {
  test('answers without a wait what it knows, also that somebody is not known', async () => {
    const b = bench();
    b.entries.set('C1', flagged('vip'));
    expect(await flagsOf(b, 'C1', 'C2')).toEqual(['vip', 'absent']);
    expect(b.source.lookup(['C1', 'C2'], AT)).toBeInstanceOf(Map);
    expect(b.asked).toEqual([['C1', 'C2']]);
    expect(b.source.cache?.()).toEqual({ hits: 2, misses: 2, entries: 2, isUp: true, bound: 1_500 });
  });

  test('asks for what it does not know alone, in one question', async () => {
    const b = bench();
    await flagsOf(b, 'C1', 'C2');
    await flagsOf(b, 'C1', 'C3', 'C2', 'C4', 'C3');
    expect(b.asked).toEqual([
      ['C1', 'C2'],
      ['C3', 'C4'],
    ]);
  });

  test('drops the one who is announced, everybody where all are, and nobody for other kinds', async () => {
    const b = bench();
    await flagsOf(b, 'C1', 'C2');
    b.announce({ kind: 'keys', scope: 'all' });
    await flagsOf(b, 'C1', 'C2');
    expect(b.asked).toHaveLength(1);
    b.entries.set('C2', flagged('opt_out'));
    b.announce(about('C2'));
    expect(await flagsOf(b, 'C1', 'C2')).toEqual(['absent', 'opt_out']);
    b.announce({ kind: 'consents', scope: 'all' });
    await flagsOf(b, 'C1', 'C2');
    expect(b.asked).toEqual([['C1', 'C2'], ['C2'], ['C1', 'C2']]);
  });

  test.each([
    ['about the person', about('C1')],
    ['about everybody', { kind: 'consents', scope: 'all' } as const],
  ])(
    'does not keep an answer that was under way to an announcement %s, nor gives it to whoever asks afterwards',
    async (_what, change) => {
      const b = bench();
      b.entries.set('C1', flagged('given'));
      const { promise, resolve } = Promise.withResolvers<void>();
      b.hold = promise;
      const before = flagsOf(b, 'C1');
      b.entries.set('C1', flagged('withdrawn'));
      b.announce(change);
      const afterwards = flagsOf(b, 'C1');
      resolve();
      expect(await before).toEqual(['given']);
      expect(await afterwards).toEqual(['withdrawn']);
      expect(await flagsOf(b, 'C1')).toEqual(['withdrawn']);
      expect(b.asked).toHaveLength(2);
    },
  );

  test('keeps the newer of two answers that come in the wrong order', async () => {
    const b = bench();
    b.entries.set('C1', flagged('given'));
    const { promise, resolve } = Promise.withResolvers<void>();
    b.hold = promise;
    const slow = flagsOf(b, 'C1');
    b.entries.set('C1', flagged('withdrawn'));
    b.announce(about('C1'));
    b.hold = null;
    expect(await flagsOf(b, 'C1')).toEqual(['withdrawn']);
    resolve();
    await slow;
    expect(await flagsOf(b, 'C1')).toEqual(['withdrawn']);
  });

  test('joins equal questions that are under way', async () => {
    const b = bench();
    b.entries.set('C1', flagged('vip'));
    const { promise, resolve } = Promise.withResolvers<void>();
    b.hold = promise;
    const all = Promise.all([flagsOf(b, 'C1'), flagsOf(b, 'C1', 'C2'), flagsOf(b, 'C2', 'C1')]);
    resolve();
    expect(await all).toEqual([['vip'], ['vip', 'absent'], ['absent', 'vip']]);
    expect(b.asked).toEqual([['C1'], ['C2']]);
  });

  test('is neither used nor filled while announcements may be lost, and questions are not joined', async () => {
    const b = bench();
    b.entries.set('C1', flagged('given'));
    await flagsOf(b, 'C1');
    b.isUp = false;
    b.entries.set('C1', flagged('withdrawn'));
    expect(await flagsOf(b, 'C1')).toEqual(['withdrawn']);
    const { promise, resolve } = Promise.withResolvers<void>();
    b.hold = promise;
    const both = Promise.all([flagsOf(b, 'C1'), flagsOf(b, 'C1')]);
    resolve();
    await both;
    expect(b.asked).toHaveLength(4);
    expect(await b.source.ready()).toMatchObject({ ok: true, degraded: true });
    // As a channel does when it is up again.
    b.announce({ kind: 'consents', scope: 'all' });
    b.isUp = true;
    await flagsOf(b, 'C1');
    expect(b.asked).toHaveLength(5);
  });

  test('does not keep an answer that arrives after announcements have begun to be lost', async () => {
    const b = bench();
    const { promise, resolve } = Promise.withResolvers<void>();
    b.hold = promise;
    const found = flagsOf(b, 'C1');
    b.isUp = false;
    resolve();
    await found;
    expect(b.source.cache?.().entries).toBe(0);
  });

  test('refuses where the source fails, for all who wait, and keeps nothing of it', async () => {
    const b = bench();
    b.failure = new Error('down');
    const refused = { code: 'consent_unavailable' };
    await Promise.all(
      [flagsOf(b, 'C1'), flagsOf(b, 'C1')].map((found) => expect(found).rejects.toMatchObject(refused)),
    );
    b.failure = null;
    expect(await flagsOf(b, 'C1')).toEqual(['absent']);
  });

  test('uses no entry longer than its time, and counts from the question', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const b = bench({ ttl: 100, entries: 100 }, 1_500);
      await flagsOf(b, 'C1');
      vi.advanceTimersByTime(100);
      await flagsOf(b, 'C1');
      expect(b.asked).toHaveLength(1);
      vi.advanceTimersByTime(1);
      await flagsOf(b, 'C1');
      expect(b.asked).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('refuses an answer that took longer than the bound', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const b = bench({ ttl: 30_000, entries: 100 }, 1_500);
      const { promise, resolve } = Promise.withResolvers<void>();
      b.hold = promise;
      const found = flagsOf(b, 'C1');
      vi.advanceTimersByTime(1_501);
      resolve();
      await expect(found).rejects.toMatchObject({ code: 'consent_unavailable' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('depends on no clock that can be set: dates count at the time of each look-up', async () => {
    const b = bench();
    const consent = { purpose: 'p', categories: ['c'], recipient: 'internal', status: 'given' as const };
    b.entries.set('C1', { consents: [{ ...consent, until: '2026-11-22T08:00:00Z' }] });
    const statusAt = async (at: Date) => (await b.source.lookup(['C1'], at)).get('C1')?.consents[0]?.status;
    expect(await statusAt(AT)).toBe('given');
    expect(await statusAt(new Date(AT.getTime() + 1))).toBe('expired');
    expect(await statusAt(new Date(AT.getTime() - 86_400_000))).toBe('given');
    expect(b.asked).toHaveLength(1);
  });

  test('is bounded, also for people who are not known', async () => {
    const b = bench({ ttl: 30_000, entries: 10 });
    for (let i = 0; i < 100; i++) await flagsOf(b, `X${i}`);
    expect(b.source.cache?.().entries).toBe(10);
  });

  test('drops all aliases with any announcement: it may be about one of them', async () => {
    const b = bench();
    const alias = { type: 'login', text: 'zhangsan' };
    const idOf = async () => (await b.source.aliases?.([alias]))?.get(aliasKey(alias));
    expect(await idOf()).toBeUndefined();
    b.aliases.set('zhangsan', 'C1');
    b.announce(about('C1'));
    expect(await idOf()).toBe('C1');
    expect(await idOf()).toBe('C1');
    expect(b.asked).toHaveLength(2);
  });

  test('without a channel has its time as its bound', async () => {
    const b = bench({ ttl: 5_000, entries: 10 }, 0, false);
    await flagsOf(b, 'C1');
    await flagsOf(b, 'C1');
    expect(b.asked).toHaveLength(1);
    expect(b.source.cache?.().bound).toBe(5_000);
  });

  test.each([
    { ttl: 0, entries: 100 },
    { ttl: 30_000, entries: 0 },
  ])('is off with %j', async (settings) => {
    const b = bench(settings);
    await flagsOf(b, 'C1');
    await flagsOf(b, 'C1');
    expect(b.asked).toHaveLength(2);
    expect(b.source.cache).toBeUndefined();
    expect(await b.source.ready()).toEqual({ ok: true });
  });
});

test('a large cache takes memory for what it holds, and no more entries than it may', async () => {
  const held = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  const large = bench({ ttl: 30_000, entries: 10_000_000 });
  expect(held() - before).toBeLessThan(50 * 1_048_576);
  await large.source.close();
  const remembered = new EntryCache(async (keys) => new Map(keys.map((key) => [key, key])), {
    cache: { ttl: 30_000, entries: 3 },
    isUp: () => true,
    counts: { hits: 0, misses: 0 },
    keyOf: () => null,
  });
  await remembered.get(['a', 'b', 'c', 'd', 'e']);
  expect(remembered.size).toBe(3);
});
