/**
 * The index on one machine: SQLite in WAL mode, so that readers and the feeder do not block each other.
 * The file is long because reading and writing share the numbers of texts, and the generation of the tables that they are valid for.
 */
import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { isSame, statOf } from '../file-identity.ts';
import type { Members, Payload } from '../journal/compact.ts';
import { type Decision, merge } from './decision.ts';
import {
  DAY,
  dateOf,
  dayAt,
  dayOf,
  type Entry,
  idAt,
  isDecisionId,
  indexable,
  numbersIn,
  payloadOf,
  postingsOfNone,
  recordOf,
  startOf,
  type Stored,
  Totals,
} from './entry.ts';
import { inTransaction, openFile, recreate, VERSION } from './sqlite-file.ts';
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
  type IndexStatus,
  type IndexStore,
  type IndexOptions,
  oldestKept,
  type Position,
  requireUnbroken,
  type SeqRange,
} from './store.ts';

const bytesOf = (decision: string): Buffer => Buffer.from(decision.replaceAll('-', ''), 'hex');
const idOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** records of one transaction: larger ones write each page of the tables less often, and block other processes for longer */
const BATCH = 5000;
/** A day is deleted in as many transactions, so that feeders and queries get their turns. */
const SLICES = 24;
const KEYS_END = 2 ** 49;
/** the day of profiles, which all days share */
const ALL_DAYS = -1;

/**
 * Without a file, or with one of an earlier version, it begins with nothing.
 * @throws SluiceError `config_invalid` if the file cannot be opened or is not an index
 */
export function openSqliteIndex(
  path: string,
  { keep, replaced = () => undefined }: IndexOptions = {},
): IndexStore {
  return new SqliteIndex(path, () => openFile(path, replaced), keep);
}

interface Row {
  readonly decision: Uint8Array;
  readonly origin: string;
  readonly seq: number;
  readonly profile: number;
  readonly hashes: string;
  readonly payload: string;
}

class SqliteIndex implements IndexStore {
  readonly name = 'sqlite';
  readonly batch = BATCH;
  readonly hold = indexable;
  readonly #path: string;
  readonly #keep: number | undefined;
  readonly #open: () => DatabaseSync;
  #db: DatabaseSync;
  #file: BigIntStats | null;
  /** of the tables; `clear` gives them another */
  #generation = '';
  /** A document has a number for each day. */
  #numbers = new WeakMap<Text, { readonly day: number; readonly number: number }>();
  readonly #documents = new LRUCache<number, Members>({ max: 10_000 });
  #profiles = new Profiles();

  constructor(path: string, open: () => DatabaseSync, keep: number | undefined) {
    this.#path = path;
    this.#keep = keep;
    this.#open = open;
    this.#db = open();
    this.#file = statOf(path);
  }

