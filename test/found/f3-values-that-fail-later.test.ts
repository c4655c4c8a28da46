/**
 * Class: a value of `sluice.yaml` that is accepted at the start and goes wrong with the first request, or never shows. Root cause: spellings were
 * held to a pattern, and not to what is done with the value: a date that is not of the calendar never came, so that its API key never
 * expired; a header of two meanings put the one into the other's place; a secret that no header can carry failed at each request.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../../src/config/index.ts';
import { faultsIn, spellPath } from '../../src/documents/faults.ts';
import { isSluiceError } from '../../src/errors.ts';
import { createApiKeys } from '../../src/identity/api-keys.ts';
import { parseRevoked } from '../../src/identity/revoked.ts';
import { SettableClock } from '../identity/setup.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const CRM = { url: 'http://127.0.0.1:9' };
const SUBJECT = { id: 'erp', organization: 'internal' };
const apiKey = (more: object) => ({
  api_keys: [{ id: 'k', sha256: 'a'.repeat(64), subject: SUBJECT, ...more }],
});

/** The paths of all faults. */
function faults(sections: object, env: Readonly<Record<string, string>> = {}): string[] {
  const text = JSON.stringify({
    version: 1,
    upstreams: { crm: CRM },
    identity: apiKey({}),
    policy: { dir: '.' },
    consent: { file: 'c.yaml' },
    routes: [{ match: 'GET /', upstream: 'crm', resource: 'x', action: 'read' }],
    ...sections,
  });
  try {
    parseConfig(text, join(dir, 'sluice.yaml'), env);
    return [];
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    for (const secret of Object.values(env)) expect(e.message).not.toContain(secret);
    return faultsIn(e).map((f) => spellPath(f.path ?? []));
  }
}

const NO_DATES = [
  '2026-13-01',
  '2026-00-10',
  '2026-02-30',
  '2026-04-31',
  '2027-02-29',
  '2026-01-01T25:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-02-30T00:00:00Z',
];
describe('A date that is not of the calendar', () => {
  test.each(NO_DATES)('is a fault as the end of an API key: %s', (expires) => {
    expect(faults({ identity: apiKey({ expires }) })).toEqual(['identity.api_keys[0].expires']);
    expect(faults({ identity: apiKey({ expires: 'env:END' }) }, { END: expires })).toHaveLength(1);
  });
  test.each(NO_DATES)('makes a list of revocations one that cannot be trusted: %s', (before) => {
    expect(() => parseRevoked(`- { subject: u, before: "${before}" }\n`)).toThrow(/entry 1/);
  });
  test('ends an API key at once, should one get past the configuration', () => {
    const subject = { ...SUBJECT, type: 'service', roles: [] };
    const key = { id: 'k', sha256: 'a'.repeat(64), subject, expires: '2026-13-01' };
    const sha256 = '2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683'; // of "key"
    const known = createApiKeys([{ ...key, sha256 }], new SettableClock(), undefined);
    expect(() => known('key')).toThrow(expect.objectContaining({ code: 'token_expired' }));
  });
  test('is told from the last day of a month', () => {
    for (const expires of ['2026-01-31', '2028-02-29', '2026-12-31T23:59:59Z'])
      expect(faults({ identity: apiKey({ expires }) })).toEqual([]);
  });
});

