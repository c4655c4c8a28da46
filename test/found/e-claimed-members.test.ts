/**
 * Class: a decision record that tells what a caller said of itself as if it were known. Root cause: what headers stated and what the
 * credential or a store confirmed stood in the same members, without a word about which is which.
 */
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import type { DecisionAnswer } from '../../src/model/answers.ts';
import type { Grant, Subject } from '../../src/model/input.ts';
import { tierInForce } from '../../src/model/verdict.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { policyInput } from '../../src/pipeline/authorize.ts';
import { DecisionEntry } from '../../src/pipeline/record.ts';
import { resolvePurpose } from '../../src/routing/index.ts';

const SUBJECT: Subject = {
  type: 'user',
  id: 'u-17',
  properties: {
    roles: [],
    department: null,
    organization: 'internal',
    clearance: null,
    assurance: { amr: [], acr: null, auth_time: null },
  },
};
const CONFIG = parseConfig(
  JSON.stringify({
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: { issuers: [{ issuer: 'i', audience: 'a', jwks: { file: 'k' }, algorithms: ['ES256'] }] },
    policy: { dir: '.' },
    consent: { file: 'c.yaml' },
    routes: [{ match: 'GET /', upstream: 'crm', resource: 'x', action: 'read' }],
  }),
  'sluice.yaml',
  {},
).config.purpose;
const KNOWN = { purposes: new Set(['after_sales']), recipients: new Set(['acme']) };

function claimed(
  headers: Record<string, string>,
  {
    claims = {},
    grants = [],
    tier = null,
  }: { claims?: object; grants?: Grant[]; tier?: 1 | 2 | 3 | null } = {},
): readonly string[] | undefined {
  const entry = new DecisionEntry('d', systemClock);
  entry.subject = SUBJECT;
  entry.resource = { type: 'x', properties: {} };
  entry.request = { client_ip: null, method: 'GET', path: '/', route: 'GET /' };
  const use = resolvePurpose(CONFIG, {
    headers,
    subject: SUBJECT,
    claims: claims as Record<string, unknown>,
    purpose: null,
    route: { purpose: headers['sluice-purpose'] === undefined ? 'after_sales' : null },
    known: KNOWN,
  });
  entry.setPurpose(use);
  const asked = policyInput({
    subject: SUBJECT,
    action: { name: 'read', properties: { body_fields: [], query_fields: [] } },
    resource: { type: 'x', properties: {} },
    use,
    grants,
    request: entry.request,
    time: entry.timestamp,
  });
  entry.setInput(asked);
  const answer: DecisionAnswer = { allow: true, reasons: [], tier, obligations: {} };
  entry.setDecision(answer, tierInForce(answer, use.tier));
  return entry.draft('allowed', 200, 0, null).claimed;
}

test.each([
  [{}, {}, []],
  [{ 'sluice-purpose': 'after_sales' }, {}, ['purpose']],
  [{ 'sluice-purpose': 'after_sales' }, { claims: { purpose: 'after_sales' } }, []],
  [{ 'sluice-recipient': 'acme' }, {}, ['recipient']],
  [{ 'sluice-recipient': 'internal' }, {}, []],
  [{ 'sluice-justification': 'ticket 8812' }, {}, ['justification']],
  [{ 'sluice-tier': '2' }, {}, ['tier']],
  [{ 'sluice-tier': '2' }, { tier: 3 as const }, []],
  [{ 'sluice-grant': 'g-1' }, {}, ['grant_id']],
  [{ 'sluice-grant': 'g-1' }, { grants: [{ id: 'g-2', until: '2036-01-01T00:00:00Z' }] }, ['grant_id']],
  [{ 'sluice-grant': 'g-1' }, { grants: [{ id: 'g-1', until: '2036-01-01T00:00:00Z' }] }, []],
  [
    {
      'sluice-purpose': 'after_sales',
      'sluice-tier': '1',
      'sluice-grant': 'g',
      'sluice-justification': 'j',
      'sluice-recipient': 'acme',
    },
    {},
    ['grant_id', 'justification', 'purpose', 'recipient', 'tier'],
  ],
])('The record of a request with %j names what nothing verified.', (headers, more, expected) => {
  expect(claimed(headers as Record<string, string>, more)).toEqual(expected);
});
