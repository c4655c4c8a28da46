/**
 * Examines the end of a chain at the start. After `kill -9` it may end in half a line. The append of that record never
 * resolved, so nothing was released; the bytes are moved to the quarantine directory. Any other fault is damage to durable
 * records, and a start must not hide it.
 */
import { hash } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Expected, followedBy, GENESIS, isLinked } from './chain.ts';
import {
  headPath,
  makeDirectory,
  type OriginFiles,
  QUARANTINE,
  type Segment,
  syncDirectory,
} from './directory.ts';
import { readHead } from './head.ts';
import { readLines } from './lines.ts';
import { type KnownDocument, SegmentReader } from './reader.ts';

export interface Tip {
  readonly seq: number;
  readonly hash: string;
}

export interface Torn {
  readonly segment: Segment;
  /** offset of the first byte */
  readonly offset: number;
  readonly bytes: number;
}

/** A segment to append to. */
export interface Continued {
  readonly path: string;
  /** bytes that are verified */
  readonly size: number;
  /** time of its first record; null: it has none, or none with content */
  readonly since: string | null;
  /** shared documents that it holds */
  readonly documents: readonly KnownDocument[];
}

export type Tail =
  | {
      readonly state: 'intact';
      readonly tip: Tip;
      readonly segment: Continued | null;
      readonly torn: Torn | null;
    }
  | { readonly state: 'damaged'; readonly detail: string };

export async function examineTail(dir: string, files: OriginFiles, key: Buffer | null): Promise<Tail> {
  const state = readHead(headPath(dir, files.origin), key);
  const segments = files.segments.filter((s) => s.size > 0);
  if (state === null && segments.length === 0) {
    return {
      state: 'intact',
      tip: { seq: 0, hash: GENESIS },
      segment: empty(files),
      torn: null,
    };
  }
  if (state === null) return damaged('its head file is missing');
  if (state.latest === null) return damaged('its head file is damaged');
  if (state.latest.signed === 'wrong') return damaged('its head is not signed with decision_log.journal.key');
  const { head } = state.latest;

  let torn: Torn | null = null;
  for (let i = segments.length - 1; i >= 0; i--) {
    const segment = segments[i]!;
    const scan = await scanSegment(segment, files.origin, head);
    if (scan.fault !== null) return damaged(scan.fault);
    if (scan.torn !== null) {
      if (torn !== null || i !== segments.length - 1)
        return damaged(`${segment.file} ends in a half-written record, but is not the last segment`);
      torn = scan.torn;
    }
    if (scan.tip === null) continue;
    if (scan.tip.seq < head.seq) return damaged(missing(scan.tip.seq, head.seq));
    const last = files.segments.at(-1)!;
    const continued =
      last === segment
        ? { path: last.path, size: scan.verifiedBytes, since: scan.since, documents: scan.documents }
        : empty(files);
    return { state: 'intact', tip: scan.tip, segment: continued, torn };
  }
  if (head.seq > 0) return damaged(missing(0, head.seq));
  const tip = { seq: 0, hash: GENESIS };
  return { state: 'intact', tip, segment: empty(files), torn };
}

/** The last segment, which holds no record. */
function empty({ segments }: OriginFiles): Continued | null {
  const last = segments.at(-1);
  return last === undefined ? null : { path: last.path, size: 0, since: null, documents: [] };
}

const damaged = (detail: string): Tail => ({ state: 'damaged', detail });
const missing = (has: number, wanted: number): string =>
  `it ends at seq ${has}, but its head names seq ${wanted}`;

interface Scan {
  readonly tip: Tip | null;
  readonly verifiedBytes: number;
  readonly since: string | null;
  /** of the records up to `tip` */
  readonly documents: readonly KnownDocument[];
  readonly torn: Torn | null;
  readonly fault: string | null;
}

