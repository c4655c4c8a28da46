import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Grant, PolicyInput } from '../../src/model/input.ts';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { createProjection } from '../../src/policy/snapshot/projection.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { createRuntime, type Runtime } from '../../src/policy/runtime.ts';
import { DEFAULT_CACHE, DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import { fixture, inputFor, opa, policyOf } from './support.ts';

const paths = async (rule: string): Promise<string[]> => {
  const bundle = await policyOf(`package sluice\n\ndecision := x if {\n${rule}\n}\n\ndisclosure := {}\n`);
  return bundle.reads!.get('sluice/decision')!.input.map((p) => p.join('.'));
};

describe('what an entrypoint reads', () => {
  test('is exact for the fixture policy', async () => {
    const reads = (await fixture()).reads!;
    expect(reads.get('sluice/decision')).toEqual({
      input: [
        ['context', 'purpose'],
        ['context', 'tier'],
        ['subject', 'properties', 'roles'],
      ],
      data: [['roles']],
      nondeterministic: [],
      reads_time: false,
      consent_dates: false,
    });
    expect(reads.get('sluice/disclosure')!.input).toEqual([
      ['context', 'purpose'],
      ['data_subject', 'consents'],
      ['resource', 'type'],
    ]);
  });

  test('follows input through functions that are given all of it', async () => {
    const bundle = await policyOf(
      'package sluice\n\ndecision := f(input)\n\nf(request) := g(request.subject)\n\ng(who) := who.id\n\ndisclosure := {}\n',
    );
    expect(bundle.reads!.get('sluice/decision')!.input).toEqual([['subject', 'id']]);
  });

  test('follows object.get with a path written out', async () => {
    expect(await paths('x := object.get(input, ["a", "b"], 1)')).toEqual(['a.b']);
  });

  test('is everything below what is compared, iterated or given to a built-in', async () => {
    expect(await paths('input.a == {"k": 1}\nx := count(input.b)\nsome y in input.c\ny.d')).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('is the whole input where a key of it is computed', async () => {
    expect(await paths('x := input[input.k]')).toEqual(['']);
  });

  test('says that a policy reads the time', async () => {
    const bundle = await policyOf('package sluice\n\ndecision := input.context.time\n\ndisclosure := {}\n');
    expect(bundle.reads!.get('sluice/decision')!.reads_time).toBe(true);
    expect(bundle.reads!.get('sluice/disclosure')!.reads_time).toBe(false);
  });

  test('says whether the dates of consents are read', async () => {
    const of = async (rule: string): Promise<boolean> =>
      (await policyOf(`package sluice\n\ndecision := {}\n\ndisclosure := x if {\n${rule}\n}\n`)).reads!.get(
        'sluice/disclosure',
      )!.consent_dates;
    expect(await of('some c in input.data_subject.consents\nx := c.purpose\nis_string(c.status)')).toBe(
      false,
    );
    expect(await of('some c in input.data_subject.consents\nx := c.until')).toBe(true);
    expect(await of('some c in input.data_subject.consents\nx := object.keys(c)')).toBe(true);
    expect(await of('x := input.data_subject')).toBe(true);
  });
});

describe('inputs that share a key', () => {
  const FILE = new URL('./fixtures/reads/reads.rego', import.meta.url);
  let bundle: PolicyBundle;
  let runtime: Runtime;
  let rules: string[];

  beforeAll(async () => {
    const text = await readFile(FILE, 'utf8');
    rules = [...new Set([...text.matchAll(/^(?:default )?(a\d+)\b/gm)].map((m) => m[1]!))];
    bundle = await compileFiles(
      {
        dir: 'policy',
        rego: [
          { path: 'reads/reads.rego', text },
          { path: 'sluice/policy.rego', text: 'package sluice\n\ndecision := {}\n\ndisclosure := {}\n' },
        ],
        tests: [],
        data: [{ path: 'data/foo.yaml', text: 'foo: { s: [s, 1], k: [b] }' }],
        catalogs: [],
        scenarios: [],
      },
      { opa: await opa(), entrypoints: rules.map((r) => `reads/${r}`) },
    );
    runtime = await createRuntime(bundle, DEFAULT_LIMITS);
  });

  const leaf = fc.constantFrom<unknown>(1, 2, 's', 'k', 'b', true, false, null);
  const small = fc.dictionary(
    fc.constantFrom('x', 'b', 'c', 'd', 'k', 'r', 'h', 'zzz', 'name', 'age', 'ative'),
    fc.oneof(leaf, fc.dictionary(fc.constantFrom('b', 'z', 'x', 'r'), leaf)),
  );
  const value = fc.oneof(leaf, small, fc.array(fc.oneof(leaf, small), { maxLength: 3 }));
  const names = [
    'a',
    'foo',
    'q',
    'x',
    'y',
    'list',
    'people',
    'key',
    'neg',
    'qq',
    'pair',
    'one',
    'two',
    'w',
    'role',
    'perm',
    'o',
    'c',
    'default_val',
    'tmpl',
    'arr',
    'realx',
    'b',
  ];
  const anInput = fc.record(Object.fromEntries(names.map((n) => [n, value])), { requiredKeys: [] });

  test('have the same answer, whatever the policy does with its input', () => {
    const kept = new Map<string, unknown>();
    let shared = 0;
    const projections = rules.map((r) => createProjection(bundle.reads!.get(`reads/${r}`)!.input));
    const answer = (rule: string, input: object): unknown => {
      try {
        return runtime.evaluate(`reads/${rule}`, JSON.stringify(input), { nowNs: 0n, seed: () => '' }).result;
      } catch (e) {
        return (e as { code: string }).code;
      }
    };
    fc.assert(
      fc.property(anInput, fc.constantFrom(...names), value, (base, changed, other) => {
        for (const input of [base, { ...base, [changed]: other }]) {
          rules.forEach((rule, i) => {
            const key = `${rule} ${projections[i]!(input, '')}`;
            const got = answer(rule, input);
            const before = kept.get(key);
            if (!kept.has(key)) kept.set(key, got);
            else {
              shared += 1;
              expect(got, `${rule} for ${JSON.stringify(input)}`).toEqual(before);
            }
          });
        }
      }),
      { numRuns: 400 },
    );
    expect(shared).toBeGreaterThan(5000);
  });
});

describe('inputs without a grant', () => {
  const LOOPS: readonly string[] = [
    'some g in input.context.grants\ng.id == input.resource.id',
    'every g in input.context.grants { g.id == input.resource.id }',
    'count({g.id | some g in input.context.grants; g.id == input.resource.id}) == 0',
    'some i, g in input.context.grants\ni == 0\nheld(g, input.resource)',
    'within(input.context)',
  ];
  const OTHERS: readonly string[] = [
    'some g in all_of(input)\ng.id == input.resource.id',
    'some g in array.concat(input.context.grants, [{"id": "1"}])\ng.id == input.resource.id',
    'gs := object.get(input.context, "grants", [])\nsome g in gs\ng.id == input.resource.id',
    'some g in either\ng.id == input.resource.id',
    'some l in [input.context.grants, [{"id": "1"}]]\nsome g in l\ng.id == input.resource.id',
    'mocked_rule with input.context.grants as [{"id": "1"}]',
    'count(input.context.grants) == 0\ninput.resource.id == "1"',
    'not any_held\ninput.resource.id == "1"',
  ];
  const HELPERS = `
held(g, a) if g.id == a.id
within(context) if { some g in context.grants; g.id == input.resource.id }
all_of(request) := request.context.grants
either := input.context.grants if input.context.tier == 1 else := [{"id": "1"}]
mocked_rule if { some g in input.context.grants; g.id == input.resource.id }
any_held if { some g in input.context.grants; g.id == input.resource.id }
`;
  const withRule = (rule: string): Promise<PolicyBundle> =>
    policyOf(
      `package sluice\n\ndecision := {"allow": ok}\n\ndefault ok := false\n\nok if {\n${rule}\n}\n${HELPERS}\ndisclosure := {}\n`,
    );

  test.each(LOOPS)('do not depend on what only a loop over grants reads: %s', async (rule) => {
    const reads = (await withRule(rule)).reads!.get('sluice/decision')!;
    expect(reads.input.map((p) => p.join('.'))).toContain('resource.id');
    expect(reads.without_grants?.input.map((p) => p.join('.'))).toEqual(['context.grants']);
  });

  test.each([...LOOPS, ...OTHERS])(
    'have the answer that the policy gives when asked anew: %s',
    async (rule) => {
      const bundle = await withRule(rule);
      const policy = await createSnapshot(bundle);
      const plain = await createSnapshot(bundle, { cache: { ...DEFAULT_CACHE, entries: 0 } });
      const base = inputFor('support', 'after_sales');
      const allowed = new Set<boolean>();
      const granted = (...ids: string[]): readonly Grant[] =>
        ids.map((id) => ({ id, until: base.context.time }));
      for (const grants of [[], granted('1'), [], granted('2', '1')])
        for (const id of ['1', '2', null])
          for (const tier of [1, 2] as const) {
            const input: PolicyInput = {
              ...base,
              resource: { type: 'customer', properties: {}, ...(id === null ? {} : { id }) },
              context: { ...base.context, tier, grants },
            };
            const answer = policy.decide(input);
            expect(answer, JSON.stringify([grants, id, tier])).toEqual(plain.decide(input));
            allowed.add(answer.allow);
          }
      expect(allowed.size).toBe(2);
    },
  );
});
