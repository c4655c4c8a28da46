/** Negations of what is searched for below `data`, where rules of several packages answer: compared with OPA's interpreter. */
import { beforeAll, describe, expect, test } from 'vitest';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';
import { type Compared, compare, ruleNames } from './compared.ts';

/** one rule a line; `lib`, `mixed` and `deep` are packages with others below them */
const RULES = `
search contains n if {some n in input.xs; not data.lib[n].allow}
member contains n if {some n in input.xs; not data.lib[n].deny["y"]}
member_of_input if not data.lib[input.n].deny["y"]
value contains n if {some n in input.xs; not data.lib[n].v == 1}
whole_package contains n if {some n in input.xs; not data.lib[n]}
argument contains n if {some n in input.xs; not startswith(data.lib[n].s, "a")}
of_all if every n in input.xs {not data.lib[n].allow}
of_all_members if every n in input.xs {not data.lib[n].deny["y"]}
of_one if every n in [input.n] {not data.lib[n].deny["y"]}
replaced if {not data.lib[input.n].allow with input.m as 1}
replaced_member if {not data.lib[input.n].deny["y"] with input.m as 1}
replaced_twice if {not data.lib[input.n].deny["y"] with input.m as 2 with input.n as "b"}
replaced_data if {not data.lib[input.n].deny["y"] with data.lib.a.deny as {"y"}}
replaced_rule contains n if {some n in input.xs; not data.mixed[n].allow with data.mixed.a.allow as false}
denied(n) if not data.lib[n].deny["y"]
denied_mixed(n) if not data.mixed[n].allow
nested contains n if {some n in input.xs; not denied(n)}
nested_mixed contains n if {some n in input.xs; not denied_mixed(n)}
nested_of_all if every n in input.xs {not denied(n)}
several contains n if {some n in input.xs; not data.lib[n].allow; not data.mixed[n].allow; not data.lib[n].deny["y"]}
several_first contains n if {some n in input.xs; not data.lib[n].deny["y"]; not data.lib[n].deny["x"]}
then contains [n, v] if {some n in input.xs; not data.mixed[n].allow; v := data.lib[n].v}
uneven contains n if {some n in input.xs; not data.mixed[n].allow}
uneven_of_all if every n in [input.n] {not data.mixed[n].allow}
uneven_replaced if {not data.mixed[input.n].allow with input.m as 2}
uneven_value contains n if {some n in input.xs; not data.mixed[n].v == 1}
uneven_package contains n if {some n in input.xs; not data.mixed[n]}
uneven_argument contains n if {some n in input.xs; not startswith(data.mixed[n].s, "a")}
uneven_members contains [n, k] if {some n in input.xs; some k in ["x", "y"]; not data.mixed[n].allow[k]}
uneven_deep contains [n, k] if {some n in input.xs; some k in input.xs; not data.deep[n][k].allow}
uneven_deep_of_one contains n if {some n in input.xs; not data.deep[n].b.allow}
uneven_twice contains n if {some n in input.xs; not data.mixed[n].v == data.deep[n].b.v}
uneven_and_even contains n if {some n in input.xs; not data.lib[n].v == data.mixed[n].v}
uneven_else := 1 if {not data.mixed[input.n].allow} else := 2
uneven_listed := [n | some n in input.xs; not data.mixed[n].allow]
uneven_found contains n if {some n in input.xs; data.mixed[n].allow}
root contains n if {some n in ["lib", "mixed", "deep", "other"]; not data[n].a.allow}
beside contains n if {some n in input.xs; not data.base[n].allow}
beside_member contains n if {some n in input.xs; not data.base[n].allow["y"]}
listed contains n if {some n in input.xs; not data.other.list[n]}
set contains n if {some n in input.xs; s := {"a", "z"}; not s[n]}
set_of_packages contains n if {some n in input.xs; s := {"a"}; some k in input.xs; not s[k]; not data.mixed[n].allow}
walked contains n if {some n in input.xs; p := [n, "allow"]; not walk(data.other, [p, true])}
`;
const MODULES = [
  `package t\n${RULES}`,
  'package lib.a\nallow if input.m == 1\ndeny contains "y" if input.m == 2\nv := 1\ns := "abc"',
  'package lib.b\nallow if input.m == 2\ndeny contains "y" if input.m == 1\ndeny contains "x"\nv := 2\ns := "bcd"',
  'package mixed.a\nallow if input.m == 1\nv := 1\ns := "abc"',
  'package mixed.b\nallow if input.m == 2\nallow := false if input.m == 1\nv := 2\ns := "bc"',
  'package mixed.c.allow\nx := 2 if input.m == 3',
  'package deep.a.a\nallow if input.m == 1',
  'package deep.a.b\nallow if input.m == 2\nv := 1',
  'package deep.b.b\nallow if input.m == 3\nv := 3',
  'package deep.c.b.allow\nx := 1',
  'package base.a\nallow contains "y" if input.m == 1',
  'package base.c.allow\nx := 1',
];
const NAMES = ruleNames(RULES);
const DATA = JSON.stringify({
  other: { z: { allow: true }, a: { allow: false }, list: { z: true, a: false } },
  base: { z: { allow: { y: true } }, b: { allow: false } },
});
const INPUTS = ['a', 'b', 'c', 'z'].flatMap((n) =>
  [1, 2, 3].map((m) => JSON.stringify({ n, m, xs: ['a', 'b', 'c', 'z'] })),
);
/** Sluice builds with 0 or 1; a bundle may be built with 2 */
const LEVELS = [0, 1, 2];