async function scanSegment(
  segment: Segment,
  origin: string,
  head: { seq: number; hash: string },
): Promise<Scan> {
  const reader = new SegmentReader();
  let tip: Tip | null = null;
  /** the hash before the segment is not known here; `verify` compares it */
  let next: Expected = { seq: segment.first, prev: null, after: null };
  let verifiedBytes = 0;
  let since: string | null = null;
  /** shared documents that were written for the records up to `tip` */
  let documents = 0;
  let tornOffset: number | null = null;
  let position = 0;
  const scan = (): Scan => ({
    tip,
    verifiedBytes,
    since,
    documents: reader.documents(documents),
    torn: null,
    fault: null,
  });
  for await (const lines of readLines(segment.path)) {
    for (const line of lines) {
      const read = line.complete ? reader.read(line.bytes) : null;
      const link = read === null || read.what === 'fault' ? null : read.link;
      position = line.offset + line.bytes.length + 1;
      if (tornOffset !== null) {
        // An interrupted write has nothing after it. A bad line with a valid line after it is damage, not a torn tail.
        if (link !== null) return { ...scan(), fault: bad(segment, tornOffset) };
        continue;
      }
      if (link === null) {
        tornOffset = line.offset;
        continue;
      }
      if (link.origin !== origin || link.seq !== next.seq || !isLinked(next, link))
        return { ...scan(), fault: bad(segment, line.offset) };
      if (read!.what === 'unreadable')
        return { ...scan(), fault: unreadable(segment, line.offset, read!.detail) };
      next = followedBy(next, link);
      if (link.document !== null) continue;
      if (link.seq === head.seq && link.hash !== head.hash)
        return { ...scan(), fault: `its record ${link.seq} is not the one its head names` };
      tip = { seq: link.seq, hash: link.hash };
      verifiedBytes = position;
      if (since === null && read!.what === 'record') since = read!.record.timestamp;
      documents = reader.count;
    }
  }
  // Shared documents without the record that they were written for belong to the torn tail.
  if (next.after !== null) tornOffset = verifiedBytes;
  const torn =
    tornOffset === null
      ? null
      : { segment, offset: tornOffset, bytes: Math.max(segment.size, position - 1) - tornOffset };
  return { ...scan(), torn };
}

const unreadable = (segment: Segment, offset: number, detail: string): string =>
  `${segment.file} holds a record at byte ${offset} that cannot be read: ${detail}`;

const bad = (segment: Segment, offset: number): string =>
  `${segment.file} holds a record at byte ${offset} that does not belong to the chain, followed by others`;

/** Copies the half-written tail to the quarantine directory, durably, then truncates the segment. Returns what to record about it. */
export function quarantineTail(
  dir: string,
  origin: string,
  tip: Tip,
  torn: Torn,
): { file: string; bytes: number; sha256: string } {
  const quarantine = join(dir, QUARANTINE);
  makeDirectory(quarantine);
  const fd = openSync(torn.segment.path, 'r+');
  try {
    const bytes = Buffer.alloc(torn.bytes);
    const length = readSync(fd, bytes, 0, torn.bytes, torn.offset);
    const tail = bytes.subarray(0, length);
    const file = writeQuarantined(quarantine, `${origin}.${String(tip.seq + 1).padStart(16, '0')}`, tail);
    syncDirectory(quarantine);
    syncDirectory(dir);
    ftruncateSync(fd, torn.offset);
    fsyncSync(fd);
    return { file, bytes: length, sha256: hash('sha256', tail, 'hex') };
  } finally {
    closeSync(fd);
  }
}

function writeQuarantined(quarantine: string, stem: string, tail: Buffer): string {
  for (let n = 1; ; n++) {
    const file = `${stem}.${n}.torn`;
    let fd: number;
    try {
      fd = openSync(join(quarantine, file), 'wx', 0o640);
    } catch (e) {
      // Two crashes in a row can tear the same seq.
      if ((e as { code?: string }).code === 'EEXIST' && n < 10_000) continue;
      throw e;
    }
    try {
      for (let at = 0; at < tail.length; ) at += writeSync(fd, tail, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return file;
  }
}
