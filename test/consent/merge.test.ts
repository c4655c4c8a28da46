import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merged } from '../../src/consent/merge.ts';
import type { ConsentEntry, StoredConsent } from '../../src/consent/schema.ts';

const given = (at: string, categories: string[], more: Partial<StoredConsent> = {}): StoredConsent => ({
  purpose: 'marketing',
  recipient: 'internal',
  status: 'given',
  categories,
  at,
  ...more,
});
const withdrawn = (at: string, categories: string[], more: Partial<StoredConsent> = {}) =>
  given(at, categories, { status: 'withdrawn', ...more });
const entryAfter = (...statements: StoredConsent[]): ConsentEntry =>
  statements.reduce<ConsentEntry>((entry, statement) => merged(entry, statement) ?? entry, {});
const inOrder = ({ consents = [] }: ConsentEntry): string[] => consents.map((c) => JSON.stringify(c)).sort();

describe('a statement', () => {
  test('replaces an older one about the same categories, and leaves the others', () => {
    expect(
      entryAfter(given('2026-01-01', ['contact', 'health']), withdrawn('2026-02-01', ['health'])).consents,
    ).toEqual([given('2026-01-01', ['contact']), withdrawn('2026-02-01', ['health'])]);
  });
  test('that is older than what is known changes nothing', () => {
    const entry = entryAfter(withdrawn('2026-02-01', ['contact']));
    expect(merged(entry, given('2026-01-01', ['contact']))).toBeNull();
  });
  test('about everything replaces every older one for its purpose and recipient alone', () => {
    expect(
      entryAfter(
        given('2026-01-01', ['contact']),
        given('2026-01-01', ['contact'], { recipient: 'swift' }),
        given('2026-03-01', ['health']),
        withdrawn('2026-02-01', ['*']),
      ).consents,
    ).toEqual([
      given('2026-01-01', ['contact'], { recipient: 'swift' }),
      given('2026-03-01', ['health']),
      withdrawn('2026-02-01', ['*']),
    ]);
  });
  test('of the same moment as another does not weaken a refusal', () => {
    for (const both of [
      [given('2026-01-01', ['contact']), withdrawn('2026-01-01', ['contact'])],
      [withdrawn('2026-01-01', ['contact']), given('2026-01-01', ['contact'])],
    ])
      expect(entryAfter(...both).consents).toEqual([withdrawn('2026-01-01', ['contact'])]);
  });
  test('that comes in parts is one consent', () => {
    expect(entryAfter(given('2026-01-01', ['health']), given('2026-01-01', ['contact'])).consents).toEqual([
      given('2026-01-01', ['contact', 'health']),
    ]);
  });
  test('replaces what has no moment', () => {
    const { at: _, ...undated } = withdrawn('', ['contact']);
    expect(entryAfter(undated, given('2026-01-01', ['contact'])).consents).toEqual([
      given('2026-01-01', ['contact']),
    ]);
  });
});

test('statements lead to the same entry in whatever order they come, and however often', () => {
  const statement = fc.record({
    purpose: fc.constantFrom('marketing', 'research'),
    recipient: fc.constantFrom('internal', 'swift'),
    status: fc.constantFrom('given' as const, 'withdrawn' as const),
    categories: fc.uniqueArray(fc.constantFrom('contact', 'health', 'identity', '*'), { minLength: 1 }),
    at: fc.constantFrom('2026-01-01', '2026-02-01', '2026-03-01'),
    id: fc.constantFrom('c-1', 'c-2'),
  });
  const both = fc
    .array(statement, { minLength: 1, maxLength: 6 })
    .chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
  fc.assert(
    fc.property(both, ([list, again]) => {
      const once = entryAfter(...list);
      expect(inOrder(entryAfter(...again))).toEqual(inOrder(once));
      for (const each of list) expect(merged(once, each)).toBeNull();
    }),
    { numRuns: Number(process.env['FC_RUNS'] ?? 500) },
  );
});
