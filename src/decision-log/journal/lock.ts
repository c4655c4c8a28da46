/**
 * One process appends to an origin. Node has no `flock`; SQLite has had its file locks right for twenty years: a
 * process that keeps `BEGIN EXCLUSIVE` open on a database file holds an operating-system lock, which the kernel gives
 * up when the process ends, however it ends. No stale lock is ever to be guessed at from a process id (ids repeat in
 * containers).
 */
import { DatabaseSync } from 'node:sqlite';
import { isSame, statOf } from '../identity.ts';

export interface Lock {
  /** the lock's file is the one that the directory names: nobody else can take it under this name */
  inPlace(): boolean;
  release(): void;
}

/** null: another process holds it. @throws what the file system says */
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

/** Does a live process append to this origin? A reader's question: takes nothing that would keep an appender out. */
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
/** Another process has the database now. */
export const isBusy = (e: unknown): boolean =>
  ((e as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
