/**
 * Steps below `data` by numbers and by texts of digits: OPA's interpreter takes every step of a path in its store as a string.
 * Paths that `walk` is asked for (rules `w_…`): the interpreter finds an element of an array only by an integer. `not walk(…)`.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Compared, compare, ruleNames } from './compared.ts';

const LEVELS = [0, 1];

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
w_literal contains v if walk(input.a, [[0.0], v])
w_literal_integer contains v if walk(input.a, [[0], v])
w_literal_exponent contains v if walk(input.a, [[1e0], v])
w_literal_inner contains v if walk(input.a, [[0, 1.0], v])
w_literal_too_long contains v if walk(input.a, [[0.0, 0, 0, 0], v])
w_literal_mixed contains v if walk(input.o, [["list", 0.0], v])
w_literal_number_key contains v if walk({0: "zero", 1: ["x"]}, [[0.0], v])
w_literal_number_key_deep contains v if walk({0: ["x", "y"], 1: ["z"]}, [[0.0, 1], v])
w_literal_number_key_index contains v if walk({0: ["x", "y"], 1: ["z"]}, [[1.0, 0.0], v])
w_literal_set contains v if walk({0, [1]}, [[0.0], v])
w_literal_set_list contains v if walk({[0], [1]}, [[[0.0]], v])
w_literal_set_list_index contains v if walk({[0], [1]}, [[[0.0], 0.0], v])
w_literal_set_in_list contains v if walk([{0, 1}], [[0, 0.0], v])
w_literal_value if walk(input.a, [[0, 0], 1.0])
w_literal_value_path if walk(input.a, [[0.0, 0], 1.0])
w_value_of_index contains k if walk([0.0, 1.0, 5], [[k], k])
w_index_of_key contains v if walk({0.0: ["x"], 1.0: ["y", "z"]}, [[k, k], v])
w_index_of_index contains v if walk(input.a, [[k, k], v])
w_element_input contains v if walk(input.a, [[input.zero], v])
w_element_input_integer contains v if walk(input.a, [[input.one], v])
w_element_second contains [k, v] if walk(input.a, [[k, input.zero], v])
w_path_input contains v if walk(input.a, [input.path, v])
w_path_input_integer contains v if walk(input.a, [input.path_integer, v])
w_path_input_bound contains v if { p := input.path; walk(input.a, [p, v]) }
w_path_bound contains v if { p := [0.0]; walk(input.a, [p, v]) }
w_path_of_many contains [p, v] if { some p in input.paths; walk(input.o, [p, v]) }
w_element_of_many contains [k, v] if { some k in [0, 0.0, 1.0, 1, 1e0, "list", -0, 10e-1]; walk(input.a, [[k], v]) }
w_pair_bound if { out := [[0.0], input.a[0]]; walk(input.a, out) }
w_pair_bound_integer if { out := [[0], input.a[0]]; walk(input.a, out) }
w_pair_input if walk(input.a, input.pair)
w_after contains v if { walk(input.a, [p, v]); p == [0.0] }
w_after_unified contains v if { walk(input.a, [p, v]); [0.0] = p }
w_after_element contains v if { walk(input.a, [[k], v]); k == 0.0 }
w_after_element_input contains v if { walk(input.a, [[k], v]); k == input.zero }
w_after_path_input contains v if { walk(input.a, [p, v]); p == input.path }
w_after_pair contains out if { walk(input.a, out); out[0] == [0.0] }
w_after_pair_element contains out if { walk(input.a, out); out[0][0] == 0.0 }
w_assigned contains v if { walk(input.a, out); [p, v] := out; p == [0.0] }
w_result contains v if { [p, v] = walk(input.a); p == [0.0] }
w_first_of_two contains [v, w] if { walk({0.0: "x", 1: "y"}, [[k], v]); walk(input.a, [[k], w]) }
w_first_of_two_paths contains [v, w] if { walk({0.0: "x", 1: "y"}, [p, v]); walk(input.a, [p, w]) }
w_index_then contains [p, w] if { walk(input.a, [p, _]); walk(input.b, [p, w]) }
w_inner contains v if { walk(input.a, [[0], o]); walk(o, [[1.0], v]) }
w_inner_found contains v if { walk(input.a, [[0], o]); walk(o, [[1], v]) }
w_any if walk(input.a, [[0.0], _])
w_negated_input if { p := input.path; not walk(input.a, [p, 1]) }
w_not_found if { p := ["x"]; not walk(input.a, [p, 1]) }
w_not_literal if not walk(input.a, [[0, 0], 2])
w_not_is_found if not walk(input.a, [[0, 0], 1])
w_not_of_many contains p if { some p in input.paths; not walk(input.o, [p, 7]) }
w_not_number contains k if { some k in [0, 0.0, 1, 7]; not walk(input.a, [[k, 0], 3]) }
w_not_with if { p := [0, 0]; not walk(input.a, [p, 1]) with input.a as [] }
w_not_with_found if { p := [0, 0]; not walk(input.a, [p, 1]) with input.a as [[1]] }
w_not_twice if { p := ["x"]; not walk(input.a, [p, 1]); not walk(input.b, [p, 2]) }
w_not_second if { p := [0, 0]; not walk(input.a, [p, 7]); not walk(input.b, [p, 4]) }
w_not_then contains v if { p := ["x"]; not walk(input.a, [p, 1]); walk(input.a, [[0], v]) }
w_not_listed := [k | some k in [0, 1]; not walk(input.b, [[k, 0], 4])]
w_not_in_every if every k in [5, 6] { not walk(input.a, [[k], 1]) }
w_not_by(p) if not walk(input.a, [p, 3])
w_not_functions := [p | some p in [[0], [1, 0], [1]]; w_not_by(p)]
w_not_pair if { out := [[1, 0], 3]; not walk(input.a, out) }
w_not_else := 1 if { p := [1, 0]; not walk(input.a, [p, 3]) } else := 2
w_listed := [v | walk(input.a, [[0.0], v])]
w_every if every k in [0.0, 1.0] { walk(input.a, [[k], _]) }
w_every_found if every k in [0, 1] { walk(input.a, [[k], _]) }
w_every_half if every k in [0, 1.0] { walk(input.a, [[k], _]) }
w_every_none if every k in [7] { walk(input.a, [[k], _]) }
w_by(p) := [v | walk(input.a, [p, v])]
w_by_function := w_by([0.0])
w_by_function_input := w_by(input.path)
w_by_function_integer := w_by([1])
w_walked(x, k) := [v | walk(x, [[k], v])]
w_walked_lists := [w_walked([1, 2], 0.0), w_walked({0: 1}, 0.0), w_walked({0}, 0.0), w_walked([1, 2], 1)]
w_helper := [0.0]
w_by_rule contains v if walk(input.a, [w_helper, v])
w_of_data contains v if walk(data.list, [[0.0], v])
w_of_data_integer contains v if walk(data.list, [[0], v])
w_of_data_path contains v if walk(data.deep, [["a", "3", input.zero], v])
w_replaced contains v if walk(input.a, [input.path, v]) with input.path as [0]
w_computed contains v if walk(input.a, [[input.one - 1], v])
w_converted contains [t, v] if { some t in ["0", "0.0", "+0", "-0", "00"]; k := to_number(t); walk(input.a, [[k], v]) }
w_wildcard contains v if walk(input.a, [_, v])
w_path_of_paths contains [p, q] if { walk(input.a, [p, _]); walk(input.a, [q, _]); p == q }
w_else := v if { walk(input.a, [[0.0], v]) } else := "none"
`;
const NAMES = ruleNames(RULES);

/** one rule a line; rules of packages answer, too */
const BESIDE_RULES = `
literal contains [m, v] if { some m in input.packages; v := data.limits[m].v[2] }
of_input contains [m, v] if { some m in input.packages; v := data.limits[m].v[input.k] }
deeper contains [m, v] if { some m in input.packages; v := data.limits[m].v[7].w[3] }
index contains [m, v] if { some m in input.packages; v := data.limits[m].list["1"] }
negated contains m if { some m in input.packages; not data.limits[m].v[2] }
every_found if every m in ["x", "y"] { data.limits[m].v[2] }
listed := [v | some m in input.packages; v := data.limits[m].v[2]]
replaced contains [m, v] if { some m in input.packages; v := data.limits[m].v[input.k] with input.k as 7 }
copied contains [m, v] if { some m in input.packages; x := data.limits[m].v; v := x[2] }
copied_package contains [m, v] if { some m in ["x"]; x := data.limits[m]; v := x.v[2] }
of(m) := data.limits[m].v[2]
by_function contains [m, v] if { some m in input.packages; v := of(m) }
`;
const PACKAGES = [
  'package limits.y\nv := {2: "rule 2", 7: {"w": {3: "rule 3"}}}\nlist := ["r0", "r1"]',
  'package limits.q\nv := {"2": "text"}\nlist := {"1": "key"}',
];
const BESIDE_NAMES = ruleNames(BESIDE_RULES);

