import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configSchemas, loadConfig, parseConfig } from '../../src/config/index.ts';
import { spellFault, spellPath } from '../../src/documents/faults.ts';
import { isSluiceError } from '../../src/errors.ts';

/** design §5.5, both blocks */
const DESIGN = `version: 1
listen: { proxy: "127.0.0.1:8080", admin: "127.0.0.1:8081" }
upstreams:
  crm: { url: "http://127.0.0.1:9000", timeout: 10s }
identity:
  issuers:
    - { issuer: "https://idp.example.com", audience: sluice, jwks: { file: ./keys.json }, algorithms: [ES256],
        claims: { roles: roles, department: dept, organization: org, clearance: clearance } }
policy: { dir: ./policies }             # or { bundle: ./bundle.tar.gz } or { url, poll, signing }
consent: { file: ./consents.yaml }      # or { sqlite } or { postgres } or { http }
decision_log:
  journal: { dir: ./data/journal, durability: strict }
  index: { sqlite: ./data/decisions.db }   # or { postgres: "env:DATABASE_URL" }
  sinks: []
purpose: { header: Sluice-Purpose, claim: purpose, default: null }
routes:
  - { match: "GET /api/customers/{id}", upstream: crm, resource: customer, action: read, id: "{id}" }
  - { match: "GET /api/customers", upstream: crm, resource: customer, action: search,
      records: /items/*, query_fields: { phone: /phone, id_no: /id_number } }
  - { match: "POST /crm/", when: { body: { /method: "model.party.party.search_read" } },   # JSON-RPC, XML-RPC, SOAP
      upstream: crm, resource: party, action: search, records: /result/* }
  - { match: "GET /users.csv", upstream: crm, resource: user, action: export,
      response: { format: csv, charset: gb18030 }, query_params: [limit, offset] }
`;

const faultsOf = (text: string, env: Record<string, string> = {}): string[] => {
  try {
    parseConfig(text, 'sluice.yaml', env);
    return [];
  } catch (e) {
    if (!isSluiceError(e, 'config_invalid')) throw e;
    return e.message.split('\n').filter((l) => !/^\d+ faults/.test(l));
  }
};
const changed = (from: string | RegExp, to: string): string => {
  const text = DESIGN.replace(from, to);
  if (text === DESIGN) throw new Error(`nothing to replace: ${from}`);
  return text;
};
const faultOf = (from: string | RegExp, to: string): string => faultsOf(changed(from, to)).join('\n');
const upstream = (more: string): string => changed('timeout: 10s', more);

describe('the example of the design', () => {
  test('loads as it stands', () => {
    const { config, warnings } = parseConfig(DESIGN, '/etc/sluice/sluice.yaml', {});
    expect(config.upstreams['crm']?.timeout).toBe(10_000);
    expect(config.listen.proxy).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(config.identity.issuers[0]?.audience).toEqual(['sluice']);
    expect(config.routes[1]?.query_fields).toEqual({ phone: ['/phone'], id_no: ['/id_number'] });
    expect(warnings).toEqual([]);
  });
  test('has paths that start at its own directory', () => {
    const { config, directory } = parseConfig(DESIGN, '/etc/sluice/sluice.yaml', {});
    expect(directory).toBe('/etc/sluice');
    expect(config.consent.file).toBe('/etc/sluice/consents.yaml');
    expect(config.identity.issuers[0]?.jwks.file).toBe('/etc/sluice/keys.json');
  });
});

