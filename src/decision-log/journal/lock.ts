/**
 * Only one process may append to an origin. Node has no `flock`, so the lock is an SQLite database: a process with an open
 * `BEGIN EXCLUSIVE` holds an operating-system lock, which the kernel releases when the process ends for any reason.
 * Lock files with a process id would need a guess whether they are stale, because ids repeat in containers.
 */
import { DatabaseSync } from 'node:sqlite';
import { isSame, statOf } from '../file-identity.ts';

export interface Lock {
  /** true if the path still names the locked file; otherwise another process could take the lock under this path */
  inPlace(): boolean;
  release(): void;
}

/** null: another process holds it. @throws errors of the file system */
export function tryLock(path: string, waitMs = 50): Lock | null {
  const db = new DatabaseSync(path);
  try {
    db.exec(`PRAGMA busy_timeout=${waitMs}; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE`);
  } catch (e) {
    db.close();
    if (isBusy(e)) return null;
    throw e;
  }
  const file = statOf(path);
  return { inPlace: () => isSame(statOf(path), file), release: () => db.close() };
}

/** True if a live process appends to this origin. It takes no lock that would block an appender. */
export function isHeld(path: string): boolean {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path, { readOnly: true });
  } catch {
    return false;
  }
  try {
    db.exec('PRAGMA busy_timeout=0');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (e) {
    return isBusy(e);
  } finally {
    db.close();
  }
}

const SQLITE_BUSY = 5;
/** True if another process holds the database. */
export const isBusy = (e: unknown): boolean =>
  ((e as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
