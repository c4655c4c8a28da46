/**
 * Class: built-ins that OPA compiles into the module and that are more lenient there, never end, or fail the whole decision.
 * Root cause: OPA's C library is another implementation than its interpreter. Those are rewritten to ask the host.
 */
import { describe, expect, test } from 'vitest';
import { isSluiceError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import { createRuntime } from '../../src/policy/runtime.ts';
import { answersAsOpa, answersOf } from '../rego/builtins/oracle.ts';
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
    format_int(123456789012345678901234567890, 16)
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
  }
});

describe('what generated questions found', () => {
  answersAsOpa(`
    time.parse_ns("2006-01-02 15:04:05 -0700 MST", "2024-01-01 10:00:00 +0800 CST")
    time.parse_ns("2006-01-02 15:04:05 -0700 MST", "2024-01-01 10:00:00 -0500 EST")
    time.parse_ns("Mon Jan 2 15:04:05 -0700 MST 2006", "Mon Jan 1 10:00:00 +0800 CST 2024")
    time.parse_ns("Mon Jan _2 15:04:05 MST 2006", "Mon Jan 1 10:00:00 CST 2024")
    time.parse_ns("2006-01-02 15:04:05 MST -0700", "2024-01-01 10:00:00 CST +0800")
    time.parse_ns("2006-01-02T15:04:05 -07 MST", "2024-01-01T10:00:00 +08 CST")
    time.parse_ns("2006-01-02T15:04:05Z0700 MST", "2024-01-01T10:00:00+0800 CST")
    time.parse_ns("RFC1123Z", "Mon, 01 Jan 2024 10:00:00 +0800")
    time.parse_ns("2006-01-02 15:04:05 -0700 MST", "2024-07-01 10:00:00 +0200 CEST")
    time.parse_ns("2006-01-02 15:04:05.999999999 -0700 MST", "2024-07-01 10:00:00.123 +0000 UTC")
    time.parse_ns("2006-01-02 15:04:05 -0700 MST", "2024-07-01 10:00:00 +0800 +08")
    time.parse_ns("2006-01-02 15:04:05 MST", "2024-07-01 10:00:00 GMT+3")
    time.parse_ns("2006-01-02 15:04:05 -0700 MST", "2024-07-01 10:00:00 +0800 GMT+8")
    time.parse_ns("MST 2006-01-02 15:04:05 -0700", "CST 2024-07-01 10:00:00 +0800")
    time.parse_ns("2006-01-02 15:04:05 -07:00 MST", "2024-07-01 10:00:00 +08:00 CST")
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":""})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})
    io.jwt.encode_sign({"alg":"RS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysP"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"RSA","n":"AQAB","e":"AQAB"})
    io.jwt.encode_sign({"alg":"ES256"}, {"a":1}, {"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"})
    io.jwt.encode_sign({"alg":"none"}, {"a":1}, {"kty":"oct","k":"AyM1SysP"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"!!"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysP=="})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysP","use":"enc"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysP","alg":"HS512"})
    io.jwt.encode_sign({"alg":"HS256"}, {"a":1}, {"kty":"oct","k":"AyM1SysP","key_ops":["verify"]})
    io.jwt.encode_sign({"alg":"HS256","typ":"text/plain"}, {"a":1}, {"kty":"oct","k":"AyM1SysP"})
    io.jwt.encode_sign({"typ":"JWT"}, {"a":1}, {"kty":"oct","k":"AyM1SysP"})
    io.jwt.encode_sign({"alg":"HS384"}, {"a":1}, {"kty":"oct","k":"AA"})
    io.jwt.encode_sign_raw(\`{"alg":"HS256"}\`, \`{"a":1\`, \`{"kty":"oct","k":"AyM1SysP"}\`)
    io.jwt.encode_sign_raw(\`{"alg":"HS256"}\`, \`{"a":1}\`, \`{"kty":"oct","k":"AyM1SysP"\`)
    io.jwt.encode_sign_raw(\`{"alg":"HS256"}\`, \`\`, \`{"kty":"oct","k":"AyM1SysP"}\`)
    graphql.parse_query("fragment F($a: Int = 1) on T { f(x: $a) }")
    graphql.parse_query("fragment F($a: Int) on T { f } query { ...F }")
    graphql.parse_query("fragment F() on T { f }")
    graphql.parse_query("fragment F($a: [Int!]! = [1] @d) on T @e { f }")
    round(0.5)
    round(-0.5)
    1e21 + 1
    floor(-1e-9)
    ceil(1e21)
    abs(-1e400)
    9007199254740993 * 3
    9223372036854775807 + 1
    -9223372036854775808 - 1
    4611686018427387904 * 2
    0.1 * 3
    1e308 * 10
    sum([9223372036854775807, 9223372036854775807])
    product([9223372036854775807, 2])
    10 % -3
    -10 % 3
    yaml.marshal({"a\\nb": {"c": 1}, "d": "x\\n\\n"})
    net.cidr_contains("10.0.0.0/8", "10.1.2.3/33")
    net.cidr_contains("::ffff:10.0.0.0/104", "10.1.2.3")
    net.cidr_intersects("10.0.0.0/8", "10.1.0.0/16")
    net.cidr_intersects("10.0.0.0/8", "10.1.0.1")
    net.cidr_contains("10.0.0.5/8", "10.1.2.3/32")
    object.union_n([])
    object.union_n([{"a":1},{"b":2}])
    strings.render_template("{{.a}}", {"a": "\\u0001"})
    strings.render_template("{{.a}}", {"a": "\\\\x"})
    15 % 18446744073709551616
    to_number("1_000") + 1
    to_number("1__000")
    to_number("_1")
    yaml.marshal({"1.0": 1, "1Mi": 2, "1e3": 3})
    yaml.marshal(["\\n", "a\\n\\n", 1e400, "1e400"])
    yaml.unmarshal("{a: b}c")
    yaml.unmarshal("'x' y")
    yaml.unmarshal("a\\u0001")
    yaml.unmarshal("%zz")
    yaml.unmarshal("1e400")
    yaml.unmarshal("\\"\\\\ud83d\\\\ude00\\"")
    units.parse_bytes("100mİ")
    graphql.parse_query("\\u00a0")
    regex.find_all_string_submatch_n("a", "aaa", -2)
    regex.find_all_string_submatch_n("a", "aaa", 2)
    min({3, null, 1})
    min({null})
    min({2, 1.5, "a"})
    min(set())
    [{k: 1 | some k in [{"<": 1}]}]
    to_number("12")
    to_number("012") == 12
    to_number("123456789012345")
    to_number("1234567890123456")
    glob.match("**", [], "a\\nb")
    glob.match("**", [], "\\n")
    glob.match("**", [], "a\\n.c")
    glob.match("*", [], "a\\nb")
    glob.match("*", [], "\\n")
    glob.match("*", [], "a\\n.c")
    glob.match("a*", [], "a\\nb")
    glob.match("a*", [], "\\n")
    glob.match("a*", [], "a\\n.c")
    glob.match("a?c", [], "a\\nb")
    glob.match("a?c", [], "\\n")
    glob.match("a?c", [], "a\\n.c")
    glob.match("[!a]*", [], "a\\nb")
    glob.match("[!a]*", [], "\\n")
    glob.match("[!a]*", [], "a\\n.c")
    glob.match("{a,b\\\\n}*", [], "a\\nb")
    glob.match("{a,b\\\\n}*", [], "\\n")
    glob.match("{a,b\\\\n}*", [], "a\\n.c")
    glob.match("*.c", [], "a\\nb")
    glob.match("*.c", [], "\\n")
    glob.match("*.c", [], "a\\n.c")
    glob.match("**.c", [], "a\\nb")
    glob.match("**.c", [], "\\n")
    glob.match("**.c", [], "a\\n.c")
    glob.match("a\\\\*", [], "a\\nb")
    glob.match("a\\\\*", [], "\\n")
    glob.match("a\\\\*", [], "a\\n.c")
    glob.match("[a-c]\\n", [], "a\\nb")
    glob.match("[a-c]\\n", [], "\\n")
    glob.match("[a-c]\\n", [], "a\\n.c")
    glob.match("a\\nb", [], "a\\nb")
    glob.match("a\\nb", [], "\\n")
    glob.match("a\\nb", [], "a\\n.c")
    glob.match("?", [], "a\\nb")
    glob.match("?", [], "\\n")
    glob.match("?", [], "a\\n.c")
    glob.match("**", null, "a\\nb")
    glob.match("**", null, "\\n")
    glob.match("**", null, "a\\n.c")
    glob.match("*", null, "a\\nb")
    glob.match("*", null, "\\n")
    glob.match("*", null, "a\\n.c")
    glob.match("a*", null, "a\\nb")
    glob.match("a*", null, "\\n")
    glob.match("a*", null, "a\\n.c")
    glob.match("a?c", null, "a\\nb")
    glob.match("a?c", null, "\\n")
    glob.match("a?c", null, "a\\n.c")
    glob.match("[!a]*", null, "a\\nb")
    glob.match("[!a]*", null, "\\n")
    glob.match("[!a]*", null, "a\\n.c")
    glob.match("{a,b\\\\n}*", null, "a\\nb")
    glob.match("{a,b\\\\n}*", null, "\\n")
    glob.match("{a,b\\\\n}*", null, "a\\n.c")
    glob.match("*.c", null, "a\\nb")
    glob.match("*.c", null, "\\n")
    glob.match("*.c", null, "a\\n.c")
    glob.match("**.c", null, "a\\nb")
    glob.match("**.c", null, "\\n")
    glob.match("**.c", null, "a\\n.c")
    glob.match("a\\\\*", null, "a\\nb")
    glob.match("a\\\\*", null, "\\n")
    glob.match("a\\\\*", null, "a\\n.c")
    glob.match("[a-c]\\n", null, "a\\nb")
    glob.match("[a-c]\\n", null, "\\n")
    glob.match("[a-c]\\n", null, "a\\n.c")
    glob.match("a\\nb", null, "a\\nb")
    glob.match("a\\nb", null, "\\n")
    glob.match("a\\nb", null, "a\\n.c")
    glob.match("?", null, "a\\nb")
    glob.match("?", null, "\\n")
    glob.match("?", null, "a\\n.c")
    glob.match("**", ["/"], "a\\nb")
    glob.match("**", ["/"], "\\n")
    glob.match("**", ["/"], "a\\n.c")
    glob.match("*", ["/"], "a\\nb")
    glob.match("*", ["/"], "\\n")
    glob.match("*", ["/"], "a\\n.c")
    glob.match("a*", ["/"], "a\\nb")
    glob.match("a*", ["/"], "\\n")
    glob.match("a*", ["/"], "a\\n.c")
    glob.match("a?c", ["/"], "a\\nb")
    glob.match("a?c", ["/"], "\\n")
    glob.match("a?c", ["/"], "a\\n.c")
    glob.match("[!a]*", ["/"], "a\\nb")
    glob.match("[!a]*", ["/"], "\\n")
    glob.match("[!a]*", ["/"], "a\\n.c")
    glob.match("{a,b\\\\n}*", ["/"], "a\\nb")
    glob.match("{a,b\\\\n}*", ["/"], "\\n")
    glob.match("{a,b\\\\n}*", ["/"], "a\\n.c")
    glob.match("*.c", ["/"], "a\\nb")
    glob.match("*.c", ["/"], "\\n")
    glob.match("*.c", ["/"], "a\\n.c")
    glob.match("**.c", ["/"], "a\\nb")
    glob.match("**.c", ["/"], "\\n")
    glob.match("**.c", ["/"], "a\\n.c")
    glob.match("a\\\\*", ["/"], "a\\nb")
    glob.match("a\\\\*", ["/"], "\\n")
    glob.match("a\\\\*", ["/"], "a\\n.c")
    glob.match("[a-c]\\n", ["/"], "a\\nb")
    glob.match("[a-c]\\n", ["/"], "\\n")
    glob.match("[a-c]\\n", ["/"], "a\\n.c")
    glob.match("a\\nb", ["/"], "a\\nb")
    glob.match("a\\nb", ["/"], "\\n")
    glob.match("a\\nb", ["/"], "a\\n.c")
    glob.match("?", ["/"], "a\\nb")
    glob.match("?", ["/"], "\\n")
    glob.match("?", ["/"], "a\\n.c")
    glob.match("**", ["\\n"], "a\\nb")
    glob.match("**", ["\\n"], "\\n")
    glob.match("**", ["\\n"], "a\\n.c")
    glob.match("*", ["\\n"], "a\\nb")
    glob.match("*", ["\\n"], "\\n")
    glob.match("*", ["\\n"], "a\\n.c")
    glob.match("a*", ["\\n"], "a\\nb")
    glob.match("a*", ["\\n"], "\\n")
    glob.match("a*", ["\\n"], "a\\n.c")
    glob.match("a?c", ["\\n"], "a\\nb")
    glob.match("a?c", ["\\n"], "\\n")
    glob.match("a?c", ["\\n"], "a\\n.c")
    glob.match("[!a]*", ["\\n"], "a\\nb")
    glob.match("[!a]*", ["\\n"], "\\n")
    glob.match("[!a]*", ["\\n"], "a\\n.c")
    glob.match("{a,b\\\\n}*", ["\\n"], "a\\nb")
    glob.match("{a,b\\\\n}*", ["\\n"], "\\n")
    glob.match("{a,b\\\\n}*", ["\\n"], "a\\n.c")
    glob.match("*.c", ["\\n"], "a\\nb")
    glob.match("*.c", ["\\n"], "\\n")
    glob.match("*.c", ["\\n"], "a\\n.c")
    glob.match("**.c", ["\\n"], "a\\nb")
    glob.match("**.c", ["\\n"], "\\n")
    glob.match("**.c", ["\\n"], "a\\n.c")
    glob.match("a\\\\*", ["\\n"], "a\\nb")
    glob.match("a\\\\*", ["\\n"], "\\n")
    glob.match("a\\\\*", ["\\n"], "a\\n.c")
    glob.match("[a-c]\\n", ["\\n"], "a\\nb")
    glob.match("[a-c]\\n", ["\\n"], "\\n")
    glob.match("[a-c]\\n", ["\\n"], "a\\n.c")
    glob.match("a\\nb", ["\\n"], "a\\nb")
    glob.match("a\\nb", ["\\n"], "\\n")
    glob.match("a\\nb", ["\\n"], "a\\n.c")
    glob.match("?", ["\\n"], "a\\nb")
    glob.match("?", ["\\n"], "\\n")
    glob.match("?", ["\\n"], "a\\n.c")
  `);
});

