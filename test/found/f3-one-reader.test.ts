/**
 * Class: a value of `sluice.yaml` that one section reads otherwise than another. Root cause: sections of stages had schemas of plain text
 * and parsed sizes, durations, secrets and paths themselves, or not at all. Every leaf of the schema is tried here with what its kind
 * refuses, so that a new section cannot bring a dialect along.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import { faultsIn, spellPath } from '../../src/documents/faults.ts';
import type { Schema } from '../../src/documents/reader.ts';
import { configSchema } from '../../src/config/schema.ts';
import { isSluiceError } from '../../src/errors.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'secret'), 'sixteen bytes and more\n');

type Json = { [key: string]: unknown };
const SECRET = 'env:SECRET';
const ENV = { SECRET: 'sixteen bytes and more', DATABASE: 'postgres://u:p@h/d', SIZE: '1MiB', DIR: './x' };

/** One file that has every value with a kind: what is not in it is not tried, and the last test says so. */
const FULL = (): Json => ({
  version: 1,
  grants: {
    approvers: { lead: ['team_lead'] },
    rules: [{ approved_by: ['team_lead'] }],
    duration: '1m',
    max_duration: '3650d',
    break_glass: { duration: '1h' },
  },
  listen: {
    proxy: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    tls: { cert: 'c.pem', key: 'k.pem', client_ca: 'a.pem' },
  },
  upstreams: {
    crm: {
      url: 'https://crm.example',
      timeout: '10s',
      connect_timeout: '3s',
      auth: { bearer: SECRET },
      tls: { ca: 'a.pem', cert: 'c.pem', key: 'k.pem' },
    },
    basic: { url: 'http://h', auth: { basic: { username: 'u', password: SECRET } } },
    header: { url: 'http://h', auth: { header: { name: 'X', value: SECRET } } },
  },
  identity: {
    issuers: [
      {
        issuer: 'https://idp',
        audience: ['sluice'],
        algorithms: ['ES256'],
        jwks: { file: 'k.json', cooldown: '30s', max_age: '10m', stale_if_error: '0s', timeout: '5s' },
        max_token_age: '1h',
        clock_tolerance: '10s',
      },
      {
        issuer: 'https://idp2',
        audience: 'sluice',
        algorithms: ['ES256'],
        jwks: { url: 'https://idp2/keys' },
      },
    ],
    revocations: 'revocations.yaml',
    token_bytes: '8KiB',
  },
  policy: {
    dir: 'policies',
    poll: '60s',
    headers: { authorization: SECRET },
    cache_dir: 'cache',
    signing: { keys: { k: { algorithm: 'HS256', key: SECRET }, f: { algorithm: 'HS256', file: 'k.pem' } } },
    limits: { input_bytes: '4MiB', bundle_bytes: '64MiB', expanded_bytes: '256MiB' },
    cache: { bytes: '32MiB' },
    shadow: { bundle: 'b.tar.gz', poll: '60s', headers: { authorization: SECRET }, cache_dir: 'cache' },
  },
  consent: { file: 'consents.yaml', poll: '1s', stale_if_error: '0s' },
  decision_log: {
    journal: {
      dir: 'journal',
      sync_interval: '100ms',
      segment_size: '64MiB',
      min_free: '64MiB',
      max_record: '256KiB',
      key: SECRET,
    },
    index: { postgres: 'env:DATABASE' },
    sinks: [{ file: 'copy.jsonl' }],
    data_subject_key: SECRET,
    mask: { mask: ['/a'] },
  },
  routes: [{ match: 'GET /c', upstream: 'crm', resource: 'c', action: 'read', records: '/items/*' }],
  keys: { k: { use: 'tokenize', secret: SECRET } },
  protected_resource: { url: 'https://crm.example', step_up: { mfa: { max_age: '10m' } } },
});

const parse = (config: Json, env: Record<string, string> = ENV) =>
  parseConfig(JSON.stringify(config), join(dir, 'sluice.yaml'), env).config;

/** Where faults are, without their text. */
function faults(config: Json, env: Record<string, string> = ENV): readonly string[] {
  try {
    parse(config, env);
    return [];
  } catch (e) {
    if (!isSluiceError(e, 'config_invalid')) throw e;
    const found = faultsIn(e);
    return found.map((f) => `${spellPath(f.path ?? [])}: ${f.message}`);
  }
}

interface Leaf {
  readonly path: readonly (string | number)[];
  readonly kind: string;
  readonly schema: Schema;
}

/** Every value of the file with the schema that it is read by. */
function leaves(schema: Schema, value: unknown, path: readonly (string | number)[] = []): Leaf[] {
  if (schema.anyOf) return schema.anyOf.flatMap((s) => leaves(s, value, path));
  if (Array.isArray(value)) return value.flatMap((v, i) => leaves(schema.items ?? {}, v, [...path, i]));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, inner]) => {
      const table = Object.entries(schema.patternProperties ?? {}).find(([p]) =>
        new RegExp(p, 'u').test(key),
      );
      const of = schema.properties?.[key] ?? table?.[1];
      return of ? leaves(of, inner, [...path, key]) : [];
    });
  return schema.kind && schema.kind !== 'one_or_more' && typeof value === 'string'
    ? [{ path, kind: schema.kind, schema }]
    : [];
}

