/**
 * The log of a chain: a tree over the hashes of its records, in tiles beside the journal, with a signed checkpoint. It is made from the journal
 * and holds nothing that the journal does not: a tile that is lost is made again. Only one process writes a log at a time.
 */
import { closeSync, fsyncSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { NoteSigner } from '../../model/signing.ts';
import { BEGINNING, type ChainLink, type Expected, followedBy, inspect, isLinked } from '../journal/chain.ts';
import {
  errno,
  headPath,
  listOrigins,
  makeDirectory,
  type OriginFiles,
  replaceFile,
  type Segment,
} from '../journal/directory.ts';
import { readHead } from '../journal/head.ts';
import { parseHead } from '../journal/line.ts';
import { type Line, readLines } from '../journal/lines.ts';
import { tryLock } from '../journal/lock.ts';
import { type Checkpoint, readCheckpoint, signCheckpoint } from './checkpoint.ts';
import { rootOf } from './merkle.ts';
import { openNote, SIGNS, splitNote } from './note.ts';
import { readTree, TileMissing, TreeWriter } from './tiles.ts';

export const TREES = 'tlog';
/** the directory of a chain's log, in the directory of the journal */
export const logDirectory = (dir: string, origin: string): string => join(dir, TREES, origin);

export interface LogSettings {
  /** of the journal */
  readonly dir: string;
  /** the names of the logs begin with it */
  readonly name: string;
  readonly signer: NoteSigner;
  progress?(records: number, total: number): void;
}

/** Where the last pass ended, so that the next one need not read the segment from its start. */
export interface Place {
  readonly size: number;
  readonly segment: number;
  readonly offset: number;
}

export interface Grown {
  readonly checkpoint: Checkpoint;
  /** signed */
  readonly note: string;
  readonly isNew: boolean;
  readonly place: Place | null;
}

export const logName = (name: string, origin: string): string => `${name}/${origin}`;

/** The newest checkpoint with its signatures, unchecked; null: there is none. @throws SluiceError `signature_invalid` */
export function publishedCheckpoint(
  dir: string,
  origin: string,
): { readonly note: string; readonly checkpoint: Checkpoint } | null {
  let note: string;
  try {
    note = readFileSync(join(logDirectory(dir, origin), 'checkpoint'), 'utf8');
  } catch (e) {
    if (errno(e) === 'ENOENT') return null;
    throw e;
  }
  return { note, checkpoint: readCheckpoint(note) };
}

/**
 * Adds the records that the head of the chain covers, and signs a checkpoint if there are any.
 * @returns null: another process writes this log, or the chain has no record
 * @throws SluiceError `chain_broken`: the journal is not what an earlier checkpoint says, or does not hold the next record
 */
export async function grow(
  origin: string,
  settings: LogSettings,
  from: Place | null = null,
): Promise<Grown | null> {
  const { dir } = settings;
  const log = logDirectory(dir, origin);
  const known = publishedCheckpoint(dir, origin);
  if (
    known !== null &&
    isCurrent(known, settings, origin) &&
    known.checkpoint.size === headOf(dir, origin) &&
    continued(log, known.checkpoint) !== null
  )
    return { ...known, isNew: false, place: from };
  makeDirectory(log);
  const lock = tryLock(lockPath(dir, origin));
  if (lock === null) return null;
  try {
    const files = (await listOrigins(dir)).find((o) => o.origin === origin);
    const head = headOf(dir, origin);
    if (files === undefined || head === 0) return null;
    const published = publishedCheckpoint(dir, origin);
    const before = published?.checkpoint ?? null;
    if (before !== null && head < before.size) throw changed(origin, `ends at ${head}`, before);
    let writer = before === null ? new TreeWriter(log, 0) : continued(log, before);
    if (writer === null) {
      rmSync(join(log, 'tile'), { recursive: true, force: true });
      writer = new TreeWriter(log, 0);
    }
    const place = await append(writer, files, head, from, settings);
    writer.flush();
    const tree = readTree(log, writer.size);
    if (before !== null && !rootOf(tree, before.size).equals(before.root))
      throw changed(origin, 'has other records', before);
    const checkpoint = {
      log: logName(settings.name, origin),
      size: writer.size,
      root: rootOf(tree, writer.size),
    };
    if (published !== null && before?.size === checkpoint.size && isCurrent(published, settings, origin))
      return { checkpoint, note: published.note, isNew: false, place };
    const signed = await signCheckpoint(checkpoint, settings.signer);
    const { text, lines } = splitNote(signed);
    // With another key: what witnesses have cosigned is the text, which stays.
    const note = published?.note.startsWith(`${text}\n`) ? withLines(published.note, lines) : signed;
    publish(dir, origin, note);
    writer.tidy();
    return { checkpoint, note, isNew: true, place };
  } finally {
    lock.release();
  }
}

/** Whether it is signed under the name and with the key that the log has now: after a change of either, the newest one is signed again. */
function isCurrent(
  { note, checkpoint: { log } }: NonNullable<ReturnType<typeof publishedCheckpoint>>,
  { name, signer }: LogSettings,
  origin: string,
): boolean {
  if (log !== logName(name, origin)) return false;
  return openNote(note, [{ name: log, type: SIGNS, key: signer.publicKey() }]).signatures.length > 0;
}

/** Adds cosignatures to the newest checkpoint. @returns false: it has another text by now, or another process has it */
export function addSignatures(dir: string, origin: string, text: string, added: readonly string[]): boolean {
  const lock = tryLock(lockPath(dir, origin));
  if (lock === null) return false;
  try {
    const published = publishedCheckpoint(dir, origin);
    if (published === null || splitNote(published.note).text !== text) return false;
    publish(dir, origin, withLines(published.note, added));
    return true;
  } finally {
    lock.release();
  }
}

/** A line replaces an earlier one of the same name. */
function withLines(note: string, added: readonly string[]): string {
  const { text, lines } = splitNote(note);
  const nameOf = (line: string): string => line.split(' ', 2).join(' ');
  const names = added.map(nameOf);
  return `${text}\n${[...lines.filter((line) => !names.includes(nameOf(line))), ...added].join('\n')}\n`;
}

const headOf = (dir: string, origin: string): number =>
  readHead(headPath(dir, origin), null)?.latest?.head.seq ?? 0;

const lockPath = (dir: string, origin: string): string => join(dir, TREES, `${origin}.lock`);

/** Replaces the checkpoint. It is on disk when this returns: two that contradict each other must not be signed. */
const publish = (dir: string, origin: string, note: string): void =>
  replaceFile(join(logDirectory(dir, origin), 'checkpoint'), note);

/** null: the tiles are not those of the checkpoint */
function continued(log: string, { size, root }: Checkpoint): TreeWriter | null {
  try {
    const writer = new TreeWriter(log, size);
    return rootOf(readTree(log, size), size).equals(root) ? writer : null;
  } catch (e) {
    if (e instanceof TileMissing) return null;
    throw e;
  }
}

const changed = (origin: string, what: string, { size }: Checkpoint): SluiceError =>
  new SluiceError(
    'chain_broken',
    `The chain ${origin} ${what}, but a checkpoint over its first ${size} records was signed. The journal was altered, or an older copy of it was restored. Keep both, and run \`sluice decisions verify\`.`,
  );

/** @returns where the last record ends */
async function append(
  writer: TreeWriter,
  files: OriginFiles,
  until: number,
  from: Place | null,
  { dir, progress }: LogSettings,
): Promise<Place | null> {
  if (writer.size === until) return from;
  const begin = writer.size;
  const first = files.segments.findLastIndex((s) => s.first <= begin + 1);
  if (first === -1) throw archived(files, begin + 1);
  let expected: Expected =
    begin === 0
      ? BEGINNING
      : {
          seq: begin + 1,
          prev: readTree(logDirectory(dir, files.origin), begin)
            .entry(begin - 1)
            .toString('hex'),
          after: null,
        };
  for (const segment of files.segments.slice(first)) {
    // What is signed must survive a power cut, also with `durability: interval`.
    flush(segment);
    const start = from?.segment === segment.first && from.size === begin ? from.offset : 0;
    for await (const lines of readLines(segment.path, start)) {
      for (const line of lines) {
        const link = linkOf(line);
        if (link === null || link.origin !== files.origin) throw broken(segment, expected.seq);
        if (link.seq <= begin) continue;
        if (link.seq !== expected.seq || !isLinked(expected, link)) throw broken(segment, expected.seq);
        expected = followedBy(expected, link);
        if (link.document !== null) continue;
        writer.append(Buffer.from(link.hash, 'hex'));
        if (link.seq === until)
          return { size: until, segment: segment.first, offset: line.offset + line.bytes.length + 1 };
      }
      progress?.(writer.size, until);
    }
  }
  throw broken(files.segments.at(-1)!, expected.seq);
}

/** The payload is not read: `verify` checks it against the commitment, which the hash covers. */
function linkOf({ bytes, complete }: Line): ChainLink | null {
  if (!complete) return null;
  const head = parseHead(bytes);
  if (typeof head === 'string') return null;
  if (head !== null) return { ...head, prev_hash: head.prev };
  const inspected = inspect(bytes);
  return inspected.ok ? inspected.link : null;
}

function flush({ path }: Segment): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const broken = ({ file }: Segment, seq: number): SluiceError =>
  new SluiceError(
    'chain_broken',
    `${file}: record ${seq} is missing, altered or not linked to the record before it, so no checkpoint is signed. Run \`sluice decisions verify\`.`,
  );

const archived = ({ origin, segments }: OriginFiles, seq: number): SluiceError =>
  new SluiceError(
    'chain_broken',
    `The chain ${origin} begins at ${segments[0]?.first ?? 0}, and its log needs record ${seq}. Put the archived segments back (decompressed) for this command, then archive them again.`,
  );