test('in a pattern of globs only its own characters mean something: to RE2, which the module asks, others do, too', async () => {
  const patterns = [
    ...[
      '(',
      ')',
      '(a)',
      '(*)',
      '*(',
      '(a',
      'a)',
      '(?i)a',
      '((*)',
      '(**)',
      '({a,b})',
      '{(a),b}',
      '{(*),b}',
      '(a|b)',
      '[(-)]',
      '[(]',
    ],
    ...['$', 'a$', '$a', '*$*', '[$]', '^', '^a', 'a+', 'a|b', 'a.b', 'a{2}', '{a.b,c}', '?+'],
    ...[
      '\\',
      'a\\',
      '\\(',
      '\\d',
      '\\pL',
      '\\[a',
      '\\{a,b\\}',
      '{a\\,b}',
      '{a\\}',
      '[\\d]',
      '[\\]]',
      '[a\\-c]',
      '[\\-x]',
    ],
    ...[
      '(a-',
      '[(a',
      '(]',
      '({a',
      '({a,b',
      '([a-)',
      '([-a])',
      '([a-cx])',
      '([c-a])',
      '([])',
      '([!])',
      '([]])',
      '(})',
      '({,a})',
      '(a)\0',
      '\\(\0',
    ],
  ];
  const texts = [
    '(',
    ')',
    '$',
    '^',
    '-',
    ']',
    '(a)',
    '()',
    '(b)',
    'a',
    'b',
    'A',
    'aa',
    'a.b',
    'axb',
    '.',
    '\\',
    'd',
    'x(',
    '(x.y)',
    'a$',
    '{a',
    '_',
    '(a',
    'a)',
  ];
  const lines = patterns.flatMap((pattern) =>
    ['[]', 'null', '["/", "-"]'].flatMap((delimiters) =>
      texts.map((text) => `glob.match(${JSON.stringify(pattern)}, ${delimiters}, ${JSON.stringify(text)})`),
    ),
  );
  const answers = await answersOf(lines);
  const differing = lines.flatMap((line, i) => {
    const { opa, ours } = answers[i]!;
    return opa === ours ? [] : [{ line, opa, ours }];
  });
  expect(differing).toEqual([]);
});
