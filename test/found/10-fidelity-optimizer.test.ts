/**
 * Class: an optimised policy of several entrypoints is another policy than the one that was written, or is not built at all.
 * Root cause: OPA's optimiser names the helpers of negations anew for every entrypoint, in one package for all, so that the
 * last one is asked for all. What it optimises so, or cannot optimise, is built without it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import type { PolicyFile } from '../../src/policy/directory.ts';
import { createRuntime } from '../../src/policy/runtime.ts';
import { opa, policyOf, scratch } from '../policy/support.ts';

const NOW = { nowNs: 0n, seed: () => 'optimizer' };
const INPUTS = ['{"vs":[1,2]}', '{"vs":[5,6]}', '{"vs":[1,5]}', '{"vs":[]}'];

/** a chain of negations that ends in a comparison */
const rules = (name: string, comparison: string): string => `package ${name}.x

ok if not bad

bad if {
	some v in input.vs
	not good(v)
}

good(v) if v ${comparison}
`;

const compiled = async (
  of: readonly (readonly [name: string, text: string])[],
  entrypoints: readonly string[],
  data: readonly PolicyFile[] = [],
) =>
  compileFiles(
    {
      dir: 'policy',
      rego: of.map(([name, text]) => ({ path: `${name}/x.rego`, text })),
      tests: [],
      data,
      catalogs: [],
      scenarios: [],
    },
    { opa: await opa(), entrypoints: [...entrypoints] },
  );
const built = async (...of: Parameters<typeof compiled>) =>
  createRuntime(await compiled(...of), DEFAULT_LIMITS);

describe('negations in several entrypoints', () => {
  test('each is answered by its own rule, in whatever order they are asked for', async () => {
    const all = [
      ['a', '> 3', (v: number) => v > 3],
      ['b', '< 3', (v: number) => v < 3],
      ['c', '== 5', (v: number) => v === 5],
    ] as const;
    for (const order of [all, all.toReversed(), all.slice(0, 2), all.slice(0, 1)]) {
      const runtime = await built(
        order.map(([name, comparison]) => [name, rules(name, comparison)]),
        order.map(([name]) => `${name}/x/ok`),
      );
      for (const input of INPUTS)
        for (const [name, , good] of order) {
          const { vs } = JSON.parse(input) as { vs: number[] };
          const wanted = vs.every(good) ? true : undefined;
          expect(runtime.evaluate(`${name}/x/ok`, input, NOW).result, `${name} ${input}`).toBe(wanted);
        }
    }
  });

  test('a decision and its disclosure are, too', async () => {
    const runtime = await createRuntime(
      await policyOf(`package sluice

decision := {"open": open}

disclosure := {"whole": whole}

default open := false

default whole := false

open if not closed

whole if not parted

closed if {
	some v in input.vs
	not v > 3
}

parted if {
	some v in input.vs
	not v < 3
}
`),
      DEFAULT_LIMITS,
    );
    for (const input of INPUTS) {
      const { vs } = JSON.parse(input) as { vs: number[] };
      const decision = runtime.evaluate('sluice/decision', input, NOW).result;
      expect(decision, input).toEqual({ open: vs.every((v) => v > 3) });
      const disclosure = runtime.evaluate('sluice/disclosure', input, NOW).result;
      expect(disclosure, input).toEqual({ whole: vs.every((v) => v < 3) });
    }
  });
});

test('a policy that is built without the optimiser says why, and one that is optimised says nothing', async () => {
  const [a, b] = [['a', rules('a', '> 3')] as const, ['b', rules('b', '< 3')] as const];
  expect((await compiled([a], ['a/x/ok'])).unoptimized).toBeUndefined();
  expect((await compiled([a, b], ['a/x/ok', 'b/x/ok'])).unoptimized).toContain('negation');
  const beside = { path: 'data/a.yaml', text: 'a: { y: 1 }' };
  expect((await compiled([a], ['a/x/ok'], [beside])).unoptimized).toContain('data.a,');
});

test('a bundle in which OPA has confused them is refused', async () => {
  const dir = await scratch();
  for (const [name, comparison] of [
    ['a', '> 3'],
    ['b', '< 3'],
  ] as const)
    await writeFile(join(dir, `${name}.rego`), rules(name, comparison));
  const bundle = async (level: string) => {
    const out = join(dir, `${level}.tar.gz`);
    const asked = ['-e', 'a/x/ok', '-e', 'b/x/ok'];
    const run = await (await opa()).run(['build', '-t', 'wasm', '-O', level, ...asked, '-o', out, dir]);
    expect(run.code, run.stderr).toBe(0);
    return readBundle(await readFile(out), { name: 'b.tar.gz' });
  };
  await expect(bundle('1')).rejects.toMatchObject({
    code: 'bundle_malformed',
    message: expect.stringContaining('confused negations of two entrypoints'),
  });
  expect((await bundle('0')).wasm.byteLength).toBeGreaterThan(0);
});

describe('what the optimiser cannot build', () => {
  test('functions that it takes away from rules that still call them', async () => {
    const text = `package g.x

denied contains v if {
	some v in input.vs
	bad(known(input), v)
}

bad(ps, _) if ps == []

bad(ps, v) if not allowed(ps, v)

allowed(ps, v) if v in ps

known(x) := [] if not x.ps

known(x) := x.ps
`;
    const runtime = await built(
      [
        ['g', text],
        ['h', 'package h.x\n\nmain := data.aws[input.a][input.b]\n'],
        ['aws', 'package aws.iam\n\ndeny contains "x" if not ok\n\nok if every p in input.ps { p != 1 }\n'],
      ],
      ['g/x/denied', 'h/x/main'],
    );
    expect(runtime.evaluate('g/x/denied', '{"vs":[1,2],"ps":[1]}', NOW).result).toEqual([2]);
    expect(runtime.evaluate('h/x/main', '{"a":"iam","b":"deny","ps":[1]}', NOW).result).toEqual(['x']);
  });
});
