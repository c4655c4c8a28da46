/**
 * The index for many machines: PostgreSQL with one partition a day (UTC), so that old days can be dropped instead of deleted
 * row by row. The position of a chain and its records are written in one transaction that holds the position's row, so each record is stored
 * once, though no constraint says so.
 *
 * The file is long because reading and writing share the numbers of texts, and the generation of the tables that they are valid for.
 *
 * The tables have the version in their names. Sidecars of two versions fill their own; an index is a copy, so nothing is migrated.
 */
import { hash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { LRUCache } from 'lru-cache';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import type { Members, Payload } from '../journal/compact.ts';
import { type Decision, merge } from './decision.ts';
import {
  type Entry,
  dateOf,
  dayAt,
  dayOf,
  postingsOfNone,
  type Stored,
  idAt,
  isDecisionId,
  indexable,
  numbersIn,
  payloadOf,
  recordOf,
  startOf,
  Totals,
} from './entry.ts'; // prettier-ignore
import { DROP, EARLIER, partition, SCHEMA, T, VERSION } from './postgres-schema.ts';
import { Rows, uuidOf } from './postgres-rows.ts';
import { Profiles, type Text } from './profile.ts';
import { page, type ReadyQuery } from './query.ts';
import {
  areFew,
  type Count,
  type Day,
  groups,
  keysIn,
  type Range,
  ranges,
  steps,
  summary,
} from './search.ts';
import {
  type IndexOptions,
  type IndexStatus,
  type IndexStore,
  oldestKept,
  type Position,
  requireUnbroken,
  type SeqRange,
} from './store.ts'; // prettier-ignore

/** Advisory lock: shared while records are written, exclusive while tables are created or deleted. */
const LOCK = '5170421, 2';
/** Advisory lock: exclusive while partitions are created, which blocks no records. */
const PARTITIONS = '5170421, 3';
const BATCH = 5000;
/** A server on Linux also looks whether somebody still waits (PostgreSQL 14 and later). */
const LIMITS = `SELECT set_config('statement_timeout', $1, true),
  (SELECT set_config(name, '1s', true) FROM pg_settings WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%')`;
/** the day of profiles, which all days share */
const ALL_DAYS = -1;

export interface PostgresOptions extends IndexOptions {
  /** milliseconds after which the server ends a statement of a query, also where nobody waits for it; absent: never */
  readonly timeout?: number | undefined;
  /** of the database; default: that of the connection (tests use their own) */
  readonly schema?: string | undefined;
}

export function openPostgresIndex(url: string, options: PostgresOptions = {}): IndexStore {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: 5000,
    // A new connection has to read about all partitions before its first plan.
    idleTimeoutMillis: 300_000,
    application_name: 'sluice',
    ...(options.schema === undefined ? {} : { options: `-c search_path=${options.schema}` }),
  });
  // The pool replaces a broken idle connection at the next use. Without a listener the error would end the process.
  pool.on('error', () => undefined);
  // The pool removes its own listener while a connection is in use.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return new PostgresIndex(pool, options);
}

type Client = pg.PoolClient;
type Numbers = WeakMap<Text, Map<number, number>>;

interface NewText {
  readonly id: number;
  readonly day: number;
  readonly text: Text;
}

/** What a transaction stores. */
interface Batch {
  readonly entries: readonly Entry[];
  /** that are not stored yet */
  readonly texts: readonly NewText[];
  /** that the rows were made with */
  readonly numbers: Numbers;
  readonly records: Buffer;
  readonly postings: Buffer;
  readonly totals: Totals;
}

interface Row {
  readonly decision: string;
  readonly origin: string;
  readonly seq: string;
  readonly profile: string;
  readonly hashes: string;
  readonly payload: string;
}

const SELECT = `SELECT decision, origins.origin, records.seq, profile, encode(hashes, 'hex') AS hashes, payload
  FROM ${T.records} AS records JOIN ${T.origins} AS origins ON origins.id = records.origin`;

/**
 * True of any profile if the list is null. With `= ANY`, a remembered plan would compare each row with each number of the list: it hashes only
 * a list that it knows. Outside of an `OR`, it could look for each number.
 */
