/** The authorization core, asked as an endpoint asks it: without a proxied request and without a route. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, type Parts } from '../../src/compose/build.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { Grant } from '../../src/model/input.ts';
import { silentLogger as logger } from '../../src/observability/logger.ts';
import { type Authorized, authorize, type Target } from '../../src/pipeline/authorize.ts';
import { type DecisionEntry, openEntry } from '../../src/pipeline/record.ts';
import { prepare } from '../support/sluice.ts';

const GRANT: Grant = { id: 'g-1', until: '2096-01-01T00:00:00Z' };

const uses: (readonly [grant: string, decision: string])[] = [];
let parts: Parts;
let dir: string;
let tokens: { readonly support: string; readonly denied: string };
beforeAll(async () => {
  const issuer = await createDevelopmentIssuer();
  const prepared = await prepare({}, issuer);
  dir = prepared.dir;
  const claims = { dept: 'after-sales', org: 'internal', clearance: 3 };
  tokens = {
    support: await issuer.sign({ sub: 'u-17', roles: ['support'], ...claims }),
    denied: await issuer.sign({ sub: 'u-18', roles: ['denied'], ...claims }),
  };
  parts = await build(parseConfig(prepared.text, prepared.file, {}), {
    logger,
    given: {
      grants: {
        active: async ({ subject, named }) => ({
          grants: subject === 'u-17' ? [GRANT] : [],
          limited: named === null ? null : { id: named, max_records: 3 },
        }),
        use: async (id, { decision_id }) => {
          uses.push([id, decision_id]);
          return id === 'g-1';
        },
      },
    },
  });
});
afterAll(async () => {
  await parts?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

const TARGET: Target = {
  action: 'evaluate',
  resource: { type: 'customer', id: 'C1', properties: {} },
  purpose: null,
  single: true,
  verification: null,
  properties: ({ purpose }) => ({ body_fields: [], query_fields: [], stated: purpose }),
};

interface Asked {
  readonly entry: DecisionEntry;
  readonly result: Authorized | { readonly code: string };
  readonly resolved: number;
}

async function ask(headers: Readonly<Record<string, string>>): Promise<Asked> {
  const entry = openEntry(parts.stages, {
    client_ip: null,
    method: 'POST',
    path: null,
    route: 'POST /evaluation',
  });
  let resolved = 0;
  const target = (): Target => {
    resolved += 1;
    return TARGET;
  };
  const result = await authorize({ headers, peer: { ip: null }, target }, entry, parts.stages).catch(
    ({ code }: { code: string }) => ({ code }),
  );
  return { entry, result, resolved };
}

const bearer = (token: string, purpose = 'after_sales') => ({
  authorization: `Bearer ${token}`,
  'sluice-purpose': purpose,
});

test('a permitted request has its pinned policy, its decision and the input in the tier in force', async () => {
  const { entry, result } = await ask({ ...bearer(tokens.support), 'sluice-tier': '2' });
  expect(result).toMatchObject({
    target: TARGET,
    decision: { allow: true, tier: 2 },
    input: {
      subject: { id: 'u-17' },
      action: { name: 'evaluate', properties: { stated: 'after_sales' } },
      resource: TARGET.resource,
      context: {
        purpose: 'after_sales',
        tier: 2,
        grants: [GRANT],
        request: { client_ip: null, method: 'POST', route: 'POST /evaluation' },
      },
    },
  });
  expect((result as Authorized).snapshot.revision).toBe(parts.policy.current().revision);
  expect(entry.draft('allowed', 200, 0, null)).toMatchObject({
    subject: { id: 'u-17' },
    action: 'evaluate',
    resource: TARGET.resource,
    purpose: 'after_sales',
    tier: 2,
    recipient: 'internal',
    reasons: [],
    policy: { revision: parts.policy.current().revision },
    input: (result as Authorized).input,
    claimed: ['purpose', 'tier'],
  });
});

test('what is asked for is not resolved for a caller without a valid credential', async () => {
  const { entry, result, resolved } = await ask({ 'sluice-purpose': 'after_sales' });
  expect({ result, resolved }).toEqual({ result: { code: 'token_missing' }, resolved: 0 });
  expect(entry.draft('denied', 401, 0, null)).toMatchObject({
    subject: null,
    resource: null,
    policy: null,
    input: null,
  });
});

test('the policy is not asked where the purpose is unknown, and the entry says what was asked for', async () => {
  const { entry, result } = await ask(bearer(tokens.support, 'resale'));
  expect(result).toEqual({ code: 'purpose_unknown' });
  expect(entry.draft('denied', 403, 0, null)).toMatchObject({
    subject: { id: 'u-17' },
    action: 'evaluate',
    resource: TARGET.resource,
    purpose: null,
    input: null,
  });
});

test('a denial of the policy is thrown, and the entry has its reasons and its input', async () => {
  const { entry, result } = await ask(bearer(tokens.denied));
  expect(result).toEqual({ code: 'policy_denied' });
  expect(entry.draft('denied', 403, 0, null)).toMatchObject({
    reasons: [{ code: 'role_denied' }],
    input: { subject: { id: 'u-18' }, context: { grants: [] } },
  });
});

test('a limited grant is counted once the policy has allowed the request, and limits the records', async () => {
  uses.length = 0;
  const { entry, result } = await ask({ ...bearer(tokens.support), 'sluice-grant': 'g-1' });
  expect((result as Authorized).decision.obligations.max_records).toBe(3);
  expect(uses).toEqual([['g-1', entry.id]]);
  expect((await ask({ ...bearer(tokens.denied), 'sluice-grant': 'g-1' })).result).toEqual({
    code: 'policy_denied',
  });
  expect(uses).toHaveLength(1);
});

test('a request whose use cannot be counted is refused', async () => {
  const { entry, result } = await ask({ ...bearer(tokens.support), 'sluice-grant': 'g-2' });
  expect(result).toEqual({ code: 'grant_used_up' });
  expect(uses.at(-1)).toEqual(['g-2', entry.id]);
});
