/**
 * Queries the journal without an index, in one pass. Two more passes are needed if a record follows the one that was marked
 * as the last of its decision (a response that broke off). Only lines with a correct hash count. Memory is bounded by the
 * page, by concurrent decisions and by interrupted ones, not by the journal.
 */
import type { DecisionRecord } from '../../model/record.ts';
import { type Decision, merge } from './decision.ts';
import { listOrigins, type Segment } from '../journal/directory.ts';
import { linesLeft } from '../journal/lines.ts';
import { isShared, isVersion2 } from '../journal/line.ts';
import { SegmentReader } from '../journal/reader.ts';
import { since, SLACK } from './since.ts';
import {
  type DecisionPage,
  type DecisionQuery,
  MAX_DURATION_MS,
  matches,
  mayMatch,
  needles,
  ownNeedles,
  type QueryInterface,
  type ReadyQuery,
  readyQuery,
} from './query.ts';

export function scanQuery(dir: string): QueryInterface {
  return {
    async query(query: DecisionQuery): Promise<DecisionPage> {
      const q = readyQuery(query);
      /** decisions with a record after their last part, merged again; null: not a result */
      const late = new Map<string, Decision | null>();
      let newest: Newest;
      for (;;) {
        newest = new Newest(q.limit + 1, q.cursor ?? null);
        const more = new Set<string>();
        for await (const decision of decisions(dir, q, (id) => newest.wants(id), more))
          if (!late.has(decision.decision_id) && matches(decision, q)) newest.add(decision);
        for (const decision of late.values()) if (decision !== null) newest.add(decision);
        const ids = new Set([...more].filter((id) => !late.has(id) && newest.wants(id)));
        if (ids.size === 0) break;
        for (const decision of await complete(dir, ids, q.from))
          late.set(decision.decision_id, matches(decision, q) ? decision : null);
        for (const id of ids) if (!late.has(id)) late.set(id, null);
      }
      const found = newest.take();
      return found.length <= q.limit
        ? { decisions: found, cursor: null }
        : { decisions: found.slice(0, q.limit), cursor: found[q.limit - 1]!.decision_id };
    },
    all: (query) => allDecisions(dir, query),
    async get(decisionId: string): Promise<Decision | null> {
      return (await complete(dir, new Set([decisionId]), Number.NEGATIVE_INFINITY))[0] ?? null;
    },
  };
}

/**
 * Yields every decision of the journal that is a result, once, in the order of the chains: what a report folds over. Ignores `limit` and `cursor`.
 * Memory is bounded as that of a query, without its page.
 */
export async function* allDecisions(
  dir: string,
  query: DecisionQuery,
  progress?: Progress,
): AsyncGenerator<Decision, void, void> {
  const q = readyQuery(query);
  const late = new Set<string>();
  // Most decisions have one record, which this pass does not parse.
  for await (const _ of decisions(dir, q, () => true, late, { skipsWhole: true }));
  for await (const decision of decisions(dir, q, (id) => !late.has(id), new Set(), { progress }))
    if (matches(decision, q)) yield decision;
  for (const decision of await complete(dir, late, q.from)) if (matches(decision, q)) yield decision;
}

/** Merges all records of the given decisions. */
async function complete(dir: string, ids: ReadonlySet<string>, from: number): Promise<Decision[]> {
  const found = new Map<string, DecisionRecord[]>();
  if (ids.size === 0) return [];
  const reader = new SegmentReader();
  for await (const line of lines(reader, dir, from)) {
    const id = idOf(line);
    if (id !== null && !ids.has(id)) continue;
    const record = recordIn(line, reader);
    if (record === null || !ids.has(record.decision_id)) continue;
    found.set(record.decision_id, [...(found.get(record.decision_id) ?? []), record]);
  }
  return [...found.values()].map(merge);
}

/** Keeps the newest of the added decisions, by id, which sorts by time. */
class Newest {
  readonly #most: number;
  readonly #before: string | null;
  #kept = new Map<string, Decision>();
  #least = '';

  /** @param before this id and later ones belong to earlier pages */
  constructor(most: number, before: string | null) {
    this.#most = most;
    this.#before = before;
  }

  wants(id: string): boolean {
    return id >= this.#least && (this.#before === null || id < this.#before);
  }

