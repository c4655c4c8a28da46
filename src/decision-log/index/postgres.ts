/**
 * The index for many machines: PostgreSQL with one partition a day (UTC), so that old days can be dropped instead of deleted
 * row by row. Inserts are idempotent by origin and seq. Stored positions make the feeders of all sidecars resumable.
 */
import pg from 'pg';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import { type Decision, merge } from './decision.ts';
import { isText, MAX_DURATION_MS, page, type ReadyQuery } from './query.ts';
import type { Copy, IndexStore, Position } from './store.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS sluice_records (
    at timestamptz NOT NULL, origin text NOT NULL, seq bigint NOT NULL,
    decision_id text COLLATE "C" NOT NULL, kind text NOT NULL, outcome text NOT NULL,
    subject text, action text, purpose text, resource_type text, resource_id text,
    data_subjects text[] NOT NULL, paths text[] NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (at, origin, seq)
  ) PARTITION BY RANGE (at);
  CREATE INDEX IF NOT EXISTS sluice_records_decision ON sluice_records (decision_id);
  CREATE INDEX IF NOT EXISTS sluice_records_subject ON sluice_records (subject, decision_id);
  CREATE INDEX IF NOT EXISTS sluice_records_data_subjects ON sluice_records USING gin (data_subjects);
  CREATE INDEX IF NOT EXISTS sluice_records_paths ON sluice_records USING gin (paths);
  CREATE TABLE IF NOT EXISTS sluice_positions (
    origin text PRIMARY KEY, segment bigint NOT NULL, byte bigint NOT NULL, seq bigint NOT NULL
  );
