/**
 * `node bench/proxy/stream.ts [--mib 1024] [--warm 256] [--formats json,csv,xml]`: a body of 1 GiB in each format through the running sidecar.
 * Measures the throughput by the clock and by the sidecar's processor time, and the growth of resident memory over its size after an answer of
 * 256 MiB, so that only memory counts that grows with the length of a body. Each record belongs to another customer. The default policy redacts
 * it, without its limits on the number of records.
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

const MIB = 1024 * 1024;
const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
/** seconds of processor time of all threads, in the clock ticks of Linux (100 a second) */
const processorTimeOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const BODIES = {
  json: { what: 'JSON array', path: '/api/customers', records: '/*' },
  csv: { what: 'CSV', path: '/api/customers.csv', records: '/*' },
  xml: { what: 'XML', path: '/api/customers.xml', records: '/customers/customer' },
} as const;
export type StreamFormat = keyof typeof BODIES;
export const STREAM_FORMATS = Object.keys(BODIES) as readonly StreamFormat[];

/** @param warm MiB of the answer that warms up */
export async function stream(
  mib: number,
  warm = 256,
  formats: readonly StreamFormat[] = STREAM_FORMATS,
): Promise<Row[]> {
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
    const bodies = formats.map((format) => BODIES[format]);
    const search = { resource: 'customer', action: 'search' };
    const sidecar = await startSidecar(join(dir, 'sluice'), await upstream(mib), {
      policies,
      upstreams: { small: { url: await upstream(warm) } },
      routes: bodies.flatMap(({ path, records }) => [
        { ...search, match: `GET ${path}`, records, upstream: 'crm' },
        { ...search, match: `GET /small${path}`, records, upstream: 'small' },
      ]),
    });
    stops.push(() => sidecar.stop());
    const rows: Row[] = [];
    for (const { what, path } of bodies) {
      await drain(`${sidecar.url}/small${path}`, sidecar.token, limitOf(warm));
      const before = residentOf(sidecar.pid);
      let most = before;
      const watch = setInterval(() => {
        most = Math.max(most, residentOf(sidecar.pid));
      }, 20);
      const began = performance.now();
      const spent = processorTimeOf(sidecar.pid);
      const bytes = await drain(sidecar.url + path, sidecar.token, limitOf(mib)).finally(() =>
        clearInterval(watch),
      );
      const seconds = (performance.now() - began) / 1000;
      rows.push(
        { name: `${what} of ${mib} MiB: MiB/s in`, value: mib / seconds, unit: 'MiB/s' },
        {
          name: `${what} of ${mib} MiB: MB in for each second of processor time`,
          value: (mib * MIB) / 1e6 / (processorTimeOf(sidecar.pid) - spent),
          unit: 'MB/s',
        },
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
  const { values } = parseArgs({
    options: {
      mib: { type: 'string', default: '1024' },
      warm: { type: 'string', default: '256' },
      formats: { type: 'string', default: STREAM_FORMATS.join(',') },
    },
  });
  const formats = values.formats.split(',') as StreamFormat[];
  for (const { name, value, unit } of await stream(Number(values.mib), Number(values.warm), formats))
    process.stdout.write(`${name.padEnd(64)} ${value.toFixed(1).padStart(9)} ${unit}\n`);
}