  add(decision: Decision): void {
    if (!this.wants(decision.decision_id)) return;
    this.#kept.set(decision.decision_id, decision);
    if (this.#kept.size >= 2 * this.#most) this.#prune();
  }

  take(): readonly Decision[] {
    this.#prune();
    return [...this.#kept.values()];
  }

  #prune(): void {
    const sorted = [...this.#kept].sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, this.#most);
    this.#kept = new Map(sorted);
    if (sorted.length === this.#most) this.#least = sorted.at(-1)![0];
  }
}

/** In canonical order the id follows the action in version 1. In version 2 no member before it can hold members of this name. */
const ID = /^\{"action":(?:null|"[^"\\]*"),"decision_id":"([\w-]+)"/;
const ID_MARK = '"decision_id":"';
const QUOTE = 0x22;

function idOf(line: Buffer): string | null {
  if (!isVersion2(line)) return ID.exec(line.toString('latin1', 0, 200))?.[1] ?? null;
  const at = line.indexOf(ID_MARK);
  if (at === -1 || line.includes(WHOLE)) return null;
  const from = at + ID_MARK.length;
  return line.toString('latin1', from, line.indexOf(QUOTE, from));
}

/** the payload of an unusual record */
const WHOLE = Buffer.from('"payload":{"record":');

/** True if the line holds every text that it must hold to be a result. */
function filter(q: ReadyQuery): (line: Buffer) => boolean {
  const [all, own] = [needles(q), ownNeedles(q)].map((list) => list.map((t) => Buffer.from(t)));
  return (line) => (isVersion2(line) ? own! : all!).every((t) => line.includes(t));
}

/** Marks a decision with one record. Inside a string the quotes would be escaped, so it cannot match there. */
const ONLY = Buffer.from('"part":{"last":true,"number":1}');
/** In version 2 such a decision has no `part`. */
const PART = Buffer.from('"part":');

/**
 * Yields every decision that may be a result, once. The records of a decision are in one chain and in order, mixed with
 * those of other decisions. They are collected until the last one, or until the decision is too old to continue.
 * @param late receives the ids of decisions with a record after their last part
 * @param options `skipsWhole`: decisions with one record are left out
 */
async function* decisions(
  dir: string,
  q: ReadyQuery,
  wanted: (id: string) => boolean,
  late: Set<string>,
  {
    skipsWhole = false,
    progress,
  }: { readonly skipsWhole?: boolean; readonly progress?: Progress | undefined } = {},
): AsyncGenerator<Decision, void, void> {
  const mayBe = filter(q);
  const reader = new SegmentReader();
  for (const files of await listOrigins(dir)) {
    if (q.origin !== undefined && files.origin !== q.origin) continue;
    const open = new Map<string, DecisionRecord[]>();
    for await (const line of linesOf(reader, files.segments, q.from, progress)) {
      const id = idOf(line);
      if (id !== null && !wanted(id)) continue;
      const only = isVersion2(line) ? !line.includes(PART) : line.includes(ONLY);
      if (only && (skipsWhole || !mayBe(line))) continue;
      const record = recordIn(line, reader);
      if (record === null || !wanted(record.decision_id)) continue;
      if (only) {
        if (mayMatch(record, q)) yield merge([record]);
        continue;
      }
      const records = open.get(record.decision_id);
      if (records !== undefined) records.push(record);
      else if (record.part.number === 1) open.set(record.decision_id, [record]);
      else late.add(record.decision_id);
      if (record.part.last && records !== undefined) {
        open.delete(record.decision_id);
        yield merge(records);
      } else if (!record.part.last) yield* brokenOff(open, Date.parse(record.timestamp));
    }
    for (const records of open.values()) yield merge(records);
  }
}

/** Decisions that began too long before `now` to get another record. */
function* brokenOff(open: Map<string, DecisionRecord[]>, now: number): Generator<Decision, void, void> {
  for (const [id, records] of open) {
    if (Date.parse(records[0]!.timestamp) >= now - MAX_DURATION_MS) return;
    open.delete(id);
    yield merge(records);
  }
}

function recordIn(line: Buffer, reader: SegmentReader): DecisionRecord | null {
  const read = reader.read(line);
  return read.what === 'record' ? read.record : null;
}

export interface Found {
  readonly record: DecisionRecord;
  /** a line that can be verified on its own */
  readonly line: string;
}

/** Yields every record that matches the query on its own, in the order of the chains. Ignores `limit` and `cursor`. */
export async function* records(
  dir: string,
  query: DecisionQuery,
  progress?: Progress,
): AsyncGenerator<Found, void, void> {
  const q = readyQuery(query);
  const mayBe = filter(q);
  const reader = new SegmentReader();
  for await (const line of lines(reader, dir, q.from, q.origin, progress)) {
    if (!mayBe(line)) continue;
    const read = reader.read(line);
    if (read.what === 'record' && matches(merge([read.record]), q))
      yield { record: read.record, line: read.line() };
  }
}

type Progress = (bytes: number) => void;

async function* lines(
  reader: SegmentReader,
  dir: string,
  from: number,
  origin?: string,
  progress?: Progress,
): AsyncGenerator<Buffer, void, void> {
  for (const files of await listOrigins(dir)) {
    if (origin === undefined || files.origin === origin)
      yield* linesOf(reader, files.segments, from, progress);
  }
}

/** Lines that may be records. The reader gets the shared documents before them. */
async function* linesOf(
  reader: SegmentReader,
  segments: readonly Segment[],
  from: number,
  progress?: Progress,
): AsyncGenerator<Buffer, void, void> {
  for (const segment of await since(segments, from - SLACK)) {
    reader.begin();
    for await (const batch of linesLeft(segment.path)) {
      for (const { bytes, complete } of batch) {
        if (!complete) continue;
        progress?.(bytes.length + 1);
        if (isShared(bytes)) reader.read(bytes);
        else yield bytes;
      }
    }
  }
}