`;

/** Advisory lock while tables are created: `IF NOT EXISTS` alone fails if two connections create a table at once. */
const LOCK = 5_170_421;
const DAY = 86_400_000;

/** @param schema of the database; default: that of the connection (tests use their own) */
export async function openPostgresIndex(url: string, schema?: string): Promise<IndexStore> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: 5000,
    application_name: 'sluice',
    ...(schema === undefined ? {} : { options: `-c search_path=${schema}` }),
  });
  // The pool replaces a broken idle connection at the next use. Without a listener the error would end the process.
  pool.on('error', () => undefined);
  // The pool removes its own listener while a connection is in use.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return new PostgresIndex(pool);
}

class PostgresIndex implements IndexStore {
  readonly name = 'postgres';
  readonly #pool: pg.Pool;
  readonly #days = new Set<string>();
  #ready: Promise<void> | null = null;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Creates the tables at the first use, so that Sluice starts while the database is down. */
  async #prepared(): Promise<pg.Pool> {
    this.#ready ??= this.#locked((client) => client.query(SCHEMA)).catch((e) => {
      this.#ready = null;
      throw unavailable(e);
    });
    await this.#ready;
    return this.#pool;
  }

  async #locked(work: (client: pg.PoolClient) => Promise<unknown>): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      await work(client);
      await client.query('COMMIT');
    } catch (e) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw e;
    } finally {
      client.release();
    }
  }

  async positions(): Promise<ReadonlyMap<string, Position>> {
    const pool = await this.#prepared();
    const { rows } = await pool.query<{ origin: string; segment: string; byte: string; seq: string }>(
      'SELECT origin, segment, byte, seq FROM sluice_positions',
    );
    return new Map(
      rows.map((r) => [r.origin, { segment: Number(r.segment), offset: Number(r.byte), seq: Number(r.seq) }]),
    );
  }

  async take(origin: string, copies: readonly Copy[], position: Position): Promise<void> {
    const pool = await this.#prepared();
    await this.#partitions(copies);
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO sluice_records
         SELECT (r->>0)::timestamptz, r->>1, (r->>2)::bigint, r->>3, r->>4, r->>5, r->>6, r->>7, r->>8, r->>9, r->>10,
                ARRAY(SELECT jsonb_array_elements_text(r->11)), ARRAY(SELECT jsonb_array_elements_text(r->12)), l.line
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS e(r, n)
         JOIN unnest($2::text[]) WITH ORDINALITY AS l(line, n) USING (n)
         ON CONFLICT DO NOTHING`,
        [JSON.stringify(copies.map(({ record }) => columns(record))), copies.map((c) => c.line)],
      );
      await client.query(
        `INSERT INTO sluice_positions VALUES ($1,$2,$3,$4) ON CONFLICT (origin) DO UPDATE
         SET segment=excluded.segment, byte=excluded.byte, seq=excluded.seq WHERE excluded.seq > sluice_positions.seq`,
        [origin, position.segment, position.offset, position.seq],
      );
      await client.query('COMMIT');
    } catch (e) {
      await client.query('ROLLBACK').catch(() => undefined);
      // A partition may have been dropped meanwhile; it is created again.
      this.#days.clear();
      throw unavailable(e);
    } finally {
      client.release();
    }
  }

  async #partitions(copies: readonly Copy[]): Promise<void> {
    const missing = new Set(copies.map(({ record }) => day(record)).filter((d) => !this.#days.has(d)));
    if (missing.size === 0) return;
    await this.#locked(async (client) => {
      for (const d of missing) {
        const next = new Date(Date.parse(d) + DAY).toISOString().slice(0, 10);
        // Both are formatted dates (digits and hyphens), so no text of a record enters the statement.
        await client.query(
          `CREATE TABLE IF NOT EXISTS sluice_records_${d.replaceAll('-', '')} PARTITION OF sluice_records
           FOR VALUES FROM ('${d}T00:00:00Z') TO ('${next}T00:00:00Z')`,
        );
      }
    }).catch((e) => {
      throw unavailable(e);
    });
    for (const d of missing) this.#days.add(d);
  }

  async forget(origin: string, ranges: Parameters<IndexStore['forget']>[1]): Promise<void> {
    const pool = await this.#prepared();
    await pool
      .query(
        `DELETE FROM sluice_records r USING unnest($2::bigint[], $3::bigint[]) AS range(first, last)
         WHERE r.origin = $1 AND r.seq BETWEEN range.first AND range.last`,
        [origin, ranges.map(([first]) => first), ranges.map(([, last]) => last)],
      )
      .catch((e) => {
        throw unavailable(e);
      });
  }

  query: IndexStore['query'] = (query) => page(query, (q, before, n) => this.#candidates(q, before, n));

  async get(decisionId: string): Promise<Decision | null> {
    return isText(decisionId) ? ((await this.#fetch([decisionId]))[0] ?? null) : null;
  }

  async #candidates(q: ReadyQuery, before: string | null, n: number): Promise<readonly Decision[]> {
    const where: string[] = [];
    const values: unknown[] = [];
    const add = (sql: string, value: unknown) => {
      if (value === undefined || value === null) return;
      values.push(value);
      where.push(sql.replace('?', `$${values.length}`));
    };
    add('decision_id < ?', before);
    add('decision_id = ?', q.decision_id);
    add('subject = ?', q.subject);
    add('purpose = ?', q.purpose);
    add('action = ?', q.action);
    add('kind = ?', q.kind);
    add('resource_type = ?', q.resource_type);
    add('resource_id = ?', q.resource_id);
    add('origin = ?', q.origin);
    add('at >= ?', Number.isFinite(q.from) ? new Date(q.from) : null);
    add('at < ?', Number.isFinite(q.to) ? new Date(q.to + MAX_DURATION_MS) : null);
    // The data subject and the path may be in different parts of a decision, so only one of the two can narrow.
    if (q.data_subject !== undefined) add('data_subjects @> ARRAY[?]::text[]', q.data_subject);
    else add('paths @> ARRAY[?]::text[]', q.path);
    values.push(n);
    const pool = await this.#prepared();
    const { rows } = await pool
      .query<{ decision_id: string }>(
        `SELECT DISTINCT decision_id FROM sluice_records ${where.length ? `WHERE ${where.join(' AND ')}` : ''}
         ORDER BY decision_id DESC LIMIT $${values.length}`,
        values,
      )
      .catch((e) => {
        throw unavailable(e);
      });
    return this.#fetch(rows.map((r) => r.decision_id));
  }

  async #fetch(ids: readonly string[]): Promise<Decision[]> {
    if (ids.length === 0) return [];
    const pool = await this.#prepared();
    const { rows } = await pool.query<{ decision_id: string; line: string }>(
      'SELECT decision_id, line FROM sluice_records WHERE decision_id = ANY($1)',
      [ids],
    );
    const byId = new Map<string, DecisionRecord[]>(ids.map((id) => [id, []]));
    for (const { decision_id, line } of rows) byId.get(decision_id)?.push(JSON.parse(line) as DecisionRecord);
    return [...byId.values()].filter((records) => records.length > 0).map(merge);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

const day = (record: DecisionRecord): string => new Date(record.timestamp).toISOString().slice(0, 10);

/** PostgreSQL text cannot hold U+0000. A canonical line has it only as an escape, but a column would hold the character. */
const plain = (text: string): string => text.replaceAll('\u0000', '\ufffd');

function columns(r: DecisionRecord): unknown[] {
  const d = r.disclosure;
  const subjects = new Set(d?.data_subjects);
  if (r.resource?.id !== undefined) subjects.add(r.resource.id);
  const paths = new Set([...(d?.released ?? []), ...(d?.withheld ?? []).map((w) => w.path)]);
  const text = (t: string | null | undefined) => (t === null || t === undefined ? null : plain(t));
  return [
    new Date(r.timestamp).toISOString(),
    r.origin,
    r.seq,
    plain(r.decision_id),
    r.kind,
    r.outcome,
    text(r.subject?.id),
    text(r.action),
    text(r.purpose),
    text(r.resource?.type),
    text(r.resource?.id),
    [...subjects].map(plain),
    [...paths].map(plain),
  ];
}

const unavailable = (cause: unknown): SluiceError =>
  cause instanceof SluiceError
    ? cause
    : new SluiceError('config_invalid', {
        message: `PostgreSQL, the index of decisions, does not answer (${(cause as { code?: string }).code ?? (cause as Error).name}).`,
        cause,
      });
