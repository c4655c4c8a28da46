/** What `verification` and routes that demand a proof may say. */
import { expect, test } from 'vitest';
import { proofFindings } from '../../src/cli/policy/check/inspect-config.ts';
import { parseConfig } from '../../src/config/index.ts';
import { faultsIn } from '../../src/documents/faults.ts';

const CASE = { upstream: 'crm', path: '/cases/{value}', data_subject: '/customer' };
const CODE = { upstream: 'crm', path: '/codes', secret: 'a secret of the test with more than 32 bytes' };
const textOf = (verification: object | undefined, route: object = {}): string =>
  JSON.stringify({
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: {
      api_keys: [{ id: 'k', sha256: 'a'.repeat(64), subject: { id: 's', organization: 'internal' } }],
    },
    policy: { dir: '.' },
    consent: { file: './consents.yaml' },
    insecure: { literal_secrets: true },
    routes: [{ match: 'GET /c', upstream: 'crm', resource: 'customer', action: 'search', ...route }],
    ...(verification === undefined ? {} : { verification }),
  });

const faultsOf = (verification: object | undefined, route: object = {}): string[] => {
  const text = textOf(verification, route);
  try {
    parseConfig(text, '/sluice.yaml', {});
    return [];
  } catch (error) {
    return faultsIn(error as Parameters<typeof faultsIn>[0]).map(
      ({ path = [], message }) => `${path.join('.')}: ${message}`,
    );
  }
};

test('what is described is taken, and a route may demand it', () => {
  expect(faultsOf({ case: CASE, code: CODE }, { verification: ['case', 'code'] })).toEqual([]);
});

test.each<[string, object | undefined, object, RegExp]>([
  [
    'a method that nothing checks',
    { case: CASE },
    { verification: ['code'] },
    /^routes\.0\.verification\.0: .*verification\.code/,
  ],
  ['a method without any section', undefined, { verification: ['case'] }, /^routes\.0\.verification\.0: /],
  ['an unknown method', { case: CASE }, { verification: ['voice'] }, /^routes\.0\.verification/],
  ['no method', { case: CASE }, { verification: [] }, /^routes\.0\.verification/],
  [
    'an unknown upstream',
    { case: { ...CASE, upstream: 'crn' } },
    {},
    /^verification\.case\.upstream: .*did you mean "crm"/,
  ],
  ['a path without its value', { case: { ...CASE, path: '/cases' } }, {}, /^verification\.case\.path/],
  [
    'a path with its value twice',
    { case: { ...CASE, path: '/{value}/{value}' } },
    {},
    /^verification\.case\.path/,
  ],
  ['a pattern that is none', { case: { ...CASE, pattern: '(' } }, {}, /^verification\.case\.pattern/],
  [
    'a short key of digests',
    { code: { ...CODE, secret: 'short' } },
    {},
    /^verification\.code\.secret: .*32 bytes/,
  ],
  ['codes that are guessed', { code: { ...CODE, digits: 4 } }, {}, /^verification\.code\.digits/],
])('%s is a fault', (_, verification, route, wanted) => {
  const faults = faultsOf(verification, route);
  expect(faults.length).toBe(1);
  expect(faults[0]).toMatch(wanted);
});

test('a rule of the policy whose proofs nothing checks is warned of', () => {
  const found = (verification: object | undefined, methods: unknown) =>
    proofFindings(parseConfig(textOf(verification), '/sluice.yaml', {}), {
      subject_verification: { desk: { methods } },
    }).map(({ severity, message }) => `${severity} ${message}`);
  expect(found({ case: CASE }, ['case', 'code'])).toEqual([]);
  for (const section of [undefined, { case: CASE }])
    expect(found(section, ['code'])).toEqual([
      expect.stringMatching(/^warning .*subject_verification\.desk .*\(code\)/),
    ]);
  expect(found({ case: CASE }, 'code')).toEqual([]);
});