describe('A header', () => {
  const TAKEN = [
    'Authorization',
    'Host',
    'Cookie',
    'content-type',
    'ACCEPT',
    'Origin',
    'SOAPAction',
    'If-Match',
  ];
  test.each([...TAKEN, 'Sluice-Purpose', 'Sluice-Grant'])(
    'with a meaning of its own has no API key: %s',
    (name) => {
      expect(faults({ identity: { ...apiKey({}), api_key_header: name } })).toEqual([
        'identity.api_key_header',
      ]);
    },
  );
  test.each([...TAKEN, 'Sluice-Grant'])('with a meaning of its own has no purpose: %s', (header) => {
    expect(faults({ purpose: { header } })).toEqual(['purpose.header']);
  });
  test('has one meaning', () => {
    expect(faults({ purpose: { header: 'x-api-key' } })).toEqual(['purpose.header']);
    expect(faults({ purpose: { header: 'sluice-purpose' } })).toEqual([]);
    expect(faults({ purpose: { header: 'X-Purpose' } })).toEqual([]);
  });
  test.each(['Content-Length', 'Transfer-Encoding', 'Host', 'Connection', 'Content-Type'])(
    'that frames a request has no credential for an upstream: %s',
    (name) => {
      const auth = { header: { name, value: 'env:S' } };
      expect(faults({ upstreams: { crm: { ...CRM, auth } } }, { S: 'abc-def' })).toEqual([
        'upstreams.crm.auth.header.name',
      ]);
    },
  );
  test.each(['Authorization', 'Cookie', 'X-Api-Key'])('may have a credential for an upstream: %s', (name) => {
    const auth = { header: { name, value: 'env:S' } };
    expect(faults({ upstreams: { crm: { ...CRM, auth } } }, { S: 'Token abc' })).toEqual([]);
  });
  test.each([
    'Access-Control-Allow-Origin',
    'access-control-expose-headers',
    'Cache-Control',
    'Vary',
    'Content-Type',
    'X-Content-Type-Options',
  ])('that Sluice sets itself is none that an upstream may add: %s', (name) => {
    expect(faults({ upstreams: { crm: { ...CRM, response_headers: ['X-Page', name] } } })).toEqual([
      'upstreams.crm.response_headers[1]',
    ]);
  });
});

describe('A secret that no header can carry', () => {
  const BAD = {
    chinese: '密码密码',
    control: 'a\u0001bcdef',
    latin: 'passé-passé',
    tab: '\tabcdef',
    space: 'abcdef ',
  };
  test.each(Object.entries(BAD))('is a fault wherever it is sent in one: %s', (_what, S) => {
    const of = (auth: object) => faults({ upstreams: { crm: { ...CRM, auth } } }, { S });
    expect(of({ bearer: 'env:S' })).toEqual(['upstreams.crm.auth.bearer']);
    expect(of({ header: { name: 'X', value: 'env:S' } })).toEqual(['upstreams.crm.auth.header.value']);
    expect(of({ basic: { username: 'u', password: 'env:S' } })).toEqual([]);
    const policy = { url: 'http://h/b', headers: { authorization: 'env:S' } };
    expect(faults({ policy }, { S })).toEqual(['policy.headers.authorization']);
  });
  test('is told from one that can', () => {
    const auth = { bearer: 'env:S' };
    expect(faults({ upstreams: { crm: { ...CRM, auth } } }, { S: 'a b~!"$' })).toEqual([]);
  });
});

test('a secret that begins with a byte order mark is a fault in every section', () => {
  writeFileSync(join(dir, 'marked'), '\ufeffsixteen bytes and more\n');
  const auth = { basic: { username: 'u', password: 'file:marked' } };
  expect(faults({ upstreams: { crm: { ...CRM, auth } } })).toEqual(['upstreams.crm.auth.basic.password']);
  expect(faults({ keys: { k: { use: 'pseudonymize', secret: 'file:marked' } } })).toEqual(['keys.k.secret']);
});

test.each([
  [
    'in GBK',
    Buffer.from([...Buffer.from('version: 1 # '), 0xd6, 0xd0, 0xce, 0xc4]),
    /:1:1: the file is not UTF-8/,
  ],
  ['in UTF-16', Buffer.from('\ufeffversion: 1\n', 'utf16le'), /:1:1: the file is not UTF-8/],
  ['that is empty', Buffer.from(''), /:1:1: the file is empty/],
  ['with comments only', Buffer.from('# nothing\n'), /:1:1: the file is empty/],
  ['of two documents', Buffer.from('version: 1\n---\nversion: 1\n'), /:2:1: a second YAML document/],
])('a configuration %s is told as what it is', async (_what, bytes, message) => {
  const file = join(dir, 'odd.yaml');
  writeFileSync(file, bytes);
  await expect(loadConfig(file, {})).rejects.toThrow(message);
});
