/** A store in PostgreSQL, shared by any number of sidecars. */
import { Socket } from 'node:net';
import pg from 'pg';
import { SluiceError } from '../errors.ts';
import type { Database, Parameter, Row } from '../model/database.ts';
import { inTime, WORK_MS } from './deadline.ts';

export interface PostgresOptions {
  /** schema of the database; default: that of the connection (tests use their own) */
  readonly schema?: string;
  /** how long a connection and a statement may take */
  readonly timeout?: number;
  readonly connections?: number;
  /** how long a transaction may take; its statements have their own limit */
  readonly work?: number;
}

const INT8 = 20;
/** SQLSTATE read_only_sql_transaction */
const READ_ONLY = '25006';
/** for the client, which knows no other way to wait for ever */
const NO_LIMIT_MS = 2 ** 31 - 1;
const TIMEOUT_MS = 5_000;

/** A pooler does not pass on the limits of a connection: those of a transaction are set in it, too. */
const limited = (statement: number, idle: number): string =>
  `BEGIN; SET LOCAL statement_timeout = ${statement}; SET LOCAL idle_in_transaction_session_timeout = ${idle}`;
const UNLIMITED = limited(0, 0);

/** What the connections of Sluice have in common. */
export const connectionOf = (
  url: string,
  { schema, timeout = TIMEOUT_MS, work = WORK_MS }: PostgresOptions,
): pg.ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: timeout,
  // The server ends the statement; where it does not answer at all, the client gives up a little later.
  statement_timeout: timeout,
  query_timeout: timeout + 500,
  // A sidecar that hangs in the middle of a transaction must not keep its locks.
  idle_in_transaction_session_timeout: work,
  application_name: 'sluice',
  types: {
    getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
      oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
  },
  ...(schema === undefined ? {} : { options: `-c search_path=${schema}` }),
});

/** Connects at the first use, so that Sluice starts while the database is down. */
export function openPostgres(url: string, options: PostgresOptions = {}): Database {
  const sockets = new Set<Socket>();
  const stream = (): Socket => {
    const socket = new Socket();
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    return socket;
  };
  const { timeout = TIMEOUT_MS, work: longest = WORK_MS } = options;
  const begin = limited(timeout, longest);
  const pool = new pg.Pool({
    ...connectionOf(url, options),
    stream,
    max: options.connections ?? 8,
    onConnect: refuseStandby,
  });
  // The pool replaces a broken idle connection at the next use. Without a listener the error would end the process.
  pool.on('error', () => undefined);
  // The pool removes its own listener while a connection is in use.
  pool.on('connect', (client) => void client.on('error', () => undefined));

  const run = async <R extends Row>(
    on: pg.Pool | pg.PoolClient,
    sql: string,
    parameters: readonly Parameter[] = [],
    limit?: number,
  ): Promise<readonly R[]> => {
    try {
      const { rows } = await on.query<R>({
        text: sql,
        values: [...parameters],
        ...(limit === undefined ? {} : { query_timeout: limit }),
      });
      return rows;
    } catch (cause) {
      throw unavailable(cause);
    }
  };

  return {
    dialect: 'postgres',
    forUpdate: 'FOR UPDATE',
    query: (sql, parameters) => run(pool, sql, parameters),
    write: (sql, parameters) => run(pool, sql, parameters),
    async transaction(work, limits) {
      const client = await pool.connect().catch((e: unknown) => {
        throw unavailable(e);
      });
      let broken = false;
      try {
        await run(client, limits?.isUnlimited ? UNLIMITED : begin);
        const result = await (limits?.isUnlimited
          ? inTime(work, null, (sql, parameters) => run(client, sql, parameters, NO_LIMIT_MS))
          : inTime(work, longest, (sql, parameters) => run(client, sql, parameters)));
        await commit(client);
        return result;
      } catch (e) {
        // A connection that cannot even roll back is thrown away, and with it the transaction.
        await client.query('ROLLBACK').catch(() => {
          broken = true;
        });
        throw e;
      } finally {
        client.release(broken);
      }
    },
    async ready() {
      try {
        await run(pool, 'SELECT 1');
        return { ok: true };
      } catch (e) {
        return { ok: false, detail: (e as Error).message };
      }
    },
    async close() {
      await pool.end();
      // The server may not answer any more: its end of a connection would be waited for, and the process would not end.
      for (const socket of sockets) socket.destroySoon();
    },
  };
}

/**
 * A standby may be behind by any time, and announces nothing: what it says of consents and revocations could be older than every bound. A server
 * becomes a standby only by a new start, which ends its connections.
 */
async function refuseStandby(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
  if (rows[0]?.standby !== false)
    throw new SluiceError(
      'store_read_only',
      'The store in PostgreSQL is a standby, which may be behind: nothing is read from it. Point store.postgres at the primary, or promote the standby.',
    );
}

/** Where a statement has failed, PostgreSQL answers COMMIT with ROLLBACK and no error, also if `work` went on after it. */
async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await client.query('COMMIT').catch((cause: unknown) => {
    throw unavailable(cause);
  });
  if (command !== 'COMMIT')
    throw unavailable(new Error('the transaction was rolled back, because one of its statements had failed'));
}

/** The message of PostgreSQL names tables and columns; what may hold values (`detail`) is left out. */
const unavailable = (cause: unknown): SluiceError => {
  if (cause instanceof SluiceError) return cause;
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  if (code === READ_ONLY)
    return new SluiceError('store_read_only', {
      message: `The store in PostgreSQL takes no changes: ${message}. Point store.postgres at the primary, or turn default_transaction_read_only off.`,
      cause,
    });
  const missing = code === '42P01' || code === '42703' || code === '42883';
  const isPooled = message?.includes('unsupported startup parameter');
  return new SluiceError('store_unavailable', {
    message: `The store in PostgreSQL cannot be used: ${message || code || 'no answer'}. ${
      missing
        ? 'Run "sluice store migrate".'
        : isPooled
          ? 'Name it in ignore_startup_parameters of PgBouncer.'
          : 'Check store.postgres and the database.'
    }`,
    cause,
  });
};
