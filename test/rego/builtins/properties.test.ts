/** Arguments nobody wrote down: whatever they are, OPA's interpreter and our built-ins answer the same. */
import * as fc from 'fast-check';
import { test } from 'vitest';
import { expectSame } from './oracle.ts';

const SAMPLES = 150;
const SEED = Number(process.env['SEED'] ?? 20261122);

const calls = (arbitrary: fc.Arbitrary<string>, count = SAMPLES): string[] =>
  fc.sample(arbitrary, { numRuns: count, seed: SEED });

const literal = (value: unknown): string => JSON.stringify(value);
const text = fc.string({ unit: fc.constantFrom(...'ab1 -.,:/%é日😀"\\\n\t<{['), maxLength: 8 });
const integer = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.integer(), fc.constantFrom(0, 1, -1));
const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 24 });
const decimal = fc
  .tuple(fc.constantFrom('', '-'), digits, fc.option(digits, { nil: undefined }))
  .map(([sign, whole, fraction]) => `${sign}${BigInt(whole)}${fraction === undefined ? '' : `.${fraction}`}`);

test('sprintf prints any argument with any verb, flag, width and precision as Go does', async () => {
  const argument = fc.oneof(
    decimal,
    text.map(literal),
    fc.constantFrom('true', 'null', '[1, "a"]', '{1, 2}', '{"k": 1.0}'),
  );
  const verb = fc
    .tuple(
      fc.string({ unit: fc.constantFrom(...'+-# 0'), maxLength: 2 }),
      fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
      fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
      fc.constantFrom(...'vdsqxXobOcUeEfFgGtT'),
    )
    .map(
      ([flags, width, precision, v]) =>
        `%${flags}${width ?? ''}${precision === undefined ? '' : `.${precision}`}${v}`,
    );
  await expectSame(
    calls(
      fc.tuple(verb, argument).map(([v, a]) => `sprintf(${literal(`${v}|`)}, [${a}])`),
      400,
    ),
  );
});

test('times are formatted, read and taken apart as Go does', async () => {
  const ns = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Paris',
    'America/New_York',
    'Asia/Kolkata',
    'Asia/Shanghai',
    'Pacific/Auckland',
  );
  const layout = fc
    .array(
      fc.constantFrom(
        ...[
          '2006',
          '06',
          'Jan',
          'January',
          '1',
          '01',
          '2',
          '_2',
          '02',
          '002',
          '15',
          '3',
          '03',
          '4',
          '04',
          '5',
          '05',
        ],
        ...['.000', '.999999999', 'PM', 'Z07:00', '-0700', '-07', 'Mon', 'Monday', ' ', '-', ':', 'T', 'x'],
      ),
      { minLength: 1, maxLength: 8 },
    )
    .map((parts) => parts.join(''));
  const when = fc.tuple(ns, zone, layout);
  await expectSame([
    ...calls(
      when.map(([n, z, l]) => `time.format([${n}, ${literal(z)}, ${literal(l)}])`),
      250,
    ),
    ...calls(when.map(([n, z]) => `time.date([${n}, ${literal(z)}])`)),
    ...calls(when.map(([n, z]) => `time.clock([${n}, ${literal(z)}])`)),
    ...calls(fc.tuple(when, when).map(([[a, z], [b]]) => `time.diff([${a}, ${literal(z)}], ${b})`)),
    ...calls(
      fc
        .tuple(ns, integer, integer, integer)
        .map(([n, y, m, d]) => `time.add_date(${n}, ${y % 300}, ${m % 3000}, ${d % 90000})`),
    ),
  ]);
});

test('abbreviations of zones are those since 1970', async () => {
  const ns = fc.bigInt({ min: 0n, max: 2n ** 62n });
  const zone = fc.constantFrom(
    ...[
      'Europe/London',
      'Europe/Moscow',
      'America/Chicago',
      'America/Caracas',
      'Asia/Tokyo',
      'Asia/Dubai',
      'Asia/Kolkata',
    ],
    ...['Africa/Cairo', 'Africa/Juba', 'Australia/Lord_Howe', 'Pacific/Apia', 'EST5EDT', 'Etc/GMT-3', 'Zulu'],
  );
  await expectSame(
    calls(
      fc.tuple(ns, zone).map(([n, z]) => `time.format([${n}, ${literal(z)}, "MST -0700"])`),
      400,
    ),
  );
});

test('a time that was formatted is read back alike', async () => {
  const ns = fc.bigInt({ min: 0n, max: 2n ** 62n });
  const name = fc.constantFrom(
    'RFC3339Nano',
    'RFC1123Z',
    'RFC850',
    'UnixDate',
    'ANSIC',
    '2006-01-02 15:04:05.000 MST',
    '02/01/06 3:04PM',
  );
  await expectSame(
    calls(
      fc
        .tuple(ns, name)
        .map(([n, l]) => `time.parse_ns(${literal(l)}, time.format([${n}, "UTC", ${literal(l)}]))`),
    ),
  );
});

