/**
 * Examines the end of a chain at the start. After `kill -9` it may end in half a line. The append of that record never
 * resolved, so nothing was released; the bytes are moved to the quarantine directory. Any other fault is damage to durable
 * records, and a start must not hide it.
 */
import { hash } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DecisionRecord } from '../../model/record.ts';
import { GENESIS, inspect } from './chain.ts';
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

export type Tail =
  | {
      readonly state: 'intact';
      readonly tip: Tip;
      /** the segment to append to, with the bytes that are verifiedBytes */
      readonly segment: { readonly path: string; readonly size: number } | null;
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
      segment: files.segments.map(({ path }) => ({ path, size: 0 })).at(-1) ?? null,
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
    const size = last === segment ? scan.verifiedBytes : 0;
    return { state: 'intact', tip: scan.tip, segment: { path: last.path, size }, torn };
  }
  if (head.seq > 0) return damaged(missing(0, head.seq));
  const last = files.segments.at(-1) ?? null;
  const tip = { seq: 0, hash: GENESIS };
  return { state: 'intact', tip, segment: last && { path: last.path, size: 0 }, torn };
}

const damaged = (detail: string): Tail => ({ state: 'damaged', detail });
const missing = (has: number, wanted: number): string =>
  `it ends at seq ${has}, but its head names seq ${wanted}`;

interface Scan {
  readonly tip: Tip | null;
  readonly verifiedBytes: number;
  readonly torn: Torn | null;
  readonly fault: string | null;
}

async function scanSegment(
  segment: Segment,
  origin: string,
  head: { seq: number; hash: string },
): Promise<Scan> {
  let tip: Tip | null = null;
  let verifiedBytes = 0;
  let tornOffset: number | null = null;
  let position = 0;
  for await (const lines of readLines(segment.path)) {
    for (const line of lines) {
      const inspected = line.complete ? inspect(line.bytes) : null;
      position = line.offset + line.bytes.length + 1;
      if (tornOffset !== null) {
        // An interrupted write has nothing after it. A bad line with a valid record after it is damage, not a torn tail.
        if (inspected?.ok) return { tip, verifiedBytes, torn: null, fault: bad(segment, tornOffset) };
        continue;
      }
      if (!inspected?.ok || !follows(inspected.record, origin, tip, segment.first)) {
        if (inspected?.ok) return { tip, verifiedBytes, torn: null, fault: bad(segment, line.offset) };
        tornOffset = line.offset;
        continue;
      }
      const { seq, hash: digest } = inspected.record;
      if (seq === head.seq && digest !== head.hash)
        return { tip, verifiedBytes, torn: null, fault: `its record ${seq} is not the one its head names` };
      tip = { seq, hash: digest };
      verifiedBytes = position;
    }
  }
  const torn =
    tornOffset === null
      ? null
      : { segment, offset: tornOffset, bytes: Math.max(segment.size, position - 1) - tornOffset };
  return { tip, verifiedBytes, torn, fault: null };
}

const follows = (record: DecisionRecord, origin: string, tip: Tip | null, first: number): boolean =>
  record.origin === origin &&
  (tip === null ? record.seq === first : record.seq === tip.seq + 1 && record.prev_hash === tip.hash);

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