const isOneOf = (list: string): string =>
  `(${list}::bigint[] IS NULL OR profile IN (SELECT unnest(${list}::bigint[])))`;

class PostgresIndex implements IndexStore {
  readonly name = 'postgres';
  readonly batch = BATCH;
  readonly hold = indexable;
  readonly #pool: pg.Pool;
  readonly #options: PostgresOptions;
  #ready: Promise<void> | null = null;
  /** of the tables; `clear` gives them another */
  #generation = '';
  /** false: PgBouncer sends statements to connections that do not know their names */
  #isNamed = true;
  /** days that have partitions */
  #days = new Set<number>();
  /** day → number of a text that many records share. Replaced when they become invalid. */
  #numbers: Numbers = new WeakMap();
  /** origin → its number */
  #origins = new Map<string, number>();
  /** batches that are ready, or will be, before they are taken */
  readonly #batches = new WeakMap<readonly Entry[], Promise<Batch>>();
  #taking: Promise<void> = Promise.resolve();
  readonly #documents = new LRUCache<number, Members>({ max: 10_000 });
  #profiles = new Profiles();

  constructor(pool: pg.Pool, options: PostgresOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get oldest(): number {
    return oldestKept(this.#options.keep);
  }

  /** Creates the tables at the first use, so that Sluice starts while the database is down. */
  async #prepared(): Promise<pg.Pool> {
    this.#ready ??= this.#transaction(async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
      const { rows } = await client.query<{ ours: unknown; earlier: unknown }>(
        `SELECT to_regclass('${T.state}') AS ours, ${EARLIER} AS earlier`,
      );
      if (rows[0]!.ours !== null) return;
      await client.query(SCHEMA);
      if (rows[0]!.earlier !== null) this.#options.replaced?.();
    }).catch((e) => {
      this.#ready = null;
      throw e;
    });
    await this.#ready;
    return this.#pool;
  }

  async #transaction<R>(work: (client: Client) => Promise<R>): Promise<R> {
    let client: Client | null = null;
    try {
      client = await this.#pool.connect();
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (e) {
      // A connection in an unknown state is not used again.
      client?.release(true);
      throw unavailable(e);
    }
  }

  /** Statements have names: PostgreSQL plans them for every partition, which takes longer than running them, and remembers the plan. */
  async #rows<R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const pool = await this.#prepared();
    const isNamed = this.#isNamed;
    const query = { ...(isNamed ? { name: nameOf(text) } : {}), text, values: [...values] };
    const { timeout } = this.#options;
    try {
      if (timeout === undefined) return (await pool.query<R>(query)).rows;
      // For this transaction alone: behind PgBouncer others use the connection, too.
      return await this.#transaction(async (client) => {
        await client.query(LIMITS, [String(timeout)]);
        return (await client.query<R>(query)).rows;
      });
    } catch (cause) {
      const e = cause instanceof SluiceError ? cause.cause : cause;
      if (!isNamed || !NOT_NAMED.has((e as { code?: string } | undefined)?.code ?? ''))
        throw unavailable(cause);
      this.#isNamed = false;
      return this.#rows(text, values);
    }
  }

  /** Numbers are valid as long as the tables are the same. */
  #remember(generation: string): void {
    if (generation === this.#generation) return;
    this.#numbers = new WeakMap();
    this.#documents.clear();
    this.#profiles = new Profiles();
    this.#days = new Set();
    this.#origins = new Map();
    this.#generation = generation;
  }

  /** Reads new profiles, and returns the days, in one statement: each takes a round trip. */
  async #read(): Promise<Day[]> {
    for (;;) {
      const generation = this.#generation;
      const [state] = await this.#rows<{
        generation: string;
        days: Day[];
        count: string;
        profiles: [number, string][];
      }>(
        `SELECT generation,
         (SELECT coalesce(json_agg(d), '[]') FROM ${T.days} d) AS days,
         (SELECT count(*) FROM ${T.texts} WHERE day = $1) AS count,
         (SELECT coalesce(json_agg(json_build_array(id, text) ORDER BY id), '[]')
          FROM ${T.texts} WHERE day = $1 AND id > $2) AS profiles FROM ${T.state}`,
        [ALL_DAYS, this.#profiles.last],
      );
      this.#remember(state!.generation);
      // The profiles were those behind the last one of other tables.
      if (this.#generation !== generation) continue;
      for (const [number, text] of state!.profiles) this.#profiles.add(number, text);
      // A sidecar may store a profile after another one stored those with greater numbers.
      if (this.#profiles.size < Number(state!.count)) this.#profiles = new Profiles();
      else return state!.days;
    }
  }

  async positions(): Promise<ReadonlyMap<string, Position>> {
    const rows = await this.#rows<{ origin: string; segment: string; byte: string; seq: string }>(
      `SELECT origin, segment, byte, seq FROM ${T.origins}`,
    );
    return new Map(
      rows.map((r) => [r.origin, { segment: Number(r.segment), offset: Number(r.byte), seq: Number(r.seq) }]),
    );
  }

  prepare(origin: string, entries: readonly Entry[]): void {
    const batch = this.#prepared().then(() => this.#batchOf(origin, entries));
    batch.catch(() => undefined);
    this.#batches.set(entries, batch);
  }

  /**
   * The numbers of texts that are not stored yet are noted when a batch is made, and those after it use them. So batches are taken one after
   * the other, and where one fails, those after it are made again.
   */
  take(origin: string, entries: readonly Entry[], position: Position, from: Position): Promise<void> {
    if (!this.#batches.has(entries)) this.prepare(origin, entries);
    const taken = this.#taking.then(async () => {
      try {
        let batch = await this.#batches.get(entries)!;
        for (;;) {
          const left = await this.#transaction((client) =>
            this.#store(client, origin, batch, position, from),
          );
          if (left === null) return;
          batch = await this.#batchOf(origin, left);
        }
      } catch (e) {
        // What was noted was undone, and a partition may have been dropped.
        this.#remember('');
        throw e;
      }
    });
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  /** @returns null, or the records to make another batch of, because something has changed since this one was made */
  async #store(
    client: Client,
    origin: string,
    batch: Batch,
    position: Position,
    from: Position,
  ): Promise<readonly Entry[] | null> {
    // One round trip. Another feeder of this chain waits for its row, and then finds what is new.
    const name = pg.escapeLiteral(origin);
    const results = (await client.query(
      `SELECT pg_advisory_xact_lock_shared(${LOCK}); SELECT generation FROM ${T.state};
       INSERT INTO ${T.origins} (origin, segment, byte, seq) VALUES (${name},0,0,0) ON CONFLICT DO NOTHING;
       SELECT id, seq FROM ${T.origins} WHERE origin = ${name} FOR UPDATE`,
    )) as unknown as readonly pg.QueryResult<{ generation: string; id: number; seq: string }>[];
    this.#remember(results[1]!.rows[0]!.generation);
    const { id, seq: stored } = results[3]!.rows[0]!;
    const seq = Number(stored);
    requireUnbroken(seq, from);
    const fresh = batch.entries.filter((entry) => entry.seq > seq);
    // Another feeder of this chain may have been faster, and another chain's may have stored the same texts.
    if (
      batch.entries.length !== fresh.length ||
      batch.numbers !== this.#numbers ||
      !(await this.#storeTexts(client, batch.texts))
    ) {
      await client.query('ROLLBACK');
      return fresh;
    }
    if (fresh.length > 0) {
      await copyInto(client, T.records, batch.records);
      await copyInto(client, T.postings, batch.postings);
    }
    const [days, counts] = [batch.totals.days(), batch.totals.counts()];
    await client.query(
      `WITH counted AS (
         INSERT INTO ${T.counts} AS c SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[])
         ON CONFLICT (day, profile) DO UPDATE SET records = c.records + excluded.records),
       dated AS (
         INSERT INTO ${T.days} AS d SELECT * FROM unnest($8::int[], $9::bigint[], $10::bigint[], $11::bigint[])
         ON CONFLICT (day) DO UPDATE SET records = d.records + excluded.records,
         low = least(d.low, excluded.low), high = greatest(d.high, excluded.high))
       UPDATE ${T.origins} SET segment = $2, byte = $3, seq = $4 WHERE id = $1 AND seq < $4`,
      [
        id,
        position.segment,
        position.offset,
        position.seq,
        counts.map((c) => c.day),
        counts.map((c) => c.profile),
        counts.map((c) => c.records),
        days.map((d) => d.day),
        days.map((d) => d.records),
        days.map((d) => d.low),
        days.map((d) => d.high),
      ],
    );
    return null;
  }

  /** The rows of some records. Nothing is stored by it but the chain's name and the partitions. */
  async #batchOf(origin: string, all: readonly Entry[]): Promise<Batch> {
    const oldest = dayAt(this.oldest);
    const entries = all.filter(({ day }) => day >= oldest);
    await this.#partitions(new Set(entries.map(({ day }) => day)));
    const { id, numbers, texts } = await this.#number(origin, entries);
    const numberOf = (text: Text, day: number): number => numbers.get(text)!.get(day)!;
    const records = new Rows(1024 * entries.length);
    const postings = new Rows(256 * entries.length);
    const totals = new Totals();
    for (const entry of entries) {
      const { day } = entry;
      const decision = uuidOf(entry.decision);
      const profile = numberOf(entry.profile, ALL_DAYS);
      const payload = payloadOf(
        entry,
        entry.documents.map((text) => numberOf(text, day)),
      );
      records
        .begin(6)
        .uuid(decision)
        .int4(id)
        .int8(entry.seq)
        .int8(profile)
        .bytea(entry.hashes)
        .text(payload);
      postings.begin(3).int8(profile).uuid(decision).int8(profile);
      for (const key of entry.keys) postings.begin(3).int8(key).uuid(decision).int8(profile);
      totals.add(entry, profile);
    }
    return { entries, texts, numbers, records: records.end(), postings: postings.end(), totals };
  }

  /**
   * Gives numbers to texts that many records share. A text that the index has not gets a number that no other will have; it is stored
   * with the records.
   * @returns those texts, and the number of the chain
   */
  async #number(
    origin: string,
    entries: readonly Entry[],
  ): Promise<Pick<Batch, 'numbers' | 'texts'> & { readonly id: number }> {
    for (;;) {
      const numbers = this.#numbers;
      const missing = new Map<
        string,
        { readonly day: number; readonly text: Text; readonly all: Set<Text> }
      >();
      const seen = new Set<Text>();
      let today = ALL_DAYS;
      const note = (text: Text, day: number): void => {
        // Most records are of one day.
        if (day !== ALL_DAYS && day !== today) {
          today = day;
          seen.clear();
        }
        if (seen.has(text)) return;
        seen.add(text);
        if (numbers.get(text)?.has(day)) return;
        const name = `${day} ${text.digest}`;
        const known = missing.get(name);
        if (known === undefined) missing.set(name, { day, text, all: new Set([text]) });
        else known.all.add(text);
      };
      for (const { day, documents, profile } of entries) {
        note(profile, ALL_DAYS);
        for (const text of documents) note(text, day);
      }
      const known = this.#origins.get(origin);
      if (missing.size === 0 && known !== undefined) return { id: known, numbers, texts: [] };
      // Sorted, so that two transactions wait for each other in the same order.
      const wanted = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
      const { rows } = await this.#pool.query<{
        generation: string;
        origin: number;
        ids: readonly string[];
        isNew: readonly boolean[];
      }>(
        `WITH own AS (
           INSERT INTO ${T.origins} (origin, segment, byte, seq) VALUES ($3,0,0,0) ON CONFLICT DO NOTHING RETURNING id),
         numbered AS (
           SELECT n, coalesce(t.id, nextval('${T.texts}_id_seq')) AS id, t.id IS NULL AS is_new
           FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS w(day, digest, n) LEFT JOIN ${T.texts} t USING (day, digest))
         SELECT generation, coalesce((SELECT id FROM own), (SELECT id FROM ${T.origins} WHERE origin = $3)) AS origin,
           (SELECT coalesce(array_agg(id ORDER BY n), '{}') FROM numbered) AS ids,
           (SELECT coalesce(array_agg(is_new ORDER BY n), '{}') FROM numbered) AS "isNew" FROM ${T.state}`,
        [wanted.map(({ day }) => day), wanted.map(({ text }) => Buffer.from(text.digest, 'hex')), origin],
      );
      const { generation, origin: id, ids, isNew } = rows[0]!;
      this.#remember(generation);
      // The numbers that were known, or those that another batch has noted meanwhile, are for other tables.
      if (numbers !== this.#numbers || id === null) continue;
      this.#origins.set(origin, id);
      const fresh: NewText[] = [];
      for (const [i, { all, day, text }] of wanted.entries()) {
        const number = Number(ids[i]);
        for (const one of all)
          numbers.set(one, (numbers.get(one) ?? new Map<number, number>()).set(day, number));
        if (isNew[i]) fresh.push({ id: number, day, text });
      }
      return { id, numbers, texts: fresh };
    }
  }

  /** False: another transaction has stored one of them under another number. */
  async #storeTexts(client: Client, texts: readonly NewText[]): Promise<boolean> {
    if (texts.length === 0) return true;
    const { rowCount } = await client.query(
      `INSERT INTO ${T.texts} (id, day, digest, text) OVERRIDING SYSTEM VALUE
       SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[], $4::text[]) ON CONFLICT DO NOTHING`,
      [
        texts.map(({ id }) => id),
        texts.map(({ day }) => day),
        texts.map(({ text }) => Buffer.from(text.digest, 'hex')),
        texts.map(({ text }) => text.text),
      ],
    );
    if (rowCount === texts.length) return true;
    this.#numbers = new WeakMap();
    return false;
  }

  async #partitions(days: ReadonlySet<number>): Promise<void> {
    const missing = [...days].filter((day) => !this.#days.has(day));
    if (missing.length === 0) return;
    await this.#transaction(async (client) => {
      await client.query(
        `SELECT pg_advisory_xact_lock_shared(${LOCK}), pg_advisory_xact_lock(${PARTITIONS})`,
      );
      for (const day of missing) {
        for (const table of [T.records, T.postings]) {
          const { rows } = await client.query<{ found: unknown }>(
            `SELECT to_regclass('${partition(table, dateOf(day))}') AS found`,
          );
          if (rows[0]!.found !== null) continue;
          // Attaching blocks no queries; creating a partition does. All names and bounds are made of numbers.
          await client.query(
            `CREATE TABLE ${partition(table, dateOf(day))} (LIKE ${table} INCLUDING ALL);
             ALTER TABLE ${table} ATTACH PARTITION ${partition(table, dateOf(day))}
             FOR VALUES FROM ('${idAt(startOf(day))}') TO ('${idAt(startOf(day + 1))}')`,
          );
        }
      }
    });
    for (const day of missing) this.#days.add(day);
  }

  query: IndexStore['query'] = (query) =>
    page(query, async (q, before, n) => this.#fetch(await this.#candidates(q, before, n)));

  async get(decisionId: string): Promise<Decision | null> {
    await this.#read();
    return (await this.#fetch([decisionId]))[0] ?? null;
  }

  /** Ids of decisions that may match, newest first. */
  async #candidates(q: ReadyQuery, before: string | null, n: number): Promise<readonly string[]> {
    if (q.decision_id !== undefined) return before === null || q.decision_id < before ? [q.decision_id] : [];
    const days = ranges(await this.#read(), q, before);
    if (days.length === 0) return [];
    const range = { from: days.at(-1)!.from, to: days[0]!.to };
    const keys = keysIn(q);
    const profiles = this.#profiles.matching(q, keys.length > 0);
    if (profiles?.length === 0) return [];
    if (keys.length > 0) return this.#byKeys(keys, profiles, range, n);
    if (profiles === null) return this.#all(null, range, n);
    const found: string[] = [];
    for (const group of groups(days, profiles)) {
      const counts = await this.#counts(group, profiles);
      for (const step of steps(group, counts, n)) {
        const most = n - found.length;
        found.push(
          ...(step.keys === null
            ? await this.#all(step.profiles, step, most)
            : await this.#byProfiles(step.keys, most)),
        ); // prettier-ignore
        if (found.length >= n) return found;
      }
    }
    return found;
  }

  /** @param days newest first */
  async #counts(days: readonly Day[], profiles: readonly number[]): Promise<Count[]> {
    const wanted = areFew(profiles) ? 'profile = ANY($3::bigint[])' : isOneOf('$3');
    const rows = await this.#rows<{ profile: string; day: number; records: string }>(
      `SELECT day, profile, records FROM ${T.counts} WHERE day >= $1 AND day <= $2 AND ${wanted}`,
      [days.at(-1)!.day, days[0]!.day, profiles],
    );
    return rows.map(({ day, profile, records }) => ({
      day,
      profile: Number(profile),
      records: Number(records),
    }));
  }

  async #byKeys(keys: readonly number[], profiles: readonly number[] | null, { from, to }: Range, n: number) {
    const others = keys
      .slice(1)
      .map(
        (_, i) =>
          `AND EXISTS (SELECT 1 FROM ${T.postings} o WHERE o.key = $${i + 6} AND o.decision = p.decision)`,
      ); // prettier-ignore
    return this.#ids(
      `SELECT DISTINCT decision FROM ${T.postings} p WHERE key = $1 AND decision >= $2 AND decision < $3
       AND ${isOneOf('$5')} ${others.join(' ')} ORDER BY decision DESC LIMIT $4`,
      [keys[0], from, to, n, profiles, ...keys.slice(1)],
    );
  }

  #byProfiles(keys: readonly (Range & { readonly key: number })[], n: number): Promise<string[]> {
    return this.#ids(
      `SELECT DISTINCT decision FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS k(key, low, high) CROSS JOIN LATERAL
       (SELECT DISTINCT decision FROM ${T.postings} p WHERE p.key = k.key AND decision >= k.low AND decision < k.high
        ORDER BY decision DESC LIMIT $4) AS found ORDER BY decision DESC LIMIT $4`,
      [keys.map(({ key }) => key), keys.map(({ from }) => from), keys.map(({ to }) => to), n],
    );
  }

  #all(profiles: readonly number[] | null, { from, to }: Range, n: number): Promise<string[]> {
    return this.#ids(
      `SELECT DISTINCT decision FROM ${T.records} WHERE decision >= $1 AND decision < $2
       AND ${isOneOf('$4')} ORDER BY decision DESC LIMIT $3`,
      [from, to, n, profiles],
    );
  }

  async #ids(text: string, values: readonly unknown[]): Promise<string[]> {
    return (await this.#rows<{ decision: string }>(text, values)).map(({ decision }) => decision);
  }

  async #fetch(decisions: readonly string[]): Promise<Decision[]> {
    const ids = decisions.filter(isDecisionId);
    if (ids.length === 0) return [];
    // The bounds name the partitions.
    const rows = await this.#rows<Row>(
      `${SELECT} WHERE decision = ANY($1::uuid[]) AND decision >= $2 AND decision <= $3`,
      [ids, ids.at(-1), ids[0]],
    );
    const byId = new Map<string, DecisionRecord[]>(ids.map((id) => [id, []]));
    for (const { record } of await this.#stored(rows)) byId.get(record.decision_id)!.push(record);
    return [...byId.values()].filter((records) => records.length > 0).map(merge);
  }

  async #stored(rows: readonly Row[]): Promise<Stored[]> {
    const payloads = rows.map(({ payload }) => JSON.parse(payload) as Payload);
    const documents = await this.#documentsOf(payloads.flatMap(numbersIn));
    return rows.map(({ decision, origin, seq, profile, hashes }, i) => ({
      record: recordOf(
        { decision, origin, seq: Number(seq), hashes },
        payloads[i]!,
        (n) => documents.get(n)!,
      ),
      profile: Number(profile),
    }));
  }

  async #documentsOf(numbers: readonly number[]): Promise<ReadonlyMap<number, Members>> {
    const found = new Map<number, Members>();
    const missing = new Set<number>();
    for (const number of numbers) {
      const known = this.#documents.get(number);
      if (known === undefined) missing.add(number);
      else found.set(number, known);
    }
    if (missing.size === 0) return found;
    const rows = await this.#rows<{ id: string; text: string }>(
      `SELECT id, text FROM ${T.texts} WHERE id = ANY($1::bigint[])`,
      [[...missing]],
    );
    for (const { id, text } of rows) {
      const document = JSON.parse(text) as Members;
      this.#documents.set(Number(id), document);
      found.set(Number(id), document);
    }
    return found;
  }

  async status(): Promise<IndexStatus> {
    const [size] = await this.#rows<{ bytes: string }>(
      `SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class c
       WHERE relname LIKE '${T.state.replace('state', '')}%' AND relkind = 'r' AND pg_table_is_visible(c.oid)`,
    );
    return { version: VERSION, bytes: Number(size!.bytes), ...summary(await this.#read()) };
  }

  /** Other sidecars may do the same: who comes second finds nothing to delete. */
  async prune(): Promise<readonly string[]> {
    const before = dateOf(dayAt(this.oldest)).replaceAll('-', '');
    // Also those that were detached and are still there.
    const rows = await this.#rows<{ day: string }>(
      `SELECT DISTINCT right(relname, 8) AS day FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)
       AND relname ~ '^(${T.records}|${T.postings})_[0-9]{8}$' AND right(relname, 8) < $1 ORDER BY 1`,
      [before],
    );
    for (const { day } of rows) await this.#drop(day);
    return rows.map(({ day }) => day.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3'));
  }

  /** @param digits of a date */
  async #drop(digits: string): Promise<void> {
    const day = dayAt(Date.parse(digits.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3')));
    for (const table of [T.records, T.postings]) await this.#detach(table, partition(table, digits));
    await this.#transaction(async (client) => {
      // Whoever waits for the tables makes queries wait. So it gives up, and is tried again.
      await client.query(`SET LOCAL lock_timeout = '5s'; SELECT pg_advisory_xact_lock(${LOCK})`);
      for (const table of [T.records, T.postings])
        await client.query(`DROP TABLE IF EXISTS ${partition(table, digits)}`);
      for (const table of [T.days, T.counts, T.texts])
        await client.query(`DELETE FROM ${table} WHERE day = $1`, [day]);
      const { rowCount } = await client.query(
        `DELETE FROM ${T.texts} WHERE day = $1 AND id NOT IN (SELECT profile FROM ${T.counts})`,
        [ALL_DAYS],
      );
      // Sidecars may know the numbers of these profiles.
      if (rowCount !== 0) await client.query(`UPDATE ${T.state} SET generation = gen_random_uuid()`);
    });
    this.#days.delete(day);
  }

  /**
   * Blocks neither queries nor feeders, which dropping an attached partition does. It waits for transactions that use the table, and gives up
   * after a while: what is left is done at the next look.
   */
  async #detach(table: string, name: string): Promise<void> {
    const [found] = await this.#rows<{ inhdetachpending: boolean }>(
      'SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass($1)',
      [name],
    );
    if (found === undefined) return;
    const how = found.inhdetachpending ? 'FINALIZE' : 'CONCURRENTLY';
    const client = await this.#pool.connect();
    try {
      // Not in a transaction.
      await client.query("SET lock_timeout = '5s'");
      await client.query(`ALTER TABLE ${table} DETACH PARTITION ${name} ${how}`);
    } catch (e) {
      // Another sidecar was faster.
      if ((e as { code?: string }).code !== '42P01') throw unavailable(e);
    } finally {
      await client.query('RESET lock_timeout').catch(() => undefined);
      client.release();
    }
  }

  async forget(origin: string, seqs: readonly SeqRange[]): Promise<void> {
    await this.#read();
    await this.#transaction(async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
      // In pieces, so that memory has a bound.
      for (const [first, last] of seqs)
        for (let from = first; from <= last; from += BATCH)
          await this.#remove(client, origin, from, Math.min(last, from + BATCH - 1));
      await client.query(`UPDATE ${T.state} SET generation = gen_random_uuid()`);
    });
  }

  async #remove(client: Client, origin: string, first: number, last: number): Promise<void> {
    const { rows } = await client.query<Row>(
      `${SELECT} WHERE origins.origin = $1 AND records.seq BETWEEN $2 AND $3`,
      [origin, first, last],
    );
    await client.query(
      `DELETE FROM ${T.records} WHERE origin = (SELECT id FROM ${T.origins} WHERE origin = $1) AND seq BETWEEN $2 AND $3`,
      [origin, first, last],
    );
    for (const [day, ofDay] of Map.groupBy(rows, ({ decision }) => dayOf(decision)))
      await this.#removeOf(client, day, await this.#stored(ofDay));
  }

  /** Deletes what is stored of a day for removed records alone. */
  async #removeOf(client: Client, day: number, removed: readonly Stored[]): Promise<void> {
    const bounds = [idAt(startOf(day)), idAt(startOf(day + 1))];
    const { rows } = await client.query<Row>(
      `${SELECT} WHERE decision = ANY($1::uuid[]) AND decision >= $2 AND decision < $3`,
      [[...new Set(removed.map(({ record }) => record.decision_id))], ...bounds],
    );
    const postings = postingsOfNone(removed, await this.#stored(rows));
    await client.query(
      `DELETE FROM ${T.postings} p USING unnest($3::bigint[], $4::uuid[], $5::bigint[]) AS r(key, decision, profile)
       WHERE p.key = r.key AND p.decision = r.decision AND p.profile = r.profile AND p.decision >= $1 AND p.decision < $2`,
      [
        ...bounds,
        postings.map((p) => p.key),
        postings.map((p) => p.decision),
        postings.map((p) => p.profile),
      ],
    );
    const counts = [...Map.groupBy(removed, ({ profile }) => profile)];
    await client.query(
      `UPDATE ${T.counts} c SET records = c.records - r.n FROM unnest($2::bigint[], $3::bigint[]) AS r(profile, n)
       WHERE c.day = $1 AND c.profile = r.profile`,
      [day, counts.map(([profile]) => profile), counts.map(([, list]) => list.length)],
    );
    await client.query(`UPDATE ${T.days} SET records = records - $2 WHERE day = $1`, [day, removed.length]);
    for (const table of [T.counts, T.days])
      await client.query(`DELETE FROM ${table} WHERE day = $1 AND records = 0`, [day]);
    await client.query(
      `DELETE FROM ${T.texts} WHERE day = $1 AND id NOT IN (
         SELECT number::bigint FROM ${T.records},
           LATERAL (VALUES (payload::json ->> 'access'), (payload::json ->> 'subject'), (payload::json -> 'fields' ->> 0)) AS v(number)
         WHERE decision >= $2 AND decision < $3 AND number IS NOT NULL
         UNION SELECT (answer ->> 0)::bigint FROM ${T.records}, json_array_elements(payload::json -> 'answers') AS answer
         WHERE decision >= $2 AND decision < $3)`,
      [day, ...bounds],
    );
  }

  async clear(): Promise<void> {
    await this.#prepared();
    await this.#transaction(async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
      await client.query(`${DROP}; ${SCHEMA}`);
    });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** The name of a statement. PostgreSQL cuts names after 63 bytes. */
const nameOf = (text: string): string => hash('sha256', text, 'hex').slice(0, 32);
/** codes of PostgreSQL: no such prepared statement, or one of that name already */
const NOT_NAMED = new Set(['26000', '42P05']);

async function copyInto(client: Client, table: string, rows: Buffer): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT binary)`));
  stream.end(rows);
  await finished(stream);
}

const unavailable = (cause: unknown): SluiceError =>
  cause instanceof SluiceError
    ? cause
    : new SluiceError('config_invalid', {
        message: `PostgreSQL, the index of decisions, does not answer (${(cause as { code?: string }).code ?? (cause as Error).name}).`,
        cause,
      });