test('texts are split, searched, escaped and hashed alike', async () => {
  const two = fc.tuple(text, text);
  await expectSame([
    ...calls(two.map(([a, b]) => `strings.count(${literal(a)}, ${literal(b)})`)),
    ...calls(two.map(([a, b]) => `indexof_n(${literal(a + b + a)}, ${literal(a)})`)),
    ...calls(
      fc
        .tuple(text, text, fc.integer({ min: -5, max: 5 }))
        .map(([a, b, n]) => `strings.split_n(${literal(a + b + a)}, ${literal(b)}, ${n})`),
    ),
    ...calls(text.map((a) => `urlquery.decode(urlquery.encode(${literal(a)}))`)),
    ...calls(text.map((a) => `urlquery.decode(${literal(a)})`)),
    ...calls(text.map((a) => `urlquery.decode_object(${literal(a)})`)),
    ...calls(
      text.map((a) => `crypto.sha256(${literal(a)})`),
      40,
    ),
    ...calls(two.map(([a, b]) => `uri.parse(${literal(`http://${a}/${b}`)})`)),
    ...calls(
      text.map((a) => `glob.quote_meta(${literal(a)})`),
      40,
    ),
  ]);
});

test('patterns made of anything match, split and replace alike', async () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '\\w',
    '\\d',
    '\\b',
    '^',
    '$',
    '日',
    '(a)',
    '(?:b)',
    '(?P<n>a|b)',
    'a|b',
  );
  const pattern = fc
    .array(fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '*?', '{1,2}')), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.map(([a, q]) => a + q).join(''));
  const subject = fc.string({ unit: fc.constantFrom(...'ab1日 '), maxLength: 8 });
  const both = fc.tuple(pattern, subject);
  await expectSame([
    ...calls(both.map(([p, s]) => `regex.find_n(${literal(p)}, ${literal(s)}, -1)`)),
    ...calls(both.map(([p, s]) => `regex.split(${literal(p)}, ${literal(s)})`)),
    ...calls(both.map(([p, s]) => `regex.replace(${literal(s)}, ${literal(p)}, "<$0$1$n>")`)),
  ]);
});

test('globs intersect alike', async () => {
  const glob = fc
    .array(fc.tuple(fc.constantFrom('a', 'b', '.', '[a-c]'), fc.constantFrom('', '', '*', '+')), {
      maxLength: 4,
    })
    .map((parts) => parts.map(([a, q]) => a + q).join(''));
  await expectSame(
    calls(
      fc.tuple(glob, glob).map(([a, b]) => `regex.globs_match(${literal(a)}, ${literal(b)})`),
      300,
    ),
  );
});

test('amounts with any unit are parsed alike', async () => {
  const number = fc
    .tuple(digits, fc.option(digits, { nil: undefined }))
    .map(([w, f]) => `${w}${f === undefined ? '' : `.${f}`}`);
  const unit = fc.constantFrom(
    '',
    'k',
    'K',
    'Ki',
    'm',
    'M',
    'Mi',
    'g',
    'Gi',
    't',
    'P',
    'Ei',
    'e',
    'E',
    'b',
    'kb',
    'KiB',
    'MB',
    'e3',
    'e-3k',
    'x',
  );
  const amount = fc.tuple(number, unit).map(([n, u]) => literal(n + u));
  await expectSame([
    ...calls(
      amount.map((a) => `units.parse(${a})`),
      200,
    ),
    ...calls(
      amount.map((a) => `units.parse_bytes(${a})`),
      200,
    ),
  ]);
});

test('networks are merged, expanded and compared alike', async () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const v4 = fc
    .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 34 }))
    .map(([a, b, c, d, p]) => `${a % 3}.${b % 2}.${c}.${d}/${p}`);
  const group = fc.constantFrom('0', '1', 'ffff', '2001', 'db8', '');
  const v6 = fc
    .tuple(fc.array(group, { minLength: 1, maxLength: 8 }), fc.integer({ min: 0, max: 130 }))
    .map(([g, p]) => `${g.join(':')}/${p}`);
  const cidr = fc.oneof(v4, v6);
  await expectSame([
    ...calls(cidr.map((c) => `net.cidr_is_valid(${literal(c)})`)),
    ...calls(fc.array(v4, { maxLength: 5 }).map((c) => `net.cidr_merge(${literal(c)})`)),
    ...calls(fc.array(cidr, { maxLength: 4 }).map((c) => `net.cidr_merge(${literal(c)})`)),
    ...calls(fc.tuple(cidr, cidr).map(([a, b]) => `net.cidr_contains_matches(${literal(a)}, ${literal(b)})`)),
  ]);
});

