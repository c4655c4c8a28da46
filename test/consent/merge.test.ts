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
  test('replaces a consent that has no moment', () => {
    const { at: _, ...undated } = given('', ['contact']);
    for (const dated of [given('2026-01-01', ['contact']), withdrawn('2026-01-01', ['contact'])])
      expect(entryAfter(undated, dated).consents).toEqual([dated]);
  });
  test('of a day without a time: a refusal counts to its end, a consent from its beginning', () => {
    const refusal = withdrawn('2026-02-01', ['contact']);
    for (const at of ['2026-02-01', '2026-02-01T23:59:59Z']) {
      const consent = given(at, ['contact']);
      expect(entryAfter(consent, refusal).consents).toEqual([refusal]);
      expect(entryAfter(refusal, consent).consents).toEqual([refusal]);
    }
    const next = given('2026-02-02', ['contact']);
    expect(entryAfter(refusal, next).consents).toEqual([next]);
  });
});

const ANY = {
  purpose: fc.constantFrom('marketing', 'research'),
  recipient: fc.constantFrom('internal', 'swift'),
  categories: fc.uniqueArray(fc.constantFrom('contact', 'health', 'identity', '*'), { minLength: 1 }),
  id: fc.constantFrom('c-1', 'c-2'),
};
const MOMENTS = ['2026-01-01', '2026-02-01', '2026-02-01T12:00:00Z', '2026-03-01'] as const;
const runs = { numRuns: Number(process.env['FC_RUNS'] ?? 500) };

test('a refusal without a moment is lifted by no statement but one that is said now', () => {
  const byHand = fc.record({ ...ANY, status: fc.constant('withdrawn' as const) });
  const dated = fc.record({
    ...ANY,
    status: fc.constantFrom('given' as const, 'withdrawn' as const),
    at: fc.constantFrom(...MOMENTS),
  });
  const refuses = ({ consents = [] }: ConsentEntry, about: StoredConsent, category: string): boolean =>
    consents.some(
      (c) =>
        c.status === 'withdrawn' &&
        c.purpose === about.purpose &&
        c.recipient === about.recipient &&
        (c.categories.includes(category) || c.categories.includes('*')),
    );
  fc.assert(
    fc.property(byHand, fc.array(dated, { maxLength: 6 }), (refusal, statements) => {
      const entry = statements.reduce<ConsentEntry>((known, each) => merged(known, each) ?? known, {
        consents: [refusal],
      });
      for (const category of refusal.categories) expect(refuses(entry, refusal, category)).toBe(true);
      const now = { ...refusal, status: 'given' as const, at: '2027-01-01' };
      expect(merged({ consents: [refusal] }, now, true)).toEqual({
        consents: [{ ...now, categories: [...now.categories].sort() }],
      });
    }),
    runs,
  );
});

test('statements lead to the same entry in whatever order they come, and however often', () => {
  const statement = fc.record({
    ...ANY,
    status: fc.constantFrom('given' as const, 'withdrawn' as const),
    at: fc.constantFrom(...MOMENTS),
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
    runs,
  );
});
