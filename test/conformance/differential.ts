/**
 * Generated calls of every built-in, and of what iterates, answered by OPA's interpreter and by our engine. The same seed
 * makes the same calls. All go to OPA in one run.
 *
 *   node test/conformance/differential.ts [count] [seed] [pattern of expressions]
 *
 * ends with 1 if there is a difference that `docs/policy-guide.md` does not name ("Where decisions differ from OPA").
 */
import '../../src/json-parse.ts';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { createEvaluator } from '../../src/rego/evaluator.ts';
import { createMeter, meter } from '../../src/rego/wasm/metering.ts';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { compare, equal } from '../../src/rego/order.ts';
import { REFUSED } from '../../src/policy/opa/refused.ts';
import {
  decode,
  encode,
  NumberText,
  numberOf,
  type RegoObject,
  type RegoValue,
} from '../../src/rego/values.ts';

export interface Difference {
  /** why it is no news: the row of the documentation's table */
  readonly known: string | undefined;
  readonly expression: string;
  readonly args: string;
  readonly opa: string;
  readonly ours: string;
}

interface Type {
  readonly type: string;
  readonly of?: readonly Type[] | Type;
  readonly static?: unknown;
  readonly dynamic?: Type | { readonly key: Type; readonly value: Type };
}
interface Declared {
  readonly name: string;
  readonly decl: { readonly args?: readonly Type[] };
  readonly infix?: string;
  readonly relation?: boolean;
  readonly deprecated?: boolean;
}
interface Call {
  readonly name: string;
  readonly expression: string;
  readonly types: readonly Type[];
}

/** answers that differ from run to run, or that are none */
const LEFT_OUT = new Set([
  ...Object.keys(REFUSED),
  ...['assign', 'eq', 'internal.print', 'internal.member_2', 'internal.member_3', 'internal.test_case'],
  ...['internal.template_string', 'rand.intn', 'uuid.rfc4122', 'time.now_ns', 'trace', 'print'],
  ...['io.jwt.encode_sign', 'io.jwt.encode_sign_raw', 'rego.metadata.chain', 'rego.metadata.rule'],
]);

const ANY: Type = { type: 'any' };
const ORDERED: readonly (readonly [string, number])[] = [
  ['[x | some x in a0]', 1],
  ['[k | some k, _ in a0]', 1],
  ['[v | some _, v in a0]', 1],
  ['[[x, y] | some x in a0; some y in a1]', 2],
  ['[[x, y] | some x in a0; some y in a0]', 1],
  ['[[k, j] | some k, v in a0; some j, _ in v]', 1],
  ['[x | some x in a0][0]', 1],
  ['concat(",", {sprintf("%v", [x]) | some x in a0})', 1],
  ['sprintf("%v %v", [a0, a1])', 2],
  ['json.marshal([a0, {a0}])', 1],
  ['[x | some x in {a0, a1, [a0]}]', 2],
  ['[k | some k, _ in {a0: 1, a1: 2}]', 2],
  ['sum([x | some x in a0])', 1],
  ['[x | some x in object.keys(a0)]', 1],
  ['{k: [x | some x in v] | some k, v in a0}', 1],
];

