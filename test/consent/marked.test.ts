/** Marks beside the consents of any source: what the policy sees, and when. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMarkedConsents, createStaticConsents } from '../../src/consent/index.ts';
import type { Mark } from '../../src/model/consent.ts';
import { createInvalidation } from '../../src/model/invalidation.ts';
import { silentLogger } from '../../src/observability/logger.ts';

const NOW = new Date('2026-11-30T08:00:00Z');
const ENTRIES = {
  plain: {},
  marked: { flags: ['vip'] },
  both: { flags: ['restricted', 'vip'] },
};
const consents = () => createStaticConsents(ENTRIES, { exposeDates: false });

function opened(
  table: Readonly<Record<string, readonly Mark[]>>,
  announcements: { isUp(): boolean; silence: number } | null = null,
) {
  const invalidation = createInvalidation();
  const asked: (readonly string[])[] = [];
  const current = { table, fails: false };
  const source = createMarkedConsents(
    consents(),
    {
      async marks(ids) {
        asked.push(ids);
        if (current.fails) throw new Error('no database');
        return new Map(ids.flatMap((id) => (current.table[id] ? [[id, current.table[id]]] : [])));
      },
    },
    { logger: silentLogger, cache: { ttl: 30_000, entries: 100 }, announcements, invalidation },
  );
  return { source, invalidation, asked, current };
}
const mark = (flag: string, until: number | null = null): Mark => ({ flag, until });

describe('marked consents', () => {
  test('have the flags of the entry and the marks, each once, also of who is in no list', async () => {
    const { source } = opened({
      marked: [mark('erasure_pending')],
      both: [mark('restricted')],
      stranger: [mark('erased')],
    });
    const states = await source.lookup(['plain', 'marked', 'both', 'stranger', 'nobody'], NOW);
    expect(Object.fromEntries([...states].map(([id, { flags }]) => [id, flags]))).toEqual({
      plain: [],
      marked: ['erasure_pending', 'vip'],
      both: ['restricted', 'vip'],
      stranger: ['erased'],
    });
    expect([...states.values()].every((state) => Object.isFrozen(state))).toBe(true);
  });

  test('a mark holds to its last millisecond, whether it is remembered or not', async () => {
    const until = Date.parse('2031-12-31T23:59:59.999Z');
    for (const announcements of [null, { isUp: () => true, silence: 1_500 }]) {
      const { source } = opened({ stranger: [mark('held:transaction', until)] }, announcements);
      const at = async (ms: number) =>
        (await source.lookup(['stranger'], new Date(ms))).get('stranger')?.flags;
      expect(await at(until)).toEqual(['held:transaction']);
      expect(await at(until + 1)).toBeUndefined();
      expect(await at(until)).toEqual(['held:transaction']);
    }
  });

  test('equal states are one object, so that the policy is asked once for them', async () => {
    const flags = fc.subarray(['erasure_pending', 'erased', 'held:transaction', 'held:health', 'vip']);
    await fc.assert(
      fc.asyncProperty(flags, flags, async (one, two) => {
        const { source } = opened({ a: one.map((f) => mark(f)), b: two.map((f) => mark(f)) });
        const states = await source.lookup(['a', 'b'], NOW);
        const again = await source.lookup(['b', 'a'], NOW);
        expect(again.get('a')).toBe(states.get('a'));
        if (one.length > 0 && two.length > 0)
          expect(states.get('a') === states.get('b')).toBe([...one].sort().join() === [...two].sort().join());
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 100) },
    );
  });

  test('are remembered while announcements arrive, and asked for anew after one about the person', async () => {
    let isUp = true;
    const { source, invalidation, asked, current } = opened(
      { stranger: [mark('erasure_pending')] },
      { isUp: () => isUp, silence: 1_500 },
    );
    await source.lookup(['stranger'], NOW);
    expect(await source.lookup(['stranger'], NOW)).toBeInstanceOf(Map);
    expect(source.lookup(['stranger'], NOW)).not.toBeInstanceOf(Promise);
    expect(asked).toHaveLength(1);
    current.table = {};
    invalidation.announce({ kind: 'consents', scope: { data_subject: 'somebody else' } });
    expect((await source.lookup(['stranger'], NOW)).get('stranger')?.flags).toEqual(['erasure_pending']);
    invalidation.announce({ kind: 'consents', scope: { data_subject: 'stranger' } });
    expect((await source.lookup(['stranger'], NOW)).size).toBe(0);
    isUp = false;
    current.table = { stranger: [mark('erased')] };
    expect((await source.lookup(['stranger'], NOW)).get('stranger')?.flags).toEqual(['erased']);
  });

  test('a failed look-up of marks is no absence of marks', async () => {
    const { source, current } = opened({ stranger: [mark('erased')] });
    current.fails = true;
    await expect(source.lookup(['plain'], NOW)).rejects.toMatchObject({ code: 'consent_unavailable' });
    current.fails = false;
    expect((await source.lookup(['stranger'], NOW)).get('stranger')?.flags).toEqual(['erased']);
  });

  test('nobody is asked for ids that no database could hold', async () => {
    const { source, asked } = opened({});
    await source.lookup(['a\0b'], NOW);
    expect(asked).toEqual([]);
  });
});
