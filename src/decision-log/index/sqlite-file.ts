/** The file of the SQLite index: its tables, and how it is opened. */
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import { makeDirectory } from '../journal/directory.ts';
import { isBusy } from '../journal/lock.ts';

/** Part of the file. An index of another version is a copy, so it is deleted and built again. */
export const VERSION = 3;

const SCHEMA = `
  CREATE TABLE state (generation TEXT NOT NULL);
  CREATE TABLE origins (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE,
    segment INTEGER NOT NULL, byte INTEGER NOT NULL, seq INTEGER NOT NULL
  );
  CREATE TABLE days (day INTEGER PRIMARY KEY, records INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL);
  CREATE TABLE texts (
    id INTEGER PRIMARY KEY, day INTEGER NOT NULL, digest BLOB NOT NULL, text TEXT NOT NULL, UNIQUE (day, digest)
  );
  CREATE TABLE counts (
    day INTEGER NOT NULL, profile INTEGER NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (day, profile)
  ) WITHOUT ROWID;
  CREATE INDEX counts_profile ON counts (profile);
  CREATE TABLE records (
    decision BLOB NOT NULL, origin INTEGER NOT NULL, seq INTEGER NOT NULL,
    profile INTEGER NOT NULL, hashes BLOB NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (decision, origin, seq)
  ) WITHOUT ROWID;
  CREATE INDEX records_seq ON records (origin, seq);
  CREATE TABLE postings (
    day INTEGER NOT NULL, key INTEGER NOT NULL, decision BLOB NOT NULL, profile INTEGER NOT NULL,
    PRIMARY KEY (day, key, decision, profile)
  ) WITHOUT ROWID;
`;

/** The profiles that a query asks for. A list in a statement would be read again for each day, and have thousands of numbers. */
const WANTED = 'PRAGMA temp_store=MEMORY; CREATE TEMP TABLE wanted (profile INTEGER PRIMARY KEY)';

/** milliseconds that one process waits for another */
const BUSY_TIMEOUT_MS = 5000;

/** @throws SluiceError `config_invalid` if the file cannot be opened or is not an index */
export function openFile(path: string, replaced: () => void): DatabaseSync {
  try {
    makeDirectory(dirname(path));
    return opened(path, replaced);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    const what = (cause as Error).message;
    throw new SluiceError('config_invalid', {
      message: `The index ${path} cannot be opened: ${what}.`,
      cause,
    });
  }
}

/** SQLite waits for locks, except if two processes switch a new file to WAL mode at once: one gets SQLITE_BUSY. So retry. */
function opened(path: string, replaced: () => void): DatabaseSync {
  const until = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    const db = new DatabaseSync(path);
    try {
      db.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL`);
      if (prepare(db, path)) replaced();
      db.exec(WANTED);
      return db;
    } catch (e) {
      db.close();
      if (!isBusy(e) || performance.now() > until) throw e;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10 + Math.random() * 20);
    }
  }
}

/** Makes the tables. @returns true if it deleted those of an earlier version */
function prepare(db: DatabaseSync, path: string): boolean {
  return inTransaction(db, () => {
    const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (user_version === VERSION) return false;
    const { n } = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
    if (user_version > VERSION || (user_version === 0 && n > 0))
      throw new SluiceError(
        'config_invalid',
        user_version > VERSION
          ? `The index ${path} was made by a newer version of Sluice. Give this one another file.`
          : `The file ${path} is not an index of decisions. Give another one.`,
      );
    recreate(db);
    return user_version > 0;
  });
}

/** Deletes all tables and makes new ones. */
export function recreate(db: DatabaseSync): void {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type='table'").all() as { name: string }[];
  for (const { name } of tables) db.exec(`DROP TABLE "${name}"`);
  db.exec(`${SCHEMA} PRAGMA user_version=${VERSION}`);
  db.prepare('INSERT INTO state VALUES (?)').run(randomUUID());
}

export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (e) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw e;
  }
}