  get oldest(): number {
    return oldestKept(this.#keep);
  }

  /** Opens the file again if it was deleted or replaced: what is written to a file without a name, nobody finds. */
  #current(): DatabaseSync {
    if (!isSame(statOf(this.#path), this.#file)) {
      this.#db.close();
      this.#db = this.#open();
      this.#file = statOf(this.#path);
    }
    this.#remember();
    return this.#db;
  }

  /** Numbers are valid as long as the tables are the same. */
  #remember(): void {
    const { generation } = this.#db.prepare('SELECT generation FROM state').get() as { generation: string };
    if (generation === this.#generation) return;
    this.#numbers = new WeakMap();
    this.#documents.clear();
    this.#profiles = new Profiles();
    this.#generation = generation;
  }

  async positions(): Promise<ReadonlyMap<string, Position>> {
    const sql = 'SELECT origin, segment, byte AS offset, seq FROM origins';
    const rows = this.#current().prepare(sql).all() as unknown as (Position & { origin: string })[];
    return new Map(rows.map(({ origin, segment, offset, seq }) => [origin, { segment, offset, seq }]));
  }

  async take(origin: string, entries: readonly Entry[], position: Position, from: Position): Promise<void> {
    const db = this.#current();
    try {
      inTransaction(db, () => {
        this.#remember();
        this.#store(origin, entries, position, from);
      });
    } catch (e) {
      // What it has noted was undone.
      this.#generation = '';
      throw e;
    }
  }

  #store(origin: string, entries: readonly Entry[], position: Position, from: Position): void {
    const db = this.#db;
    db.prepare('INSERT OR IGNORE INTO origins (origin, segment, byte, seq) VALUES (?,0,0,0)').run(origin);
    const stored = db.prepare('SELECT id, seq FROM origins WHERE origin = ?').get(origin);
    const { id, seq } = stored as { id: number; seq: number };
    requireUnbroken(seq, from);
    const record = db.prepare('INSERT OR IGNORE INTO records VALUES (?,?,?,?,?,?)');
    const posting = db.prepare('INSERT OR IGNORE INTO postings VALUES (?,?,?,?)');
    const oldest = dayAt(this.oldest);
    const totals = new Totals();
    for (const entry of entries) {
      // Another feeder of this chain may have been faster.
      if (entry.seq <= seq || entry.day < oldest) continue;
      const decision = bytesOf(entry.decision);
      const profile = this.#number(entry.profile, ALL_DAYS);
      const payload = payloadOf(
        entry,
        entry.documents.map((text) => this.#number(text, entry.day)),
      );
      record.run(decision, id, entry.seq, profile, Buffer.from(entry.hashes, 'hex'), payload);
      posting.run(entry.day, profile, decision, profile);
      for (const key of entry.keys) posting.run(entry.day, key, decision, profile);
      totals.add(entry, profile);
    }
    const days = db.prepare(
      `INSERT INTO days VALUES (?,?,?,?) ON CONFLICT (day) DO UPDATE SET records = records + excluded.records,
       low = min(low, excluded.low), high = max(high, excluded.high)`,
    );
    for (const { day, records, low, high } of totals.days()) days.run(day, records, low, high);
    const counts = db.prepare(
      'INSERT INTO counts VALUES (?,?,?) ON CONFLICT DO UPDATE SET records = records + excluded.records',
    );
    for (const { profile, day, records } of totals.counts()) counts.run(day, profile, records);
    if (position.seq <= seq) return;
    const move = db.prepare('UPDATE origins SET segment = ?, byte = ?, seq = ? WHERE id = ?');
    move.run(position.segment, position.offset, position.seq, id);
  }

  /** The number of a text that many records share. */
  #number(text: Text, day: number): number {
    const known = this.#numbers.get(text);
    if (known?.day === day) return known.number;
    const digest = Buffer.from(text.digest, 'hex');
    this.#db
      .prepare('INSERT OR IGNORE INTO texts (day, digest, text) VALUES (?,?,?)')
      .run(day, digest, text.text);
    const row = this.#db.prepare('SELECT id FROM texts WHERE day = ? AND digest = ?').get(day, digest);
    const { id } = row as { id: number };
    this.#numbers.set(text, { day, number: id });
    return id;
  }

  query: IndexStore['query'] = (query) =>
    page(query, async (q, before, n) => {
      this.#current();
      return this.#fetch(this.#candidates(q, before, n));
    });

  async get(decisionId: string): Promise<Decision | null> {
    this.#current();
    return this.#fetch([decisionId])[0] ?? null;
  }

  /** Ids of decisions that may match, newest first. */
  #candidates(q: ReadyQuery, before: string | null, n: number): string[] {
    if (q.decision_id !== undefined) return before === null || q.decision_id < before ? [q.decision_id] : [];
    const days = ranges(this.#db.prepare('SELECT * FROM days').all() as unknown as Day[], q, before);
    const keys = keysIn(q);
    const profiles = this.#matching(q, keys.length > 0);
    const found: string[] = [];
    for (const search of this.#searches(days, keys, profiles, n)) {
      found.push(...search(n - found.length));
      if (found.length >= n) break;
    }
    return found;
  }

  *#searches(
    days: readonly (Range & Day)[],
    keys: readonly number[],
    profiles: readonly number[] | null,
    n: number,
  ): Generator<(most: number) => readonly string[], void, void> {
    if (profiles?.length === 0) return;
    if (profiles !== null) this.#want(profiles);
    if (keys.length > 0) {
      const postings = this.#postings(keys.slice(1), profiles !== null);
      for (const day of days) yield (most) => postings(day.day, keys[0]!, day, most);
    } else if (profiles === null) {
      const all = this.#all(null);
      for (const day of days) yield (most) => all(day, most);
    } else {
      // A column with a plus is not looked up in an index.
      const wanted = areFew(profiles)
        ? '+day >= ? AND +day <= ? AND profile IN temp.wanted'
        : 'day >= ? AND day <= ? AND +profile IN temp.wanted';
      const counted = this.#db.prepare(`SELECT * FROM counts WHERE ${wanted}`);
      const postings = this.#postings([], false);
      for (const group of groups(days, profiles)) {
        const counts = counted.all(group.at(-1)!.day, group[0]!.day) as unknown as Count[];
        for (const step of steps(group, counts, n))
          yield (most) => {
            if (step.keys === null) return this.#all(step.profiles)(step, most);
            const ids = step.keys.flatMap(({ day, key, ...range }) => postings(day, key, range, most));
            return [...new Set(ids)].sort().reverse().slice(0, most);
          };
      }
    }
  }

