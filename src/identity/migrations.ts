/** Tables of revocations and API keys in the store. A row is never removed: what is no longer in force has ended, or has been ended. */
import type { Migration } from '../model/database.ts';

const TABLES = `
CREATE TABLE sluice_revocations (
  id text PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('subject', 'jti', 'sha256')), name text NOT NULL, issuer text,
  issued_before bigint, starts_at bigint, ends_at bigint, reason text NOT NULL, revoked_at bigint NOT NULL, revoked_by text NOT NULL,
  restored_at bigint, restored_by text, restored_reason text
);
CREATE INDEX sluice_revocations_name ON sluice_revocations (name);`;

/**
 * PostgreSQL announces every change, also one made by hand. A payload must be shorter than 8000 bytes, or the change itself would fail.
 * https://www.postgresql.org/docs/15/sql-notify.html
 */
const ANNOUNCING = `
CREATE FUNCTION sluice_announce_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  everybody constant text := json_build_object('kind', 'revocations', 'scope', 'all')::text;
  payload text;
BEGIN
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    payload := json_build_object('kind', 'revocations', 'scope', json_build_object('subject', OLD.name))::text;
    PERFORM pg_notify('sluice_changes', CASE WHEN OLD.kind = 'subject' AND octet_length(payload) < 7900 THEN payload ELSE everybody END);
  END IF;
  IF TG_OP IN ('UPDATE', 'INSERT') THEN
    payload := json_build_object('kind', 'revocations', 'scope', json_build_object('subject', NEW.name))::text;
    PERFORM pg_notify('sluice_changes', CASE WHEN NEW.kind = 'subject' AND octet_length(payload) < 7900 THEN payload ELSE everybody END);
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('sluice_changes', everybody);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON sluice_revocations
  FOR EACH ROW EXECUTE FUNCTION sluice_announce_revocations();
CREATE TRIGGER announce_truncate AFTER TRUNCATE ON sluice_revocations
  FOR EACH STATEMENT EXECUTE FUNCTION sluice_announce_revocations();`;

const API_KEYS = `
CREATE TABLE sluice_api_keys (
  sha256 text PRIMARY KEY, id text NOT NULL, subject text NOT NULL, created_at bigint NOT NULL, created_by text NOT NULL,
  expires_at bigint NOT NULL, revoked_at bigint, revoked_by text, reason text
);
CREATE INDEX sluice_api_keys_id ON sluice_api_keys (id);`;

/** A key that is new or revoked changes who is let in: as for revocations, of whoever. */
const ANNOUNCING_API_KEYS = `
CREATE FUNCTION sluice_announce_api_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('sluice_changes', json_build_object('kind', 'revocations', 'scope', 'all')::text);
  RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sluice_api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION sluice_announce_api_keys();`;

/** Two that make a key of one name at once take the same number, and one of them fails. Versions before this step leave it out. */
const NUMBERED_API_KEYS = `
ALTER TABLE sluice_api_keys ADD COLUMN number bigint;
UPDATE sluice_api_keys SET number = (
  SELECT count(*) FROM sluice_api_keys AS other
  WHERE other.id = sluice_api_keys.id AND (other.created_at, other.sha256) <= (sluice_api_keys.created_at, sluice_api_keys.sha256));
CREATE UNIQUE INDEX sluice_api_keys_number ON sluice_api_keys (id, number);`;

/** Announcements are rows, too (announcements/1). The triggers stay as they are. */
const ANNOUNCING_IN_ROWS = `
CREATE OR REPLACE FUNCTION sluice_announce_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    PERFORM sluice_announce('revocations', 'subject', CASE WHEN OLD.kind = 'subject' THEN ARRAY[OLD.name] END);
  END IF;
  IF TG_OP IN ('UPDATE', 'INSERT') THEN
    PERFORM sluice_announce('revocations', 'subject', CASE WHEN NEW.kind = 'subject' THEN ARRAY[NEW.name] END);
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM sluice_announce('revocations', 'subject', NULL);
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION sluice_announce_api_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sluice_announce('revocations', 'subject', NULL);
  RETURN NULL;
END $$;
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION sluice_announce_revocations() SET search_path TO %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION sluice_announce_api_keys() SET search_path TO %I, pg_temp', current_schema());
END $$;`;

export const IDENTITY_MIGRATIONS: readonly Migration[] = [
  {
    name: 'identity/1',
    isAdditive: true,
    sql: { sqlite: TABLES, postgres: `${TABLES}\n${ANNOUNCING}` },
  },
  {
    name: 'identity/2',
    isAdditive: true,
    sql: { sqlite: API_KEYS, postgres: `${API_KEYS}\n${ANNOUNCING_API_KEYS}` },
  },
  { name: 'identity/3', isAdditive: true, sql: NUMBERED_API_KEYS },
  { name: 'identity/4', isAdditive: true, sql: { sqlite: 'SELECT 1', postgres: ANNOUNCING_IN_ROWS } },
];
