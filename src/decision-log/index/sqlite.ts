/** The index on one machine: SQLite in WAL mode, so that readers and the feeder do not block each other. */
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import { type Decision, merge } from './decision.ts';
import { makeDirectory } from '../journal/directory.ts';
import { isBusy } from '../journal/lock.ts';
import { MAX_DURATION_MS, page, type ReadyQuery } from './query.ts';
import type { Copy, IndexStore, Position } from './store.ts';

const VERSION = 1;

const SCHEMA = `
  CREATE TABLE records (
    origin TEXT NOT NULL, seq INTEGER NOT NULL,
    decision_id TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
    subject TEXT, action TEXT, purpose TEXT, resource_type TEXT, resource_id TEXT,
    line TEXT NOT NULL,
    UNIQUE (origin, seq)
  );
  CREATE INDEX records_decision ON records (decision_id);
  CREATE INDEX records_subject ON records (subject, decision_id);
  CREATE INDEX records_purpose ON records (purpose, decision_id);
  CREATE INDEX records_resource ON records (resource_type, resource_id, decision_id);
  CREATE INDEX records_at ON records (at);
  CREATE TABLE data_subjects (
    data_subject TEXT NOT NULL, decision_id TEXT NOT NULL,
    PRIMARY KEY (data_subject, decision_id)
  ) WITHOUT ROWID;
  CREATE TABLE positions (origin TEXT PRIMARY KEY, segment INTEGER NOT NULL, byte INTEGER NOT NULL, seq INTEGER NOT NULL);
`;

/** @throws SluiceError `config_invalid` if the file cannot be opened or is not an index */
export function openSqliteIndex(path: string): IndexStore {
  let db: DatabaseSync;
  try {
    makeDirectory(dirname(path));
    db = opened(path);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    const what = (cause as Error).message;
    throw new SluiceError('config_invalid', {
      message: `The index ${path} cannot be opened: ${what}.`,
      cause,
    });
  }
  return new SqliteIndex(db);
}

/** milliseconds that one process waits for another */
const BUSY_TIMEOUT_MS = 5000;

