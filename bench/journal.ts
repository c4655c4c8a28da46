/**
 * `npm run bench -- journal [--seconds 2]`: appends a second and processor time of one append, by durability and concurrency.
 * Prints a Markdown table. `bench/RESULTS.md` has one, with the machine that it was measured on.
 */
import '../src/json-parse.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sealer } from '../src/decision-log/journal/sealer.ts';
import { createDecisionLog } from '../src/decision-log/decision-log.ts';
import { verify } from '../src/decision-log/verify/verify.ts';
import { silentLogger } from '../src/observability/logger.ts';
import { draft } from '../test/support/decision-records.ts';

const seconds = Number(process.argv[process.argv.indexOf('--seconds') + 1]) || 2;
const drafts = Array.from({ length: 2000 }, (_, i) => draft(i));

async function measure(durability: 'strict' | 'interval', concurrency: number, dir: string) {
  const log = await createDecisionLog(
    { journal: { dir, durability, instance: `bench-${durability}-${concurrency}` } },
    { logger: silentLogger },
  );
  let n = 0;
  const latencies: number[] = [];
  const run = async (until: number) => {
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (performance.now() < until) {
          const began = performance.now();
          await log.append(drafts[n++ % drafts.length]!);
          latencies.push(performance.now() - began);
        }
      }),
    );
  };
  await run(performance.now() + 700);
  [n, latencies.length] = [0, 0];
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(began + seconds * 1000);
  const took = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  await log.close();
  latencies.sort((a, b) => a - b);
  const at = (q: number) => latencies[Math.floor(latencies.length * q)]!.toFixed(2);
  return [
    durability,
    concurrency,
    Math.round(n / took),
    ((used.user + used.system) / n).toFixed(1),
    at(0.5),
    at(0.99),
  ];
}

function sealing(): string {
  const sealer = new Sealer();
  const records = drafts.map(
    (d, i) => () => sealer.seal(d, { origin: 'bench-00000000', seq: i + 1, prev_hash: '0'.repeat(64) }),
  );
  const pass = () => {
    let bytes = 0;
    for (const make of records) bytes += make().bytes.length;
    return bytes / records.length;
  };
  for (let i = 0; i < 15; i++) pass();
  const cpu = process.cpuUsage();
  let bytes = 0;
  for (let i = 0; i < 20; i++) bytes = pass();
  const used = process.cpuUsage(cpu);
  return `Building, hashing and serialising one record of ${Math.round(bytes)} characters: ${((used.user + used.system) / (20 * records.length)).toFixed(1)} µs CPU.`;
}

const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'sluice-bench-'));
try {
  const rows = [];
  for (const durability of ['strict', 'interval'] as const) {
    for (const concurrency of [1, 32, 256]) rows.push(await measure(durability, concurrency, dir));
  }
  const head = ['durability', 'at once', 'appends/s', 'CPU µs each', 'p50 ms', 'p99 ms'];
  const lines = [head, head.map(() => '---'), ...rows].map((r) => `| ${r.join(' | ')} |`);
  const cpu = process.cpuUsage();
  const report = await verify({ dir, key: null });
  const used = process.cpuUsage(cpu);
  const each = (used.user + used.system) / report.records;
  process.stdout.write(
    `${lines.join('\n')}\n\n${sealing()}\nVerifying: ${each.toFixed(1)} µs CPU a record (${report.records} records, ok: ${report.ok}).\n`,
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
