/**
 * Announcements as rows, written by the triggers in the transaction of the change. A process reads what has become visible since it read last:
 * rows whose transaction its last snapshot did not see, so that the order of commits does not matter. Each row is read once.
 * https://www.postgresql.org/docs/15/functions-info.html#FUNCTIONS-PG-SNAPSHOT
 */
import { SluiceError } from '../errors.ts';
import type { Database, Migration, Queries, Row } from '../model/database.ts';
import type { Change } from '../model/invalidation.ts';
import { EVERYTHING, read } from './announcements.ts';

/** longer lists of names are announced as `all` */
const MOST_NAMED = 100;

/** more rows at once say as much as `all` */
const MOST_READ = 1_000;

/** How long a row is kept at least, after it could be read by everybody. */
const KEEP_MS = 5 * 60_000;

/** rows that one statement removes */
const MOST_REMOVED = 10_000;

/**
 * Who changes a consent needs no right on this table: the function has those of its owner, and finds its table whatever the caller's search path.
 * NOTIFY refuses 8,000 bytes; without the check a long name would make the change itself fail.
 */
const TABLES = `
CREATE TABLE sluice_announcements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), announcement text NOT NULL
);
CREATE INDEX sluice_announcements_xid ON sluice_announcements (xid);
CREATE TABLE sluice_announcements_removed (before xid8 NOT NULL);
INSERT INTO sluice_announcements_removed VALUES ('0');
CREATE FUNCTION sluice_announce(kind text, named text, names text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  everybody constant text := json_build_object('kind', kind, 'scope', 'all')::text;
  texts text[] := ARRAY[everybody];
BEGIN
  IF cardinality(names) <= ${MOST_NAMED} THEN
    SELECT array_agg(DISTINCT CASE WHEN octet_length(one) < 7900 THEN one ELSE everybody END) INTO texts
    FROM (SELECT json_build_object('kind', kind, 'scope', json_build_object(named, name))::text AS one FROM unnest(names) name) AS each;
  END IF;
  INSERT INTO sluice_announcements (announcement) SELECT unnest(texts);
  PERFORM pg_notify('sluice_changes', one) FROM unnest(texts) one;
END $$;
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION sluice_announce(text, text, text[]) SET search_path TO %I, pg_temp', current_schema());
END $$;`;

export const ANNOUNCEMENT_MIGRATIONS: readonly Migration[] = [
  {
    name: 'announcements/1',
    isAdditive: true,
    // A file of SQLite announces nothing.
    sql: { sqlite: 'SELECT 1', postgres: TABLES },
  },
];

/** What a process has read. */
export interface Position {
  readonly snapshot: string;
  /** when the server was started: another one, or one after a crash, may use numbers of transactions again */
  readonly server: string;
  /** the largest id */
  readonly last: number;
}

interface ReadRow extends Row {
  readonly snapshot: string;
  readonly server: string;
  readonly last: number;
  /** 1: a copy that follows another server, whose snapshots do not tell which transactions are under way */
  readonly standby: number;
  /** 1: rows were removed that had not been read */
  readonly missed: number | null;
  /** null: there is none */
  readonly announcement: string | null;
}

/**
 * One statement, so that the rows are those of its snapshot. `id > $2` finds rows also where a crash has made the server give a number of a
 * transaction twice; ids are never given twice.
 */
const READ = `
SELECT pg_current_snapshot()::text AS snapshot, extract(epoch FROM pg_postmaster_start_time())::text AS server,
  pg_is_in_recovery()::int AS standby, greatest((SELECT max(id) FROM sluice_announcements), $2::bigint) AS last,
  (SELECT before > pg_snapshot_xmin($1::pg_snapshot) FROM sluice_announcements_removed)::int AS missed, unread.announcement
FROM (VALUES (1)) AS always LEFT JOIN (
  SELECT id, announcement FROM sluice_announcements WHERE id > $2::bigint AND $1::pg_snapshot IS NOT NULL
  UNION ALL
  SELECT id, announcement FROM sluice_announcements WHERE id <= $2::bigint
    AND xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
) AS unread ON true
ORDER BY unread.id LIMIT ${MOST_READ + 1}`;

/**
 * @param since null: nothing has been read yet
 * @returns everything, where announcements may have been missed
 * @throws SluiceError `store_unavailable`
 */
export async function readOutbox(
  queries: Queries,
  since: Position | null,
): Promise<{ readonly position: Position; readonly changes: readonly Change[] }> {
  const rows = await queries.query<ReadRow>(READ, [since?.snapshot ?? null, since?.last ?? 0]);
  const { snapshot, server, last, missed, standby } = rows[0]!;
  if (standby === 1)
    throw new SluiceError(
      'store_unavailable',
      'The database is a standby, which announces nothing. Let store.postgres name the primary.',
    );
  const isBehind = since === null || since.server !== server || missed === 1 || rows.length > MOST_READ;
  return {
    position: { snapshot, server, last },
    changes: isBehind
      ? EVERYTHING
      : rows.flatMap(({ announcement }) => (announcement === null ? [] : read(announcement))),
  };
}

/**
 * Removes rows of transactions that had ended before `before`, and notes it in the same statement: whoever has read nothing since then sees that
 * rows may be missing.
 *
 * A number that this server has not given yet came with a copy of another server's tables (pg_dump). Such rows would be new at every read, and such a
 * note would say for ever that rows were missed, so both are put right.
 */
const REMOVE = `
WITH next AS (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid),
gone AS (
  DELETE FROM sluice_announcements WHERE id IN (
    SELECT id FROM sluice_announcements, next WHERE sluice_announcements.xid < $1::xid8 OR sluice_announcements.xid >= next.xid
    ORDER BY id LIMIT ${MOST_REMOVED})
  RETURNING 1)
UPDATE sluice_announcements_removed SET before = CASE WHEN before < next.xid THEN greatest(before, $1::xid8) ELSE $1::xid8 END
FROM next WHERE EXISTS (SELECT FROM gone) OR before >= next.xid`;

/** One process at a time, so that what is compared with the numbers of a snapshot is from before it. */
const LOCK = 'SELECT before FROM sluice_announcements_removed FOR UPDATE';

/** @param before what `endedNow` returned earlier */
export const removeRead = (database: Database, before: string): Promise<unknown> =>
  database.transaction(async (queries) => {
    await queries.query(LOCK);
    await queries.query(REMOVE, [before]);
  });

/** All transactions with a smaller number have ended. */
export async function endedNow(database: Database): Promise<string> {
  const [row] = await database.query<{ readonly before: string }>(
    'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS before',
  );
  return row!.before;
}

/** Keeps the table short. Every process that serves does it, at its own moments; one is enough. */
export function keepOutboxShort(database: Database, keep = KEEP_MS): { close(): Promise<void> } {
  let before: string | null = null;
  let timer = setTimeout(run, Math.random() * keep).unref();
  let running: Promise<void> = Promise.resolve();
  let isClosed = false;
  function run(): void {
    running = shorten()
      // The store says elsewhere that it does not answer; rows stay until it does.
      .catch(() => undefined)
      .then(() => {
        if (!isClosed) timer = setTimeout(run, keep).unref();
      });
  }
  async function shorten(): Promise<void> {
    if (before !== null) await removeRead(database, before);
    before = await endedNow(database);
  }
  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
