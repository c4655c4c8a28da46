/** Minimisation by the decisions on record: what counts as used, and what is told of the rest. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { arranged, type Finding } from '../../src/cli/policy/check/findings.ts';
import { inspectPolicy } from '../../src/cli/policy/check/inspect.ts';
import { type Client, usageFindings } from '../../src/cli/policy/check/usage.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';
import { Copy, lineOf, opa } from './support.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const NOW = new Date('2026-11-30T12:00:00Z');
const INPUT = draft(1).input as Exclude<DecisionRecordDraft['input'], null>;

/** an allowed decision of one of these roles */
function decision(
  roles: readonly string[],
  purpose: string,
  over: Partial<DecisionRecordDraft> & { left?: string[]; searched?: string[]; written?: string[] } = {},
): DecisionRecordDraft {
  const { left = [], searched = [], written = [], ...more } = over;
  const base = draft(1);
  return {
    ...base,
    timestamp: '2026-11-29T08:00:00.000Z',
    outcome: 'modified',
    subject: { ...base.subject!, properties: { ...base.subject!.properties, roles } },
    purpose,
    disclosure: {
      ...base.disclosure!,
      by_class: {
        'financial/4': { drop: 3 },
        ...Object.fromEntries(left.map((cls) => [cls, { mask: 1, disclose: 0 }])),
      },
    },
    input: {
      ...INPUT,
      action: { name: 'read', properties: { query_fields: searched, body_fields: written } },
    },
    ...more,
  };
}

