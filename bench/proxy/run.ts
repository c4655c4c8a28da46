/**
 * `npm run bench -- proxy [--seconds 4] [--rounds 5] [--only load,latency,stream] [--mib 1024] [--json] [--check]`
 *
 * Compares the proxy with its alternatives, as ratios within one run. The upstream is nginx with one customer record a file. Each peer gets the same
 * load from wrk. Rounds alternate between the peers, so that changes of the machine concern all of them. A peer is measured after it has answered
 * enough requests for its code to be compiled.
 */
import '../../src/json-parse.ts';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPeople } from '../../src/cli/demo/people.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { latency, type Target } from './latency.ts';
import { hasWrk, wrk } from './load.ts';
import { type Ports, startNginx, writeNginx } from './nginx.ts';
import { check, print, type Row } from './report.ts';
import { type Sidecar, startSidecar } from './setup.ts';
import { stream } from './stream.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'load,latency,stream' },
    mib: { type: 'string', default: '1024' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const wanted = new Set(values.only.split(','));
/** requests before a peer is measured, and seconds that this may take */
const WARM = { requests: 30_000, seconds: 30 };

const NJS =
  ['/usr/lib/nginx/modules/ngx_http_js_module.so', '/usr/share/nginx/modules/ngx_http_js_module.so'].find(
    existsSync,
  ) ?? null;

const FIRST = 'C100001';
const PATH = `/api/customers/${FIRST}`;
const CUSTOMERS = 1000;
const CORES = availableParallelism();
/** N is how many cores this process may use: the name stays, so that a threshold can be set for it. */
const WORKERS = 'sluice strict, N workers';
const PASS_THROUGH = 'undici pass-through';
const PROCESSES = 'undici pass-through, N processes';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

const has = (command: string, args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

/** microseconds of processor time that a process and those it started have used, all their threads; clock ticks are 10 ms (Linux) */
const usedBy = (root: number): number => {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const pid of processes) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      stats.set(Number(pid), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // it has just ended
    }
  }
  const below = (pid: number): number =>
    [...stats]
      .filter(([, { parent }]) => parent === pid)
      .reduce((sum, [child]) => sum + below(child), stats.get(pid)?.ticks ?? 0);
  return below(root) * 10_000;
};

/** What OPA is asked beside nginx: the input that Sluice would make of the same request. */
const OPA_INPUT = JSON.stringify({
  subject: {
    type: 'user',
    id: 'u-17',
    properties: {
      roles: ['support'],
      department: 'after-sales',
      organization: 'internal',
      clearance: 3,
      assurance: { amr: ['pwd', 'otp'], acr: null, auth_time: null },
    },
  },
  action: { name: 'read', properties: { query_fields: [], body_fields: [] } },
  resource: { type: 'customer', id: FIRST, properties: {} },
  context: {
    purpose: 'after_sales',
    tier: 2,
    recipient: 'internal',
    justification: null,
    time: '2026-11-22T08:00:00Z',
    grants: [],
    request: { method: 'GET', route: 'GET /api/customers/{id}', client_ip: '127.0.0.1' },
  },
});

interface Peer {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pid?: number;
  readonly script?: string;
}

const plain = (name: string, port: number): Peer => ({
  name,
  url: `http://127.0.0.1:${port}${PATH}`,
  headers: {},
});

