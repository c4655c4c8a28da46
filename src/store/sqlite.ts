/**
 * A store in a file of SQLite, for the processes of one machine. Reads see what is committed and wait for nobody (WAL). Writes of this process
 * wait for each other here; those of other processes are waited for by SQLite.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { SluiceError } from '../errors.ts';
import type { Database, Parameter, Row } from '../model/database.ts';
import { inTime, WORK_MS } from './deadline.ts';

/** how long others may keep a writer waiting */
const BUSY_MS = 5_000;
const BUSY = 5;
/** prepared statements of a connection; a statement takes some hundred kilobytes */
const STATEMENTS = 100;

export interface SqliteOptions {
  /** how long a transaction may take, in milliseconds */
  readonly work?: number;
}

/** @throws SluiceError `store_unavailable` */
export function openSqlite(file: string, { work: workMs = WORK_MS }: SqliteOptions = {}): Database {
  const open = (): Connection => {
    mkdirSync(dirname(file), { recursive: true });
    return new Connection(file);
  };
  const reader = guarded(file, open);
  // Each transaction is seen by readers only when it is whole, so that it needs a connection of its own.
  const writer = guarded(file, open);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    dialect: 'sqlite',
    forUpdate: '',
    // A reader waits, too: while the log of a process that was killed is read back.
    query: (sql, parameters) => patiently(file, () => reader.all(sql, parameters)),
    write: (sql, parameters) => inTurn(() => patiently(file, () => writer.all(sql, parameters))),
    transaction: (work, limits) =>
      inTurn(async () => {
        await patiently(file, () => writer.run('BEGIN IMMEDIATE'));
        try {
          const result = await inTime(work, limits?.isUnlimited ? null : workMs, async (sql, parameters) =>
            guarded(file, () => writer.all(sql, parameters)),
          );
          guarded(file, () => writer.run('COMMIT'));
          return result;
        } catch (e) {
          writer.rollBack();
          throw e;
        }
      }),
    ready: async () => {
      try {
        reader.all('SELECT 1');
        return { ok: true };
      } catch (e) {
        return { ok: false, detail: reasonOf(e) };
      }
    },
    close: async () => {
      await last;
      reader.close();
      writer.close();
    },
  };
}

/** A consistent copy of a file of SQLite, while others write to it. @param to a file that is not there */
export function copySqlite(file: string, to: string): void {
  guarded(file, () => {
    const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
    try {
      db.prepare('VACUUM INTO ?').run(to);
    } finally {
      db.close();
    }
  });
}

interface Prepared {
  readonly all: StatementSync['all'];
  /** numbers of the parameters, in the order of their places */
  readonly order: readonly number[];
}

/** Places without names: SQLite finds a name by comparing it with all others, which takes 25 ms for the 3,500 of a large insert. */
function prepared(db: DatabaseSync, sql: string): Prepared {
  const order: number[] = [];
  const text = sql
    .replace(/= ANY\((\$\d+)\)/g, 'IN (SELECT value FROM json_each($1))')
    .replace(/\$(\d+)/g, (_, number: string) => {
      order.push(Number(number));
      return '?';
    });
  const statement = db.prepare(text);
  return { all: statement.all.bind(statement), order };
}

class Connection {
  readonly #db: DatabaseSync;
  readonly #statements = new LRUCache<string, Prepared>({ max: STATEMENTS });

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: 1_000 });
    // From here on nobody waits inside SQLite: it would hold up this thread, and so whoever it waits for if that is this process.
    this.#db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 0',
    );
  }

  all<R extends Row>(sql: string, parameters: readonly Parameter[] = []): readonly R[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // A script of several statements (a migration) has no parameters, and can be run only as a whole.
      if (parameters.length === 0 && /;\s*\S/.test(sql)) {
        this.#db.exec(sql);
        return [];
      }
      statement = prepared(this.#db, sql);
      this.#statements.set(sql, statement);
    }
    const { all, order } = statement;
    const values = order.map((at) => {
      const value = parameters[at - 1]!;
      return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
    });
    return all(...values) as unknown as readonly R[];
  }

  run(sql: string): void {
    this.#db.exec(sql);
  }

  /** What has failed may have ended the transaction already. */
  rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }

  close(): void {
    this.#db.close();
  }
}

/** Waits while another connection writes. */
async function patiently<T>(file: string, work: () => T): Promise<T> {
  for (const until = performance.now() + BUSY_MS; ; ) {
    try {
      return work();
    } catch (e) {
      if ((e as { readonly errcode?: number }).errcode !== BUSY || performance.now() > until)
        return guarded(file, () => {
          throw e;
        });
    }
    // Not the same for everybody, so that two who wait do not wake together for ever.
    await new Promise((done) => setTimeout(done, 1 + 4 * Math.random()));
  }
}

function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new SluiceError('store_unavailable', {
      message: `The store ${file} cannot be used: ${reasonOf(cause)}. Check store.sqlite: the file, its rights and the space on its disk.`,
      cause,
    });
  }
}

/** SQLite's own words: they name tables and columns, and no values. */
const reasonOf = (e: unknown): string => (e instanceof Error ? e.message : 'unknown error');
