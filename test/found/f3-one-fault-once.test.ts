/**
 * Class: a name that is not there, or one fault told many times. Root cause: checks that build on a document took a document with a fault
 * for one that does not exist, and nobody looked at the names in scenarios and routes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { inspectPolicy } from '../../src/cli/policy/check/inspect.ts';
import { routeFindings } from '../../src/cli/policy/check/inspect-config.ts';
import { parseConfig } from '../../src/config/index.ts';
import { Copy, opa } from '../cli/support.ts';

const CATALOG = 'catalog/customer.yaml';
const copy = new Copy();
afterAll(() => copy.remove());
const ROUTES = (routes: readonly string[]): string => `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [ { id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } } ] }
policy: { dir: policies }
consent: { file: consents.yaml }
routes:
${routes.map((more, i) => `  - { match: "POST /c${i}", upstream: crm, action: search, ${more} }`).join('\n')}`;

type Change = readonly [file: string, from: string | RegExp, to: string];

/** What is found with some files changed; they are as they were afterwards. */
async function found(changes: readonly Change[], routes: readonly string[] = ['resource: customer']) {
  const before = new Map<string, string>();
  for (const [file, from, to] of changes) {
    const text = readFileSync(copy.path(file), 'utf8');
    if (!before.has(file)) before.set(file, text);
    const after = text.replace(from, to);
    expect(after).not.toBe(text);
    writeFileSync(copy.path(file), after);
  }
  try {
    const policy = await inspectPolicy(copy.dir, opa!);
    const loaded = parseConfig(ROUTES(routes), 'sluice.yaml', {});
    return [...policy.findings, ...routeFindings(loaded, policy.catalogs, policy.broken)]
      .filter(({ severity }) => severity !== 'note')
      .map(({ severity, file: at, message }) => `${severity} ${at?.split('/').at(-1)} ${message}`);
  } finally {
    for (const [file, text] of before) writeFileSync(copy.path(file), text);
  }
}

describe.skipIf(opa === null)('one fault in a catalog is told once', () => {
  test.each([
    ['a grade that is none', 'grade: 3', 'grade: 9', /grade is a whole number/],
    ['a category that nobody knows', 'category: contact', 'category: contacts', /no category "contacts"/],
    ['a mask that nobody knows', 'mask: phone', 'mask: fone', /fone/],
    ['syntax', 'fields:', 'fields: {', /./],
    ['no resource', 'resource: customer', '', /resource: a catalog names its resource/],
  ])('%s', { timeout: 120_000 }, async (_what, from, to, said) => {
    const findings = await found([[CATALOG, from, to]]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(/^fault customer\.yaml /);
    expect(findings[0]).toMatch(said);
  });
});

const PARTNERS = 'scenarios/partners.yaml';
const REFUSALS = 'scenarios/refusals.yaml';

test.skipIf(opa === null)(
  'a name in a scenario that the policy does not know is a fault, with the one that was meant',
  { timeout: 120_000 },
  async () => {
    const findings = await found([
      [PARTNERS, /roles: \[courier\]/, 'roles: [courrier]'],
      [PARTNERS, 'Sluice-Purpose: delivery', 'Sluice-Purpose: delvery'],
      [PARTNERS, 'Sluice-Recipient: swift_logistics', 'sluice-recipient: swift_logistic'],
      [PARTNERS, 'resource: customer', 'resource: costumer'],
      [PARTNERS, 'phone: /phone', 'phone: /phon'],
      [REFUSALS, 'flags: [restricted]', 'flags: [restrictd]'],
      [REFUSALS, 'roles: [wizard]', 'roles: [wizzard]'],
      ['scenarios/grants.yaml', 'categories: [identity]', 'categories: [identitty]'],
    ]);
    const wanted = [
      /no role "courrier"; did you mean "courier"/,
      /no purpose "delvery"; did you mean "delivery"/,
      /no recipient "swift_logistic"; did you mean "swift_logistics"/,
      /no catalog of a resource "costumer"; did you mean "customer"/,
      /no field \/phon, .*did you mean "\/phone"/,
      /no flag "restrictd"; did you mean "restricted"/,
      /no category "identitty"; did you mean "identity"/,
    ];
    for (const said of wanted) expect(findings.filter((f) => said.test(f))).not.toEqual([]);
    for (const finding of findings) {
      expect(finding).toMatch(/^fault /);
      expect(wanted.some((said) => said.test(finding))).toBe(true);
    }
    // It expects the reason role_unknown: the name is meant to be unknown.
    expect(findings.join()).not.toContain('wizzard');
  },
);

test.skipIf(opa === null)(
  'a route that names what no catalog has is a fault, each told once',
  { timeout: 120_000 },
  async () => {
    const findings = await found(
      [],
      [
        'resource: costumer',
        'resource: customer, query_fields: { phone: /phon }',
        'resource: customer, query_grammar: { sort: { grammar: sort, fields: { tel: /phon } } }',
        'resource: customer, request: { grammar: { /sort: { grammar: sort, fields: { tel: /phon } } } }',
      ],
    );
    expect(findings).toEqual([
      expect.stringMatching(/^fault sluice\.yaml routes\[0\]\.resource: .*did you mean "customer"/),
      expect.stringMatching(/^fault sluice\.yaml routes\[1\]\.query_fields\.phone: .*"\/phone"/),
      expect.stringMatching(/^fault sluice\.yaml routes\[2\]\.query_grammar\.sort\.fields\.tel: .*"\/phone"/),
      expect.stringMatching(/^fault sluice\.yaml routes\[3\]\.request\.grammar.*fields\.tel: .*"\/phone"/),
    ]);
  },
);
