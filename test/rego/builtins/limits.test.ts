/**
 * Calls that would take too long, or too much memory, end early; calls that only look like them are answered. The time of a test
 * is not measured: without the limits, each would take minutes or run out of memory.
 */
import { describe, expect, test } from 'vitest';
import { RegoError } from '../../../src/rego/errors.ts';
import { builtins } from '../../../src/rego/builtins/index.ts';
import { BuiltinFailure, EvaluationContext } from '../../../src/rego/builtins/types.ts';
import type { RegoValue } from '../../../src/rego/values.ts';

const call = (name: string, ...args: RegoValue[]): RegoValue | undefined =>
  builtins.get(name)?.(args, new EvaluationContext(0n, 'seed'));

const many = <T>(n: number, of: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));

const keys = many(20_000, (i) => `key${i}`);

const chain = (length: number): RegoValue => new Map(many(length, (i) => [`n${i}`, [`n${i + 1}`]]));

const clique = (size: number): RegoValue => new Map(many(size, (i) => [`n${i}`, many(size, (j) => `n${j}`)]));

const doubling = (depth: number): string => {
  const defined = many(depth, (i) => `{{define "t${i + 1}"}}{{template "t${i}"}}{{template "t${i}"}}{{end}}`);
  return `{{define "t0"}}{{end}}${defined.join('')}{{template "t${depth}"}}`;
};

test.each<[name: string, run: () => RegoValue | undefined, answer: RegoValue]>([
  [
    'prefixes',
    () =>
      call(
        'strings.any_prefix_match',
        keys,
        keys.map((k) => `${k}-`),
      ),
    false,
  ],
  [
    'suffixes',
    () =>
      call(
        'strings.any_suffix_match',
        keys,
        keys.map((k) => `-${k}`),
      ),
    false,
  ],
  ['a set in a set', () => call('object.subset', new Set(keys), new Set(keys)), true],
  ['a run in a run', () => call('object.subset', Array(20_000).fill(1), [...Array(9_999).fill(1), 2]), false],
  [
    'networks',
    () =>
      call(
        'net.cidr_contains_matches',
        many(2000, (i) => `10.0.${i & 255}.0/24`),
        many(2000, () => '10.1.0.1'),
      ),
    new Set(),
  ],
  [
    'PEM without an end',
    () => call('crypto.x509.parse_certificates', '-----BEGIN CERTIFICATE-----\n'.repeat(50_000)),
    [],
  ],
  [
    'sets of all characters',
    () => call('regex.globs_match', '[\u0001-\u{10ffff}]*a'.repeat(200), '[\u0001-\u{10ffff}]b'.repeat(200)),
    false,
  ],
  ['a pattern that backtracks', () => call('regex.find_n', '(a|a)*$b', 'a'.repeat(30_000), -1), []],
])('%s', (_name, run, answer) => {
  expect(run()).toEqual(answer);
});

const within = (c: string): string => `a${c.repeat(200_000)}b`;
const format = (name: string): RegoValue =>
  new Map([
    ['type', 'string'],
    ['format', name],
  ]);
const nested = (payload: string): string =>
  `${Buffer.from('{"alg":"none","cty":"JWT"}').toString('base64url')}.${Buffer.from(payload).toString('base64url')}.`;

describe('the time for a text that almost matches grows with its length', () => {
  test.each<[name: string, ...args: RegoValue[]]>([
    ['graphql.parse_query', `${'#'.repeat(30)}\n{`],
    ['graphql.parse_schema', `${'#'.repeat(30)}\n{`],
    ['graphql.is_valid', `${'#'.repeat(30)}\n{`, 'type Query { a: Int }'],
    ['yaml.unmarshal', within('\u2028')],
    ['strings.render_template', `${within(' ')}{{- 1}}`, new Map()],
    ['strings.render_template', `{{${'1'.repeat(200_000)}x}}`, new Map()],
    ['io.jwt.decode', nested(within('"'))],
    ['json.match_schema', `http://a/${'{'.repeat(200_000)}`, format('uri-template')],
    ['json.match_schema', `/${'/'.repeat(200_000)}~`, format('json-pointer')],
    ['to_number', `1${'_1'.repeat(100_000)}_`],
  ])('%s', (name, ...args) => {
    try {
      call(name, ...args);
    } catch (e) {
      // whatever it answers, it has answered
      if (!(e instanceof BuiltinFailure) && !(e instanceof RegoError)) throw e;
    }
  });

  test('a document of comments only is empty', () => {
    expect(call('graphql.parse_query', '# a # b\n, #\r\n\ufeff')).toEqual(call('graphql.parse_query', ''));
    expect(call('graphql.parse_query', '# a\n{ b } # c')).not.toEqual(call('graphql.parse_query', ''));
  });
});

test.each<[name: string, run: () => RegoValue | undefined]>([
  ['a graph with too many paths', () => call('graph.reachable_paths', clique(400), ['n0'])],
  [
    'paths with too many nodes',
    () =>
      call(
        'graph.reachable_paths',
        chain(3000),
        many(3000, (i) => `n${i}`),
      ),
  ],
  ['all addresses of a network', () => call('net.cidr_expand', '::/64')],
  ['all numbers of a range', () => call('numbers.range_step', 0, 2 ** 40, 1)],
  ['templates that double', () => call('strings.render_template', doubling(40), new Map())],
  [
    'a template with too many rounds',
    () => call('strings.render_template', '{{range 1000000}}{{end}}', new Map()),
  ],
  [
    'a template that writes too much',
    () =>
      call(
        'strings.render_template',
        '{{range .}}{{printf "%1000000d" 1}}{{end}}',
        new Map(keys.map((k) => [k, 1])),
      ),
  ],
])('%s exceeds what an evaluation may take', (_name, run) => {
  expect(run).toThrowError(expect.objectContaining({ code: 'memory_exceeded' }));
});

test.each(['(', '({a,', '(**'])(
  'a pattern of globs that takes long to compile is not compiled: %s',
  (part) => {
    expect(() => call('glob.match', part.repeat(40_000), null, 'a')).toThrowError(
      expect.objectContaining({ code: 'deadline_exceeded' }),
    );
  },
);

test('YAML that is large because of aliases is refused, as in OPA', () => {
  const lines = many(9, (i) => `k${i}: &k${i} [${many(9, () => (i === 0 ? 'x' : `*k${i - 1}`)).join()}]`);
  expect(() => call('yaml.unmarshal', lines.join('\n'))).toThrow(BuiltinFailure);
});

describe('an evaluation whose time is used up', () => {
  const over = new EvaluationContext(0n, 'seed', undefined, () => {
    throw new Error('over');
  });

  test.each([
    ['regex.find_n', ['(a*b)|a', 'a'.repeat(20_000), -1]],
    ['regex.replace', ['a'.repeat(20_000), '(a*b)|a', '']],
    ['regex.split', ['(a*b)|a', 'a'.repeat(20_000)]],
    ['net.cidr_contains_matches', [['10.0.0.0/8'], ['10.0.0.1']]],
  ])('leaves %s', (name, args) => {
    expect(() => builtins.get(name)?.(args, over)).toThrow('over');
  });
});