describe('faults', () => {
  test('are told all at once, in the order of the file, each with its place', () => {
    const text = DESIGN.replace('timeout: 10s', 'timout: 10s')
      .replace('action: read', 'action: reed')
      .replace('upstream: crm, resource: party', 'upstream: crn, resource: party');
    expect(faultsOf(text)).toEqual([
      'sluice.yaml:4:40: upstreams.crm.timout: unknown key; did you mean "timeout"?',
      expect.stringMatching(
        /^sluice\.yaml:17:\d+: routes\[0\]\.action: must be one of read, .*; did you mean "read"\?$/,
      ),
      'sluice.yaml:21:17: routes[2].upstream: no upstream named "crn"; did you mean "crm"?',
    ]);
  });

  test('of a route’s upstream are told even where the route has another fault', () => {
    const text = DESIGN.replace(
      'upstream: crm, resource: customer, action: read',
      'upstream: crn, resource: customer, action: reed',
    );
    expect(faultsOf(text).map((f) => f.replace(/^\S+ /, ''))).toEqual([
      'routes[0].upstream: no upstream named "crn"; did you mean "crm"?',
      expect.stringMatching(/^routes\[0\]\.action: must be one of/),
    ]);
  });

  test.each<[string, string | RegExp, string, string]>([
    ['an unknown section', 'purpose:', 'purposes:', 'purposes: unknown key; did you mean "purpose"?'],
    ['a missing section', /policy:.*\n/, '', 'policy: is missing'],
    ['an empty section', /policy: .*\n/, 'policy:\n', 'policy: must be a section'],
    ['text for a section', /policy: .*\n/, 'policy: here\n', 'policy: must be a section'],
    ['a list for a section', /policy: .*\n/, 'policy: []\n', 'policy: must be a section'],
    [
      'two sources of a policy',
      '{ dir: ./policies }',
      '{ dir: ./policies, bundle: x }',
      'policy: needs exactly one of dir, bundle, url; it has dir and bundle',
    ],
    ['no source of a policy', '{ dir: ./policies }', '{}', 'policy: needs exactly one of dir, bundle, url'],
    ['another version', 'version: 1', 'version: 2', 'version: must be 1'],
    [
      'a consent source that does not exist',
      '{ file: ./consents.yaml }',
      '{ sqlite: x }',
      'consent.sqlite: unknown key',
    ],
    [
      'two sources of consents',
      '{ file: ./consents.yaml }',
      '{ file: ./consents.yaml, store: true }',
      'consent: needs exactly one of file, store, http; it has file and store',
    ],
    ['no source of consents', '{ file: ./consents.yaml }', '{}', 'consent: needs exactly one of file, store'],
    [
      'a store that is not used',
      '{ file: ./consents.yaml }',
      '{ store: false }',
      'consent.store: must be true',
    ],
    [
      'old consents of a store',
      '{ file: ./consents.yaml }',
      '{ store: true, stale_if_error: 1m }',
      'consent.stale_if_error: is for consent.file',
    ],
    ['a time without a unit', '10s', '10', 'upstreams.crm.timeout: must be a duration such as'],
    ['a time beyond its bounds', '10s', '2h', 'upstreams.crm.timeout: must be at most 10m'],
    ['a time under its bounds', '10s', '1ms', 'upstreams.crm.timeout: must be at least 10ms'],
    ['an address without a port', '127.0.0.1:8080', '127.0.0.1', 'listen.proxy: must be an address such as'],
    [
      'a port that does not exist',
      '127.0.0.1:8080',
      '127.0.0.1:80800',
      'listen.proxy: must be an address such as',
    ],
    [
      'one address for both listeners',
      '127.0.0.1:8081',
      '127.0.0.1:8080',
      'listen.admin: is the address of the proxy',
    ],
    [
      'a URL of another scheme',
      'http://127.0.0.1:9000',
      'ftp://127.0.0.1',
      'upstreams.crm.url: must be an http: or https: URL',
    ],
    [
      'a URL with a password',
      'http://127.0.0.1:9000',
      'http://u:p@127.0.0.1',
      'upstreams.crm.url: must be an http: or https: URL',
    ],
    [
      'a URL with a query',
      'http://127.0.0.1:9000',
      'http://127.0.0.1/?a=b',
      'upstreams.crm.url: has a query',
    ],
    ['a shared-secret algorithm', '[ES256]', '[HS256]', 'algorithms[0]: must be one of RS256'],
    ['no algorithm', '[ES256]', '[]', 'algorithms: needs at least 1 item'],
    ['"none" as an algorithm', '[ES256]', '[none]', 'algorithms[0]: must be one of RS256'],
    [
      'two sources of keys',
      '{ file: ./keys.json }',
      '{ file: ./keys.json, url: "https://x.example" }',
      'identity.issuers[0].jwks: needs exactly one of file, url, keys',
    ],
    [
      'keys over plain HTTP',
      '{ file: ./keys.json }',
      '{ url: "http://idp.example.com/keys" }',
      'jwks.url: is not https:',
    ],
    [
      'a private key among public ones',
      '{ file: ./keys.json }',
      '{ keys: [{ kty: EC, d: x }] }',
      'keys[0]: is a private or shared key',
    ],
    [
      'a pointer that is none',
      'records: /items/*',
      'records: items',
      'routes[1].records: must be a pointer such as',
    ],
    [
      'records that are selected by a member',
      'records: /items/*',
      'records: "/parts/[type=customer]/*"',
      'routes[1].records: a pointer to records must not have a step with a selector',
    ],
    [
      'a pointer with a stray tilde',
      'phone: /phone',
      'phone: /pho~ne',
      'routes[1].query_fields.phone: must be a pointer',
    ],
    [
      'a route without a method',
      '"GET /users.csv"',
      '"/users.csv"',
      'routes[3].match: must be a method and a path',
    ],
    [
      'a route whose path is not canonical',
      '/users.csv',
      '/a//users.csv',
      'routes[3].match: has an empty segment (//)',
    ],
    [
      'a parameter that the path does not have',
      '"{id}" }',
      '"{key}" }',
      'routes[0].id: names {key}, which its path does not have',
    ],
    [
      'a route that stands twice',
      '"GET /users.csv"',
      '"GET /api/customers"',
      'routes[3].match: a request may match both this route and routes[1]',
    ],
    [
      'a template that stands twice under other names',
      '"GET /users.csv"',
      '"GET /api/customers/{key}"',
      'routes[3].match: a request may match both this route and routes[0]',
    ],
    [
      'a parameter in two lists',
      'query_params: [limit, offset]',
      'query_params: [a], query_fields: { a: /a }',
      'routes[3].query_params: "a" is already in query_fields',
    ],
    ['a member twice', 'version: 1', 'version: 1\nversion: 1', 'this key is there already'],
    [
      'an unknown member of a decision log',
      'durability:',
      'durabilty:',
      'decision_log.journal.durabilty: unknown key; did you mean "durability"?',
    ],
    [
      'two indexes',
      'sqlite: ./data/decisions.db',
      'sqlite: ./data/decisions.db, postgres: x',
      'decision_log.index: needs exactly one of sqlite, postgres; it has sqlite and postgres',
    ],
    [
      'nobody who could be let in',
      /identity:\n.*\n.*\n.*\n/,
      'identity: {}\n',
      'identity: names no issuer, API key or certificate',
    ],
    [
      'a charset that there is not',
      'charset: gb18030',
      'charset: gb1803',
      'routes[3].response.charset: The charset of the body is not supported.',
    ],
    [
      'an option that its format does not have',
      'charset: gb18030',
      'options: { headr: false }',
      'routes[3].response.options: The csv format has no option "headr"; it has header, separator',
    ],
    [
      'records of a response that is not parsed',
      'response: { format: csv, charset: gb18030 }',
      'records: /x, response: { format: whole, options: { field: /scan, types: [image/png] } }',
      'routes[3].records: a response in the format whole is one record, so it has no pointer to records',
    ],
    ...['form', 'multipart'].map((format): [string, string, string, string] => [
      `records of a response in the format ${format}`,
      'response: { format: csv, charset: gb18030 }',
      `records: /x, response: { format: ${format} }`,
      `routes[3].records: a response in the format ${format} is one record, so it has no pointer to records`,
    ]),
    [
      'a redirect that is classed',
      'charset: gb18030',
      'statuses: [302]',
      'routes[3].response.statuses[0]: must be at least 400',
    ],
    ['an alias without an anchor', '10s', '*x', 'there is no anchor of this name (&name) before this alias'],
  ])('are found: %s', (_what, from, to, message) => {
    expect(faultOf(from, to)).toContain(message);
  });

  test.each<[string, string, string]>([
    [
      'a header that never crosses',
      'request_headers: [Authorization]',
      'request_headers[0]: is a header that never crosses Sluice',
    ],
    [
      'a hop-by-hop header',
      'response_headers: [Connection]',
      'response_headers[0]: is a header that never crosses Sluice',
    ],
    ['a half of a key pair', 'tls: { cert: ./c.pem }', 'tls: needs both cert and key'],
    ['TLS for a plain URL', 'tls: { ca: ./c.pem }', 'tls: is given for a URL that is not https:'],
    [
      'two credentials',
      'auth: { bearer: "env:T", header: { name: X, value: "env:T" } }',
      'auth: needs exactly one of bearer, basic, header; it has bearer and header',
    ],
    [
      'a secret that stands there',
      'auth: { bearer: hunter2 }',
      'auth.bearer: a secret does not stand in a configuration file',
    ],
    [
      'a secret that is not set',
      'auth: { bearer: "env:NOPE" }',
      'auth.bearer: the environment variable NOPE is not set',
    ],
    [
      'a secret file that is not there',
      'auth: { bearer: "file:./nope" }',
      "auth.bearer: the secret's file cannot be read (ENOENT)",
    ],
  ])('of upstreams are found: %s', (_what, more, message) => {
    expect(faultsOf(upstream(more), { T: 't' }).join('\n')).toContain(message);
  });

  test('of an upstream that would get the callers’ API keys are found', () => {
    const keys = `api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }]`;
    const text = upstream('request_headers: [Accept-Charset, X-API-KEY]').replace(
      /identity:/,
      `identity:\n  ${keys}`,
    );
    expect(faultsOf(text).join('\n')).toContain(
      'request_headers[1]: carries the caller’s API key (identity.api_key_header)',
    );
  });

  test('never show a secret', () => {
    const shown =
      faultsOf(upstream('auth: { bearer: hunter2hunter2 }')).join() +
      faultsOf(upstream('auth: { bearer: "env:T" }'), { T: 'hunter2\nhunter2' }).join();
    expect(shown).toContain('more than one line');
    expect(shown).not.toContain('hunter2');
  });

  test('of syntax stop the rest, with their place', () => {
    expect(faultsOf(`${DESIGN}x: [`)).toHaveLength(1);
    expect(faultsOf(`${DESIGN}x: [`)[0]).toMatch(/^sluice\.yaml:24:\d+: /);
  });
  test.each(['', 'null', '[]', '7', '--- 1\n--- 2', '\ufffe'])(
    'of a document that is %j are told, not thrown',
    (text) => {
      expect(faultsOf(text).length).toBeGreaterThan(0);
    },
  );
  test('of an alias to itself end', () => {
    expect(faultsOf(changed('timeout: 10s', 'tls: &a { insecure: *a }')).length).toBeGreaterThan(0);
  });
});