function put(config: Json, path: readonly (string | number)[], value: unknown): Json {
  let node: Json = config;
  for (const step of path.slice(0, -1)) node = node[step] as Json;
  node[path.at(-1)!] = value;
  return config;
}

const LEAVES = leaves(configSchema as unknown as Schema, FULL());

/** What each kind refuses. */
const BAD: { readonly [kind: string]: readonly unknown[] } = {
  text: ['', 7, null],
  duration: ['soon', '10', '10 s', '-1s', '1h30m', 10, '1e3s', '', '10S', null],
  size: ['big', '1KB', '1 MiB', '-1B', '1.5MiB', '1mib', '', '99999999TiB', true],
  secret: [
    'hunter2',
    'base64:aGVsbG8=',
    'sixteen bytes and more',
    'file:absent',
    'env:UNSET',
    'file:',
    '',
    7,
  ],
  database: [
    'postgres://u:p@h/d',
    'postgres://h/d?password=p',
    'host=h password=p',
    'mysql://h',
    'env:UNSET',
    '',
  ],
  path: ['', 'file:x', 'file:./secret', 'base64:eA==', 'https://h/x', 7, null],
  address: ['', '8080', 'h:99999', 'h', 8080],
  pointer: ['', 'a', 'a/b', '/~', 7],
  url: ['', 'h', 'ftp://h', 'http://u:p@h', 'http://h#x', 7],
};

test('the file with every kind of value is read', () => {
  expect(faults(FULL())).toEqual([]);
});

describe('each value is refused where it is not of its kind, with one fault at its place, without the value', () => {
  test.each(LEAVES.map((l) => [spellPath(l.path), l] as const))('%s', (_name, { path, kind }) => {
    for (const bad of [...BAD[kind]!, 'env:UNSET', 'env:not-a-name', 'env:', {}, []]) {
      const found = faults(put(FULL(), path, bad));
      expect([bad, found.map((f) => f.split(': ')[0])]).toEqual([bad, [spellPath(path)]]);
      for (const text of ['hunter2', 'aGVsbG8', 'sixteen', 'u:p@']) expect(found.join()).not.toContain(text);
    }
  });
});

describe('each value may come from the environment', () => {
  test.each(LEAVES.map((l) => [spellPath(l.path), l] as const))('%s', (_name, { path, kind }) => {
    let given: unknown = FULL();
    for (const step of path) given = (given as Json)[step];
    const text = String(given);
    const value = ENV[text.slice(4) as keyof typeof ENV] ?? text;
    const config = put(FULL(), path, 'env:GIVEN');
    expect(faults(config, { ...ENV, GIVEN: value })).toEqual([]);
    // What the environment holds is held to the same rules, and is no reference again.
    if (kind !== 'secret' && kind !== 'text' && kind !== 'path')
      expect(faults(config, { ...ENV, GIVEN: 'no such value' })).toHaveLength(1);
    expect(faults(config, { ...ENV, GIVEN: '' })).toEqual([
      `${spellPath(path)}: the environment variable GIVEN is not set`,
    ]);
  });
});

describe('bounds hold in every section', () => {
  const bounded = LEAVES.filter(({ schema }) => schema.min !== undefined || schema.max !== undefined);
  test.each(bounded.map((l) => [spellPath(l.path), l] as const))('%s', (_name, { path, schema }) => {
    const unit = /[A-Za-z]+$/.exec(schema.min ?? schema.max ?? '')?.[0] ?? '';
    const beyond = (text: string, by: number): string =>
      `${Math.max(0, Number.parseInt(text, 10) + by)}${unit}`;
    if (schema.min !== undefined) {
      expect(faults(put(FULL(), path, schema.min))).toEqual([]);
      if (Number.parseInt(schema.min, 10) > 0)
        expect(faults(put(FULL(), path, beyond(schema.min, -1)))).toEqual([
          `${spellPath(path)}: must be at least ${schema.min}`,
        ]);
    }
    if (schema.max !== undefined) {
      const above = `${Number.parseInt(schema.max, 10) + 1}${/[A-Za-z]+$/.exec(schema.max)![0]}`;
      expect(faults(put(FULL(), path, schema.max))).toEqual([]);
      expect(faults(put(FULL(), path, above))).toEqual([`${spellPath(path)}: must be at most ${schema.max}`]);
    }
  });
});

