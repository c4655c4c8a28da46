/**
 * The whole proxy against what a user would pick instead, ratios in one run. Upstream: nginx with a static file of about
 * 1 KB. Every peer gets the same load from the same wrk; rounds are interleaved so that a drifting machine drifts for all.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPeople } from '../../src/cli/demo/people.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa.ts';
import { hasWrk, openLoop, wrk } from './load.ts';
import { startNginx, writeNginx } from './nginx.ts';
import { startSidecar } from './setup.ts';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const NJS =
  process.env['BENCH_NO_NJS'] ? null : ['/usr/lib/nginx/modules/ngx_http_js_module.so', '/usr/share/nginx/modules/ngx_http_js_module.so'].find(
    existsSync,
  ) ?? null;
const ROUNDS = 3;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);

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

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Prints what it does and answers the rows for RESULTS.md and the thresholds; a part that cannot run says why. */
export async function run(say: (line: string) => void): Promise<Row[]> {
  if (!hasWrk() || !has('nginx', ['-v'])) {
    say('proxy: skipped, wrk and nginx (Debian packages) are needed');
    return [];
  }
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
    const record = createPeople(20261122, 1).customers[0]?.record ?? '{}';
    const input = JSON.stringify({
      input: {
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
        resource: { type: 'customer', id: 'C100001', properties: {} },
        context: {
          purpose: 'after_sales',
          tier: 2,
          recipient: 'internal',
          justification: null,
          time: '2026-11-22T08:00:00Z',
          grants: [],
          request: { method: 'GET', route: 'GET /api/customers/{id}', client_ip: '127.0.0.1' },
        },
      },
    });
    writeNginx(dir, ports, record, input, NJS);
    const nginx = startNginx(dir);
    stops.push(() => nginx.stop());
    const opa = await resolveOpa();
    writeFileSync(
      join(dir, 'bench.rego'),
      'package bench\n\npermitted := true if data.sluice.decision.allow\n',
    );
    const policies = join(import.meta.dirname, '../../policies');
    // The same rules with the same data, catalogs included, as Sluice has them.
    writeFileSync(join(dir, 'data.json'), (await compilePolicy(policies, { opa })).dataJson);
    const server = spawn(
      opa.path,
      [
        'run',
        '-s',
        '--log-level',
        'error',
        '--addr',
        `127.0.0.1:${ports.opa}`,
        join(policies, 'sluice'),
        join(dir, 'data.json'),
        join(dir, 'bench.rego'),
      ],
      { stdio: 'inherit' },
    );
    stops.push(() => server.kill('SIGTERM'));
    const upstream = `http://127.0.0.1:${ports.upstream}`;
    const passPort = await freePort();
    const pass = spawn(
      process.execPath,
      [join(import.meta.dirname, 'passthrough.ts'), upstream, String(passPort)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    stops.push(() => pass.kill('SIGTERM'));
    await once(pass.stdout, 'data');
    const strict = await startSidecar(join(dir, 'strict'), upstream);
    stops.push(() => strict.stop());
    const relaxed = await startSidecar(join(dir, 'interval'), upstream, { durability: 'interval' });
    stops.push(() => relaxed.stop());

    const path = '/api/customers/C100001';
    const headers = (token: string) => ({
      Authorization: `Bearer ${token}`,
      'Sluice-Purpose': 'after_sales',
    });
    const peers = [
      { name: 'upstream direct', url: upstream, headers: {} },
      { name: 'nginx proxy_pass', url: `http://127.0.0.1:${ports.proxyPass}`, headers: {} },
      ...(NJS === null
        ? []
        : [{ name: 'nginx + njs body filter', url: `http://127.0.0.1:${ports.njs}`, headers: {} }]),
      { name: 'undici pass-through', url: `http://127.0.0.1:${passPort}`, headers: {} },
      { name: 'nginx auth_request + opa', url: `http://127.0.0.1:${ports.authRequest}`, headers: {} },
      { name: 'sluice strict', url: strict.url, headers: headers(strict.token) },
      { name: 'sluice interval', url: relaxed.url, headers: headers(relaxed.token) },
    ];
    if (NJS === null)
      say('nginx + njs: skipped, ngx_http_js_module.so is not installed (libnginx-mod-http-js)');

    const rates = new Map<string, number[]>(peers.map((p) => [p.name, []]));
    for (const peer of peers) {
      const warm = wrk(peer.url + path, peer.headers, 2);
      if (warm.errors > 0 || warm.requests_per_second === 0)
        throw new Error(`${peer.name}: ${warm.errors} of its answers are not 2xx`);
    }
    for (let round = 0; round < ROUNDS; round++)
      for (const peer of peers)
        rates.get(peer.name)?.push(wrk(peer.url + path, peer.headers, SECONDS).requests_per_second);
    const rate = (name: string): number => median(rates.get(name) ?? []);
    const rows: Row[] = peers.map((p) => ({
      name: `${p.name}, 32 connections`,
      value: rate(p.name),
      unit: 'req/s',
    }));
    const ratio = (name: string, over: string): void =>
      void rows.push({ name: `${name} / ${over}`, value: rate(name) / rate(over), unit: '×' });
    ratio('sluice strict', 'undici pass-through');
    ratio('sluice strict', 'nginx auth_request + opa');
    ratio('sluice strict', 'sluice interval');
    ratio('sluice strict', 'nginx proxy_pass');
    if (NJS !== null) ratio('sluice strict', 'nginx + njs body filter');

    const half = rate('sluice strict') / 2;
    const base = await openLoop(upstream + path, {}, half, SECONDS);
    const ours = await openLoop(strict.url + path, headers(strict.token), half, SECONDS);
    rows.push({ name: `upstream direct p99 at ${Math.round(half)} req/s`, value: base.p99_ms, unit: 'ms' });
    rows.push({ name: `sluice strict p99 at ${Math.round(half)} req/s`, value: ours.p99_ms, unit: 'ms' });
    rows.push({ name: 'sluice strict p50 at half load', value: ours.p50_ms, unit: 'ms' });
    rows.push({ name: 'added p99 at half load', value: ours.p99_ms - base.p99_ms, unit: 'ms' });
    return rows;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
