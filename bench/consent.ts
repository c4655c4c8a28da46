/**
 * Looks up pages of a hundred customers in PostgreSQL, each in one round trip, in tables of different lengths; then pages that the cache
 * knows. `SLUICE_TEST_POSTGRES` names the database; `--rows 10000,1000000` the lengths.
 */
import '../src/json-parse.ts';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { CONSENT_MIGRATIONS, createConsentSource } from '../src/consent/index.ts';
import type { ConsentSource } from '../src/model/consent.ts';
import { createInvalidation } from '../src/model/invalidation.ts';
import { systemClock } from '../src/observability/clock.ts';
import { silentLogger } from '../src/observability/logger.ts';
import { migrate } from '../src/store/migrations.ts';
import { openPostgres } from '../src/store/postgres.ts';

const URL = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const { values } = parseArgs({ options: { rows: { type: 'string', default: '10000,1000000' } } });
const lengths = values.rows.split(',').map(Number);
const PAGE = 100;
const PAGES = 2_000;
const AT = new Date();

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

/** A fixed sequence, so that runs ask for the same people. */
function* random(seed: number): Generator<number> {
  for (let x = seed; ; x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0) yield x / 2 ** 32;
}

function pageOf(rows: number, from: Generator<number>): string[] {
  return Array.from({ length: PAGE }, () => `C${Math.floor((from.next().value as number) * rows)}`);
}

async function pages(source: ConsentSource, rows: number): Promise<{ ms: number; cpu: number }> {
  const numbers = random(7);
  const times: number[] = [];
  for (let n = 0; n < 200; n++) await source.lookup(pageOf(rows, numbers), AT);
  const before = process.cpuUsage();
  for (let n = 0; n < PAGES; n++) {
    const page = pageOf(rows, numbers);
    const begin = performance.now();
    const { size } = await source.lookup(page, AT);
    times.push(performance.now() - begin);
    if (size === 0) throw new Error('nobody was found');
  }
  const { user, system } = process.cpuUsage(before);
  return { ms: median(times), cpu: (user + system) / PAGES };
}

const medians: number[] = [];
for (const rows of lengths) {
  const schema = `sluice_bench_consent_${process.pid}`;
  const client = new pg.Client({ connectionString: URL, options: `-c search_path=${schema}` });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`);
  const database = openPostgres(URL, { schema });
  try {
    await migrate(database, CONSENT_MIGRATIONS, () => AT);
    await client.query(
      `INSERT INTO consent_subjects SELECT 'C' || i, '{"consents":[{"id":"c-' || i || '","purpose":"after_sales","categories":["contact"],"recipient":"internal","status":"given","until":"2030-12-31"}]}', 1 FROM generate_series(0, $1::int - 1) i`,
      [rows],
    );
    await client.query('ANALYZE consent_subjects; CHECKPOINT');
    const open = (entries: number) =>
      createConsentSource(
        {
          store: true,
          poll: 1_000,
          stale_if_error: 0,
          expose_dates: false,
          cache: { ttl: 300_000, entries },
        },
        { clock: systemClock, logger: silentLogger },
        {
          database,
          announcements: { isUp: () => true, silence: 60_000 },
          invalidation: createInvalidation(),
        },
      );
    const asked = await pages(await open(0), rows);
    medians.push(asked.ms);
    console.log(
      `${rows} rows: a page of ${PAGE} takes ${asked.ms.toFixed(2)} ms (median), ${asked.cpu.toFixed(0)} µs of CPU`,
    );
    const few = Math.min(rows, 10_000);
    const known = await open(few);
    for (let from = 0; from < few; from += PAGE)
      await known.lookup(
        Array.from({ length: PAGE }, (_, i) => `C${from + i}`),
        AT,
      );
    const cached = await pages(known, few);
    console.log(
      `${rows} rows, ${few} cached: ${(cached.ms * 1000).toFixed(1)} µs (median), ${cached.cpu.toFixed(1)} µs of CPU`,
    );
  } finally {
    await database.close();
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  }
}
console.log(`longest ÷ shortest table: ${(medians.at(-1)! / medians[0]!).toFixed(2)}`);