describe('routes of one template', () => {
  const twice = (a: string, b: string): string =>
    faultsOf(
      `${DESIGN}  - { match: "GET /x", upstream: crm, resource: r, action: read${a} }\n  - { match: "GET /x", upstream: crm, resource: r, action: read${b} }\n`,
    ).join('\n');
  test.each([
    ['told apart by a value', ', when: { query: { a: "1" } }', ', when: { query: { a: "2" } }'],
    [
      'told apart by presence',
      ', when: { query: { a: { present: true } } }',
      ', when: { query: { a: { present: false } } }',
    ],
    ['of which one is more specific', ', when: { query: { a: "1" } }', ''],
    ['of which one asks for more', ', when: { query: { a: "1", b: "2" } }', ', when: { query: { a: "1" } }'],
  ])('%s are taken', (_what, a, b) => {
    expect(twice(a, b)).toBe('');
  });
  test.each([
    ['by nothing', '', ''],
    ['by different parameters', ', when: { query: { a: "1" } }', ', when: { query: { b: "1" } }'],
    ['by overlapping lists', ', when: { query: { a: ["1", "2"] } }', ', when: { query: { a: ["2", "3"] } }'],
  ])('told apart %s are refused', (_what, a, b) => {
    expect(twice(a, b)).toContain('a request may match both');
  });
});