describe.skipIf(opa === null)('what nobody used', () => {
  const p = new Copy();
  let inspection: Awaited<ReturnType<typeof inspectPolicy>>;
  /** remembers its answers: every test asks the same questions */
  let policy: LivePolicy;
  beforeAll(async () => {
    inspection = await inspectPolicy(p.dir, opa!);
    policy = await createSnapshot(inspection.bundle!, {
      cache: { entries: 100_000, bytes: 256 * 1024 * 1024, time_step_ms: 1000 },
    });
  });
  afterAll(() => p.remove());

  async function told(
    drafts: readonly DecisionRecordDraft[],
    { days = 30, clients = [] as readonly Client[] } = {},
  ): Promise<readonly Finding[]> {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    for (const d of drafts) await journal.append(d);
    await journal.close();
    const found = await usageFindings(policy, inspection.documents, clients, {
      journals: [dir],
      days,
      now: NOW,
    });
    return arranged(found, p.dir);
  }
  const about = (found: readonly Finding[], text: string): string[] =>
    found.filter((f) => f.message.includes(text)).map((f) => f.message);
  /** categories that support is told to see without using them */
  const idle = (found: readonly Finding[], role = 'support'): string[] =>
    found.flatMap((f) => {
      const [, category] = new RegExp(`role "${role}" may see or write (\\w+) for`).exec(f.message) ?? [];
      return category === undefined ? [] : [category];
    });
  /** all classes of a category are used by one that no catalog has */
  const ALL = ['contact', 'financial', 'free_text', 'identity', 'reference', 'staff', 'transaction'];

  test('a category is used by what left, disguised or not, by a search and by a write; not by what was dropped', async () => {
    const none = await told([decision(['support'], 'after_sales')]);
    expect(idle(none).sort()).toEqual(ALL);
    const some = await told([
      decision(['support'], 'after_sales', { left: ['identity/3'], searched: ['/phone'] }),
      decision(['support'], 'after_sales', { written: ['/notes'], left: ['reference/1'] }),
    ]);
    expect(idle(some).sort()).toEqual(['financial', 'staff', 'transaction']);
    const finding = some.find((f) => f.message.includes('may see or write financial'));
    expect(finding).toMatchObject({ severity: 'warning', rule: 'usage' });
    expect(finding!.file).toBe('data/roles.yaml');
    expect(finding!.line).toBe(lineOf(p.path('data/roles.yaml'), '      financial: recognise'));
  });

  test('of a category that is used the classes that are not are told, once for a role and the purposes of which the same holds', async () => {
    const only = (found: readonly Finding[]): Finding[] =>
      found.filter((f) => f.message.includes('of the same categories was'));
    const classes = (cls: string): readonly string[] =>
      [...policy.catalogs.values()].flatMap(({ fields }) =>
        Object.values(fields).some((f) => 'category' in f && `${f.category}/${f.grade}` === cls) ? [cls] : [],
      );
    expect([classes('identity/3'), classes('identity/4')].every((c) => c.length > 0)).toBe(true);
    const [told1, ...more] = only(
      await told([decision(['support'], 'after_sales', { left: ['identity/3', 'contact/2'] })]),
    );
    expect(more).toEqual([]);
    expect(told1!.message).toBe(
      'the role "support" may see or write contact/3, identity/4 for after_sales, but in the last 30 days only contact/2, identity/3 of the same categories was disclosed, searched by or written',
    );
    expect(told1!.line).toBe(
      lineOf(p.path('data/roles.yaml'), '    purposes: [after_sales, order_processing]'),
    );
    // by a search and by a write the class of the field is used
    const searched = await told([
      decision(['support'], 'after_sales', {
        left: ['identity/3', 'identity/4', 'contact/2'],
        searched: ['/phone'],
      }),
    ]);
    expect(only(searched)).toEqual([]);
    const both = await told(
      ['after_sales', 'order_processing'].map((purpose) =>
        decision(['support'], purpose, { left: ['identity/3'] }),
      ),
    );
    expect(only(both).map((f) => f.message)).toEqual([
      expect.stringContaining('identity/4 for after_sales, order_processing, but'),
    ]);
  });

  test('a class that the catalogs no longer have uses its whole category', async () => {
    const found = await told([decision(['support'], 'after_sales', { left: ['identity/9'] })]);
    expect(idle(found)).not.toContain('identity');
    expect(about(found, 'identity/')).toEqual([]);
  });

  test('a refusal, an error and what lies before the window are no use', async () => {
    const left = ['financial/4', 'transaction/2'];
    const found = await told([
      decision(['support'], 'after_sales'),
      decision(['support'], 'after_sales', { left, outcome: 'denied' }),
      decision(['support'], 'after_sales', { left, outcome: 'error' }),
      decision(['support'], 'after_sales', { left, timestamp: '2026-10-30T08:00:00.000Z' }),
    ]);
    expect(idle(found).sort()).toEqual(ALL);
  });

  test('roles, purposes and partners without use are told once each, and nothing that follows from that', async () => {
    const found = await told([
      decision(['support', 'analyst'], 'after_sales', { left: ALL.map((c) => `${c}/9`) }),
      decision(['courier'], 'delivery', { recipient: 'swift_logistics', left: ALL.map((c) => `${c}/9`) }),
    ]);
    // An analyst may not act for after-sales: the role has had no use.
    expect(about(found, 'role "analyst"')).toEqual([
      'no request of the role "analyst" was allowed in the last 30 days',
    ]);
    expect(about(found, 'role "support"')).toEqual([]);
    expect(about(found, '"order_processing"')).toEqual([
      'no request for the purpose "order_processing" was allowed in the last 30 days',
    ]);
    expect(about(found, 'partner')).toEqual([
      'the partner "city_clinic" received nothing in the last 30 days',
      'the partner "red_lantern_rescue" received nothing in the last 30 days',
    ]);
  });

  test('a purpose that others used is told of the role that did not', async () => {
    const left = ALL.map((c) => `${c}/9`);
    const found = await told([
      decision(['support'], 'after_sales', { left }),
      decision(['store_clerk'], 'order_processing', { left }),
    ]);
    expect(about(found, 'role "support"')).toEqual([
      'no request of the role "support" for order_processing was allowed in the last 30 days',
    ]);
  });

  test('clients that the configuration lists are judged by their own decisions', async () => {
    const client = (id: string): Client => ({ id, fault: (message) => ({ file: 'sluice.yaml', message }) });
    const base = decision(['support'], 'after_sales');
    const found = await told([{ ...base, subject: { ...base.subject!, id: 'erp' } }], {
      clients: [client('erp'), client('old-erp')],
    });
    expect(about(found, 'client')).toEqual([
      'no request of the client "old-erp" was allowed in the last 30 days',
    ]);
  });

  test('what the journal cannot tell is said, and not guessed', async () => {
    const young = await told([decision(['support'], 'after_sales')]);
    expect(about(young, 'the journal begins on')).toHaveLength(1);
    const whole = await told([
      decision(['support'], 'after_sales', { timestamp: '2026-10-01T00:00:00.000Z' }),
      decision(['support'], 'after_sales'),
    ]);
    expect(about(whole, 'the journal begins on')).toEqual([]);
    const base = decision(['support'], 'after_sales');
    const masked = await told([{ ...base, subject: { ...base.subject!, id: '[masked]' } }]);
    expect(about(masked, 'subjects are masked')).toHaveLength(1);
    expect(about(masked, 'role "')).toEqual([]);
    const empty = await told([
      decision(['support'], 'after_sales', { timestamp: '2026-01-01T00:00:00.000Z' }),
    ]);
    expect(empty.map((f) => f.message)).toEqual([
      expect.stringMatching(/: there is no decision in the last 30 days/),
    ]);
  });
});