const own = ({ url, token, pid }: Sidecar): Omit<Target, 'stop'> => ({
  url: url + PATH,
  headers: { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' },
  pid,
});

interface Surroundings {
  readonly dir: string;
  readonly ports: Ports;
  /** URL */
  readonly upstream: string;
  /** at the end */
  stops(stop: () => unknown): void;
}

/** With nginx as upstream and peers. Stops at the end what was started. */
async function surrounded(measure: (surroundings: Surroundings) => Promise<Row[]>): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const stops: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  try {
    const ports = {
      upstream: await freePort(),
      proxyPass: await freePort(),
      authRequest: await freePort(),
      njs: await freePort(),
      opa: await freePort(),
    };
    const { customers } = createPeople(20261122, CUSTOMERS);
    writeNginx(dir, ports, new Map(customers.map(({ id, record }) => [id, record])), OPA_INPUT, NJS);
    const nginx = startNginx(dir);
    stops.push(() => nginx.stop());
    const upstream = `http://127.0.0.1:${ports.upstream}`;
    return await measure({ dir, ports, upstream, stops: (stop) => void stops.push(stop) });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

const startPassThrough = async (upstream: string, processes: number): Promise<Target> => {
  const port = await freePort();
  const file = join(import.meta.dirname, 'passthrough.ts');
  const pass = spawn(process.execPath, [file, upstream, String(port), String(processes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(pass.stdout, 'data');
  return { ...plain('', port), pid: pass.pid as number, stop: () => pass.kill('SIGTERM') };
};

async function startPeers({ dir, ports, upstream, stops }: Surroundings): Promise<Peer[]> {
  const opa = await resolveOpa();
  writeFileSync(
    join(dir, 'bench.rego'),
    'package bench\n\npermitted := true if data.sluice.decision.allow\n',
  );
  const policies = join(import.meta.dirname, '../../policies');
  // The same rules with the same data, catalogs included, as Sluice has them.
  writeFileSync(join(dir, 'data.json'), (await compilePolicy(policies, { opa })).dataJson);
  const serve = ['run', '-s', '--log-level', 'error', '--addr', `127.0.0.1:${ports.opa}`];
  const files = [join(policies, 'sluice'), join(dir, 'data.json'), join(dir, 'bench.rego')];
  const server = spawn(opa.path, [...serve, ...files], { stdio: 'inherit' });
  stops(() => server.kill('SIGTERM'));
  const passThrough = async (name: string, processes: number): Promise<Peer> => {
    const target = await startPassThrough(upstream, processes);
    stops(() => target.stop());
    return { ...target, name };
  };
  const sidecar = async (name: string, options?: Parameters<typeof startSidecar>[2]): Promise<Peer> => {
    const started = await startSidecar(join(dir, name), upstream, options);
    stops(() => started.stop());
    return { name, ...own(started) };
  };
  const strict = await sidecar('sluice strict');
  const relaxed = await sidecar('sluice interval', { durability: 'interval' });
  const several = await sidecar(WORKERS, { workers: CORES });
  // A customer drawn anew for each request.
  const script = join(dir, 'distinct.lua');
  writeFileSync(
    script,
    `request = function() return wrk.format(nil, "/api/customers/C" .. (100001 + math.random(0, ${CUSTOMERS - 1}))) end\n`,
  );
  return [
    plain('upstream direct', ports.upstream),
    plain('nginx proxy_pass', ports.proxyPass),
    ...(NJS === null ? [] : [plain('nginx + njs body filter', ports.njs)]),
    await passThrough(PASS_THROUGH, 1),
    await passThrough(PROCESSES, CORES),
    plain('nginx auth_request + opa', ports.authRequest),
    strict,
    several,
    relaxed,
    { ...strict, name: `sluice strict, ${CUSTOMERS} customers`, script },
  ];
}

let started = 0;

const latencyOf = ({ dir, upstream }: Surroundings): Promise<Row[]> =>
  latency({
    startPassThrough: () => startPassThrough(upstream, 1),
    startSluice: async () => {
      const sidecar = await startSidecar(join(dir, String(++started)), upstream);
      return { ...own(sidecar), stop: () => sidecar.stop() };
    },
    warm: ({ url, headers }) => warm({ name: url, url, headers }),
    rounds: ROUNDS,
    seconds: SECONDS,
  });

function warm({ name, url, headers, script }: Peer): void {
  const until = performance.now() + WARM.seconds * 1000;
  for (let n = 0; n < WARM.requests && performance.now() < until; ) {
    const { requests_per_second, errors } = wrk(url, headers, 2, script);
    if (errors > 0 || requests_per_second === 0)
      throw new Error(`${name}: ${errors} of its answers are not 2xx`);
    n += requests_per_second * 2;
  }
}

async function load(peers: readonly Peer[]): Promise<Row[]> {
  if (NJS === null)
    say('nginx + njs: skipped, ngx_http_js_module.so is not installed (libnginx-mod-http-js)');
  const rates = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
  const costs = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
  for (const peer of peers) warm(peer);
  for (let round = 0; round < ROUNDS; round++)
    for (const { name, url, headers, pid, script } of peers) {
      const before = pid === undefined ? 0 : usedBy(pid);
      const { requests_per_second } = wrk(url, headers, SECONDS, script);
      rates.get(name)?.push(requests_per_second);
      if (pid !== undefined) costs.get(name)?.push((usedBy(pid) - before) / (requests_per_second * SECONDS));
    }
  const rate = (name: string): number => median(rates.get(name) ?? []);
  const cost = (name: string): number => median(costs.get(name) ?? []);
  /** of rounds that stood beside each other */
  const ratio = (name: string, over: string): Row => ({
    name: `${name} ÷ ${over}`,
    value: median((rates.get(name) ?? []).map((r, i) => r / (rates.get(over)?.[i] ?? Number.NaN))),
    unit: '×',
  });
  return [
    { name: 'N: cores, of which load and upstream take their part', value: CORES, unit: '' },
    ...peers.map((p) => ({ name: `${p.name}, 32 connections`, value: rate(p.name), unit: 'req/s' })),
    ...peers
      .filter((p) => p.pid !== undefined)
      .map((p) => ({ name: `${p.name}, processor time a request`, value: cost(p.name), unit: 'µs' })),
    ratio('sluice strict', PASS_THROUGH),
    {
      name: `sluice strict ÷ ${PASS_THROUGH}, processor time`,
      value: median(
        (costs.get('sluice strict') ?? []).map((c, i) => c / (costs.get(PASS_THROUGH)?.[i] ?? Number.NaN)),
      ),
      unit: '×',
    },
    ratio('sluice strict', 'nginx auth_request + opa'),
    ratio(WORKERS, PROCESSES),
    ratio(WORKERS, 'nginx auth_request + opa'),
    ratio(WORKERS, 'sluice strict'),
    ratio('sluice strict', 'sluice interval'),
    ratio('sluice strict', 'nginx proxy_pass'),
    ...(NJS === null ? [] : [ratio('sluice strict', 'nginx + njs body filter')]),
    ratio(`sluice strict, ${CUSTOMERS} customers`, 'sluice strict'),
  ];
}

const rows: Row[] = [];
if (wanted.has('load') || wanted.has('latency')) {
  if (!hasWrk() || !has('nginx', ['-v']))
    say('load, latency: skipped, wrk and nginx (Debian packages) are needed');
  else
    rows.push(
      // One after the other: idle peers would take part of the two cores.
      ...(wanted.has('load') ? await surrounded(async (s) => load(await startPeers(s))) : []),
      ...(wanted.has('latency') ? await surrounded(latencyOf) : []),
    );
}
if (wanted.has('stream')) rows.push(...(await stream(Number(values.mib))));
if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else for (const row of rows) print(row);
if (values.check && !check(rows, 'proxy')) process.exitCode = 1;