const STRINGS: { readonly [family: string]: readonly string[] } = {
  '': [
    '',
    'a',
    'ab',
    'abc',
    'aa',
    'A',
    'é',
    'ß',
    'İ',
    '日本',
    '😀',
    'a b',
    ' a ',
    '\n',
    '\u0000',
    '<&>',
    '\u2028',
    'a,b,,c',
    '/',
    '~1',
    '0',
    '1',
    '-1',
    'ǆ',
    'ﬁ',
    'Σ',
    'ς',
    '\ud800'.toWellFormed(),
  ],
  json: [
    '[1,2,]',
    '01',
    '{"b":1,"a":2}',
    '{"a":1,"a":2}',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '1e400',
    '-0',
    '1.0',
    ' [1] ',
    '',
    'nul',
    '"\u0001"',
    '[1]]',
    '{"a":{"b":[1,2,3]}}',
    '"\\u00e9"',
    '/a/b',
    'a/0',
    '/a~1b',
    '1E5',
    '1.',
    '.5',
    'tru',
    '[',
    '{"a"}',
    '\u00a0[1]',
  ],
  base64: [
    'YQ',
    'YQ==',
    'YQ=',
    '',
    'YWI=',
    'YWJj',
    '/+8=',
    '_-8=',
    'YQ==\n',
    'Y Q==',
    'YR==',
    'YWJ',
    '====',
    'Y',
    'éa==',
    '_-8',
  ],
  time: [
    '2024-02-29T12:00:00Z',
    '2024-02-30T12:00:00Z',
    '2024-01-01T00:00:00+08:00',
    '2006-01-02',
    'Mon Jan 2 15:04:05 -0700 MST 2006',
    '2006-01-02 15:04:05 -0700 MST',
    '2024-01-01 10:00:00 +0800 CST',
    'RFC1123',
    'Mon, 02 Jan 2006 15:04:05 MST',
    '1h2m3.5s',
    '-1.5h',
    '1d',
    'Europe/Berlin',
    'America/New_York',
    'UTC',
    'Asia/Shanghai',
    '2024-01-01T00:00:00.123456789Z',
    '9999-01-01T00:00:00Z',
    '',
  ],
  regex: [
    'a',
    'a*',
    '^a',
    'a|b',
    '(a)(b)?',
    '[a-z]+',
    '\\d+',
    '(',
    '\\pL',
    '(?i)A',
    '.',
    '^$',
    '',
    '\\bb',
    '(?P<x>a)',
    '$1',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's spelling of a group
    '${x}',
    'a{2,3}',
    '[[:alpha:]]',
    '(?s).',
    '\\x{61}',
    'a{1001}',
  ],
  glob: [
    '*',
    '**',
    '*.com',
    'a?c',
    '{a,b}',
    '[a-c]',
    '[!a]',
    '\\*',
    'a.b.com',
    'a/b',
    '',
    '{cat,bat,[fr]at}',
    '(*)',
    '(a)',
    'a$',
    '{a',
    '[a\\-c]',
    'a+|^',
  ],
  units: [
    '1',
    '1k',
    '1Ki',
    '1.5M',
    '1m',
    '100m',
    '1e3',
    '1E',
    '1KiB',
    '10 MB',
    'MB',
    '',
    '"1k"',
    '-1k',
    '.5',
    '1.',
    '1e',
    '1Mi',
    '0.1k',
    '1ei',
  ],
  semver: ['1.2.3', '1.2.3-alpha', '1.2.3-alpha.1', '1.2', 'v1.2.3', '01.2.3', '1.2.3+b', '1.2.3-', ''],
  net: [
    '10.0.0.0/29',
    '10.1.2.3',
    '10.1.2.3/32',
    '::1',
    '::1/128',
    '2001:db8::/125',
    '1.2.3',
    '10.0.0.1/33',
    'fe80::1%eth0',
    '010.0.0.1',
    '::ffff:1.2.3.4',
    '',
  ],
  yaml: [
    'a: 1',
    '- 1\n- x',
    'yes',
    '~',
    '1_000',
    '0o7',
    '07',
    '{a: b}',
    'a: [',
    "'x'",
    '"\\x41"',
    '---\na: 1\n---\nb: 2',
    '&a [1, *a]',
    'a: &x 1\nb: *x',
    '1.5e3',
    '.inf',
    '2001-01-01',
    '',
  ],
  hex: ['ff', 'F', 'zz', '00', '', 'c3a9'],
  url: ['a=1&b=2', 'a+b', '%zz', '%41', 'https://u:p@h:80/p?q#f', 'a;b=1', '', 'http://[::1]/', 'é'],
  number: [
    '007',
    '1',
    '-1',
    '+5',
    '.5',
    '5.',
    '1e3',
    '0x10',
    '0x1p4',
    '1_000',
    'inf',
    'NaN',
    '1e400',
    '',
    ' 1',
    '1 ',
    '-0',
    '00',
    '1e-400',
    '0b1',
    '1E+2',
  ],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
    '6BA7B810-9DAD-41D1-80B4-00C04FD430C8',
    'x',
    '',
  ],
};
const FAMILY: readonly (readonly [RegExp, string])[] = [
  [/^json\.(patch|remove|filter)|^object/, 'json'],
  [/^json|^yaml\.marshal/, 'json'],
  [/^base64|^io\.jwt/, 'base64'],
  [/^time/, 'time'],
  [/^regex/, 'regex'],
  [/^glob/, 'glob'],
  [/^units/, 'units'],
  [/^semver/, 'semver'],
  [/^net/, 'net'],
  [/^yaml/, 'yaml'],
  [/^hex|^crypto/, 'hex'],
  [/^url|^uri/, 'url'],
  [/^to_number|^format_int/, 'number'],
  [/^uuid/, 'uuid'],
];
const NUMBERS = [
  ...[
    '0',
    '1',
    '2',
    '3',
    '10',
    '16',
    '8',
    '-1',
    '-2',
    '7',
    '100',
    '0.1',
    '0.2',
    '0.5',
    '1.5',
    '2.5',
    '-0.5',
    '-1.5',
    '2.675',
  ],
  ...[
    '1.0',
    '1e2',
    '1e21',
    '1e-7',
    '1.7976931348623157e308',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
  ],
  ...[
    '18446744073709551616',
    '123456789012345678901234567890',
    '0.30000000000000004',
    '-0',
    '1e400',
    '2147483648',
    '-2147483649',
  ],
  ...['1700000000000000000', '1234567.5', '100.0', '3.14159', '0.000001', '99999999999999999999.5'],
].map(numberOf);