test('what is read is the same in every section: milliseconds, bytes, absolute paths, the secret itself', () => {
  const { decision_log, policy, keys, upstreams, consent } = parse(FULL());
  expect(decision_log.journal).toMatchObject({
    dir: join(dir, 'journal'),
    sync_interval: 100,
    segment_size: 64 << 20,
    key: ENV.SECRET,
  });
  expect(decision_log.index).toEqual({ postgres: ENV.DATABASE });
  expect(decision_log.sinks).toEqual([{ file: join(dir, 'copy.jsonl') }]);
  expect(policy).toMatchObject({
    dir: join(dir, 'policies'),
    poll: 60_000,
    headers: { authorization: ENV.SECRET },
  });
  expect(policy.limits.input_bytes).toBe(4 << 20);
  expect(keys['k']?.secret).toBe(ENV.SECRET);
  expect(upstreams['crm']?.timeout).toBe(10_000);
  expect(consent.file).toBe(join(dir, 'consents.yaml'));
});

test('a secret may be a file, and stand in the configuration only where that is said', () => {
  for (const { path } of LEAVES.filter(({ kind }) => kind === 'secret')) {
    expect(faults(put(FULL(), path, 'file:secret'))).toEqual([]);
    expect(faults({ ...put(FULL(), path, 'hunter2'), insecure: { literal_secrets: true } })).toEqual([]);
  }
});

test('a public key and a database without a password are no secrets', () => {
  const pem = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';
  expect(faults(put(FULL(), ['policy', 'signing', 'keys', 'k', 'key'], pem))).toEqual([]);
  expect(faults(put(FULL(), ['keys', 'k', 'secret'], pem))).toEqual([]);
  expect(faults(put(FULL(), ['upstreams', 'crm', 'auth', 'bearer'], pem))).toHaveLength(1);
  const priv = pem.replaceAll('PUBLIC', 'PRIVATE');
  expect(faults(put(FULL(), ['keys', 'k', 'secret'], priv))).toHaveLength(1);
  const at = ['decision_log', 'index', 'postgres'];
  for (const url of ['postgres://h/d', 'postgresql://u@h:5432/d?sslmode=verify-full'])
    expect(faults(put(FULL(), at, url))).toEqual([]);
});

test('numbers, true and false, and words of a list may come from the environment, too', () => {
  const limits = (value: unknown): Json => ({ ...FULL(), limits: { connections: value } });
  expect(parse(limits('env:N'), { ...ENV, N: '12' }).limits.connections).toBe(12);
  expect(faults(limits('env:N'), { ...ENV, N: '0' })).toEqual(['limits.connections: must be at least 1']);
  for (const N of ['many', '1.5', '1e3', '0x10', ' 7', 'true'])
    expect(faults(limits('env:N'), { ...ENV, N })).toEqual(['limits.connections: must be a whole number']);
  const workers = (WORKERS: string) =>
    parse({ ...FULL(), workers: 'env:WORKERS' }, { ...ENV, WORKERS }).workers;
  expect([workers('3'), workers('auto')]).toEqual([3, 'auto']);
  const level = { ...FULL(), observability: { log_level: 'env:LEVEL' } };
  expect(parse(level, { ...ENV, LEVEL: 'warn' }).observability.log_level).toBe('warn');
  const watch = put(FULL(), ['policy', 'watch'], 'env:WATCH');
  expect(parse(watch, { ...ENV, WATCH: 'false' }).policy.watch).toBe(false);
});

test('all faults are told at once', () => {
  const config = put(put(FULL(), ['keys', 'k', 'secret'], 'x'), ['policy', 'dir'], 'file:x');
  put(config, ['decision_log', 'journal', 'segment_size'], '1KiB');
  put(config, ['consent', 'poll'], '1y');
  expect(faults(config)).toHaveLength(4);
});

/** Members whose name says what they hold. */
const NAMED: readonly (readonly [name: RegExp, kinds: readonly string[]])[] = [
  [/(?:^|_)(?:dir|file|bundle|sqlite|cert|ca|client_ca|revocations)$/, ['path']],
  [/(?:timeout|interval|poll|cooldown|max_age|token_age|tolerance|stale_if_error|shutdown)$/, ['duration']],
  [/(?:_bytes|segment_size|min_free|max_record)$/, ['size']],
  [/(?:secret|password|bearer|data_subject_key)$/, ['secret']],
  [/(?:^|_)url$/, ['url']],
  [/^postgres$/, ['database']],
];

test('no value whose name says what it is is plain text', () => {
  const plain: string[] = [];
  const kinds = new Set<string>();
  const walk = (schema: Schema, path: string): void => {
    for (const s of schema.anyOf ?? []) walk(s, path);
    if (schema.items) walk(schema.items, path);
    for (const s of Object.values(schema.patternProperties ?? {})) walk(s, `${path}.*`);
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const wanted = NAMED.find(([pattern]) => pattern.test(name))?.[1];
      const isText =
        member.type === 'string' || (Array.isArray(member.type) && member.type.includes('string'));
      if (wanted && isText && !wanted.includes(member.kind ?? '')) plain.push(`${path}.${name}`);
      walk(member, `${path}.${name}`);
    }
    if (schema.kind && schema.kind !== 'one_or_more') kinds.add(schema.kind);
  };
  walk(configSchema as unknown as Schema, '');
  expect(plain).toEqual([]);
  expect([...kinds].filter((kind) => !LEAVES.some((l) => l.kind === kind))).toEqual([]);
});