test('versions are compared alike', async () => {
  const identifier = fc.constantFrom('alpha', 'beta', '1', '2', '10', 'a-b', 'x1');
  const version = fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 11 }), { minLength: 3, maxLength: 3 }),
      fc.array(identifier, { maxLength: 3 }),
    )
    .map(([n, pre]) => n.join('.') + (pre.length === 0 ? '' : `-${pre.join('.')}`));
  await expectSame(
    calls(
      fc.tuple(version, version).map(([a, b]) => `semver.compare(${literal(a)}, ${literal(b)})`),
      250,
    ),
  );
});

const json: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      null,
      true,
      false,
      0,
      1,
      -1.5,
      1e21,
      'x',
      '',
      'yes',
      '1',
      'a: b',
      '- c',
      ' d',
      'e\nf',
      "g'h",
      'é',
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c1', 'c10', 'c9', 'on', 'null', 'x y'), tie('value'), {
      maxKeys: 3,
    }),
  ),
})).value;

test('YAML is written and read alike', async () => {
  await expectSame([
    ...calls(json.map((v) => `yaml.marshal(${literal(v)})`)),
    ...calls(json.map((v) => `yaml.unmarshal(yaml.marshal(${literal(v)}))`)),
  ]);
});

test('JSON is written with any options alike', async () => {
  const options = fc.constantFrom(
    '{}',
    '{"pretty": true}',
    '{"indent": "  "}',
    '{"prefix": ">", "indent": "\\t"}',
    '{"pretty": false, "indent": " "}',
  );
  await expectSame(
    calls(fc.tuple(json, options).map(([v, o]) => `json.marshal_with_options(${literal(v)}, ${o})`)),
  );
});

test('patches change or refuse to change any document alike', async () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c1', '0', '1', '-', '9'), { maxLength: 3 })
    .map((p) => p.map((s) => `/${s}`).join(''));
  const operation = fc.oneof(
    fc
      .tuple(fc.constantFrom('add', 'replace', 'test'), path, json)
      .map(([op, p, value]) => ({ op, path: p, value })),
    // Removing the whole document makes OPA crash.
    path.filter((p) => p !== '').map((p) => ({ op: 'remove', path: p })),
    fc
      .tuple(
        fc.constantFrom('copy', 'move'),
        path.filter((p) => p !== ''),
        path,
      )
      .map(([op, from, p]) => ({ op, from, path: p })),
  );
  await expectSame(
    calls(
      fc.tuple(json, operation).map(([v, o]) => `json.patch(${literal(v)}, ${literal([o])})`),
      300,
    ),
  );
});

test('documents are validated against schemas alike', async () => {
  const keyword = fc.oneof(
    fc.record({ type: fc.constantFrom('string', 'integer', 'number', 'object', 'array', 'boolean', 'null') }),
    fc.record({ minimum: integer, multipleOf: fc.constantFrom(1, 2, 0.5) }),
    fc.record({ required: fc.uniqueArray(fc.constantFrom('a', 'b', 'c1'), { maxLength: 2 }) }),
    fc.record({ minItems: fc.integer({ min: 0, max: 3 }), uniqueItems: fc.boolean() }),
    fc.record({ enum: fc.uniqueArray(fc.constantFrom(1, 'x', null, true), { minLength: 1, maxLength: 3 }) }),
    fc.record({ maxLength: fc.integer({ min: 0, max: 2 }), pattern: fc.constantFrom('^x', '[a-z]') }),
    fc.record({ const: json }),
    fc.record({ maxProperties: fc.integer({ min: 0, max: 2 }) }),
  );
  const schema: fc.Arbitrary<object> = fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 2 },
      keyword,
      fc.record({ properties: fc.record({ a: tie('schema') }) }),
      fc.record({ items: tie('schema') }),
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ not: tie('schema') }),
      fc.record({ if: tie('schema'), else: tie('schema') }),
      fc.record({ additionalProperties: tie('schema') }),
    ),
  })).schema;
  // With one member in an object, OPA's order of mismatches is not left to chance.
  const document = fc.oneof(
    fc.dictionary(fc.constantFrom('a', 'b', 'c1'), json, { maxKeys: 1 }),
    fc.record({ a: fc.oneof(fc.array(json, { maxLength: 3 }), fc.constantFrom(1, 1.5, 'x', 'xyz')) }),
  );
  await expectSame(
    calls(
      fc.tuple(document, schema).map(([d, s]) => `json.match_schema(${literal(d)}, ${literal(s)})`),
      300,
    ),
  );
});
