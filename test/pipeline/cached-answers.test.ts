/** The policy's cache of answers: what a caller gets, and what is recorded, does not depend on it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, type Parts } from '../../src/compose/build.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createStaticConsents, type StaticConsents } from '../../src/consent/index.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { ProxyRequest, Reply } from '../../src/model/exchange.ts';
import type { Grant } from '../../src/model/input.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { silentLogger as logger } from '../../src/observability/logger.ts';
import { createProxyPipeline } from '../../src/pipeline/proxy.ts';
import { type PolicyBundle, readBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { DEFAULT_CACHE } from '../../src/policy/settings.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import type { LivePolicyStore } from '../../src/policy/store.ts';
import { UpstreamBody } from '../../src/upstream/body.ts';
import { CUSTOMER, CUSTOMER_ROUTES, prepare } from '../support/sluice.ts';

const HEAD = `package sluice

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "no"}], "tier": null, "obligations": {}}

# METADATA
# entrypoint: true
default disclosure := {"disclose": false, "reasons": [{"code": "no"}], "classes": {}, "fields": {}}

_classes(contact) := {
	"reference/1": {"do": "disclose", "because": "b"},
	"identity/3": {"do": "disclose", "because": "b"},
	"contact/3": {"do": contact, "because": "b"},
}

_shown(contact) := {"disclose": true, "reasons": [], "classes": _classes(contact), "fields": {}}
`;

/** Policies that read different parts of the input. Each part decides something, so that a cache key without it gives a wrong answer. */
const POLICIES = {
  consents: `
decision := {"allow": true, "reasons": [], "tier": input.context.tier, "obligations": {}}
disclosure := _shown("disclose") if not "objects" in input.data_subject.flags
`,
  resource: `
_tier := 1 if input.resource.id == "C2"
_tier := 3 if input.resource.id != "C2"
decision := {"allow": true, "reasons": [], "tier": _tier, "obligations": {}} if input.resource.id != "C3"
disclosure := _shown("mask") if input.context.tier == 3
disclosure := _shown("disclose") if input.context.tier == 1
`,
  type: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.resource.type == "order"
decision := {"allow": true, "reasons": [], "tier": 3, "obligations": {}} if input.resource.type == "customer"
disclosure := _shown("disclose") if input.resource.type == "order"
disclosure := _shown("mask") if input.resource.type == "customer"
`,
  subject: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.subject.properties.organization == "internal"
disclosure := _shown("disclose") if input.subject.id == "u-1"
disclosure := _shown("mask") if input.subject.id != "u-1"
`,
  roles: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {"max_records": 1}} if "lead" in input.subject.properties.roles
decision := {"allow": true, "reasons": [], "tier": 3, "obligations": {}} if not "lead" in input.subject.properties.roles
disclosure := _shown("mask") if "lead" in input.subject.properties.roles
disclosure := _shown("disclose") if not "lead" in input.subject.properties.roles
`,
  request: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.context.request.method == "GET"
decision := {"allow": true, "reasons": [], "tier": 3, "obligations": {}} if input.context.request.method != "GET"
disclosure := _shown("disclose") if endswith(input.context.request.route, "/{id}")
disclosure := _shown("mask") if not endswith(input.context.request.route, "/{id}")
`,
  action: `
decision := {"allow": true, "reasons": [], "tier": 3, "obligations": {}} if input.action.name == "read"
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.action.name in {"search", "update", "delete"}
disclosure := _shown("disclose") if input.action.name != "search"
disclosure := _shown("mask") if input.action.name == "search"
`,
  fields: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if not "/phone" in input.action.properties.query_fields
disclosure := _shown("disclose") if count(input.action.properties.query_fields) == 0
disclosure := _shown("mask") if count(input.action.properties.query_fields) > 0
`,
  written: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if not "/phone" in input.action.properties.body_fields
disclosure := _shown("disclose")
`,
  recipient: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {"max_records": 1}} if input.context.recipient == "logistics"
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.context.recipient == "internal"
disclosure := _shown("mask") if input.context.recipient == "logistics"
disclosure := _shown("disclose") if input.context.recipient == "internal"
`,
  justification: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}}
disclosure := _shown("mask") if input.context.justification == null
disclosure := _shown("disclose") if input.context.justification != null
`,
  clock: `
_even if (time.parse_rfc3339_ns(input.context.time) / 1000000000) % 2 == 0
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if time.now_ns() % 5000000000 != 3000000000
disclosure := _shown("mask") if _even
disclosure := _shown("drop") if not _even
`,
  address: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if input.context.request.client_ip == "10.0.0.1"
