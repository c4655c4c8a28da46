/** Steps below `data` by numbers and by texts of digits: OPA's interpreter takes every step of a path in its store as a string. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { createEvaluator, type Evaluator } from '../../src/rego/evaluator.ts';
import { equal } from '../../src/rego/order.ts';
import { decode, encode, type RegoObject, type RegoValue } from '../../src/rego/values.ts';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';

/** one rule a line */
const RULES = `
literal := data.nested[2]
bound contains [k, v] if { some k in [1, 2, 2.0, 3]; v := data.nested[k] }
of_input := data.nested[input.k]
index := data.list["0"]
indexes contains [k, v] if { some k in ["0", "1", "01", "+1", "-1", "-0", "-", "1.0", "1_0", "", "x", "9"]; v := data.list[k] }
numbers contains [k, v] if { some k in [0, 1, 1.0, 1e0, -1, 5]; v := data.list[k] }
spelled contains [k, v] if { some k in [2, 2.0, 20e-1, 1e2, 100, -1, 12345678901234567890123]; v := data.odd[k] }
below_variable contains [k, v] if { some k; v := data.deep[k][2] }
deeper := data.deep.a[2].z
deeper_list := data.deep.a["3"]["1"]
copied := o[2] if { o := data.nested }
copied_dynamic := o[input.k] if { o := data.nested }
copied_index := o[input.s] if { o := data.list }
iterated contains v if { some k; o := data.deep[k]; v := o[2] }
walked contains v if { some o in data.deep; v := o[2] }
replaced := v if { v := data.nested[2] with data.nested as {"2": "w"} }
replaced_input := v if { v := data.nested[input.k] with input.k as 1 }
beside := v if { v := data.nested[2] with data.other as {"2": "w"} }
inside := v if { v := data.deep.a[2].z with data.deep.b as 1 }
all_of if { every k in [1, 2] { data.nested[k] } }
listed := [data.nested[k] | some k in [1, 2]]
negated if not data.nested[2]
negated_dynamic if not data.nested[input.k]
of(k) := data.nested[k]
by_function := of(2)
of_object(o, k) := o[k]
by_object := of_object(data.nested, 2)
helper := data.nested
by_rule := helper[2]
by_rule_dynamic := helper[input.k]
composed := data.nested[[1][0]]
unified contains k if { data.nested[k] = "bar"; k = 2 }
computed := data.nested[1 + 1]
from_set contains [k, v] if { some k in {1, 2}; v := data.deep.a[k] }
counted := count(data.nested[2])
compared if data.nested[input.k] == "bar"
chosen := "a" if { data.nested[input.k] == "bar" } else := "b"
got := object.get(data.nested, 2, "default")
got_path := object.get(data.deep, ["a", 2], "default")
of_data contains [k, v] if { some k in [1, 2]; v := data.t2[k] }
partial[k] := v if { some k in [1, 2]; v := data.nested[k] }
key_of_data := data.nested[data.nested["key"]]
string_member := data.nested.key["0"]
null_key contains v if { some k in [null, true]; v := data.nested[k] }
else_of := 1 if { data.nothing[2] } else := v if { v := data.nested[2] }
`;
const MODULE = `package t\n${RULES}`;
/** the rules that are no functions */
const NAMES = [...new Set([...RULES.matchAll(/^([a-z_]+)(?!\w*\()/gm)].map((m) => m[1]!))].filter(
  (name) => !RULES.includes(`\n${name}(`),
);
const DATA = `{"2":"root","5":{"z":5},"nested":{"2":"bar","1":"one","2.0":"two.zero","key":2},"list":["e0","e1"],"odd":{"2":"a","2.0":"b","20e-1":"c","1e2":"d","100":"e","-1":"f","12345678901234567890123":"g"},"deep":{"a":{"2":{"z":7},"3":["x","y"]},"b":{"2":8},"c":[1,2,3],"4":{"a":4}},"t2":{"1":11}}`;
const INPUT = `{"k":2,"k2":5,"s":"1"}`;

let interpreted: RegoObject;
const compiled = new Map<number, Evaluator>();

beforeAll(async () => {
  const opa = await resolveOpa();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-data-accesses-'));
  try {
    const [module, data, input] = ['p.rego', 'data.json', 'input.json'].map((f) => join(dir, f)) as [
      string,
      string,
      string,
    ];
    await Promise.all([writeFile(module, MODULE), writeFile(data, DATA), writeFile(input, INPUT)]);
    // Without the data in it, as Sluice builds: the optimizer must not evaluate the rules.
    await writeFile(join(dir, '.manifest'), '{"roots":["t"]}');
    const run = await opa.run(['eval', '-f', 'raw', '-d', module, '-d', data, '-i', input, 'data.t']);
    if (run.code !== 0) throw new Error(run.stderr + run.stdout);
    interpreted = decode(run.stdout) as RegoObject;
    await rm(data);
    await rm(input);
    for (const level of [0, 1]) {
      const out = join(dir, `${level}.tar.gz`);
      const entrypoints = NAMES.flatMap((name) => ['-e', `t/${name}`]);
      const built = await opa.run(
        [
          'build',
          '--bundle',
          '--prune-unused',
          '-O',
          `${level}`,
          '-t',
          'wasm',
          ...entrypoints,
          '-o',
          out,
          '.',
        ],
        { cwd: dir },
      );
      if (built.code !== 0) throw new Error(built.stderr + built.stdout);
      const wasm = (await readArchive(await readFile(out), 'p')).get('policy.wasm')!;
      await rm(out);
      const options = { data: Buffer.from(DATA), maxPages: 256 };
      compiled.set(level, createEvaluator(new WebAssembly.Module(asOpaInterpreter(wasm)), options));
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

const plain = (v: RegoValue | undefined): RegoValue | undefined =>
  v instanceof Set ? [...v].map((x) => plain(x)!) : v;

describe.each([
  ['without the optimizer', 0],
  ['with the optimizer', 1],
])('%s', (_, level) => {
  test.each(NAMES)('%s is answered as OPA answers it', (name) => {
    const { raw } = compiled.get(level)!.evaluate(`t/${name}`, INPUT, { nowNs: 0n, seed: '' });
    const ours = raw === '' ? undefined : plain(decode(raw));
    const opa = interpreted.get(name);
    const same = opa === undefined || ours === undefined ? opa === ours : equal(opa, ours);
    expect(same, `OPA ${opa && encode(opa)}, ours ${ours && encode(ours)}`).toBe(true);
  });
});

test('a member is found by the spelling of the number', () => {
  const { result } = compiled.get(0)!.evaluate('t/bound', INPUT, { nowNs: 0n, seed: '' });
  expect(result).toEqual([
    [1, 'one'],
    [2, 'bar'],
    [2, 'two.zero'],
  ]);
});