const DATA = `{"2":"root","5":{"z":5},"nested":{"2":"bar","1":"one","2.0":"two.zero","key":2},"list":["e0","e1"],"odd":{"2":"a","2.0":"b","20e-1":"c","1e2":"d","100":"e","-1":"f","12345678901234567890123":"g"},"deep":{"a":{"2":{"z":7},"3":["x","y"]},"b":{"2":8},"c":[1,2,3],"4":{"a":4}},"t2":{"1":11},"limits":{"x":{"v":{"2":"two","7":{"w":{"3":"three"}}},"list":["e0","e1"]}}}`;
const INPUT = `{"packages":["x","y","q","z"],"k":2,"k2":5,"s":"1","zero":0.0,"one":1,"path":[0.0],"path_integer":[0],"pair":[[0.0],[1,[2]]],"paths":[["list",0],["list",0.0],["list",-0],["list",1e0],["0"],[]],"a":[[1,[2]],[3]],"b":[[4]],"o":{"list":[7,8],"0":"t"}}`;

let compared: Compared;

beforeAll(async () => {
  const modules = [`package t\n${RULES}`];
  compared = await compare({ modules, names: NAMES, data: DATA, inputs: [INPUT], levels: LEVELS });
});

describe('where rules and data may answer', () => {
  let beside: Compared;
  beforeAll(async () => {
    const modules = [`package t\n${BESIDE_RULES}`, ...PACKAGES];
    // Such rules are not optimized: the optimizer would take the data for absent.
    beside = await compare({ modules, names: BESIDE_NAMES, data: DATA, inputs: [INPUT], levels: [0] });
  });
  test.each(BESIDE_NAMES)('%s is answered as OPA answers it', (name) => {
    const { opa, ours } = beside.answers(name, 0);
    expect(ours).toEqual(opa);
  });
});

describe.each(LEVELS)('at level %i of the optimizer', (level) => {
  test.each(NAMES)('%s is answered as OPA answers it', (name) => {
    const { opa, ours } = compared.answers(name, level);
    expect(ours).toEqual(opa);
  });
});

test('a member is found by the spelling of the number', () => {
  const { result } = compared.evaluators.get(0)!.evaluate('t/bound', INPUT, { nowNs: 0n, seed: '' });
  expect(result).toEqual([
    [1, 'one'],
    [2, 'bar'],
    [2, 'two.zero'],
  ]);
});
