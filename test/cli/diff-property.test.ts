/**
 * `sluice matrix --diff` against the proxy: of generated changes of data, catalogs and rules, what a request sampled on the axes is answered otherwise is what the
 * comparison names, in the circumstances of that very request; and what it names in clear on one side only, the proxy answers otherwise.
 */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { axesOf, type AxesOptions } from '../../src/cli/policy/matrix/axes.ts';
import { type Change, circumstanceOf, directionOf } from '../../src/cli/policy/matrix/changes.ts';
import { compare } from '../../src/cli/policy/matrix/grid-changes.ts';
import { catalogChanges } from '../../src/cli/policy/matrix/grid-catalogs.ts';
import { sentencesOf } from '../../src/cli/policy/matrix/grid-sentences.ts';
import { openSandbox } from '../../src/cli/policy/testing/sandbox.ts';
import type { FieldOutcome } from '../../src/disclosure/fields/outcomes.ts';
import type { DataSubjectState } from '../../src/model/consent.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { type PolicyDirectory, readPolicyDirectory } from '../../src/policy/directory.ts';
import type { ScenarioFile } from '../../src/policy/schemas/scenario.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { opa, ROOT } from './support.ts';

vi.setConfig({ testTimeout: 600_000 });

interface Document {
  [name: string]: unknown;
}
/** the object at a place of a document */
const at = (document: Document, ...steps: readonly string[]): Document =>
  steps.reduce((here, step) => here[step] as Document, document);
interface Edited {
  readonly customer: Document;
  readonly employee: Document;
  readonly data: Record<string, Document>;
  rego: (text: string) => string;
}
type Edit = (policy: Edited) => void;

const FIELDS = [
  '/name',
  '/phone',
  '/email',
  '/id_number',
  '/bank_card',
  '/notes',
  '/orders/*/amount',
  '/preferences/channel',
];
const CATEGORIES = [
  'reference',
  'contact',
  'identity',
  'transaction',
  'financial',
  'preference',
  'free_text',
];
const CALLERS = [
  ['support', 'after_sales', 'after-sales', 'internal', 'read'],
  ['store_clerk', 'order_processing', 'retail', 'internal', 'read'],
  ['adjuster', 'claims', 'claims', 'internal', 'read'],
  ['adjuster', 'emergency', 'claims', 'internal', 'search'],
  ['order_manager', 'delivery', 'logistics', 'swift_logistics', 'read'],
  ['marketer', 'marketing', 'marketing', 'internal', 'export'],
  ['compliance_officer', 'compliance_audit', 'compliance', 'internal', 'read'],
] as const;

const field = fc.constantFrom(...FIELDS);
const category = fc.constantFrom(...CATEGORIES);
const grade = fc.integer({ min: 1, max: 5 });
const role = fc.constantFrom(...CALLERS.map(([name]) => name));

const catalogEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(field, category, grade).map(
    ([f, c, g]): Edit =>
      ({ customer }) => {
        at(customer, 'fields')[f] = { ...at(customer, 'fields', f), category: c, grade: g };
      },
  ),
  fc.tuple(field, fc.constantFrom('generic', 'person_name', 'phone', 'email')).map(
    ([f, mask]): Edit =>
      ({ customer }) => {
        at(customer, 'fields')[f] = { ...at(customer, 'fields', f), mask };
      },
  ),
  field.map(
    (f): Edit =>
      ({ customer }) => {
        delete at(customer, 'fields')[f];
      },
  ),
  fc.tuple(category, grade).map(
    ([c, g]): Edit =>
      ({ customer }) => {
        at(customer, 'fields')['/extra'] = { category: c, grade: g };
      },
  ),
  fc.tuple(category, grade).map(
    ([c, g]): Edit =>
      ({ customer }) => {
        delete at(customer, 'fields')['/orders/*/amount'];
        at(customer, 'fields')['/orders/*/*'] = { category: c, grade: g };
      },
  ),
  fc.constant<Edit>(({ customer }) => {
    delete at(customer, 'fields')['/agent'];
  }),
  fc.tuple(fc.constantFrom('/name', '/phone', '/salary'), category, grade).map(
    ([f, c, g]): Edit =>
      ({ employee }) => {
        at(employee, 'fields')[f] = { category: c, grade: g };
      },
  ),
);

const dataEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(role, category, fc.constantFrom('use', 'recognise', null)).map(
    ([r, c, may]): Edit =>
      ({ data }) => {
        const categories = at(data['roles']!, 'roles', r, 'categories');
        if (may === null) delete categories[c];
        else categories[c] = may;
      },
  ),
  fc.tuple(role, grade).map(
    ([r, g]): Edit =>
      ({ data }) => {
        at(data['roles']!, 'roles', r)['max_grade'] = g;
      },
  ),
  fc.constantFrom(...CALLERS).map(
    ([r, purpose]): Edit =>
      ({ data }) => {
        const of = at(data['roles']!, 'roles', r);
        const others = (of['purposes'] as string[]).filter((p) => p !== purpose);
        of['purposes'] = others.length === 0 ? ['system_sync'] : others;
      },
  ),
  fc.tuple(fc.constantFrom(...CALLERS), fc.constantFrom('by_grade', 'explicit', 'waived')).map(
    ([[, p], c]): Edit =>
      ({ data }) => {
        at(data['purposes']!, 'purposes', p)['consent'] = c;
      },
  ),
  fc.tuple(category, fc.constantFrom('disclose', 'mask', 'nullify', 'drop')).map(
    ([c, t]): Edit =>
      ({ data }) => {
        at(data['tiers']!, 'tiers', '2', 'categories')[c] = t;
      },
  ),
  fc.tuple(fc.constantFrom(...CALLERS), fc.boolean()).map(
    ([[, p], needed]): Edit =>
      ({ data }) => {
        const of = at(data['purposes']!, 'purposes', p);
        of['mfa'] = needed;
        of['justification'] = needed ? 'optional' : 'required';
      },
  ),
  fc.tuple(grade, fc.boolean()).map(
    ([g, needed]): Edit =>
      ({ data }) => {
        at(data['grades']!, 'grades', String(g))['mfa'] = needed;
      },
  ),
  fc.tuple(fc.constantFrom(...CALLERS), fc.constantFrom('withhold_record', 'withhold_fields')).map(
    ([[, p], what]): Edit =>
      ({ data }) => {
        at(data['purposes']!, 'purposes', p)['on_refusal'] = what;
      },
  ),
  role.map(
    (r): Edit =>
      ({ data }) => {
        delete at(data['roles']!, 'roles', r)['departments'];
      },
  ),
  fc.integer({ min: 1, max: 4 }).map(
    (unstated): Edit =>
      ({ data }) => {
        at(data['grades']!, 'clearance')['unstated'] = unstated;
      },
  ),
  fc.constantFrom('nothing', 'notice', 'record').map(
    (w): Edit =>
      ({ data }) => {
        at(data['flags']!, 'flags', 'opt_out')['withholds'] = w;
      },
  ),
);

const ruleEdit: fc.Arbitrary<Edit> = fc
  .constantFrom(
    [
      '[8, 60, {"do": "drop", "because": "category_not_for_role"}]',
      '[4, 60, {"do": "mask", "because": "category_not_for_role"}]',
    ],
    ['"mask", 60, "role_recognises"', '"nullify", 60, "role_recognises"'],
    ['if choice.do in {"mask", "scrub"}', 'if choice.do in {"scrub"}'],
  )
  .map(
    ([from, to]): Edit =>
      (policy) => {
        const before = policy.rego;
        policy.rego = (text) => before(text).replace(from!, to!);
      },
  );

interface Sample {
  readonly caller: (typeof CALLERS)[number];
  readonly clearance: number | null;
  /** in what the caller is otherwise than the data describe callers */
  readonly otherwise: 'nothing' | 'factor' | 'justification' | 'department';
  readonly state: number;
  readonly tier: number | null;
}
const sample: fc.Arbitrary<Sample> = fc.record({
  caller: fc.constantFrom(...CALLERS),
  clearance: fc.option(grade, { freq: 6 }),
  otherwise: fc.constantFrom('nothing', 'nothing', 'nothing', 'factor', 'justification', 'department'),
  state: fc.nat({ max: 50 }),
  tier: fc.constantFrom(null, null, 1, 2, 3),
});

const AT = '2026-11-22T08:00:00Z';
const ABOUT: AxesOptions = {
  clearance: [null, 1, 2, 3, 4, 5],
  amr: ['pwd', 'otp'],
  justification: 'ticket 1',
  at: AT,
  action: ['read', 'search', 'export'],
  partly: true,
};