let compared: Compared;
beforeAll(async () => {
  compared = await compare({ modules: MODULES, names: NAMES, data: DATA, inputs: INPUTS, levels: LEVELS });
});

describe.each(LEVELS)('at level %i of the optimizer', (level) => {
  test.each(NAMES)('%s is answered as OPA answers it', (name) => {
    const { opa, ours } = compared.answers(name, level);
    expect(ours).toEqual(opa);
  });
});

describe('a module whose negations have another form is refused', () => {
  const NOP = 0x01;
  /** `c := 0  end  get c  eqz  br_if 0`: the end of a negation */
  const END = /\x41\0\x21(.)\x0b\x20\1\x45\x0d\0/s;

  test.each<[because: string, at: number, bytes: number[]]>([
    ['nothing is assigned at its end', 0, [NOP, NOP, NOP, NOP]],
    ['another value is assigned at its end', 1, [1]],
    ['what is assigned does not decide', 5, [NOP, NOP, NOP, NOP, NOP]],
  ])('because %s', (_, at, bytes) => {
    const wasm = Uint8Array.from(compared.modules.get(0)!);
    const end = Buffer.from(wasm).toString('latin1').search(END);
    wasm.set(bytes, end + at);
    expect(() => asOpaInterpreter(wasm)).toThrow(expect.objectContaining({ code: 'module_unsupported' }));
  });
});

test.each([
  ['r0.data.', 'another letter'],
  ['rule_00.', 'a name without the path of the package'],
  ['__a.b.c.', 'a name that nothing tells'],
])('a module that names the functions of rules in another way is refused: %s (%s)', (name) => {
  const text = Buffer.from(compared.modules.get(0)!).toString('latin1');
  const renamed = Buffer.from(text.replaceAll(/g\d\.data\./g, name), 'latin1');
  expect(() => asOpaInterpreter(renamed)).toThrow(
    expect.objectContaining({
      code: 'module_unsupported',
      message: expect.stringContaining('in another way'),
    }),
  );
});

test('a module that names only some functions of rules as OPA does is refused', () => {
  const text = Buffer.from(compared.modules.get(0)!).toString('latin1');
  // the last of the names that the section has
  const at = text.lastIndexOf('g0.data.');
  const renamed = Buffer.from(`${text.slice(0, at)}x${text.slice(at + 1)}`, 'latin1');
  expect(() => asOpaInterpreter(renamed)).toThrow(expect.objectContaining({ code: 'module_unsupported' }));
});
