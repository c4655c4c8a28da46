/** `sluice replay`: decisions of the demo's journal, asked again of copies of the default policy that each test changes in its way. */
import { recordsOf as recordsIn } from '../support/journals.ts';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Replay } from '../../src/cli/policy/replay/recorded.ts';
import { Replayer } from '../../src/cli/policy/replay/replayer.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { type Copy, copies, faultsBy, ONE, opa, ROOT, sluice } from './support.ts';

vi.setConfig({ testTimeout: 180_000 });

const copy = copies();

const CATALOG = 'catalog/customer.yaml';
const PHONE = '/phone: { category: contact, grade: 3, mask: phone }\n  /email';

describe.runIf(opa !== null)('sluice replay', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-replay-'));
  const journal = join(dir, 'journal');
  beforeAll(async () => {
    mkdirSync(dir, { recursive: true });
    const demo = await sluice(['demo', '--once', '--json', '--customers', '50', '--dir', dir]);
    expect(demo.code).toBe(0);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const replayed = async (policies: string, ...more: string[]) => {
    const asked = ['replay', '--journal', journal, '--policies', policies, ...more];
    const said = await sluice([...asked, '--json', '--exit-code']);
    return { code: said.code, ...said.json<Replay>() };
  };

  test('the policy that decided decides the same again', async () => {
    const { code, decisions, same, left_out, shifts } = await replayed('policies');
    expect(shifts).toEqual([]);
    expect(decisions).toBeGreaterThan(5);
    expect(same).toBe(decisions - left_out);
    expect(code).toBe(0);
  });

  test('a field that moves to another class is named, with the masked values that would leave in clear', async () => {
    const p = copy();
    p.change(CATALOG, PHONE, '/phone: { category: reference, grade: 1 }\n  /email');
    const { code, shifts } = await replayed(p.dir);
    expect(code).toBe(1);
    const clear = shifts.find((s) => s.path === '/phone' && s.from === 'mask' && s.to === 'disclose');
    expect(clear).toMatchObject({
      kind: 'field',
      direction: 'wider',
      roles: 'support',
      purpose: 'after_sales',
    });
    expect(clear!.count).toBeGreaterThan(0);
    expect(new Set(shifts.map((s) => s.path))).toEqual(new Set(['/phone']));
    const { out } = await sluice(['replay', '--journal', journal, '--policies', p.dir]);
    expect(out).toMatch(
      /support would see \/phone of customer in clear for after_sales \(was masked\): \d+ values? in \d+ decision/,
    );
  });

  const RETENTION = (keep: string): string =>
    `retention:\n  t:\n    title: t\n    categories: [transaction]\n    resources: [customer]\n    keep: ${keep}\n`;
  const kept = async (keep: string): Promise<LivePolicy> => {
    const p = copy();
    p.write('data/retention.yaml', RETENTION(keep));
    return createSnapshot(await compileFiles(await readPolicyDirectory(p.dir), { opa: opa! }));
  };

  test('a retention that is new or changed is named field by field, and what no record shows is counted', async () => {
    const p = copy();
    p.write('data/retention.yaml', RETENTION('P7Y'));
    const unknown = await replayed(p.dir);
    expect(unknown.shifts).toEqual([]);
    expect(unknown.inexact.ages).toBeGreaterThan(0);
    const { shifts, inexact } = await replayed(p.dir, '--before', join(ROOT, 'policies'));
    expect(shifts.length).toBeGreaterThan(0);
    expect(inexact.ages).toBeGreaterThan(0);
    for (const shift of shifts)
      expect(shift).toMatchObject({
        kind: 'limit',
        direction: 'narrower',
        from: 'of any age',
        to: 'dated within P7Y',
      });
    expect(shifts.map((shift) => shift.path)).toContain('/orders/*/amount');
  });

  test('a longer retention discloses more, a shorter one less, and an equal one the same', async () => {
    const [seven, nine] = [await kept('P7Y'), await kept('P9Y')];
    const records = recordsIn(journal);
    const result = (before: LivePolicy, after: LivePolicy): Replay => {
      const replayer = new Replayer(after, before);
      for (const record of records)
        replayer.take({ ...record, policy: { ...record.policy!, revision: before.revision } });
      return replayer.result();
    };
    const directions = (replay: Replay) =>
      new Set(replay.shifts.map((s) => [s.direction, s.from, s.to].join()));
    expect(directions(result(seven, nine))).toEqual(new Set(['wider,dated within P7Y,dated within P9Y']));
    expect(directions(result(nine, seven))).toEqual(new Set(['narrower,dated within P9Y,dated within P7Y']));
    expect(directions(result(seven, seven))).toEqual(new Set());
  });

  test('a policy that demands a proof refuses what came without', async () => {
    const p = copy();
    p.write(
      'data/subject_verification.yaml',
      'subject_verification:\n  s:\n    title: s\n    purposes: [after_sales]\n    methods: [case]\n',
    );
    const { shifts } = await replayed(p.dir);
    expect(shifts.length).toBeGreaterThan(0);
    for (const shift of shifts)
      expect(shift).toMatchObject({
        kind: 'verdict',
        purpose: 'after_sales',
        to: 'denied (verification_required)',
      });
  });

  test('matrix --diff --journal counts the recorded decisions of each sentence', async () => {
    const p = copy();
    p.change(CATALOG, PHONE, '/phone: { category: reference, grade: 1 }\n  /email');
    const asked = ['matrix', '--diff', 'policies', p.dir, ...ONE, '--journal', journal];
    const { out } = await sluice(asked);
    expect(out).toMatch(
      /sees \/phone of customer in clear for after_sales \(before: masked\)[\s\S]*?[1-9]\d* recorded decisions? would have differed so/,
    );
    const printed = (await sluice([...asked, '--json'])).json<{
      changes: { recorded: number | null; about: string; when: object[] }[];
    }>();
    const { changes } = printed;
    expect(changes.some(({ recorded }) => recorded !== null && recorded > 0)).toBe(true);
    for (const { recorded, about } of changes)
      expect(recorded === null).toBe(about === 'write' || about === 'delete');
    const conditional = changes.filter(({ recorded, when }) => recorded !== null && when.length > 0);
    expect(conditional.length).toBeGreaterThan(0);
    expect(out.match(/\(counted\s+without\s+the\s+conditions\)/g)).toHaveLength(conditional.length);
  });

  test('a field that no catalog knew and that would leave now is named', async () => {
    const known = copy();
    known.change(CATALOG, /^ {2}\/email:.*\n/m, '');
    // as if the policy that decided had not known it
    const { shifts } = await replayedUnder(known, (record) => record);
    expect(shifts.find((s) => s.path === '/email')).toMatchObject({ direction: 'narrower', to: 'drop' });
    const policy = await policyOf();
    const records = recordsOf().map(
      (record): DecisionRecord => ({
        ...record,
        disclosure: record.disclosure && {
          ...record.disclosure,
          released: record.disclosure.released.filter((path) => path !== '/email'),
          withheld: record.disclosure.released.includes('/email')
            ? [
                ...record.disclosure.withheld,
                { path: '/email', do: 'drop', because: 'uncatalogued', count: 3 },
              ]
            : record.disclosure.withheld,
        },
      }),
    );
    const found = replay(policy, null, records).shifts.filter(
      (s) => s.path === '/email' && s.to === 'disclose',
    );
    expect(found.length).toBeGreaterThan(0);
    expect(found.every((s) => s.direction === 'wider' && s.from === 'drop' && s.count >= 3)).toBe(true);
  });

  test('the kind of a mask is compared with the policy that decided, and counted without it', async () => {
    const p = copy();
    p.change(
      CATALOG,
      '/id_number: { category: identity, grade: 4, mask: national_id }',
      '/id_number: { category: identity, grade: 4, mask: { kind: generic, keep_last: 4 } }',
    );
    const alone = await replayed(p.dir);
    expect(alone.shifts).toEqual([]);
    expect(alone.inexact.parameters).toBeGreaterThan(0);
    const { out } = await sluice(['replay', '--journal', journal, '--policies', p.dir]);
    expect(out).not.toMatch(/Nothing would change/);
    expect(out).toMatch(/would have differed as far as records tell/);
    expect(out).toMatch(/disguised values are compared by treatment alone, because its parameters/);
    const { shifts, inexact } = await replayed(p.dir, '--before', 'policies');
    expect(inexact.parameters).toBe(0);
    expect(shifts.find((s) => s.path === '/id_number')).toMatchObject({
      direction: 'other',
      from: 'mask {"kind":"national_id"}',
      to: 'mask {"kind":"generic","keep_last":4}',
    });
  });

  test.each([
    [
      'data_subject: { at: /id, type: customer_no }',
      'data_subject: { at: /agent/id, type: staff_no }',
      'data_subject',
    ],
    ['/total: { is: total }', '/total: { is: status }', 'envelope'],
    [
      '/notes: { category: free_text, grade: 3,',
      '/notes: { category: free_text, grade: 3, whole: true,',
      'whole',
    ],
  ])('what no record shows of a catalog is told, and is a change: %s', async (from, to, what) => {
    const p = copy();
    p.change(CATALOG, from, to);
    const asked = ['replay', '--journal', journal, '--policies', p.dir, '--before', 'policies'];
    const { code, out } = await sluice([...asked, '--exit-code']);
    expect(out).toContain('as far as records tell');
    expect(out).toMatch(new RegExp(`what no record shows, of the catalog: customer.* ${what}\\s`));
    expect(code).toBe(1);
  });

  test('a lower limit cuts what had left, and other obligations are compared with the policy that decided', async () => {
    const p = copy();
    p.change('data/roles.yaml', /( {2}analyst:[\s\S]*?)max_records: 5000/, '$1max_records: 10');
    p.change('data/tiers.yaml', 'min_group_size: 5', 'min_group_size: 2');
    const alone = await replayed(p.dir);
    expect(alone.shifts.find((s) => s.kind === 'limit')).toMatchObject({
      path: 'max_records',
      direction: 'narrower',
      roles: 'analyst',
      to: '10',
    });
    expect(alone.inexact.obligations).toBeGreaterThan(0);
    expect(alone.inexact.groups).toBeGreaterThan(0);
    const { shifts, inexact } = await replayed(p.dir, '--before', 'policies');
    expect(inexact.obligations).toBe(0);
    expect(shifts.filter((s) => s.kind === 'limit').map((s) => [s.path, s.from, s.to, s.direction])).toEqual(
      expect.arrayContaining([
        ['max_records', '5000', '10', 'narrower'],
        ['min_group_size', '5', '2', 'wider'],
      ]),
    );
  });

  test('every verdict that would change is told, and an example can be explained', async () => {
    const p = copy();
    p.change('data/roles.yaml', 'purposes: [claims, emergency]', 'purposes: [claims]');
    p.change('data/roles.yaml', /( {2}support:[\s\S]*?)contact: use/, '$1contact: recognise');
    const { code, shifts } = await replayed(p.dir);
    expect(code).toBe(1);
    const verdict = shifts.find((s) => s.kind === 'verdict');
    expect(verdict).toMatchObject({ from: 'allowed', to: 'denied (purpose_not_allowed)', roles: 'adjuster' });
    expect(shifts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: '/phone', from: 'disclose', to: 'mask', roles: 'support' }),
      ]),
    );
    const explained = await sluice([
      'explain',
      '--decision',
      verdict!.examples[0]!,
      '--journal',
      journal,
      '--policies',
      p.dir,
    ]);
    expect(explained.out).toContain('purpose_not_allowed');
    expect(explained.out).toContain('recorded under policy');
  });

  test('records that would no longer be withheld are counted, with what would leave in clear', async () => {
    const policy = await policyOf();
    const [record] = recordsOf().filter((r) =>
      (r.disclosure?.answers ?? []).some((a) => a.disclose && a.resource === 'customer'),
    );
    const answers = record!.disclosure!.answers!.map((a) => ({
      ...a,
      disclose: false,
      treatments: {},
      count: 7,
    }));
    const withheld = {
      ...record!,
      disclosure: { ...record!.disclosure!, answers, released: [], withheld: [] },
    };
    const shift = replay(policy, null, [withheld]).shifts.find(
      (s) => s.kind === 'record' && s.resource === 'customer',
    );
    expect(shift).toMatchObject({
      direction: 'wider',
      from: 'record withheld',
      to: 'record disclosed',
      count: 7,
    });
    expect(shift!.gives).toContain('/id');
  });

  test('of several states a field counts for those whose records had it', async () => {
    const policy = await policyOf();
    const [record] = recordsOf().filter((r) =>
      r.disclosure?.withheld.some((w) => w.path === '/phone' && w.do === 'mask'),
    );
    const [masked] = record!.disclosure!.answers!.filter((a) => a.treatments['mask']?.includes('contact/3'));
    const clear = {
      ...masked!,
      flags: [],
      consents: [],
      treatments: {
        disclose: ['contact/3', 'contact/2', 'reference/1', 'reference/2', 'transaction/2'],
        mask: ['identity/3', 'identity/4', 'financial/4'],
      },
    };
    const both = { ...record!, disclosure: { ...record!.disclosure!, answers: [masked!, clear] } };
    // asked again of the same policy: the record of the other person had no phone
    expect(replay(policy, null, [both]).shifts.filter((s) => s.path === '/phone')).toEqual([]);
  });

  test('a resource that has no catalog any more is told', async () => {
    const policy = await policyOf();
    const without = {
      ...policy,
      catalogs: new Map([...policy.catalogs].filter(([name]) => name !== 'customer')),
    };
    const { shifts } = replay(without, null, recordsOf());
    expect(shifts).toContainEqual(
      expect.objectContaining({ kind: 'verdict', direction: 'narrower', to: 'refused (catalog_unknown)' }),
    );
  });

  test('a search that would be refused for a field it is by is told', async () => {
    const p = copy();
    p.change(CATALOG, PHONE, '/phone: { category: identity, grade: 4, mask: phone }\n  /email');
    const policy = await policyOf(p.dir);
    const records = recordsOf().flatMap((r): DecisionRecord[] => {
      const input = r.input as { action?: { name: string; properties: object } } | null;
      if (
        r.outcome === 'denied' ||
        input?.action === undefined ||
        r.subject?.properties.roles[0] !== 'support'
      )
        return [];
      const properties = { ...input.action.properties, query_fields: ['/phone'] };
      return [{ ...r, input: { ...input, action: { ...input.action, properties } } }];
    });
    expect(records.length).toBeGreaterThan(0);
    const { shifts } = replay(policy, null, records);
    expect(shifts[0]).toMatchObject({
      kind: 'verdict',
      path: '/phone',
      to: 'refused (query_field_withheld)',
      direction: 'narrower',
    });
  });

  test('what lacks its input or its states is counted and never taken for unchanged', async () => {
    const policy = await policyOf();
    const records = recordsOf();
    const without = replay(
      policy,
      null,
      records.map((r) => ({ ...r, input: null })),
    );
    expect(without).toMatchObject({ decisions: records.length, left_out: records.length, same: 0 });
    expect(without.inexact.unasked).toBe(records.length);
    const stateless = replay(
      policy,
      null,
      records.map((r) => {
        if (r.disclosure === null) return r;
        const { answers: _answers, ...disclosure } = r.disclosure;
        return { ...r, disclosure };
      }),
    );
    expect(stateless.inexact.states).toBeGreaterThan(0);
  });

  test('a policy that reads attributes of records is not asked exactly, and that is counted', async () => {
    const p = copy();
    p.change(
      'sluice/disclosure.rego',
      'default may_leave := false',
      'withholdings contains {"code": "vip"} if input.record.attributes.vip == "never"\n\ndefault may_leave := false',
    );
    expect((await replayed(p.dir)).inexact.attributes).toBeGreaterThan(0);
  });

  test('every record of the journal keeps to the schema that is published', () => {
    const records = recordsIn(journal);
    expect(records.length).toBeGreaterThan(5);
    for (const record of records) expect(faultsBy('decision-record.schema.json', record)).toBeNull();
    expect(records.some((r) => (r.disclosure?.answers?.length ?? 0) > 0)).toBe(true);
  });

  test('a journal that is not there could not be read: exit 3', async () => {
    expect((await sluice(['replay', '--journal', join(dir, 'none')])).code).toBe(3);
  });

  const recordsOf = (): DecisionRecord[] => recordsIn(journal).filter((r) => r.kind === 'disclosure');
  const policyOf = async (at = join(ROOT, 'policies')): Promise<LivePolicy> =>
    createSnapshot(await compileFiles(await readPolicyDirectory(at), { opa: opa! }));
  const replay = (
    policy: LivePolicy,
    before: LivePolicy | null,
    records: readonly DecisionRecord[],
  ): Replay => {
    const replayer = new Replayer(policy, before);
    // as if another policy had decided: what it did is on record, and nothing else of it
    for (const record of records) replayer.take({ ...record, policy: { revision: 'another', bundle: '' } });
    return replayer.result();
  };
  const replayedUnder = async (
    p: Copy,
    change: (record: DecisionRecord) => DecisionRecord,
  ): Promise<Replay> => replay(await policyOf(p.dir), null, recordsOf().map(change));
});