const RECORD = {
  id: 'C1',
  name: '张三丰',
  id_number: '110101199003074514',
  gender: 'M',
  birth_date: '1990-03-07',
  phone: '13812345678',
  email: 'zhangsanfeng@wudang.example',
  bank_card: '6222020200112233440',
  notes: 'called twice',
  extra: 'something else',
  orders: [{ order_no: 'SO1', amount: 399.5, status: 'sent' }],
  preferences: { channel: 'sms' },
  agent: { id: 'E1', name: '宋远桥', phone: '13987654321', salary: 250000, title: 'agent' },
};

const FILE: ScenarioFile = {
  title: 'sampled',
  now: AT,
  routes: [
    { match: 'GET /read', resource: 'customer', action: 'read' },
    ...(['search', 'export'] as const).map((action) => ({
      match: `GET /${action}`,
      resource: 'customer',
      action,
      records: '/items/*',
    })),
  ],
  scenarios: [
    { name: 'sampled', request: { method: 'GET', path: '/read' }, token: {}, expect: { status: 200 } },
  ],
};

async function played(
  policy: LivePolicy,
  samples: readonly { readonly sample: Sample; readonly state: DataSubjectState }[],
) {
  const sandbox = await openSandbox(policy);
  try {
    const sidecar = await sandbox.open(FILE);
    const answers: (Record<string, unknown> | null)[] = [];
    for (const { sample: s, state } of samples) {
      const [name, purpose, dept, recipient, action] = s.caller;
      const consents = state.consents.map((c) => ({
        ...c,
        categories: [...c.categories],
        status: c.status === 'withdrawn' ? ('withdrawn' as const) : ('given' as const),
        ...(c.status === 'expired' ? { until: '2026-01-01T00:00:00Z' } : {}),
      }));
      const said = { consents, flags: [...state.flags] };
      const result = await sidecar.run({
        name: 'sampled',
        request: {
          method: 'GET',
          path: `/${action}`,
          headers: {
            'sluice-purpose': purpose,
            ...(s.otherwise === 'justification' ? {} : { 'sluice-justification': 'ticket 1' }),
            ...(recipient === 'internal' ? {} : { 'sluice-recipient': recipient }),
            ...(s.tier === null ? {} : { 'sluice-tier': String(s.tier) }),
          },
        },
        token: {
          sub: 'u-1',
          roles: [name],
          dept: s.otherwise === 'department' ? 'another' : dept,
          org: 'internal',
          ...(s.clearance === null ? {} : { clearance: s.clearance }),
          amr: s.otherwise === 'factor' ? ['pwd'] : ['pwd', 'otp'],
        },
        consents: { C1: said, E1: said },
        upstream: {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(action === 'read' ? RECORD : { items: [RECORD] }),
        },
        expect: { status: 200 },
      });
      const body = result.status === 200 ? (JSON.parse(result.body.toString('utf8')) as Document) : null;
      answers.push(
        body === null ? null : action === 'read' ? body : ((body['items'] as Document[])[0] ?? {}),
      );
    }
    await sidecar.close();
    return answers;
  } finally {
    await sandbox.close();
  }
}

/** path as in the catalog → value */
function leaves(value: unknown, path = ''): [string, unknown][] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, `${path}/*`));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, item]) => leaves(item, `${path}/${name}`));
  return [[path, value]];
}

/** whether a path of an answer is (a place within) what a change names */
const names = (change: string, path: string): boolean => {
  const [a, b] = [change.split('/'), path.split('/')];
  return a.length <= b.length && a.every((step, n) => step === '*' || step === b[n]);
};

const base = async (): Promise<PolicyDirectory> => {
  const files = await readPolicyDirectory(`${ROOT}/policies`);
  return { ...files, tests: [], scenarios: [] };
};

async function edited(files: PolicyDirectory, edits: readonly Edit[]): Promise<LivePolicy> {
  const documents = new Map(
    [...files.catalogs, ...files.data].map((f) => [f.path, parse(f.text) as Document]),
  );
  const policy: Edited = {
    customer: documents.get('catalog/customer.yaml')!,
    employee: documents.get('catalog/employee.yaml')!,
    data: Object.fromEntries(
      files.data.map((f) => [f.path.replace(/^data\/|\.yaml$/g, ''), documents.get(f.path)!]),
    ),
    rego: (text) => text,
  };
  for (const edit of edits) edit(policy);
  const written = (list: PolicyDirectory['data']) =>
    list.map((f) => ({ ...f, text: JSON.stringify(documents.get(f.path)) }));
  const rego = files.rego.map((f) => ({ ...f, text: policy.rego(f.text) }));
  const bundle = await compileFiles(
    { ...files, rego, data: written(files.data), catalogs: written(files.catalogs) },
    { opa: opa! },
  );
  return createSnapshot(bundle);
}

