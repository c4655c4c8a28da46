/** The tables of consents in the store. */
import type { Migration } from '../model/database.ts';

/**
 * `entry` is JSON as an entry of consents.yaml. Events are numbered under the lock of the row of their data subject, so that their order
 * depends on no clock. Nobody changes or removes an event.
 */
const TABLES = `
CREATE TABLE consent_subjects (
  data_subject text PRIMARY KEY, entry text NOT NULL, version bigint NOT NULL DEFAULT 0
);
CREATE TABLE consent_aliases (
  type text NOT NULL, alias text NOT NULL, data_subject text NOT NULL, PRIMARY KEY (type, alias)
);
CREATE TABLE consent_events (
  data_subject text NOT NULL, version bigint NOT NULL, at bigint NOT NULL, actor text NOT NULL, what text NOT NULL,
  consent text, entry text NOT NULL, PRIMARY KEY (data_subject, version)
);`;

/** longer lists of people are announced as `all` */
const MOST_NAMED = 100;

const ONLY_APPENDED = 'consent_events is append-only';

/**
 * Triggers announce every change, also one that is made by hand. NOTIFY refuses 8,000 bytes; without the check a long id would make the
 * change itself fail. https://www.postgresql.org/docs/15/sql-notify.html
 */
const ANNOUNCING = `
CREATE FUNCTION sluice_announce_consents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  everybody constant text := json_build_object('kind', 'consents', 'scope', 'all')::text;
  people text[];
  payload text;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('sluice_changes', everybody);
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    SELECT array_agg(data_subject) INTO people FROM (
      SELECT data_subject FROM changed UNION SELECT data_subject FROM before LIMIT ${MOST_NAMED + 1}) AS both_ends;
  ELSE
    SELECT array_agg(data_subject) INTO people FROM (
      SELECT DISTINCT data_subject FROM changed LIMIT ${MOST_NAMED + 1}) AS these;
  END IF;
  IF people IS NULL THEN
    RETURN NULL;
  END IF;
  IF cardinality(people) > ${MOST_NAMED} THEN
    PERFORM pg_notify('sluice_changes', everybody);
    RETURN NULL;
  END IF;
  FOR i IN 1 .. cardinality(people) LOOP
    payload := json_build_object('kind', 'consents', 'scope', json_build_object('data_subject', people[i]))::text;
    PERFORM pg_notify('sluice_changes', CASE WHEN octet_length(payload) < 7900 THEN payload ELSE everybody END);
  END LOOP;
  RETURN NULL;
END $$;
CREATE FUNCTION sluice_consent_events_only_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '${ONLY_APPENDED}'; END $$;
CREATE TRIGGER only_appended BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_events
  FOR EACH STATEMENT EXECUTE FUNCTION sluice_consent_events_only_appended();
${['consent_subjects', 'consent_aliases']
  .flatMap((table) => [
    `CREATE TRIGGER announce_insert AFTER INSERT ON ${table} REFERENCING NEW TABLE AS changed`,
    `CREATE TRIGGER announce_update AFTER UPDATE ON ${table} REFERENCING OLD TABLE AS before NEW TABLE AS changed`,
    `CREATE TRIGGER announce_delete AFTER DELETE ON ${table} REFERENCING OLD TABLE AS changed`,
    `CREATE TRIGGER announce_truncate AFTER TRUNCATE ON ${table}`,
  ])
  .map((trigger) => `${trigger} FOR EACH STATEMENT EXECUTE FUNCTION sluice_announce_consents();`)
  .join('\n')}`;

/** Announcements are rows, too (announcements/1). The triggers stay as they are. */
const ANNOUNCING_IN_ROWS = `
CREATE OR REPLACE FUNCTION sluice_announce_consents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  people text[];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT array_agg(data_subject) INTO people FROM (
      SELECT data_subject FROM changed UNION SELECT data_subject FROM before LIMIT ${MOST_NAMED + 1}) AS both_ends;
  ELSIF TG_OP <> 'TRUNCATE' THEN
    SELECT array_agg(data_subject) INTO people FROM (
      SELECT DISTINCT data_subject FROM changed LIMIT ${MOST_NAMED + 1}) AS these;
  END IF;
  IF people IS NOT NULL OR TG_OP = 'TRUNCATE' THEN
    PERFORM sluice_announce('consents', 'data_subject', people);
  END IF;
  RETURN NULL;
END $$;
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION sluice_announce_consents() SET search_path TO %I, pg_temp', current_schema());
END $$;`;

const SQLITE_ONLY_APPENDED = ['UPDATE', 'DELETE']
  .map(
    (operation) =>
      `CREATE TRIGGER consent_events_no_${operation.toLowerCase()} BEFORE ${operation} ON consent_events BEGIN SELECT RAISE(ABORT, '${ONLY_APPENDED}'); END;`,
  )
  .join('\n');

export const CONSENT_MIGRATIONS: readonly Migration[] = [
  {
    name: 'consent/1',
    isAdditive: true,
    sql: {
      sqlite: `${TABLES}\n${SQLITE_ONLY_APPENDED}`,
      postgres: `${TABLES}\n${ANNOUNCING}`,
    },
  },
  { name: 'consent/2', isAdditive: true, sql: { sqlite: 'SELECT 1', postgres: ANNOUNCING_IN_ROWS } },
];
