/**
 * `npm run bench -- pipeline [--customers 1] [--requests 20000] [--rounds 5] [--durability strict] [--tracing]`: processor time of one request in
 * the pipeline alone; with `--tracing`, what traces add to it, each way in turn within a round. The stages are those of a sidecar; there is no HTTP on either side, and the upstream answers from memory.
 */
import '../src/json-parse.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPeople } from '../src/cli/demo/people.ts';
import { build } from '../src/compose/build.ts';
import { loadConfig } from '../src/config/index.ts';
import { createDevelopmentIssuer } from '../src/identity/development-issuer.ts';
import type { ProxyRequest, Reply } from '../src/model/exchange.ts';
import { passingOn, type Tracing } from '../src/model/trace.ts';
import { createTracing } from '../src/observability/tracing.ts';
import { silentLogger } from '../src/observability/logger.ts';
import { createProxyPipeline } from '../src/pipeline/proxy.ts';
import { UpstreamBody } from '../src/upstream/body.ts';
import type { Upstreams } from '../src/upstream/upstream.ts';

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '1' },
    requests: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    durability: { type: 'string', default: 'strict' },
    tracing: { type: 'boolean', default: false },
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
    policy: { dir: join(import.meta.dirname, '../policies') },
    consent: { file: './consents.yaml' },
    decision_log: { journal: { dir: './journal', durability: values.durability } },
    routes: [{ match: 'GET /api/customers/{id}', ...route }],
  }),
);

const record = Buffer.from(createPeople(20261122, 1).customers[0]?.record ?? '{}');
const flow = { pause: () => undefined, resume: () => undefined, abort: () => undefined };
const upstreams: Upstreams = {
  send: async () => {
    await new Promise(setImmediate);
    const body = new UpstreamBody(flow);
    body.push(record);
    body.end();
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  },
  reachable: async () => [],
  close: async () => undefined,
};
const loaded = await loadConfig(join(dir, 'sluice.yaml'), process.env);
const parts = await build(loaded, { logger: silentLogger, given: { upstreams } });
let handle = createProxyPipeline(parts.stages);
let headers: Record<string, string> = {
  host: 'localhost',
  authorization: `Bearer ${token}`,
  'sluice-purpose': 'after_sales',
};
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

/** Microseconds of processor time a request. */
async function cost(): Promise<number> {
  const began = process.cpuUsage();
  await run(requests);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / requests;
}

if (values.tracing) {
  const collector = createServer((req, res) => void req.resume().on('end', () => res.end('{}')));
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const sampling = (sample: number) =>
    createTracing({ url, headers: {}, tls: {}, timeout: 10_000, sample, callers: 'ignore', resource: {} });
  const [none, tenth, all] = [sampling(0), sampling(0.1), sampling(1)];
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const ways: readonly (readonly [name: string, tracing: Tracing, headers: Record<string, string>])[] = [
    ['code without traces', () => null, headers],
    ['off', passingOn, headers],
    ['off, the caller has a trace', passingOn, { ...headers, traceparent }],
    ['on, sample 0', none.begin, headers],
    ['on, sample 0.1', tenth.begin, headers],
    ['on, sample 1', all.begin, headers],
  ];
  const found = ways.map((): number[] => []);
  for (let round = -1; round < rounds; round++)
    for (const [i, [, tracing, asked]] of ways.entries()) {
      handle = createProxyPipeline({ ...parts.stages, tracing });
      headers = asked;
      const one = await cost();
      if (round >= 0) found[i]!.push(one);
    }
  const median = (costs: readonly number[]): number => costs.toSorted((a, b) => a - b)[costs.length >> 1]!;
  const base = median(found[0]!);
  for (const [i, [name]] of ways.entries()) {
    const one = median(found[i]!);
    process.stdout.write(`${name.padEnd(28)} ${one.toFixed(1)} µs, ratio ${(one / base).toFixed(3)}\n`);
  }
  await Promise.all([none.close(), tenth.close(), all.close()]);
  collector.closeAllConnections();
  collector.close();
  await parts.close();
  process.exit(failed > 0 ? 1 : 0);
}

await run(requests);
const costs: number[] = [];
for (let round = 0; round < rounds; round++) costs.push(await cost());
if (failed > 0) throw new Error(`${failed} answers are not 200`);
costs.sort((a, b) => a - b);
const { hits, misses } = parts.policy.current().stats();
process.stdout.write(
  `processor time a request: ${costs.at(0)?.toFixed(1)} µs at best, ${costs[costs.length >> 1]?.toFixed(1)} µs median; ` +
    `policy questions answered from memory: ${((100 * hits) / (hits + misses)).toFixed(1)} %\n`,
);
await parts.close();
