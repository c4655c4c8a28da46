/** The tables of the index in PostgreSQL. */

/** Part of the tables' names: another form of the tables gets another number, and is filled from the journals. */
export const VERSION = 3;

/** A table of an earlier version, or null. */
export const EARLIER = `coalesce(to_regclass('sluice_index2_state'), to_regclass('sluice_records'))`;

const PREFIX = `sluice_index${VERSION}`;

export const T = {
  state: `${PREFIX}_state`,
  origins: `${PREFIX}_origins`,
  days: `${PREFIX}_days`,
  texts: `${PREFIX}_texts`,
  counts: `${PREFIX}_counts`,
  records: `${PREFIX}_records`,
  postings: `${PREFIX}_postings`,
} as const;

/** Columns as in `sqlite.ts`. The times in ids divide `records` and `postings` into days, and sort them. */
export const SCHEMA = `
  CREATE TABLE ${T.state} (generation uuid NOT NULL);
  INSERT INTO ${T.state} VALUES (gen_random_uuid());
  CREATE TABLE ${T.origins} (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, origin text NOT NULL UNIQUE,
    segment bigint NOT NULL, byte bigint NOT NULL, seq bigint NOT NULL
  );
  CREATE TABLE ${T.days} (day integer PRIMARY KEY, records bigint NOT NULL, low bigint NOT NULL, high bigint NOT NULL);
  CREATE TABLE ${T.texts} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, day integer NOT NULL, digest bytea NOT NULL, text text NOT NULL,
    UNIQUE (day, digest)
  );
  CREATE TABLE ${T.counts} (
    day integer NOT NULL, profile bigint NOT NULL, records bigint NOT NULL, PRIMARY KEY (day, profile)
  );
  CREATE INDEX ON ${T.counts} (profile);
  CREATE TABLE ${T.records} (
    decision uuid NOT NULL, origin integer NOT NULL, seq bigint NOT NULL,
    profile bigint NOT NULL, hashes bytea NOT NULL, payload text NOT NULL
  ) PARTITION BY RANGE (decision);
  CREATE INDEX ON ${T.records} (decision);
  CREATE INDEX ON ${T.records} (origin, seq);
  CREATE TABLE ${T.postings} (key bigint NOT NULL, decision uuid NOT NULL, profile bigint NOT NULL)
    PARTITION BY RANGE (decision);
  CREATE INDEX ON ${T.postings} (key, decision, profile);
`;

export const DROP = `DROP TABLE ${Object.values(T).join(', ')} CASCADE`;

/** The name of a partition. @param day days since 1970 */
export const partition = (table: string, date: string): string => `${table}_${date.replaceAll('-', '')}`;
