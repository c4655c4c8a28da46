/**
 * Imports a CSV of consents by `sluice consent import`, in a process of its own, into SQLite and into PostgreSQL; then the same file again, of which
 * everything is known. One line in a hundred is bad: half of these cannot be read, the others say what no consent may say. `--lines`,
 * `--into sqlite,postgres`, `--main FILE` (the `main.ts` of another version, to compare with).
 * `SLUICE_TEST_POSTGRES` names the database.
 */
import '../src/json-parse.ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    into: { type: 'string', default: 'sqlite,postgres' },
    main: { type: 'string', default: fileURLToPath(new URL('../src/main.ts', import.meta.url)) },
  },
});
const LINES = Number(values.lines);
const MAIN = resolve(values.main);
const URL_ = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const dir = mkdtempSync(join(tmpdir(), 'sluice-import-'));

/** Two statements about each person, so that half of the lines are about somebody who is there. */
function lineOf(n: number): string {
  const id = `C${Math.floor(n / 2)}`;
  const purpose = n % 2 === 0 ? 'marketing' : 'after_sales';
  const at = `2026-0${1 + (n % 9)}-1${n % 10}T08:00:00Z`;
  if (n % 200 === 50) return `${id},${purpose},contact,internal,perhaps,${at},网站`;
  if (n % 200 === 150) return `${id},*,contact,internal,given,${at},网站`;
  return `${id},${purpose},contact;preference,internal,${n % 7 === 0 ? 'withdrawn' : 'given'},${at},网站`;
}

async function makeFile(): Promise<string> {
  const file = join(dir, 'consents.csv');
  const stream = createWriteStream(file);
  stream.write('data_subject,purpose,categories,recipient,status,at,method\n');
  for (let n = 0; n < LINES; n++) if (!stream.write(`${lineOf(n)}\n`)) await once(stream, 'drain');
  stream.end();
  await finished(stream);
  return file;
}

function configOf(name: string, store: object): string {
  const file = join(dir, `${name}.yaml`);
  const config = {
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: {
      issuers: [
        { issuer: 'https://i.example', audience: 's', jwks: { file: './k.json' }, algorithms: ['ES256'] },
      ],
    },
    policy: { dir: fileURLToPath(new URL('../policies', import.meta.url)) },
    consent: { store: true },
    store,
    decision_log: { journal: { dir: `./journal-${name}` } },
    routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function sluice(
  ...args: string[]
): Promise<{ out: string; seconds: number; cpu: number; peak: number }> {
  const begin = performance.now();
  // `getrusage` of the process itself, printed when it ends.
  const hook = `process.on('exit',()=>{const u=process.resourceUsage();require('fs').writeFileSync(${JSON.stringify(join(dir, 'usage.json'))},JSON.stringify({cpu:(u.userCPUTime+u.systemCPUTime)/1e6,peak:u.maxRSS/1024}))})`;
  writeFileSync(join(dir, 'usage.cjs'), hook);
  const child = spawn(process.execPath, ['--require', join(dir, 'usage.cjs'), MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  await once(child, 'close');
  const { cpu, peak } = JSON.parse(readFileSync(join(dir, 'usage.json'), 'utf8')) as {
    cpu: number;
    peak: number;
  };
  return { out, seconds: (performance.now() - begin) / 1000, cpu, peak };
}

const schema = `sluice_bench_import_${process.pid}`;
const client = new pg.Client({ connectionString: URL_ });
await client.connect();
try {
  const file = await makeFile();
  for (const into of values.into.split(',')) {
    let store: object = { sqlite: './store.db' };
    if (into === 'postgres') {
      await client.query(`CREATE SCHEMA ${schema}`);
      const at = new URL(URL_);
      at.searchParams.set('options', `-c search_path=${schema}`);
      store = { postgres: at.href };
    }
    const config = configOf(into, store);
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(
        '{"version":1',
        '{"insecure":{"literal_secrets":true},"version":1',
      ),
    );
    await sluice('store', 'migrate', '--config', config);
    for (const what of ['first', 'again']) {
      const { out, seconds, cpu, peak } = await sluice(
        'consent',
        'import',
        file,
        '--config',
        config,
        '--rejects',
        join(dir, 'rejects.ndjson'),
      );
      console.log(
        `${into}, ${what}: ${seconds.toFixed(1)} s, ${Math.round(LINES / seconds)} lines/s, ${cpu.toFixed(1)} s of CPU, at most ${peak.toFixed(0)} MB | ${out.trim().split(': ').at(-1)}`,
      );
    }
  }
} finally {
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await client.end();
  rmSync(dir, { recursive: true, force: true });
}
