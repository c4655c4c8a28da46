import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { createEvaluator, type Evaluator } from '../../src/rego/evaluator.ts';
import { Instance } from '../../src/rego/instance.ts';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';
import { policyOf } from '../policy/support.ts';

const NOW = { nowNs: 0n, seed: '' };

// Everything that might change a loaded value in place, or give its memory to another one.
const REGO = `package sluice

disclosure := {}

names(o) := [k | some k, _ in o]

decision := {
	"loaded": names(data.big),
	"small": names(data.small),
	"nested": [[k, names(v)] | some k, v in data.nested],
	"walked": [p | walk(data.nested, [p, _])],
	"union": names(object.union(data.big, input.more)),
	"merged": names(object.union_n([data.big, data.small, input.more])),
	"removed": names(object.remove(data.big, input.drop)),
	"filtered": names(object.filter(data.big, input.drop)),
	"patched": names(json.patch(data.big, [{"op": "add", "path": "/added", "value": input.more}])),
	"replaced": _again,
	"within": names(data.nested.k1),
	"set": [x | some x in ({k | some k, _ in data.big} | {k | some k, _ in input.more})],
	"after": names(data.big),
}

_again := x if x := names(data.big) with data.big as input.more

`;
const object = (n: number, name: string): { [key: string]: number } =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`${name}${(i * 7919) % 1009}`, i]));
const DATA = {
  big: object(300, 'k'),
  small: object(17, 's'),
  nested: Object.fromEntries([0, 1, 2, 3].map((i) => [`k${i}`, object(20 + i, 'n')])),
};

let bundle: PolicyBundle;
let module: WebAssembly.Module;
let kept: Evaluator;
let memory: WebAssembly.Memory;
beforeAll(async () => {
  bundle = await policyOf(REGO, { data: JSON.stringify(DATA) });
  module = new WebAssembly.Module(asOpaInterpreter(bundle.wasm));
  kept = createEvaluator(module, {
    data: bundle.data,
    maxPages: 4096,
    meter: {
      start: (exports) => {
        memory = exports['memory'] as WebAssembly.Memory;
      },
      check: () => {},
    },
  });
});

test('loaded values have the same order in each of a thousand evaluations', () => {
  const keys = fc.array(fc.oneof(fc.constantFrom('k1', 'k30', 'k599', 'kx'), fc.string({ maxLength: 6 })), {
    maxLength: 40,
  });
  const input = fc.record({
    more: fc.dictionary(fc.string({ maxLength: 6 }), fc.nat(), { maxKeys: 40 }),
    drop: keys,
  });
  const inputs = fc.sample(input, { numRuns: 1000, seed: 10 });
  const loaded = Object.keys(DATA.big).sort().join();
  for (const [i, value] of inputs.entries()) {
    const text = JSON.stringify(value);
    const { raw, result } = kept.evaluate('sluice/decision', text, NOW);
    const answer = result as { [name: string]: unknown };
    for (const name of ['loaded', 'after'])
      if (String(answer[name]) !== loaded) expect(String(answer[name]), text).toBe(loaded);
    // A new instance knows nothing of earlier evaluations.
    if (i % 20 === 0) {
      const fresh = createEvaluator(module, { data: bundle.data, maxPages: 4096 });
      expect(fresh.evaluate('sluice/decision', text, NOW).raw).toBe(raw);
    }
  }
});

test('no evaluation writes to loaded values', () => {
  const load = (options: { readonly data?: unknown }) =>
    new Instance(module, { ...options, maxPages: 4096 }, () => 0).loadedState();
  const { dataAddr, heapPtr, memory: before } = load({ data: bundle.data });
  // Below the heap are the module's constants and its stack.
  const start = load({}).heapPtr;
  expect(start).toBeLessThan(dataAddr);
  expect(Buffer.compare(Buffer.from(memory.buffer, start, heapPtr - start), before.subarray(start))).toBe(0);
});