disclosure := _shown("mask") if input.context.purpose == "marketing"
disclosure := _shown("disclose") if input.context.purpose == "after_sales"
`,
  grants: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {"max_records": 7}} if count(input.context.grants) > 0
decision := {"allow": true, "reasons": [], "tier": 3, "obligations": {}} if count(input.context.grants) == 0
disclosure := _shown("disclose") if "g-1" in {g.id | some g in input.context.grants}
disclosure := _shown("mask") if not "g-1" in {g.id | some g in input.context.grants}
`,
  attributes: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}}
disclosure := _shown("disclose") if input.record.attributes.city == "here"
disclosure := _shown("mask") if input.record.attributes.city != "here"
`,
  failing: `
decision := {"allow": "yes"} if input.resource.id == "C2"
decision := {"allow": true, "tier": [1, 2][_]} if input.resource.id == "C3"
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if not input.resource.id in {"C2", "C3"}
disclosure := _shown("explode") if input.context.purpose == "marketing"
disclosure := _shown(["mask", "disclose"][_]) if "objects" in input.data_subject.flags
disclosure := _shown("disclose") if input.context.purpose == "after_sales"
`,
  whole: `
_values contains value if walk(input.context, [_, value])
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}} if "after_sales" in _values
disclosure := _shown("mask") if contains(json.marshal(input), "objects")
disclosure := _shown("disclose") if not contains(json.marshal(input), "objects")
`,
  random: `
