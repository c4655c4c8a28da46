/** The database in which Sluice keeps what it must remember: consents, grants, revocations. Opened by `store/`, used by several stages. */

/** One row: columns by name. Numbers are numbers, also those of 64 bits; there are no other types but text and null. */
export type Row = Readonly<Record<string, string | number | null>>;
export type Parameter = string | number | null | readonly string[];

/**
 * Parameters stand in the text as `$1`, `$2` …. A list of texts may stand only as in `id = ANY($1)`, which works in both dialects. Everything
 * else has to be SQL that SQLite and PostgreSQL share.
 */
export interface Queries {
  /** @throws SluiceError `store_unavailable` */
  query<R extends Row = Row>(sql: string, parameters?: readonly Parameter[]): Promise<readonly R[]>;
}

export interface Database extends Queries {
  readonly dialect: Dialect;
  /** A single statement that writes, with its RETURNING rows. Atomic by itself. @throws SluiceError `store_unavailable` */
  write<R extends Row = Row>(sql: string, parameters?: readonly Parameter[]): Promise<readonly R[]>;
  /**
   * All or nothing. What `work` reads stays as it is until the end only for rows that it has written or locked (`forUpdate`).
   * @param limits.isUnlimited it may take as long as it needs; otherwise it is rolled back after a while, since others wait for it
   * @throws SluiceError `store_unavailable`; what `work` throws
   */
  transaction<T>(
    work: (queries: Queries) => Promise<T>,
    limits?: { readonly isUnlimited: boolean },
  ): Promise<T>;
  /** goes behind a SELECT inside a transaction, so that nobody else changes its rows before the end */
  readonly forUpdate: string;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  close(): Promise<void>;
}

export type Dialect = 'sqlite' | 'postgres';

/** A step of a schema. Steps of one area are applied in order, each in a transaction, once. */
export interface Migration {
  /** `consent/1`: whose tables, and the number of the step, from 1 */
  readonly name: `${string}/${number}`;
  /** whether code that does not know this step may go on using the tables: true for new tables, columns with a default, and indexes */
  readonly isAdditive: boolean;
  readonly sql: string | Readonly<Record<Dialect, string>>;
}
