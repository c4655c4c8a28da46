/**
 * Class: built-ins that OPA compiles into the module and that are more lenient there, never end, or fail the whole decision.
 * Root cause: OPA's C library is another implementation than its interpreter. Those are rewritten to ask the host.
 */
import { describe, expect, test } from 'vitest';
import { isSluiceError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/policy/config.ts';
import { createRuntime } from '../../src/policy/runtime.ts';
import { answersAsOpa } from '../policy/builtins/oracle.ts';
import { policyOf } from '../policy/support.ts';

describe('what is answered by the host', () => {
  answersAsOpa(`
    json.is_valid("[1,2,]")
    json.is_valid("{\\"a\\":1,}")
    json.is_valid("01")
    json.is_valid("")
    json.unmarshal("01")
    json.unmarshal("[1,2,]")
    json.unmarshal("{\\"a\\":1,\\"a\\":2}")
    json.unmarshal("\\"\\\\ud800\\"")
    json.unmarshal("\\"\\\\ud83d\\\\ude00\\"")
    json.unmarshal("[1.0, 1e400, -0]")
    json.marshal("<a href='x'>&</a>")
    json.marshal({"b": 1, "a": {3, 2}, "<": "\\u2028"})
    base64.decode("YQ")
    base64.decode("")
    base64.decode("YWI=")
    base64.is_valid("YQ")
    base64.is_valid("")
    base64url.decode("YQ")
    base64url.decode("Y")
    indexof("abc", "")
    indexof("", "a")
    indexof("日本語", "語")
    indexof("a😀b", "b")
    replace("abc", "", "-")
    replace("", "", "-")
    replace("aaa", "aa", "b")
    replace("aaa", "a", "")
    hex.encode(replace("é", "", "-"))
    strings.replace_n({"": "-"}, "abc")
    strings.replace_n({"": "-", "b": "x"}, "abc")
    strings.replace_n({"a": "b", "ab": "c", "b": "a"}, "abab")
    strings.replace_n({}, "abab")
    format_int(18446744073709551616, 10)
    format_int(18446744073709551616, 16)
    format_int(255, 16)
    format_int(-255, 2)
    format_int(1.9, 10)
    format_int(1, 3)
    json.remove({"a": 1, "b": {"c": [1, 2, 3]}}, [""])
    json.remove({"a": 1, "b": {"c": [1, 2, 3]}}, ["b/c/1", ["a"]])
    json.remove({"a": 1}, [])
    json.filter({"a": 1, "b": {"c": [1, 2, 3]}}, ["b/c/1"])
    json.filter({"a": 1}, [""])
    json.filter({"a": {"1": 2}}, {["a", "1"]})
    to_number("1e3")
    to_number(null)
    to_number(true)
    to_number("x")
    to_number("")
  `);
});

describe('arithmetic', () => {
  answersAsOpa(`
    1/3
    2/3
    10/4
    7/7
    0/5
    1/0
    -7/2
    round(1e21)
    round(2.5)
    round(-2.5)
    round(0.49999999999999994)
    2.675*100
    0.1+0.2
    0.3-0.1
    1.1*1.1
    abs(-0.5)
    abs(-9223372036854775808)
    floor(-0.5)
    floor(-1.5)
    floor(1e21)
    ceil(-0.5)
    ceil(1.000001)
    ceil(1e-400)
    sum([0.1, 0.2, 0.3])
    sum({0.1, 0.2, 0.3})
    sum([1, 2, 3])
    sum([])
    sum([9223372036854775807, 1])
    product([0.1, 0.2, 0.3])
    product([])
    product([1.5, 2])
    5 % 3
    -5 % 3
    5 % 0
    5.5 % 2
    1e21 % 7
    9223372036854775807 + 1
    123456789012345678901234567890 + 1
    1e308 * 10
  `);
});

test.each([
  ['replace', 'replace(input.s, "", input.s)'],
  ['strings.replace_n', 'strings.replace_n({"": input.s}, input.s)'],
  ['strings.replace_n with many keys', 'strings.replace_n({"": "", "a": input.s}, input.s)'],
])('%s with an empty key ends, whatever it makes', async (_, expression) => {
  const bundle = await policyOf(`package sluice\n\ndecision := count(${expression})\n\ndisclosure := {}\n`);
  const runtime = await createRuntime(bundle, DEFAULT_LIMITS);
  const outside = { nowNs: 0n, seed: () => 'seed' };
  for (const length of [0, 1, 100, 60_000]) {
    const began = performance.now();
    try {
      const { result } = runtime.evaluate(
        'sluice/decision',
        JSON.stringify({ s: 'a'.repeat(length) }),
        outside,
      );
      expect(result).toBeGreaterThanOrEqual(length);
    } catch (e) {
      expect(
        isSluiceError(e) && ['policy_memory_exceeded', 'policy_deadline_exceeded'].includes(e.code),
      ).toBe(true);
    }
    expect(performance.now() - began).toBeLessThan(5000);
  }
});