/** SQLite waits for locks, except if two processes switch a new file to WAL mode at once: one gets SQLITE_BUSY. So retry. */
function opened(path: string): DatabaseSync {
  const until = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    const db = new DatabaseSync(path);
    try {
      db.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL`);
      prepare(db, path);
      return db;
    } catch (e) {
      db.close();
      if (!isBusy(e) || performance.now() > until) throw e;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10 + Math.random() * 20);
    }
  }
}

function prepare(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
    if (user_version === 0 && tables.n === 0) db.exec(`${SCHEMA} PRAGMA user_version=${VERSION}`);
    else if (user_version !== VERSION)
      throw new SluiceError(
        'config_invalid',
        `The index ${path} was not made by this version of Sluice. Delete it: it is rebuilt from the journal.`,
      );
    db.exec('COMMIT');
  } catch (e) {
    db.exec('ROLLBACK');
    throw e;
  }
}

class SqliteIndex implements IndexStore {
  readonly name = 'sqlite';
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  async positions(): Promise<ReadonlyMap<string, Position>> {
    const rows = this.#db.prepare('SELECT origin, segment, byte, seq FROM positions').all() as Array<{
      origin: string;
      segment: number;
      byte: number;
      seq: number;
    }>;
    return new Map(rows.map((r) => [r.origin, { segment: r.segment, offset: r.byte, seq: r.seq }]));
  }

  async take(origin: string, copies: readonly Copy[], position: Position): Promise<void> {
    const db = this.#db;
    const insert = db.prepare('INSERT OR IGNORE INTO records VALUES (?,?,?,?,?,?,?,?,?,?,?,?)');
    const subject = db.prepare('INSERT OR IGNORE INTO data_subjects VALUES (?,?)');
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const { record: r, line } of copies) {
        insert.run(
          r.origin,
          r.seq,
          r.decision_id,
          Date.parse(r.timestamp),
          r.kind,
          r.outcome,
          r.subject?.id ?? null,
          r.action,
          r.purpose,
          r.resource?.type ?? null,
          r.resource?.id ?? null,
          line,
        );
        for (const id of r.disclosure?.data_subjects ?? []) subject.run(id, r.decision_id);
        if (r.resource?.id !== undefined) subject.run(r.resource.id, r.decision_id);
      }
      // Two feeders may write at once; neither may move the position back.
      db.prepare(
        `INSERT INTO positions VALUES (?,?,?,?) ON CONFLICT (origin) DO UPDATE
         SET segment=excluded.segment, byte=excluded.byte, seq=excluded.seq WHERE excluded.seq > positions.seq`,
      ).run(origin, position.segment, position.offset, position.seq);
      db.exec('COMMIT');
    } catch (e) {
      db.exec('ROLLBACK');
      throw e;
    }
  }

  async forget(origin: string, ranges: Parameters<IndexStore['forget']>[1]): Promise<void> {
    const db = this.#db;
    // Freed space is overwritten. Pages that were split earlier may still hold copies: a rebuilt index has none.
    db.exec(
      'PRAGMA secure_delete=ON; CREATE TEMP TABLE IF NOT EXISTS forgotten (decision_id TEXT PRIMARY KEY)',
    );
    const note = db.prepare(
      'INSERT OR IGNORE INTO forgotten SELECT decision_id FROM records WHERE origin=? AND seq BETWEEN ? AND ?',
    );
    const remove = db.prepare('DELETE FROM records WHERE origin=? AND seq BETWEEN ? AND ?');
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const [first, last] of ranges) {
        note.run(origin, first, last);
        remove.run(origin, first, last);
      }
      db.exec(`DELETE FROM data_subjects WHERE decision_id IN (SELECT decision_id FROM forgotten)
                 AND decision_id NOT IN (SELECT decision_id FROM records); DELETE FROM forgotten; COMMIT`);
    } catch (e) {
      db.exec('ROLLBACK');
      throw e;
    }
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  query: IndexStore['query'] = (query) => page(query, async (q, before, n) => this.#candidates(q, before, n));

  async get(decisionId: string): Promise<Decision | null> {
    return this.#fetch([decisionId])[0] ?? null;
  }

  #candidates(q: ReadyQuery, before: string | null, n: number): readonly Decision[] {
    const where: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (sql: string, value: SQLInputValue | undefined | null) => {
      if (value === undefined || value === null) return;
      where.push(sql);
      values.push(value);
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
    add('at >= ?', Number.isFinite(q.from) ? q.from : null);
    add('decision_id IN (SELECT decision_id FROM data_subjects WHERE data_subject = ?)', q.data_subject);
    add('instr(line, ?) > 0', q.path === undefined ? null : JSON.stringify(q.path));
    // The path and the reason may be in different parts, and a later part may be later than `until`.
    if (q.path === undefined)
      add('instr(line, ?) > 0', q.reason === undefined ? null : JSON.stringify(q.reason));
    add('at < ?', Number.isFinite(q.to) ? q.to + MAX_DURATION_MS : null);
    const sql = `SELECT DISTINCT decision_id FROM records ${where.length ? `WHERE ${where.join(' AND ')}` : ''}
                 ORDER BY decision_id DESC LIMIT ?`;
    const rows = this.#db.prepare(sql).all(...values, n) as Array<{ decision_id: string }>;
    return this.#fetch(rows.map((r) => r.decision_id));
  }

  #fetch(ids: readonly string[]): Decision[] {
    const select = this.#db.prepare('SELECT line FROM records WHERE decision_id = ?');
    return ids
      .map((id) =>
        (select.all(id) as Array<{ line: string }>).map((r) => JSON.parse(r.line) as DecisionRecord),
      )
      .filter((records) => records.length > 0)
      .map(merge);
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