/** xorshift32 */
const randomFrom = (seed: number): ((n: number) => number) => {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
};

const callsOf = (declared: readonly Declared[]): Call[] => [
  ...declared
    .filter((d) => !LEFT_OUT.has(d.name) && d.deprecated !== true && !d.name.startsWith('internal.'))
    .map((d): Call => {
      const types = d.decl.args ?? [];
      const args = types.map((_, i) => `a${i}`);
      const plain = d.infix === undefined ? `${d.name}(${args.join(', ')})` : `a0 ${d.infix} a1`;
      // OPA cannot print a number that is spelled otherwise than in JSON.
      if (d.name === 'to_number')
        return { name: d.name, types, expression: '[to_number(a0) < 5, to_number(a0) > 5]' };
      return { name: d.name, types, expression: d.relation ? `[y | ${d.name}(a0, y)]` : plain };
    }),
  ...ORDERED.map(
    ([expression, arity], i): Call => ({
      name: `ordered ${i}`,
      expression,
      types: Array.from({ length: arity }, () => ANY),
    }),
  ),
];

const generator = (random: (n: number) => number) => {
  const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const text = (name: string): string => {
    const family = FAMILY.find(([pattern]) => pattern.test(name))?.[1] ?? '';
    const chosen = one(STRINGS[random(4) === 0 ? one(Object.keys(STRINGS)) : family] ?? ['']);
    return random(8) === 0 ? chosen + one(STRINGS['']!) : chosen;
  };
  const many = <T>(make: () => T): T[] => Array.from({ length: random(6) }, make);
  const value = (type: Type, name: string, depth: number): RegoValue => {
    const inner = (t: Type): RegoValue => value(t, name, depth + 1);
    if (random(25) === 0 && depth > 0) return inner(ANY);
    switch (type.type) {
      case 'string':
        return text(name);
      case 'number':
        // OPA takes as long as it takes to list the numbers of a large range.
        return random(3) === 0 || /^numbers|^bits/.test(name) ? random(200) - 100 : one(NUMBERS);
      case 'boolean':
        return random(2) === 0;
      case 'null':
        return null;
      case 'array': {
        if (Array.isArray(type.static)) return (type.static as Type[]).map(inner);
        return depth > 3 ? [] : many(() => inner((type.dynamic as Type | undefined) ?? ANY));
      }
      case 'set':
        return depth > 3 ? new Set() : distinct(many(() => inner((type.of as Type | undefined) ?? ANY)));
      case 'object': {
        const out: RegoObject = new Map();
        for (const p of (type.static as { key: string; value: Type }[] | undefined) ?? [])
          if (random(8) > 0) out.set(p.key, inner(p.value));
        if (depth < 4)
          for (const key of many(() => text(name)))
            out.set(key, inner((type.dynamic as { value: Type } | undefined)?.value ?? ANY));
        return out;
      }
      default: {
        if (Array.isArray(type.of) && type.of.length > 0) return inner(one(type.of as readonly Type[]));
        const kinds =
          depth > 2
            ? ['string', 'number', 'boolean', 'null']
            : [
                'string',
                'number',
                'number',
                'boolean',
                'null',
                'array',
                'object',
                ...(depth === 0 ? ['set'] : []),
              ];
        return inner({ type: one(kinds) });
      }
    }
  };
  return (call: Call): RegoValue[] => call.types.map((t) => value(t, call.name, 0));
};