decision := {"allow": true, "reasons": [], "tier": 2, "obligations": {}}
disclosure := _shown(["mask", "disclose"][rand.intn("a", 2)])
`,
} as const;
const NAMES = Object.keys(POLICIES) as (keyof typeof POLICIES)[];
/** without the policy whose answers differ from one question to the next */
const DETERMINED = NAMES.filter((name) => name !== 'random');

const compiled = async (name: keyof typeof POLICIES): Promise<PolicyBundle> => {
  const bundle = await compileFiles(
    {
      dir: name,
      rego: [{ path: 'sluice/p.rego', text: HEAD + POLICIES[name] }],
      tests: [],
      data: [],
      catalogs: [],
      scenarios: [],
    },
    { opa: await resolveOpa() },
  );
  const data = {
    purposes: { after_sales: {}, marketing: {} },
    partners: { logistics: {} },
    catalog: {
      customer: { resource: 'customer', ...CUSTOMER, attributes: { city: '/city' } },
      order: { resource: 'order', ...CUSTOMER, data_subject: ['/customer'], fields: ORDER_FIELDS },
    },
  };
  const bytes = await writeBundle({ ...bundle, data, dataJson: JSON.stringify(data) });
  return { ...(await readBundle(bytes, { name })), revision: name };
};

const ORDER_FIELDS = { ...CUSTOMER.fields, '/customer': { category: 'reference', grade: 1 } };
const ROUTES = [
  ...CUSTOMER_ROUTES,
  { match: 'GET /orders/{id}', upstream: 'crm', resource: 'order', action: 'read', id: '{id}' },
  {
    match: 'DELETE /customers/{id}',
    upstream: 'crm',
    resource: 'customer',
    action: 'delete',
    id: '{id}',
    data_subject: '{id}',
  },
];

const START = Date.parse('2026-11-30T08:00:00.250Z');
const GRANTS: readonly Grant[] = ['g-1', 'g-2'].map((id) => ({ id, until: '2096-01-01T00:00:00Z' }));
const CALLERS = ['u-1', 'u-2'] as const;

type Side = 'cached' | 'plain';
const world = {
  now: START,
  grants: new Map<string, readonly Grant[]>(),
  policy: 'consents' as keyof typeof POLICIES,
};
const policies = new Map<string, Readonly<Record<Side, LivePolicy>>>();
const tokens = new Map<string, string>();
let consents: StaticConsents;
let parts: Parts;
let dir: string;

beforeAll(async () => {
  const issuer = await createDevelopmentIssuer();
  const first = await compiled('consents');
  const prepared = await prepare({ policy: first, config: { identity: undefined } }, issuer);
  dir = prepared.dir;
  writeFileSync(join(dir, 'revoked.yaml'), '[]\n');
  const text = JSON.parse(prepared.text) as { [section: string]: unknown };
  text['identity'] = {
    issuers: [
      {
        issuer: issuer.issuer,
        audience: issuer.audience,
        jwks: { file: './keys.json' },
        algorithms: ['ES256'],
        clock_tolerance: '0s',
        claims: { roles: 'roles', department: 'dept', organization: 'org', clearance: 'clearance' },
      },
    ],
    revocations: './revoked.yaml',
  };
  text['routes'] = ROUTES;
  for (const sub of CALLERS)
    tokens.set(
      sub,
      await issuer.sign(
        { sub, jti: sub, roles: sub === 'u-1' ? ['support'] : ['support', 'lead'], org: 'internal' },
        600,
        new Date(START - 5000),
      ),
    );
  for (const name of NAMES) {
    const bundle = name === 'consents' ? first : await compiled(name);
    policies.set(name, {
      cached: await createSnapshot(bundle),
      plain: await createSnapshot(bundle, { cache: { ...DEFAULT_CACHE, entries: 0 } }),
    });
  }
  consents = createStaticConsents({});
  const policy = {
    current: () => policies.get(world.policy)!.cached,
    status: () => ({ ok: true, revision: null, activated_at: null, error: null, unavailable: null }),
    reload: async () => undefined,
    close: async () => undefined,
  } as unknown as LivePolicyStore;
  parts = await build(parseConfig(JSON.stringify(text), prepared.file, {}), {
    logger,
    clock: { now: () => new Date(world.now), micros: () => 0 },
    given: {
      policy,
      consents,
      grants: {
        active: async ({ subject }) => ({ grants: world.grants.get(subject) ?? [], limited: null }),
        use: async () => false,
      },
      upstreams: {
        send: async (_name, { method, target }) => {
          const body = new UpstreamBody({ pause() {}, resume() {}, abort() {} });
          const { pathname } = new URL(target, 'http://upstream');
          const [, kind, id] = pathname.split('/');
          const said =
            id === undefined ? { items: ['C1', 'C2', 'C3'].map(customer), total: 3 } : customer(id);
          if (method !== 'DELETE')
            body.push(Buffer.from(JSON.stringify(kind === 'orders' ? { ...said, customer: id } : said)));
          body.end();
          const headers = method === 'DELETE' ? {} : { 'content-type': 'application/json' };
          return { status: method === 'DELETE' ? 204 : 200, headers, body };
        },
        reachable: async () => [],
        close: async () => undefined,
      },
    },
  });
});
afterAll(async () => {
  await parts?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

function customer(id: string): object {
  return { id, name: '张三', phone: '13812345678', city: id === 'C1' ? 'here' : 'there' };
}

interface Asking {
  readonly caller: (typeof CALLERS)[number];
  readonly method: string;
  readonly target: string;
  /** of a PUT */
  readonly body: string;
  readonly ip: string;
  readonly purpose: string | undefined;
  readonly tier: string | undefined;
  readonly justification: string | undefined;
  readonly recipient: string | undefined;
  readonly grant: string | undefined;
}
type Step =
  | { readonly do: 'ask'; readonly asking: Asking }
  | { readonly do: 'reload'; readonly policy: keyof typeof POLICIES }
  | { readonly do: 'consent'; readonly id: string; readonly objects: boolean }
  | { readonly do: 'grant'; readonly caller: string; readonly has: readonly Grant[] }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'revoke'; readonly callers: readonly string[] };

/** One pipeline, with what it answers and records. */
function running(side: Side) {
  const records: DecisionRecordDraft[] = [];
  const log = {
    ...parts.stages.log,
    check() {},
    append: async (draft: DecisionRecordDraft) => {
      records.push(structuredClone(draft));
      return { ...draft, origin: '', seq: 1, prev_hash: '', hash: '' };
    },
  };
  const policy = { ...parts.stages.policy, current: () => policies.get(world.policy)![side] };
  const serve = createProxyPipeline({ ...parts.stages, policy, log });
  return async (asking: Asking): Promise<unknown> => {
    const { caller, method, target, ip, purpose, tier, justification, recipient, grant } = asking;
    const hasBody = method === 'PUT';
    const headers = {
      host: 'localhost',
      authorization: `Bearer ${tokens.get(caller)}`,
      ...(purpose === undefined ? {} : { 'sluice-purpose': purpose }),
      ...(tier === undefined ? {} : { 'sluice-tier': tier }),
      ...(justification === undefined ? {} : { 'sluice-justification': justification }),
      ...(recipient === undefined ? {} : { 'sluice-recipient': recipient }),
      ...(grant === undefined ? {} : { 'sluice-grant': grant }),
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
    };
    const request: ProxyRequest = {
      method,
      target,
      version: '1.1',
      headers,
      rawHeaders: Object.entries(headers).flat(),
      peer: { ip },
      hasBody,
      read: async () => Buffer.from(asking.body),
      onAbort: () => undefined,
    };
    const answers: unknown[] = [];
    const reply: Reply = {
      started: false,
      send: (status, sent, chunks) => {
        const { 'sluice-decision-id': _id, ...rest } = sent;
        const body = Buffer.concat(chunks).toString();
        answers.push({ status, headers: rest, body: body.replace(/"decision_id":"[^"]*"/, '') });
      },
      start: () => undefined,
      write: () => Promise.resolve(),
      end: () => undefined,
      abort: () => undefined,
    };
    records.length = 0;
    await serve(request, reply);
    return { answers, records: records.map(({ decision_id: _id, ...record }) => record) };
  };
}

async function take(step: Exclude<Step, { do: 'ask' }>): Promise<void> {
  switch (step.do) {
    case 'reload':
      world.policy = step.policy;
      return;
    case 'consent':
      consents.set(step.id, { flags: step.objects ? ['objects'] : [] });
      return;
    case 'grant':
      world.grants.set(step.caller, step.has);
      return;
    case 'wait':
      world.now += step.ms;
      return;
    case 'revoke':
      writeFileSync(join(dir, 'revoked.yaml'), JSON.stringify(step.callers.map((jti) => ({ jti }))));
      parts.identity.refresh();
  }
}

/** mostly the first, so that most requests repeat an earlier one */
const mostly = <T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(first) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const asking: fc.Arbitrary<Asking> = fc.record({
  caller: mostly(...CALLERS),
  method: mostly('GET', 'HEAD', 'PUT', 'DELETE'),
  target: fc.constantFrom(
    ...['/customers/C1', '/customers/C2', '/customers/C3', '/orders/C1', '/orders/C2'],
    ...['/customers', '/customers?name=x', '/customers?phone=1', '/customers?name=x&city=here'],
  ),
  body: fc.constantFrom('{"name":"李四"}', '{"phone":"13912345678"}'),
  ip: mostly('10.0.0.1', '10.0.0.2'),
  purpose: mostly<string | undefined>('after_sales', 'marketing', 'unknown', undefined),
  tier: mostly<string | undefined>(undefined, '1', '2'),
  justification: mostly<string | undefined>(undefined, 'ticket 1'),
  recipient: mostly<string | undefined>(undefined, 'logistics', 'unknown'),
  grant: mostly<string | undefined>(undefined, 'g-1', 'g-9'),
});
const changing: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('reload' as const), policy: fc.constantFrom(...DETERMINED) }),
  fc.record({
    do: fc.constant('consent' as const),
    id: fc.constantFrom('C1', 'C2'),
    objects: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('grant' as const),
    caller: fc.constantFrom(...CALLERS),
    has: fc.subarray([...GRANTS]),
  }),
  fc.record({
    do: fc.constant('wait' as const),
    ms: fc.constantFrom(1, 749, 750, 1000, 4000, -1000, 400_000),
  }),
  fc.record({ do: fc.constant('revoke' as const), callers: fc.subarray([...CALLERS]) }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), asking }) },
  { weight: 1, arbitrary: changing },
);

function reset(): Promise<void> {
  world.now = START;
  world.grants.clear();
  world.policy = 'consents';
  for (const id of ['C1', 'C2']) consents.forget(id);
  return take({ do: 'revoke', callers: [] });
}

test("answers and records are the same with the policy's cache and without it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...DETERMINED),
      fc.array(step, { minLength: 5 }),
      async (first, steps) => {
        await reset();
        await take({ do: 'reload', policy: first });
        const cached = running('cached');
        const plain = running('plain');
        for (const each of steps)
          if (each.do !== 'ask') await take(each);
          else {
            const wanted = await plain(each.asking);
            // Twice, so that the second is answered from the cache.
            expect(await cached(each.asking)).toEqual(wanted);
            expect(await cached(each.asking)).toEqual(wanted);
          }
      },
    ),
    { numRuns: 300 },
  );
  for (const name of DETERMINED) {
    const { cached, plain } = policies.get(name)!;
    expect(cached.stats().hits, name).toBeGreaterThan(10);
    expect(plain.stats().hits, name).toBe(0);
  }
});

const ASKING: Asking = {
  caller: 'u-1',
  method: 'GET',
  target: '/customers/C1',
  body: '',
  ip: '10.0.0.1',
  purpose: 'after_sales',
  tier: undefined,
  justification: undefined,
  recipient: undefined,
  grant: undefined,
};
type Answered = { readonly answers: readonly { readonly status: number; readonly body: string }[] };
const statusOf = (answered: unknown): number => (answered as Answered).answers[0]!.status;

test.each([
  ['a revocation', { do: 'revoke', callers: ['u-1'] } as const, 401],
  ['a consent that is withdrawn', { do: 'consent', id: 'C1', objects: true } as const, 403],
  ['the end of the token', { do: 'wait', ms: 700_000 } as const, 401],
])('%s between two requests takes effect on the second', async (_what, change, status) => {
  await reset();
  const ask = running('cached');
  expect([statusOf(await ask(ASKING)), statusOf(await ask(ASKING))]).toEqual([200, 200]);
  await take(change);
  expect(statusOf(await ask(ASKING))).toBe(status);
});

test('a policy that answers by chance is asked in every request', async () => {
  await reset();
  await take({ do: 'reload', policy: 'random' });
  const ask = running('cached');
  const bodies = new Set<string>();
  for (let i = 0; i < 60; i++) bodies.add(((await ask(ASKING)) as Answered).answers[0]!.body);
  expect(bodies.size).toBe(2);
});
