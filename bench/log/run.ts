/**
 * `npm run bench -- log [--records 200000] [--into sqlite,postgres] [--journal DIR] [--opa] [--stages]`: makes decision records through the journal, and measures verification,
 * the index (ingest, queries, size), and OPA with its console decision log. Prints Markdown. `--journal` names a directory that is kept, and
 * used as it is if it has records. `--into none` fills no index; `--stages` measures the parts of verification. PostgreSQL: SLUICE_TEST_POSTGRES, in a schema of its own.
 */
import '../../src/json-parse.ts';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../src/decision-log/index/postgres.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import { Journal } from '../../src/decision-log/journal/journal.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { ask } from './ask.ts';
import { drafts } from './drafts.ts';
import { measureOpa } from './opa.ts';
import { stages } from './stages.ts';

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? undefined : process.argv[at + 1];
};
const count = Number(option('records') ?? 200_000);
const into = (option('into') ?? 'sqlite,postgres').split(',').filter((name) => name !== 'none');
const URL = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const SCHEMA = `sluice_bench_${process.pid}`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const whole = (n: number): string => Math.round(n).toLocaleString('en');

/** Runs some work and returns its time and processor time, in seconds. */
async function timed(work: () => Promise<unknown>): Promise<{ wall: number; cpu: number }> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const used = process.cpuUsage(cpu);
  return { wall: (performance.now() - began) / 1000, cpu: (used.user + used.system) / 1e6 };
}

const sizeOf = (dir: string): number =>
  readdirSync(dir).reduce(
    (sum, name) => sum + (name.endsWith('.jsonl') ? statSync(join(dir, name)).size : 0),
    0,
  );

async function makeJournal(dir: string): Promise<void> {
  const journal = await Journal.open({
    dir,
    instance: 'bench',
    durability: 'interval',
    syncInterval: 500,
    segmentSize: 64 << 20,
    segmentAge: Number.POSITIVE_INFINITY,
    minFree: 64 << 10,
    maxRecord: 256 << 10,
    key: null,
    logger: silentLogger,
  });
  let waiting: Promise<unknown>[] = [];
  for (const draft of drafts(count)) {
    waiting.push(journal.append(draft));
    if (waiting.length < 2000) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
  await journal.close();
}

const given = option('journal');
const temporary = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'sluice-bench-'));
const dir = given ?? join(temporary, 'journal');
try {
  if (!existsSync(dir) || readdirSync(dir).length === 0) {
    mkdirSync(dir, { recursive: true });
    const { wall } = await timed(() => makeJournal(dir));
    say(
      `${whole(count)} records appended in ${wall.toFixed(0)} s (${whole(count / wall)}/s, with making them).`,
    );
  }
  const rows: string[] = [];
  const answers: string[] = [];
  let records = count;
  if (option('verify') !== 'no') {
    const { wall, cpu } = await timed(async () => {
      const report = await verify({ dir, key: null });
      if (!report.ok) throw new Error('the journal does not verify');
      records = report.records;
    });
    rows.push(
      `| verify | ${whole(records / wall)} | ${((cpu / records) * 1e6).toFixed(1)} | ${whole(sizeOf(dir) / records)} (journal) |`,
    ); // prettier-ignore
  }
  for (const name of into) {
    const client = name === 'postgres' ? new pg.Client(URL) : null;
    await client?.connect();
    await client?.query(`CREATE SCHEMA ${SCHEMA}`);
    try {
      const store =
        client === null
          ? openSqliteIndex(join(temporary, 'index.db'))
          : openPostgresIndex(URL, { schema: SCHEMA });
      const { wall, cpu } = await timed(() => feed(dir, store));
      const { bytes, records: stored } = await store.status();
      if (stored < records) throw new Error(`${name} has ${stored} of ${records} records`);
      rows.push(
        `| ${name} | ${whole(records / wall)} | ${((cpu / records) * 1e6).toFixed(1)} | ${whole(bytes / records)} |`,
      ); // prettier-ignore
      if (client !== null) await client.query('VACUUM ANALYZE');
      answers.push(...(await ask(store)));
      await store.close();
    } finally {
      await client?.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
      await client?.end();
    }
  }
  if (process.argv.includes('--stages'))
    say(`| a record, median | CPU µs |\n|---|---:|\n${(await stages(dir)).join('\n')}\n`);
  if (process.argv.includes('--opa')) rows.push(await measureOpa(temporary));
  say(`${whole(records)} records, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}.\n`);
  say(
    `| | records/s | CPU µs each (this process) | bytes a record |\n|---|---:|---:|---:|\n${rows.join('\n')}\n`,
  );
  if (answers.length > 0)
    say(`| question | index | p50 ms | p95 ms | results |\n|---|---|---:|---:|---:|\n${answers.join('\n')}`);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
