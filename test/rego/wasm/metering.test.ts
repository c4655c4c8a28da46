import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/policy/settings.ts';
import { createEvaluator, type Evaluator } from '../../../src/rego/evaluator.ts';
import { FUEL, meter } from '../../../src/rego/wasm/metering.ts';
import { createSnapshot, type LivePolicy } from '../../../src/policy/snapshot/index.ts';
import { codesOf, disclosureFor, fixture, inputFor, policyOf } from '../../policy/support.ts';

const evaluator = async (wasm: Uint8Array<ArrayBuffer>, data: unknown): Promise<Evaluator> =>
  createEvaluator(await WebAssembly.compile(wasm), { data, maxPages: 4096 });
const OUTSIDE = { nowNs: 0n, seed: 'x' };

describe('a metered module', () => {
  test('answers what the plain one answers', async () => {
    const bundle = await fixture();
    const plain = await evaluator(bundle.wasm, bundle.data);
    const metered = await evaluator(meter(bundle.wasm), bundle.data);
    fc.assert(
      fc.property(
        fc.constantFrom('support', 'analyst', 'x'),
        fc.constantFrom('after_sales', 'x'),
        fc.jsonValue(),
        (role, purpose, extra) => {
          const input = JSON.stringify({ ...disclosureFor(inputFor(role, purpose)), extra });
          for (const e of ['sluice/decision', 'sluice/disclosure'])
            expect(metered.evaluate(e, input, OUTSIDE)).toEqual(plain.evaluate(e, input, OUTSIDE));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('uses the same fuel for the same question', async () => {
    const bundle = await fixture();
    let fuel: WebAssembly.Global;
    const metered = createEvaluator(await WebAssembly.compile(meter(bundle.wasm)), {
      data: bundle.data,
      maxPages: 4096,
      meter: {
        start: (exports) => {
          fuel = exports[FUEL] as WebAssembly.Global;
          fuel.value = 1_000_000_000n;
        },
        check: () => {},
      },
    });
    const input = JSON.stringify(disclosureFor(inputFor('support', 'after_sales')));
    const used = (): bigint => {
      metered.evaluate('sluice/disclosure', input, OUTSIDE);
      return 1_000_000_000n - (fuel.value as bigint);
    };
    expect([used(), used()]).toEqual([used(), used()]);
  });

  test('with an unknown instruction is refused', async () => {
    // one function: v128.const, which SIMD has and OPA does not emit
    const wasm = Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, 4, 1, 0x60, 0, 0],
      ...[3, 2, 1, 0],
      ...[10, 23, 1, 21, 0, 0xfd, 12, ...Array<number>(16).fill(0), 0x1a, 0x0b],
    ]);
    expect(WebAssembly.validate(wasm)).toBe(true);
    expect(() => meter(wasm)).toThrow('unknown instruction 0xfd');
  });

  test('that is cut off at any byte is refused', async () => {
    const { wasm } = await fixture();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: wasm.length - 1 }), (length) => {
        const cut = wasm.slice(0, length);
        try {
          expect(WebAssembly.validate(meter(cut))).toBe(WebAssembly.validate(cut));
        } catch (e) {
          expect((e as { code: string }).code).toBe('module_malformed');
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a runaway policy', () => {
  const runaways: { readonly [name: string]: string } = {
    'over a product of lists':
      '[1 | some i in input.l; some j in input.l; some k in input.l; i + j == k - 10000]',
    'over a product of strings':
      '[1 | some i in input.s; some j in input.s; some k in input.s; contains(concat("", [i, j]), concat("", [k, "!"]))]',
    'over big numbers':
      '[1 | some i in input.l; some j in input.l; some k in input.l; i * 123456789012345678901234567890 == j * k * 7]',
    'over growing sets':
      '[1 | some i in input.l; some j in input.l; count({[i, j, k] | some k in input.l}) == 1]',
    'over JSON':
      '[1 | some i in input.l; some j in input.l; json.marshal(input.l) == sprintf("%d%d", [i, j])]',
    'in a built-in of the host':
      '[1 | some i in input.l; some j in input.l; some k in input.l; regex.match("(a|b|ab)*c$", sprintf("%d%s", [i + j + k, input.s[0]]))]',
  };
  const LIST = Array.from({ length: 2000 }, (_, i) => i);
  let policies: Map<string, LivePolicy>;

  beforeAll(async () => {
    policies = new Map();
    for (const [name, body] of Object.entries(runaways))
      policies.set(
        name,
        await createSnapshot(
          await policyOf(
            `package sluice\n\ndecision := {"allow": true} if input.subject.id == "fine"\n\ndecision := {"allow": true} if {\n\tinput.subject.id != "fine"\n\tcount(${body}) == 0\n}\n\ndisclosure := {}\n`,
          ),
        ),
      );
  });

  test.each(Object.keys(runaways))(
    '%s is denied within its budget, and the next question is answered',
    (name) => {
      const policy = policies.get(name)!;
      const base = inputFor('support', 'after_sales');
      const input = { ...base, l: LIST, s: LIST.map((i) => `${'ab'.repeat(20)}${i}`) };
      const answer = policy.decide(input);
      expect(codesOf(answer)).toEqual(['policy_deadline_exceeded']);
      expect(policy.decide({ ...base, subject: { ...base.subject, id: 'fine' } }).allow).toBe(true);
      // the very same answer: it was not evaluated again
      expect(policy.decide(input)).toBe(answer);
    },
  );

  test('in its use of memory is denied, and the next question is answered', async () => {
    const policy = await createSnapshot(
      await policyOf(
        'package sluice\n\ndecision := {"allow": true} if count({[i, j] | some i in input.l; some j in input.l}) >= 0\n\ndisclosure := {}\n',
      ),
      { limits: { ...DEFAULT_LIMITS, evaluation_ms: 10_000, memory_mb: 8 } },
    );
    const base = inputFor('support', 'after_sales');
    const { reasons } = policy.decide({ ...base, l: LIST } as typeof base);
    expect(reasons.map(({ code }) => code)).toEqual(['policy_memory_exceeded']);
    expect(reasons[0]?.message).toMatch(/raise the limit \(policy\.limits\.memory_mb\)\.$/);
    expect(policy.decide({ ...base, l: [1] } as typeof base).allow).toBe(true);
  });
});