const distinct = (list: readonly RegoValue[]): Set<RegoValue> => {
  const out: RegoValue[] = [];
  for (const v of list) if (!out.some((o) => equal(o, v))) out.push(v);
  return new Set(out);
};

/** JSON holds no sets: one that is an argument is marked, one within is an array */
const plain = (v: RegoValue): RegoValue =>
  v instanceof Set
    ? [...v].map(plain)
    : Array.isArray(v)
      ? v.map(plain)
      : v instanceof Map
        ? new Map([...v].map(([k, item]) => [typeof k === 'string' ? k : encode(k), plain(item)] as const))
        : v;

/** @param n so that no two are equal: OPA would answer the second as the first, however its numbers are spelled */
const caseOf = (args: readonly RegoValue[], n: number): RegoValue =>
  new Map<RegoValue, RegoValue>([
    ['n', n],
    ['s', args.map((a) => a instanceof Set)],
    ['a', args.map(plain)],
  ]);

const moduleOf = (calls: readonly Call[]): string =>
  [
    'package fuzz',
    'arg(c, k) := {e | some e in c.a[k]} if c.s[k]',
    'arg(c, k) := c.a[k] if not c.s[k]',
    ...calls.map(
      ({ expression, types }, i) =>
        `r${i}[i] := x if {\n\tsome i, c in input.r${i}\n${types.map((_, k) => `\ta${k} := arg(c, ${k})\n`).join('')}\tx := ${expression}\n}`,
    ),
  ].join('\n\n');

const spell = (v: RegoValue | undefined): string => (v === undefined ? 'undefined' : encode(v));

