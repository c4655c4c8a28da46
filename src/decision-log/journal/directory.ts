/**
 * Files in a journal's directory:
 *
 *   <origin>.<first seq>.jsonl     a segment of the origin's chain, append-only
 *   <origin>.head                  the last durable seq and hash, twice (head.ts)
 *   <origin>.lock                  held by the process that appends (lock.ts)
 *   .archive.lock                  held by the process that moves segments to an archive
 *   archived.ndjson                anchors of segments that were moved to an archive (archive.ts)
 *   outgoing/<id>/<file>           copies that an object store does not surely have yet (archive.ts)
 *   ended                          origins whose chains no process goes on with, one a line: of a backup that was restored
 *   quarantine/<origin>.<seq>.<n>.torn   half-written tails, moved here at a start, and segments that were lost before a record in them was
 *                                        acknowledged
 *   sinks/<sink>.<origin>.json     the sink's position in the origin's chain (sinks/position.ts)
 *   sinks/<sink>.lock              held by the process that writes to the file or standard output
 *   sinks/<sink>.left-over.lock    held by the process that also sends the chains of processes that have ended
 *   tlog/<origin>/checkpoint, tile/…  the log of the chain (tree/tiles.ts), and tlog/<origin>.lock, held by the process that writes it
 *   data-subject.key               the generated key of the data-subject HMACs, mode 0600
 *   data-subject.key.saved         when it was saved elsewhere: by a backup, or as shares
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError } from '../../errors.ts';

export interface Segment {
  readonly file: string;
  readonly path: string;
  readonly first: number;
  readonly size: number;
}

export interface OriginFiles {
  readonly origin: string;
  /** by first seq */
  readonly segments: readonly Segment[];
  readonly head: boolean;
  readonly lock: boolean;
  /** file names of quarantined tails */
  readonly torn: readonly string[];
}

export const ARCHIVED = 'archived.ndjson';
export const OUTGOING = 'outgoing';
export const QUARANTINE = 'quarantine';
export const ENDED = 'ended';
const ORIGIN = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const SEGMENT = new RegExp(`^(${ORIGIN})\\.(\\d{16})\\.jsonl$`);
const SIDE = new RegExp(`^(${ORIGIN})\\.(head|lock)$`);
const TORN = new RegExp(`^(${ORIGIN})\\.\\d{16}\\.\\d+\\.torn$`);

export const segmentName = (origin: string, first: number): string =>
  `${origin}.${String(first).padStart(16, '0')}.jsonl`;
export const headPath = (dir: string, origin: string): string => join(dir, `${origin}.head`);
export const lockPath = (dir: string, origin: string): string => join(dir, `${origin}.lock`);

/** Every origin that has a file in the directory, sorted by name. @throws SluiceError `journal_unwritable` if it cannot be read */
export async function listOrigins(dir: string): Promise<OriginFiles[]> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (cause) {
    throw new SluiceError('journal_unwritable', {
      message: `The journal directory ${dir} cannot be read (${errno(cause)}). Name an existing one, or create it.`,
      cause,
    });
  }
  const found = new Map<string, { segments: Segment[]; head: boolean; lock: boolean; torn: string[] }>();
  const of = (origin: string) => {
    let entry = found.get(origin);
    if (!entry) {
      entry = { segments: [], head: false, lock: false, torn: [] };
      found.set(origin, entry);
    }
    return entry;
  };
  for (const file of names) {
    const segment = SEGMENT.exec(file);
    const side = SIDE.exec(file);
    if (segment) {
      const path = join(dir, file);
      const size = (await stat(path).catch(() => null))?.size;
      if (size !== undefined) of(segment[1]!).segments.push({ file, path, first: Number(segment[2]), size });
    } else if (side?.[2] === 'head') of(side[1]!).head = true;
    else if (side?.[2] === 'lock') of(side[1]!).lock = true;
  }
  for (const file of await readdir(join(dir, QUARANTINE)).catch(() => [])) {
    const torn = TORN.exec(file);
    if (torn) of(torn[1]!).torn.push(file);
  }
  return [...found]
    .map(([origin, f]) => ({ origin, ...f, segments: f.segments.sort((a, b) => a.first - b.first) }))
    .sort((a, b) => (a.origin < b.origin ? -1 : 1));
}

/**
 * Creates a directory and its parents. `mkdir` with `recursive` never returns if the file system reports ENOENT although
 * the parent exists, as /proc does.
 */
export function makeDirectory(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(dir);
  if (parent !== dir) makeDirectory(parent);
  try {
    mkdirSync(dir, { mode: 0o750 });
  } catch (e) {
    // Another worker may have created it meanwhile.
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw e;
  }
}

/** Moves a segment, in which no record is acknowledged, to the quarantine directory. @param first seq of its first record */
export function quarantineSegment(dir: string, origin: string, first: number): void {
  const name = segmentName(origin, first);
  const quarantine = join(dir, QUARANTINE);
  makeDirectory(quarantine);
  for (let n = 1; ; n++) {
    const place = join(quarantine, name.replace(/jsonl$/, `${n}.torn`));
    if (existsSync(place)) continue;
    renameSync(join(dir, name), place);
    syncDirectory(quarantine);
    return;
  }
}

/** Replaces a file, or makes it: it is on disk when this returns, and a reader finds either text whole. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o640, flush: true });
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
}

/** A new file name is durable only after its directory is synced. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export const errno = (e: unknown): string => {
  const code = (e as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown error';
};
