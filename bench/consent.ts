/**
 * Looks up pages of a hundred customers, each in one round trip, in tables of different lengths, in PostgreSQL and in SQLite; then pages that the cache of
 * PostgreSQL knows. The tables stand beside each other, and their rounds alternate.
 * `npm run bench -- consent [--rows 10000,10000000] [--into postgres,sqlite] [--rounds 9] [--json] [--check]`; `SLUICE_TEST_POSTGRES` names the database.
 */
import '../src/json-parse.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { CONSENT_MIGRATIONS, createConsentSource } from '../src/consent/index.ts';
import type { ConsentSource } from '../src/model/consent.ts';
import type { Database } from '../src/model/database.ts';
import { createInvalidation } from '../src/model/invalidation.ts';
import { systemClock } from '../src/observability/clock.ts';
import { silentLogger } from '../src/observability/logger.ts';
import { migrate } from '../src/store/migrations.ts';
import { ANNOUNCEMENT_MIGRATIONS } from '../src/store/outbox.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { openSqlite } from '../src/store/sqlite.ts';
import { check, print, type Row } from './proxy/report.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,10000000' },
    into: { type: 'string', default: 'postgres,sqlite' },
    rounds: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const URL_ = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const LENGTHS = values.rows.split(',').map(Number);
const ROUNDS = Number(values.rounds);
const PAGE = 100;
/** pages of one round */
const PAGES = 200;
const AT = new Date();
const ENTRY =
  '\'{"consents":[{"id":"c-\' || i || \'","purpose":"after_sales","categories":["contact"],"recipient":"internal","status":"given","until":"2030-12-31"}]}\'';

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

/** A fixed sequence, so that runs ask for the same people. */
function* random(seed: number): Generator<number> {
  for (let x = seed; ; x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0) yield x / 2 ** 32;
}
const numbers = random(7);
/** `scattered`: anybody; `together`: customers who were stored one after the other, as on a page that is sorted by number or date */
const PAGES_OF = {
  scattered: (rows: number) =>
    Array.from({ length: PAGE }, () => `C${Math.floor((numbers.next().value as number) * rows)}`),
  together(rows: number) {
    const first = Math.floor((numbers.next().value as number) * (rows - PAGE));
    return Array.from({ length: PAGE }, (_, i) => `C${first + i}`);
  },
} as const;
type Kind = keyof typeof PAGES_OF;

interface Round {
  readonly ms: number;
  /** µs of processor time of this process, a page */
  readonly cpu: number;
}

async function round(source: ConsentSource, rows: number, kind: Kind = 'scattered'): Promise<Round> {
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let n = 0; n < PAGES; n++) {
    const page = PAGES_OF[kind](rows);
    const begin = performance.now();
    const { size } = await source.lookup(page, AT);
    times.push(performance.now() - begin);
    if (size === 0) throw new Error('nobody was found');
  }
  const { user, system } = process.cpuUsage(before);
  return { ms: median(times), cpu: (user + system) / PAGES };
}

/** A table of its own, filled. */
interface Filled {
  readonly database: Database;
  close(): Promise<void>;
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-consent-'));
const FILL: Readonly<Record<string, (rows: number) => Promise<Filled>>> = {
  async postgres(rows) {
    const schema = `sluice_bench_consent_${process.pid}_${rows}`;
    const client = new pg.Client({ connectionString: URL_, options: `-c search_path=${schema}` });
    await client.connect();
    await client.query(`CREATE SCHEMA ${schema}`);
    const database = openPostgres(URL_, { schema });
    await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => AT);
    await client.query(
      `INSERT INTO consent_subjects SELECT 'C' || i, ${ENTRY}, 1 FROM generate_series(0, ${rows - 1}) i`,
    );
    await client.query('ANALYZE consent_subjects');
    await client.query('CHECKPOINT');
    return {
      database,
      async close() {
        await database.close();
        await client.query(`DROP SCHEMA ${schema} CASCADE`);
        await client.end();
      },
    };
  },
  async sqlite(rows) {
    const database = openSqlite(join(dir, `${rows}.db`));
    await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => AT);
    const STEP = 100_000;
    for (let from = 0; from < rows; from += STEP)
      await database.write(
        `INSERT INTO consent_subjects SELECT 'C' || i, ${ENTRY}, 1 FROM (WITH RECURSIVE n(i) AS (
           SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.min(from + STEP, rows) - 1}) SELECT i FROM n)`,
      );
    return { database, close: () => database.close() };
  },
};

const open = (database: Database, entries: number): Promise<ConsentSource> =>
  createConsentSource(
    { store: true, poll: 1_000, stale_if_error: 0, expose_dates: false, cache: { ttl: 300_000, entries } },
    { clock: systemClock, logger: silentLogger },
    {
      database,
      announcements: database.dialect === 'sqlite' ? null : { isUp: () => true, silence: 60_000 },
      invalidation: createInvalidation(),
    },
  );

const rows: Row[] = [];
const found = (name: string, value: number, unit: string): void => {
  const row = { name, value, unit };
  rows.push(row);
  if (!values.json) print(row);
};
try {
  for (const into of values.into.split(',')) {
    const filled: Filled[] = [];
    try {
      for (const length of LENGTHS) filled.push(await FILL[into]!(length));
      const sources = await Promise.all(filled.map(({ database }) => open(database, 0)));
      for (const kind of Object.keys(PAGES_OF) as Kind[]) {
        for (const [i, source] of sources.entries()) await round(source, LENGTHS[i]!, kind);
        const rounds: Round[][] = sources.map(() => []);
        for (let n = 0; n < ROUNDS; n++)
          for (const [i, source] of sources.entries())
            rounds[i]!.push(await round(source, LENGTHS[i]!, kind));
        for (const [i, length] of LENGTHS.entries()) {
          const name = `${into}, ${kind}: a page of ${PAGE}, ${length} rows`;
          found(name, median(rounds[i]!.map(({ ms }) => ms)), 'ms');
          found(`${name}, processor time`, median(rounds[i]!.map(({ cpu }) => cpu)), 'µs');
        }
        // Of neighbouring rounds.
        found(
          `${into}, ${kind}: longest ÷ shortest table`,
          median(rounds.at(-1)!.map(({ ms }, n) => ms / rounds[0]![n]!.ms)),
          '',
        );
      }
      if (into === 'postgres') {
        const known = await open(filled[0]!.database, LENGTHS[0]!);
        for (let from = 0; from < LENGTHS[0]!; from += PAGE)
          await known.lookup(
            Array.from({ length: PAGE }, (_, i) => `C${from + i}`),
            AT,
          );
        const cached: Round[] = [];
        for (let n = 0; n < ROUNDS; n++) cached.push(await round(known, LENGTHS[0]!));
        found(
          'a customer from the cache, µs of processor time',
          median(cached.map(({ cpu }) => cpu)) / PAGE,
          '',
        );
      }
    } finally {
      for (const one of filled) await one.close();
    }
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
if (values.json) console.log(JSON.stringify(rows));
if (values.check && !check(rows, 'consent')) process.exitCode = 1;