/** Two answers that are not the same. Sets are arrays: answers are JSON. */
interface Pair {
  readonly expression: string;
  readonly args: readonly RegoValue[];
  readonly opa: RegoValue | undefined;
  readonly ours: RegoValue | undefined;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const respelled = (a: RegoValue | undefined, b: RegoValue | undefined): boolean => {
  if (typeof a !== 'string' || typeof b !== 'string' || a.replace(NUMBER, '#') !== b.replace(NUMBER, '#'))
    return false;
  const [x, y] = [a.match(NUMBER) ?? [], b.match(NUMBER) ?? []];
  return x.every((n, i) => equal(numberOf(n), numberOf(y[i]!)));
};
const reordered = (a: RegoValue | undefined, b: RegoValue | undefined): boolean => {
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  const rest = [...b];
  return (
    a.length === b.length &&
    a.every((x) => {
      const at = rest.findIndex((y) => equal(x, y));
      return at >= 0 && rest.splice(at, 1).length === 1;
    })
  );
};

/** without what is a matter of quoting (a line separator is white space) */
const unquoted = (v: RegoValue | undefined): string => String(v).replace(/[\s'"\\LP?|]/g, '');

const linesOf = (v: RegoValue | undefined): string => String(v).split('\n').sort().join('\n');

/** What a difference consists of. */
const KINDS = {
  'OPA true, ours false': ({ opa, ours }) => opa === true && ours === false,
  'OPA false, ours true': ({ opa, ours }) => opa === false && ours === true,
  'OPA answers, ours undefined': ({ opa, ours }) => opa !== undefined && ours === undefined,
  'OPA undefined, ours answers': ({ opa, ours }) => opa === undefined && ours !== undefined,
  'the same elements in another order': ({ opa, ours }) => reordered(opa, ours),
  'the same text with numbers spelled otherwise': ({ opa, ours }) => respelled(opa, ours),
} satisfies { readonly [kind: string]: (pair: Pair) => boolean };

const isEdge = (v: RegoValue): boolean =>
  v instanceof NumberText && /^-?922337203685477580[78]$/.test(v.text);
/** numbers that are spelled otherwise than they would be written: 1.0, 1e2 */
const hasRespelled = (v: RegoValue): boolean =>
  v instanceof NumberText
    ? /\.0$|e/i.test(v.text)
    : Array.isArray(v) || v instanceof Set
      ? [...v].some(hasRespelled)
      : v instanceof Map && [...v].some((entry) => entry.some(hasRespelled));
const holds = (list: RegoValue, element: RegoValue): boolean =>
  Array.isArray(list) && list.some((x) => equal(x, element));

/** as OPA prints it: a set is a sorted array */
const printed = (v: RegoValue): RegoValue => plain(v instanceof Set ? [...v].sort(compare) : v);

interface Row {
  readonly row: string;
  readonly of: RegExp;
  readonly kind: keyof typeof KINDS | ((pair: Pair) => boolean);
  readonly when?: (args: readonly RegoValue[]) => boolean;
}

/** The rows of the table in `docs/policy-guide.md` that generated questions meet: of which calls, and which difference. */
const KNOWN: readonly Row[] = [
  {
    row: 'written out with references',
    of: /^\[(?:x|k) \| some (?:x|k, _) in \{a0/,
    // all that is written, as it is written; each once, in order
    kind: ({ expression, args, opa, ours }) => {
      const [a, b] = args.map(printed) as [RegoValue, RegoValue];
      const written = expression.startsWith('[x') ? [a, b, [a]] : [a, b];
      return (
        opa !== undefined &&
        equal(opa, written) &&
        Array.isArray(ours) &&
        ours.length <= written.length &&
        ours.every((x) => holds(written, x)) &&
        written.every((x) => holds(ours, x))
      );
    },
  },
  {
    row: 'the edge of 64 bits',
    of: /^(?:array\.slice|substring|regex\.find_all_string_submatch_n|time\.add_date)\(/,
    kind: 'OPA answers, ours undefined',
    when: (args) => args.some(isEdge),
  },
  {
    row: 'spelled otherwise',
    of: /^json\.marshal/,
    kind: 'the same text with numbers spelled otherwise',
  },
  {
    row: 'a list and a set',
    of: /^object\.subset\(/,
    kind: ({ args: [list, set], opa, ours }) =>
      set instanceof Set && ours === [...set].every((x) => holds(list!, x)) && opa === !ours,
    when: ([list, set]) => Array.isArray(list) && set instanceof Set,
  },
  {
    row: 'tags in YAML: is_valid',
    of: /^yaml\.is_valid\(/,
    kind: 'OPA false, ours true',
    when: ([text]) => /!|\[\[:/.test(String(text)),
  },
  {
    row: 'tags in YAML: unmarshal',
    of: /^yaml\.unmarshal\(/,
    kind: 'OPA undefined, ours answers',
    when: ([text]) => /!|\[\[:/.test(String(text)),
  },
  {
    row: 'quoted by go-yaml',
    of: /^yaml\.marshal\(/,
    kind: ({ opa, ours }) =>
      /[\u2028\u2029]/.test(String(opa)) && /\\[LP]/.test(String(ours)) && unquoted(opa) === unquoted(ours),
  },
  {
    row: 'keys in circles',
    of: /^yaml\.marshal\(/,
    kind: ({ opa, ours }) => linesOf(opa) === linesOf(ours),
    when: ([value]) => /"[^"]*\d[^"]*":/.test(encode(value!)),
  },
  {
    row: 'unsorted by OPA',
    of: /^a0 [|&-] a1$|^(?:union|intersection|sort)\(/,
    kind: 'the same elements in another order',
    when: (args) => args.some(hasRespelled),
  },
  {
    row: 'an empty text',
    of: /^glob\.match\(/,
    kind: 'OPA true, ours false',
    when: ([pattern, , text]) => text === '' && String(pattern).includes('[!'),
  },
  {
    row: 'NUL in a pattern',
    of: /^regex\.match\(/,
    kind: 'OPA false, ours true',
    when: ([pattern]) => String(pattern).includes('\u0000'),
  },
  {
    row: 'NUL in a pattern',
    of: /^regex\.find_all_string_submatch_n\(/,
    kind: ({ opa, ours }) => Array.isArray(opa) && Array.isArray(ours) && opa.length <= ours.length,
    when: ([pattern]) => String(pattern).includes('\u0000'),
  },
  {
    row: 'alternatives that hold a *',
    of: /^glob\.match\(/,
    kind: 'OPA false, ours true',
    when: ([pattern]) => /\{(?:[^}]*\*[^}]*)?\}./.test(String(pattern)),
  },
  {
    row: 'U+FFFD',
    of: /^glob\.match\(/,
    kind: 'OPA undefined, ours answers',
    when: ([pattern]) => String(pattern).includes('\ufffd'),
  },
];

const isOf = ({ of, when, kind }: Row, pair: Pair): boolean =>
  of.test(pair.expression) &&
  (when === undefined || when(pair.args)) &&
  (typeof kind === 'string' ? KINDS[kind](pair) : kind(pair));

/** `regex.template_match`: OPA uses a pattern that another call has compiled. Asked nothing else, it answers as we do. */
const COMPILED = 'kept compiled';

const BUDGET = 2000;

/** What a process of OPA that is asked nothing else answers. */
const askedAlone = async (
  opa: Awaited<ReturnType<typeof resolveOpa>>,
  dir: string,
  call: Call,
  args: readonly RegoValue[],
): Promise<RegoValue | undefined> => {
  const [rego, input] = [join(dir, 'alone.rego'), join(dir, 'alone.json')];
  await writeFile(rego, moduleOf([call]));
  await writeFile(input, encode(new Map([['r0', [caseOf(args, 0)]]])));
  const run = await opa.run(['eval', '--format', 'raw', '-d', rego, '-i', input, 'data.fuzz.r0']);
  if (run.code !== 0) throw new Error(run.stderr + run.stdout);
  return (decode(run.stdout) as RegoObject).get('0');
};

export const differential = async (
  count: number,
  seed: number,
  only?: RegExp,
): Promise<{ readonly expressions: number; readonly differences: readonly Difference[] }> => {
  const opa = await resolveOpa();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-differential-'));
  try {
    const listed = JSON.parse((await opa.run(['capabilities', '--current'])).stdout) as {
      builtins: Declared[];
    };
    const calls = callsOf(listed.builtins).filter((c) => only === undefined || only.test(c.expression));
    const random = randomFrom(seed);
    const args = generator(random);
    const cases = calls.map((): RegoValue[][] => []);
    for (let i = 0; i < count; i++) cases[i % calls.length]!.push(args(calls[i % calls.length]!));
    const rego = join(dir, 'fuzz.rego');
    await writeFile(rego, moduleOf(calls));
    const input = join(dir, 'input.json');
    await writeFile(input, encode(new Map(cases.map((list, i) => [`r${i}`, list.map(caseOf)] as const))));
    const bundle = join(dir, 'bundle.tar.gz');
    const entrypoints = calls.flatMap((_, i) => ['-e', `fuzz/r${i}`]);
    const built = await opa.run(['build', '-t', 'wasm', ...entrypoints, '-o', bundle, rego]);
    if (built.code !== 0) throw new Error(built.stderr + built.stdout);
    const wasm = (await readArchive(await readFile(bundle), 'fuzz')).get('policy.wasm')!;
    const run = await opa.run(['eval', '--format', 'raw', '-d', rego, '-i', input, 'data.fuzz']);
    if (run.code !== 0) throw new Error(run.stderr + run.stdout);
    const theirs = decode(run.stdout) as RegoObject;
    const evaluator = createEvaluator(new WebAssembly.Module(meter(asOpaInterpreter(wasm))), {
      data: {},
      maxPages: 4096,
      meter: createMeter(BUDGET),
    });
    const differences: Difference[] = [];
    for (const [i, list] of cases.entries()) {
      const answers = theirs.get(`r${i}`) as RegoObject;
      for (const [k, values] of list.entries()) {
        const wanted = answers.get(String(k));
        let got: RegoValue | undefined;
        let failure: string | undefined;
        try {
          const { raw } = evaluator.evaluate(
            `fuzz/r${i}`,
            encode(new Map([[`r${i}`, [caseOf(values, k)]]])),
            {
              nowNs: 1_700_000_000_000_000_000n,
              seed: 'seed',
            },
          );
          got = (decode(raw) as RegoObject).get('0');
        } catch (e) {
          failure = String(e).slice(0, 150);
        }
        const same = wanted === undefined || got === undefined ? wanted === got : equal(wanted, got);
        if (!same || failure !== undefined) {
          const pair = { expression: calls[i]!.expression, args: values, opa: wanted, ours: got };
          let known = failure === undefined ? KNOWN.find((row) => isOf(row, pair))?.row : undefined;
          if (failure === undefined && pair.expression.startsWith('regex.template_match(')) {
            const alone = await askedAlone(opa, dir, calls[i]!, values);
            const agree = alone === undefined || got === undefined ? alone === got : equal(alone, got);
            if (agree) known = COMPILED;
          }
          differences.push({
            known,
            expression: pair.expression,
            args: values.map((v) => (v instanceof NumberText ? v.text : encode(v))).join(' ; '),
            opa: spell(wanted),
            ours: failure ?? spell(got),
          });
        }
      }
    }
    return { expressions: count, differences };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [count = '10000', seed = '1', only] = process.argv.slice(2);
  const { expressions, differences } = await differential(
    Number(count),
    Number(seed),
    only === undefined ? undefined : new RegExp(only),
  );
  const news = differences.filter((d) => d.known === undefined);
  for (const d of news)
    process.stdout.write(`${d.expression}\n  ${d.args}\n  OPA  ${d.opa}\n  ours ${d.ours}\n`);
  const rows = Map.groupBy(differences, (d) => d.known);
  for (const [row, list] of rows)
    if (row !== undefined) process.stdout.write(`${list.length} known: ${row}\n`);
  process.stdout.write(`${expressions} expressions, ${news.length} differences that are not documented\n`);
  if (news.length > 0) process.exitCode = 1;
}
