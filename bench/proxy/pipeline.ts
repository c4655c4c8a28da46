/**
 * What of a request is ours: the pipeline alone, in process, without HTTP on either side; the upstream's answer comes from
 * memory. Processor time a request, so that a busy machine spoils it less.
 *   node bench/proxy/pipeline.ts [--customers 1] [--requests 20000] [--rounds 5] [--durability strict]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPeople } from '../../src/cli/demo/people.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createConsentSource, createIdentities } from '../../src/consent/index.ts';
import { createDecisionLog, newDecisionId } from '../../src/decision-log/decision-log.ts';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import { createGuard } from '../../src/disclosure/guard/requests.ts';
import { createKeyRing } from '../../src/disclosure/keys.ts';
import { layoutOf, mediaOf } from '../../src/disclosure/media.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { createIdentity } from '../../src/identity/index.ts';
import type { ProxyRequest, Reply } from '../../src/model/exchange.ts';
import { systemClock as clock } from '../../src/observability/clock.ts';
import { silentLogger as logger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { createProxyPipeline } from '../../src/pipeline/proxy.ts';
import { createPolicyStore } from '../../src/policy/store.ts';
import { createRouter, knownFrom, resolvePurpose } from '../../src/routing/index.ts';
import { createResponses } from '../../src/endpoints/responses.ts';
import { createCheckHead } from '../../src/endpoints/proxy/head.ts';
import type { Stages } from '../../src/pipeline/stages.ts';
import { UpstreamBody } from '../../src/upstream/body.ts';
import { headerRules } from '../../src/upstream/headers.ts';

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '1' },
    requests: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    durability: { type: 'string', default: 'strict' },
  },
});
const [customers, requests, rounds] = [values.customers, values.requests, values.rounds].map(Number) as [
  number,
  number,
  number,
];
const AT_ONCE = 32;

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const issuer = await createDevelopmentIssuer();
const claims = { roles: 'roles', department: 'dept', organization: 'org', clearance: 'clearance' };
const token = await issuer.sign({
  sub: 'u-17',
  roles: ['support'],
  dept: 'after-sales',
  org: 'internal',
  clearance: 3,
  amr: ['pwd', 'otp'],
});
const route = { upstream: 'crm', resource: 'customer', action: 'read', id: '{id}', data_subject: '{id}' };
const { issuer: name, audience, jwks } = issuer;
writeFileSync(join(dir, 'keys.json'), JSON.stringify(jwks));
writeFileSync(join(dir, 'consents.yaml'), 'version: 1\ndata_subjects: {}\n');
writeFileSync(
  join(dir, 'sluice.yaml'),
  JSON.stringify({
    version: 1,
    listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0' },
    upstreams: { crm: { url: 'http://127.0.0.1:1' } },
    identity: {
      issuers: [{ issuer: name, audience, jwks: { file: './keys.json' }, algorithms: ['ES256'], claims }],
    },
    policy: { dir: join(import.meta.dirname, '../../policies') },
    consent: { file: './consents.yaml' },
    decision_log: { journal: { dir: './journal', durability: values.durability } },
    routes: [{ match: 'GET /api/customers/{id}', ...route }],
  }),
);

const { config, directory } = await loadConfig(join(dir, 'sluice.yaml'), {});
const around = { logger, clock, env: process.env, baseDir: directory };
const metrics = createMetrics();
const log = await createDecisionLog(config.decision_log, around);
const policy = await createPolicyStore(config.policy, { ...around, metrics });
const expose_dates = policy.current().reads_consent_dates;
const consents = await createConsentSource({ ...config.consent, expose_dates }, around);
const identities = createIdentities(consents);
const identity = createIdentity(config.identity, around);
const keys = createKeyRing(config.keys, { clock });
const disclosure = createDisclosureStage({ keys, dataSubject: log.dataSubject });
const rules = headerRules({});
const known = knownFrom(policy.current().data);
const record = Buffer.from(createPeople(20261122, 1).customers[0]?.record ?? '{}');
const flow = { pause: () => undefined, resume: () => undefined, abort: () => undefined };
const stages: Stages = {
  checkHead: createCheckHead(100),
  identity,
  router: createRouter(config.routes, config.limits),
  purposeOf: (request) => resolvePurpose(config.purpose, request),
  knownNames: () => known,
  policy,
  consents,
  identities,
  guard: createGuard({ consents, identities }),
  mediaOf,
  layoutOf,
  upstreams: {
    send: async () => {
      await new Promise(setImmediate);
      const body = new UpstreamBody(flow);
      body.push(record);
      body.end();
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    },
    reachable: async () => [],
    close: async () => undefined,
  },
  headersOf: () => rules,
  decode: (body) => body,
  encoding: () => null,
  disclosure,
  log,
  responses: createResponses([]),
  newDecisionId,
  clock,
  metrics,
  logger,
  limits: config.limits,
  labels: config.observability.labels,
};
const handle = createProxyPipeline(stages);
const headers = { host: 'localhost', authorization: `Bearer ${token}`, 'sluice-purpose': 'after_sales' };
let asked = 0;
let failed = 0;

const request = (): ProxyRequest => ({
  method: 'GET',
  target: `/api/customers/C${100001 + (asked++ % customers)}`,
  version: '1.1',
  headers,
  rawHeaders: Object.entries(headers).flat(),
  peer: { ip: '127.0.0.1' },
  hasBody: false,
  read: () => Promise.reject(new Error('there is no body')),
  onAbort: () => undefined,
});
const reply: Reply = {
  started: false,
  send: (status) => {
    if (status !== 200) failed += 1;
  },
  start: () => undefined,
  write: () => Promise.resolve(),
  end: () => Promise.resolve(),
  abort: () => undefined,
};

async function run(count: number): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) await handle(request(), reply);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

await run(requests);
const costs: number[] = [];
for (let round = 0; round < rounds; round++) {
  const began = process.cpuUsage();
  await run(requests);
  const { user, system } = process.cpuUsage(began);
  costs.push((user + system) / requests);
}
if (failed > 0) throw new Error(`${failed} answers are not 200`);
costs.sort((a, b) => a - b);
const { hits, misses } = policy.current().stats();
process.stdout.write(
  `processor time a request: ${costs.at(0)?.toFixed(1)} µs at best, ${costs[costs.length >> 1]?.toFixed(1)} µs median; ` +
    `policy questions answered from memory: ${((100 * hits) / (hits + misses)).toFixed(1)} %\n`,
);
for (const part of [log, policy, identity, consents]) await part.close();