const isFieldOutcome = (outcome: Change['before']): outcome is FieldOutcome => 'do' in outcome;

describe.runIf(opa !== null)('what changes', () => {
  test('is what the proxy does otherwise, named by field and circumstance', async () => {
    const files = await base();
    const before = await edited(files, []);
    const [differing, clear] = [{ n: 0 }, { n: 0 }];
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            { weight: 4, arbitrary: catalogEdit },
            { weight: 4, arbitrary: dataEdit },
            { weight: 1, arbitrary: ruleEdit },
          ),
          { minLength: 1, maxLength: 3 },
        ),
        fc.array(sample, { minLength: 4, maxLength: 8 }),
        async (edits, samples) => {
          const after = await edited(files, edits);
          const axes = axesOf([before, after], ABOUT);
          const asked = samples.map((s) => {
            const named = axes.states[s.state % axes.states.length]!;
            return { sample: s, named, state: named.of(s.caller[1], s.caller[3]) };
          });
          const [a, b] = [await played(before, asked), await played(after, asked)];
          for (const [n, { sample: s, named }] of asked.entries()) {
            const [name, purpose, department, recipient, action] = s.caller;
            const narrowed = axesOf([before, after], {
              ...ABOUT,
              role: [name],
              purpose: [purpose],
              recipient: [recipient],
              resource: ['customer'],
              action: [action],
              clearance: [s.clearance],
              ...(s.tier === null ? {} : { tier: [s.tier as 1 | 2 | 3] }),
            });
            const tiers = s.tier === null ? { ...narrowed, tiers: [null] } : narrowed;
            const compared = compare(before, after, tiers, ABOUT);
            const here = compared.found.filter(({ callers }) =>
              [...callers.values()].some(({ tuples }) =>
                [...tuples].map(circumstanceOf).some(
                  (c) =>
                    c.state === named.name &&
                    c.organization === 'internal' &&
                    c.kind === 'user' &&
                    c.factor === (s.otherwise === 'factor' ? 'pwd' : 'pwd and otp') &&
                    c.justification === (s.otherwise === 'justification' ? 'none' : 'given') &&
                    // a caller who states no department is one of its own where a policy stops asking for one
                    c.department === (s.otherwise === 'department' ? 'another' : department),
                ),
              ),
            );
            const [x, y] = [new Map(leaves(a[n] ?? {})), new Map(leaves(b[n] ?? {}))];
            const otherwise = [...new Set([...x.keys(), ...y.keys()])].filter(
              (path) => x.get(path) !== y.get(path),
            );
            differing.n += otherwise.length;
            const fields = here.filter(
              ({ change }) => change.of === 'field' && change.direction !== 'reason',
            );
            for (const path of otherwise) {
              const found = fields.some(({ change }) => names(change.path, path));
              expect([path, found, s, named.name]).toEqual([path, true, s, named.name]);
            }
            const spoken = sentencesOf(compared).flatMap(({ fields: f }) => f);
            for (const { change } of fields) {
              expect(spoken).toContain(change.path);
              if (!isFieldOutcome(change.before) || !isFieldOutcome(change.after)) continue;
              expect(directionOf(change.before, change.after)).toBe(change.direction);
              // what is in clear on one side only is another value on the other, where the record has it
              const isClear = (change.before.do === 'disclose') !== (change.after.do === 'disclose');
              const there = leaves(RECORD).some(([path]) => path === change.path);
              if (!isClear || !there) continue;
              clear.n += 1;
              expect([change.path, otherwise, s]).toEqual([
                change.path,
                expect.arrayContaining([change.path]),
                s,
              ]);
            }
            if (otherwise.length > 0) continue;
            expect(
              (a[n] === null) === (b[n] === null) || here.some(({ change }) => change.of === 'request'),
            ).toBe(true);
          }
          // a line that changed is named by itself as well
          expect(catalogChanges(before, before)).toEqual([]);
        },
      ),
      { numRuns: 8, seed: 20261122 },
    );
    // a test that compared nothing would prove nothing
    expect(differing.n).toBeGreaterThan(0);
    expect(clear.n).toBeGreaterThan(0);
  });
});