  #want(profiles: readonly number[]): void {
    this.#db.exec('DELETE FROM temp.wanted');
    const insert = 'INSERT INTO temp.wanted SELECT value FROM json_each(?)';
    this.#db.prepare(insert).run(JSON.stringify(profiles));
  }

  /** @param others keys that the decision must have, too; @param isWanted of those profiles only */
  #postings(others: readonly number[], isWanted: boolean) {
    const too =
      'AND EXISTS (SELECT 1 FROM postings o WHERE o.day = p.day AND o.key = ? AND o.decision = p.decision)';
    const select = this.#db.prepare(
      `SELECT DISTINCT decision FROM postings p WHERE day = ? AND key = ? AND decision >= ? AND decision < ?
       ${isWanted ? 'AND profile IN temp.wanted' : ''} ${others.map(() => too).join(' ')}
       ORDER BY decision DESC LIMIT ?`,
    );
    return (day: number, key: number, { from, to }: Range, most: number): string[] =>
      ids(select.all(day, key, bytesOf(from), bytesOf(to), ...others, most));
  }

  #all(profiles: readonly number[] | null) {
    const list = profiles === null ? [] : [JSON.stringify(profiles)];
    const select = this.#db.prepare(
      `SELECT DISTINCT decision FROM records WHERE decision >= ? AND decision < ?
       ${profiles === null ? '' : 'AND profile IN (SELECT value FROM json_each(?))'} ORDER BY decision DESC LIMIT ?`,
    );
    return ({ from, to }: Range, most: number): string[] =>
      ids(select.all(bytesOf(from), bytesOf(to), ...list, most));
  }

  #matching(q: ReadyQuery, byKey: boolean): readonly number[] | null {
    const rows = this.#db
      .prepare('SELECT id, text FROM texts WHERE day = ? AND id > ?')
      .all(ALL_DAYS, this.#profiles.last);
    for (const { id, text } of rows as { id: number; text: string }[]) this.#profiles.add(id, text);
    return this.#profiles.matching(q, byKey);
  }

  #fetch(decisions: readonly string[]): Decision[] {
    const stored = this.#stored('decision = ?');
    return decisions.filter(isDecisionId).flatMap((decision) => {
      const records = stored(bytesOf(decision)).map(({ record }) => record);
      return records.length === 0 ? [] : merge(records);
    });
  }

  #stored(where: string): (...values: SQLInputValue[]) => Stored[] {
    const select = this.#db.prepare(
      `SELECT decision, origins.origin, records.seq, profile, lower(hex(hashes)) AS hashes, payload
       FROM records JOIN origins ON origins.id = records.origin WHERE ${where}`,
    );
    return (...values) =>
      (select.all(...values) as unknown as Row[]).map(({ decision, profile, payload, ...row }) => ({
        record: recordOf({ ...row, decision: idOf(decision) }, JSON.parse(payload) as Payload, (n) =>
          this.#document(n),
        ),
        profile,
      }));
  }

  #document(number: number): Members {
    const known = this.#documents.get(number);
    if (known !== undefined) return known;
    const { text } = this.#db.prepare('SELECT text FROM texts WHERE id = ?').get(number) as { text: string };
    const document = JSON.parse(text) as Members;
    this.#documents.set(number, document);
    return document;
  }

  async status(): Promise<IndexStatus> {
    const db = this.#current();
    const { bytes } = db
      .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()')
      .get() as { bytes: number };
    return {
      version: VERSION,
      bytes,
      ...summary(db.prepare('SELECT * FROM days').all() as unknown as Day[]),
    };
  }

  async prune(): Promise<readonly string[]> {
    const before = dayAt(this.oldest);
    const pruned: string[] = [];
    for (;;) {
      const db = this.#current();
      const { day } = db
        .prepare(
          `SELECT min(day) AS day FROM (SELECT min(day) AS day FROM days UNION ALL SELECT min(day) FROM postings
           UNION ALL SELECT min(day) FROM texts WHERE day > -1)`,
        )
        .get() as { day: number | null };
      if (day === null || day >= before) return pruned;
      await this.#deleteDay(day);
      pruned.push(dateOf(day));
    }
  }

  /** What queries begin with goes first, and what the day is found by last: a deletion that is broken off is continued. */
  async #deleteDay(day: number): Promise<void> {
    this.#overwrite();
    const remove = (sql: string, ...values: SQLInputValue[]) => this.#db.prepare(sql).run(...values);
    inTransaction(this.#db, () => {
      remove('DELETE FROM days WHERE day = ?', day);
      remove('DELETE FROM counts WHERE day = ?', day);
    });
    const at = (slice: number) => bytesOf(idAt(startOf(day) + slice * (DAY / SLICES)));
    for (let i = 0; i < SLICES; i++) {
      remove('DELETE FROM records WHERE decision >= ? AND decision < ?', at(i), at(i + 1));
      await new Promise(setImmediate);
    }
    const key = (slice: number) => Math.floor((slice * KEYS_END) / SLICES);
    for (let i = 0; i < SLICES; i++) {
      remove('DELETE FROM postings WHERE day = ? AND key >= ? AND key < ?', day, key(i), key(i + 1));
      await new Promise(setImmediate);
    }
    inTransaction(this.#db, () => {
      remove('DELETE FROM texts WHERE day = ?', day);
      const orphaned = 'DELETE FROM texts WHERE day = ? AND id NOT IN (SELECT profile FROM counts)';
      // Other processes may know the numbers of these profiles.
      if (Number(remove(orphaned, ALL_DAYS).changes) > 0)
        remove('UPDATE state SET generation = ?', randomUUID());
    });
  }

  /**
   * What is deleted on this connection is overwritten. Pages that were split earlier may still hold copies: a rebuilt index has none. It would
   * cost a feeder an eighth more.
   */
  #overwrite(): void {
    this.#db.exec('PRAGMA secure_delete=ON');
  }

  async forget(origin: string, seqs: readonly SeqRange[]): Promise<void> {
    const db = this.#current();
    this.#overwrite();
    inTransaction(db, () => {
      this.#remember();
      // In pieces, so that memory has a bound.
      for (const [first, last] of seqs)
        for (let from = first; from <= last; from += BATCH)
          this.#remove(origin, from, Math.min(last, from + BATCH - 1));
      db.prepare('UPDATE state SET generation = ?').run(randomUUID());
    });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  #remove(origin: string, first: number, last: number): void {
    const db = this.#db;
    const removed = this.#stored('origins.origin = ? AND records.seq BETWEEN ? AND ?')(origin, first, last);
    db.prepare(
      'DELETE FROM records WHERE origin = (SELECT id FROM origins WHERE origin = ?) AND seq BETWEEN ? AND ?',
    ).run(origin, first, last);
    const byDecision = this.#stored('decision = ?');
    const ids = new Set(removed.map(({ record }) => record.decision_id));
    const left = [...ids].flatMap((id) => byDecision(bytesOf(id)));
    const posting = db.prepare(
      'DELETE FROM postings WHERE day = ? AND key = ? AND decision = ? AND profile = ?',
    );
    for (const { key, decision, profile } of postingsOfNone(removed, left))
      posting.run(dayOf(decision), key, bytesOf(decision), profile);
    const count = db.prepare('UPDATE counts SET records = records - 1 WHERE profile = ? AND day = ?');
    const ofDay = db.prepare('UPDATE days SET records = records - 1 WHERE day = ?');
    const days = new Set<number>();
    for (const { record, profile } of removed) {
      const day = dayOf(record.decision_id);
      count.run(profile, day);
      ofDay.run(day);
      days.add(day);
    }
    for (const day of days) this.#removeUnused(day);
  }

  /** Deletes the texts of a day that no record has. */
  #removeUnused(day: number): void {
    const db = this.#db;
    const used = new Set<number>();
    const payloads = db.prepare('SELECT payload FROM records WHERE decision >= ? AND decision < ?');
    for (const row of payloads.iterate(bytesOf(idAt(startOf(day))), bytesOf(idAt(startOf(day + 1)))))
      for (const number of numbersIn(JSON.parse(row['payload'] as string) as Payload)) used.add(number);
    const remove = db.prepare('DELETE FROM texts WHERE id = ?');
    for (const { id } of db.prepare('SELECT id FROM texts WHERE day = ?').all(day) as { id: number }[])
      if (!used.has(id)) remove.run(id);
    db.prepare('DELETE FROM days WHERE day = ? AND records = 0').run(day);
    db.prepare('DELETE FROM counts WHERE day = ? AND records = 0').run(day);
  }

  async clear(): Promise<void> {
    const db = this.#current();
    inTransaction(db, () => recreate(db));
    // The file gets short: what was in it is in none of its pages.
    db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}

const ids = (rows: readonly unknown[]): string[] =>
  (rows as readonly { readonly decision: Uint8Array }[]).map(({ decision }) => idOf(decision));
