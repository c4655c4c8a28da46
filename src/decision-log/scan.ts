/**
 * Answers from the journal itself, without an index: one pass to find which decisions, one to fetch them. Only lines
 * that their hash confirms are believed. Memory is bounded by the page, not by the journal.
 */
import type { DecisionRecord } from '../model/record.ts';
import { inspect } from './chain.ts';
import { type Decision, merge } from './decision.ts';
import { listOrigins, type Segment } from './directory.ts';
import { readLines } from './lines.ts';
import {
  type DecisionPage,
  type DecisionQuery,
  matches,
  mayMatch,
  needles,
  page,
  type QueryInterface,
  type ReadyQuery,
  readyQuery,
} from './query.ts';

/** Clocks step back now and then; a segment is skipped only if it ends this long before. */
const SLACK = 3_600_000;

export function scanQuery(dir: string): QueryInterface {
  return {
    query: (query: DecisionQuery): Promise<DecisionPage> =>
      page(query, async (q, before, n) => {
        const ids = await newest(dir, q, before, n);
        return decisions(dir, ids, q.from);
      }),
    async get(decisionId: string): Promise<Decision | null> {
      return (await decisions(dir, [decisionId], Number.NEGATIVE_INFINITY))[0] ?? null;
    },
  };
}

/** Canonical order puts the id right behind the action. */
const ID = /^\{"action":(?:null|"[^"\\]*"),"decision_id":"([\w-]+)"/;

const idOf = (line: Buffer): string | null => ID.exec(line.toString('latin1', 0, 200))?.[1] ?? null;

async function newest(
  dir: string,
  q: ReadyQuery,
  before: string | null,
  n: number,
): Promise<readonly string[]> {
  let ids = new Set<string>();
  let least = '';
  const texts = needles(q).map((t) => Buffer.from(t));
  const prune = () => {
    ids = new Set([...ids].sort().slice(-n));
    if (ids.size === n) least = ids.values().next().value!;
  };
  for await (const line of lines(dir, q.from, q.origin)) {
    const id = idOf(line);
    if (id !== null && ((before !== null && id >= before) || id < least || ids.has(id))) continue;
    if (!texts.every((t) => line.includes(t))) continue;
    const record = parse(line);
    if (record === null || (before !== null && record.decision_id >= before) || !mayMatch(record, q))
      continue;
    ids.add(record.decision_id);
    if (ids.size > 2 * n) prune();
  }
  prune();
  return [...ids].reverse();
}

async function decisions(dir: string, ids: readonly string[], from: number): Promise<Decision[]> {
  const found = new Map<string, DecisionRecord[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return [];
  for await (const line of lines(dir, from)) {
    const id = idOf(line);
    if (id !== null && !found.has(id)) continue;
    const inspected = inspect(line);
    if (inspected.ok) found.get(inspected.record.decision_id)?.push(inspected.record);
  }
  return ids
    .map((id) => found.get(id)!)
    .filter((r) => r.length > 0)
    .map(merge);
}

function parse(line: Buffer): DecisionRecord | null {
  const inspected = inspect(line);
  return inspected.ok ? inspected.record : null;
}

export interface Found {
  readonly record: DecisionRecord;
  /** as it stands in the journal */
  readonly line: string;
}

/** Every record that answers the query by itself, in the order of the chains. `limit` and `cursor` do not apply. */
export async function* records(
  dir: string,
  query: DecisionQuery,
  progress?: (bytes: number) => void,
): AsyncGenerator<Found, void, void> {
  const q = readyQuery(query);
  const texts = needles(q).map((t) => Buffer.from(t));
  for await (const line of lines(dir, q.from, q.origin)) {
    progress?.(line.length + 1);
    if (!texts.every((t) => line.includes(t))) continue;
    const record = parse(line);
    if (record !== null && matches(merge([record]), q)) yield { record, line: line.toString() };
  }
}

async function* lines(dir: string, from: number, origin?: string): AsyncGenerator<Buffer, void, void> {
  for (const files of await listOrigins(dir)) {
    if (origin !== undefined && files.origin !== origin) continue;
    for (const segment of await since(files.segments, from)) {
      for await (const batch of readLines(segment.path)) {
        for (const line of batch) if (line.whole) yield line.bytes;
      }
    }
  }
}

/** Leaves out the segments that end before `from`: those whose next one begins before it. */
async function since(segments: readonly Segment[], from: number): Promise<readonly Segment[]> {
  if (!Number.isFinite(from)) return segments;
  for (let i = segments.length - 1; i > 0; i--) {
    const began = await beginning(segments[i]!);
    if (began !== null && began < from - SLACK) return segments.slice(i);
  }
  return segments;
}

async function beginning(segment: Segment): Promise<number | null> {
  for await (const batch of readLines(segment.path, 0, 1 << 20)) {
    const inspected = inspect(batch[0]!.bytes);
    return inspected.ok ? Date.parse(inspected.record.timestamp) : null;
  }
  return null;
}