describe('values', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  test('come from the environment', () => {
    const { config } = parseConfig(changed('"http://127.0.0.1:9000"', '"env:CRM"'), 'f', {
      CRM: 'https://crm.example/base',
    });
    expect(config.upstreams['crm']?.url).toBe('https://crm.example/base');
  });
  test('come from a file, without its last line end', () => {
    writeFileSync(join(dir, 'token'), 'hunter2\n');
    const { config } = parseConfig(
      upstream('auth: { bearer: "file:./token" }'),
      join(dir, 'sluice.yaml'),
      {},
    );
    expect(config.upstreams['crm']?.auth?.bearer).toBe('hunter2');
  });
  test('may be secrets in the file only where that is said to be insecure, and is warned of', () => {
    const { warnings } = parseConfig(
      `${upstream('auth: { bearer: hunter2 }')}insecure: { literal_secrets: true }\n`,
      'f',
      {},
    );
    expect(warnings.map((w) => spellPath(w.path ?? []))).toEqual(['insecure.literal_secrets']);
  });
  test('that recipients are told of no withdrawal is warned of, where the consents are not in the store', () => {
    const warned = (text: string) =>
      parseConfig(`${text}shares: {}\n`, 'f', {}).warnings.map((w) => spellPath(w.path ?? []));
    expect(warned(DESIGN)).toEqual(['shares']);
    const stored = DESIGN.replace('consent: { file: ./consents.yaml }', 'consent: { store: true }');
    expect(stored).not.toBe(DESIGN);
    expect(warned(stored)).toEqual([]);
  });
  test('that open doors are warned of, each with its place', () => {
    const text = `${upstream('tls: { insecure: { skip_verify: true } }').replace('127.0.0.1:8081', '0.0.0.0:8081')}insecure: { plain_http_keys: true }\n`;
    const placeOf = (member: string): string => {
      const before = text.slice(0, text.indexOf(member)).split('\n');
      return `f:${before.length}`;
    };
    expect(
      parseConfig(text, 'f', {}).warnings.map((w) =>
        spellFault(w)
          .split(/:\d+: |: /)
          .slice(0, 2),
      ),
    ).toEqual([
      [placeOf('skip_verify'), 'upstreams.crm.tls.insecure.skip_verify'],
      [placeOf('plain_http_keys'), 'insecure.plain_http_keys'],
      [placeOf('admin'), 'listen.admin'],
    ]);
  });
  test('of one prototype or another never leak in', () => {
    const { config } = parseConfig(DESIGN, 'f', {});
    expect((config.upstreams as Record<string, unknown>)['constructor']).toBeUndefined();
    expect(faultOf('upstream: crm, resource: party', 'upstream: constructor, resource: party')).toContain(
      'no upstream named "constructor"',
    );
  });
  test('may be shared by anchors', () => {
    const { config } = parseConfig(upstream('timeout: &t 7s, connect_timeout: *t'), 'f', {});
    expect(config.upstreams['crm']?.connect_timeout).toBe(7_000);
  });
});

describe('a file', () => {
  test('that is not there says so', async () => {
    await expect(loadConfig('/nowhere/sluice.yaml', {})).rejects.toMatchObject({ code: 'config_unreadable' });
  });
});

describe('JSON Schemas', () => {
  const schemas = configSchemas();
  const check = new Ajv2020({ strict: false }).compile(schemas['sluice.schema.json'] as object);
  test('take what Sluice takes', async () => {
    const { parse } = await import('yaml');
    expect(check(parse(DESIGN))).toBe(true);
    expect(
      check(
        parse(
          changed('"http://127.0.0.1:9000"', '"env:CRM"').replace('timeout: 10s', 'timeout: "env:TIMEOUT"'),
        ),
      ),
    ).toBe(true);
  });
  test('refuse what Sluice refuses', async () => {
    const { parse } = await import('yaml');
    for (const [from, to] of [
      ['timeout: 10s', 'timout: 10s'],
      ['10s', '10'],
      ['[ES256]', '[none]'],
      ['{ file: ./keys.json }', '{}'],
    ] as const)
      expect(check(parse(changed(from, to)))).toBe(false);
  });
  test('have none of our own keywords', () => {
    expect(JSON.stringify(schemas)).not.toMatch(/"(kind|one_of)":/);
  });
});
