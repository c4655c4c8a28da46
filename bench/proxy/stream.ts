/**
 * `node bench/proxy/stream.ts [--mib 1024]`: a JSON array and a CSV of 1 GiB each through the running sidecar. Measures the throughput, and the
 * growth of resident memory over its size after a few answers of 8 MiB, so that only memory counts that grows with the length of a body. Each
 * record belongs to another customer. The default policy redacts it, without its limits on the number of records.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Row } from './report.ts';
import { startSidecar } from './setup.ts';

/** milliseconds after which an answer counts as failed: a minute for each 32 MiB, and one more */
const limitOf = (mib: number): number => Math.ceil(1 + mib / 32) * 60_000;

/** MiB of an answer that warms up */
const SHORT = 8;
const MIB = 1024 * 1024;
const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

export async function stream(mib: number): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const stops: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  try {
    const policies = join(dir, 'policies');
    // Without its tests: they expect the limits that are lifted here, and a policy that fails its tests is not activated.
    cpSync(join(import.meta.dirname, '../../policies'), policies, {
      recursive: true,
      filter: (path) => !path.endsWith('_test.rego') && !path.endsWith('/scenarios'),
    });
    for (const name of readdirSync(join(policies, 'data'))) {
      const path = join(policies, 'data', name);
      writeFileSync(path, readFileSync(path, 'utf8').replace(/max_records: \d+/g, 'max_records: 1000000000'));
    }
    const upstream = async (size: number): Promise<string> => {
      const source = spawn(process.execPath, [join(import.meta.dirname, 'source.ts'), String(size)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      stops.push(() => source.kill('SIGTERM'));
      const [port] = (await once(source.stdout, 'data')) as [Buffer];
      return `http://127.0.0.1:${port.toString().trim()}`;
    };
    const search = { upstream: 'crm', resource: 'customer', action: 'search', records: '/*' };
    const sidecar = await startSidecar(join(dir, 'sluice'), await upstream(mib), {
      policies,
      upstreams: { small: { url: await upstream(SHORT) } },
      routes: [
        { ...search, match: 'GET /api/customers' },
        { ...search, match: 'GET /api/customers.csv' },
        { ...search, match: 'GET /small/api/customers', upstream: 'small' },
        { ...search, match: 'GET /small/api/customers.csv', upstream: 'small' },
      ],
    });
    stops.push(() => sidecar.stop());
    const rows: Row[] = [];
    for (const [what, path] of [
      ['JSON array', '/api/customers'],
      ['CSV', '/api/customers.csv'],
    ] as const) {
      for (let i = 0; i < 3; i++) await drain(`${sidecar.url}/small${path}`, sidecar.token, limitOf(SHORT));
      const before = residentOf(sidecar.pid);
      let most = before;
      const watch = setInterval(() => {
        most = Math.max(most, residentOf(sidecar.pid));
      }, 20);
      const began = performance.now();
      const bytes = await drain(sidecar.url + path, sidecar.token, limitOf(mib)).finally(() =>
        clearInterval(watch),
      );
      const seconds = (performance.now() - began) / 1000;
      rows.push(
        { name: `${what} of ${mib} MiB: MiB/s in`, value: mib / seconds, unit: 'MiB/s' },
        { name: `${what} of ${mib} MiB: disclosed`, value: bytes / MIB, unit: 'MiB' },
        { name: `${what} of ${mib} MiB: resident memory before`, value: before, unit: 'MiB' },
        { name: `${what} of ${mib} MiB: resident memory grows by`, value: most - before, unit: 'MiB' },
      );
    }
    return rows;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** @returns the number of bytes of the answer */
function drain(url: string, token: string, limit: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'sluice-purpose': 'after_sales' };
    const request = get(url, { headers, signal: AbortSignal.timeout(limit) }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 && response.complete
          ? resolve(bytes)
          : reject(new Error(`${url}: ${response.statusCode}`)),
      );
    });
    request.on('error', reject);
  });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { mib: { type: 'string', default: '1024' } } });
  for (const { name, value, unit } of await stream(Number(values.mib)))
    process.stdout.write(`${name.padEnd(56)} ${value.toFixed(1).padStart(9)} ${unit}\n`);
}
