/**
 * Moves full segments out of a journal: compresses a segment, encrypts the copy if there are recipients, flushes it, reads it back, compares the
 * SHA-256 of its bytes, and only then removes the segment. An anchor in `archived.ndjson`, in the journal and in the archive, states that the move was intended. It is
 * signed if `decision_log.journal.key` is set.
 *
 * To an object store the copy goes by way of `outgoing/` in the journal, and the segment is removed only after the object was read back. A copy stays
 * there until then: the bytes of an encrypted copy cannot be made again, and the next run must recognize an object that is there already.
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { encryption } from '../age.ts';
import { type Anchor, formatAnchor } from '../verify/anchor.ts';
import { ARCHIVED, errno, listOrigins, makeDirectory, type Segment, syncDirectory } from './directory.ts';
import { digestOf } from './digest.ts';
import type { ObjectStore } from './object-store.ts';
import { forgetOutgoing, outgoing, send } from './outgoing.ts';
import { inspect, ownMembers } from './chain.ts';
import { readLines } from './lines.ts';
import { type Lock, tryLock } from './lock.ts';
import { type ChainInFile, verifyFile } from '../verify/file.ts';
import { isOfRemovals } from '../removal/statement.ts';
import { verify } from '../verify/verify.ts';

export interface ArchiveOptions {
  /** of the journal */
  readonly dir: string;
  readonly to: string | ObjectStore;
  /** only segments whose last record is older */
  readonly before: Date | null;
  /** `decision_log.journal.key` */
  readonly key: Buffer | null;
  /** public keys of age; none: copies are compressed only */
  readonly recipients: readonly string[];
  /** seq up to which every index and sink has the records of a chain */
  copied(origin: string): Promise<number>;
  progress?(bytes: number, total: number): void;
}

export interface ArchivedSegment {
  readonly origin: string;
  /** name in the archive */
  readonly file: string;
  readonly records: number;
  readonly first: number;
  readonly last: number;
  /** before it was compressed */
  readonly bytes: number;
}

/**
 * @returns what was moved, by chain and seq
 * @throws SluiceError `chain_broken` if the journal does not verify (nothing is moved then); `input_invalid` if the archive
 *   has a file of the same name that is not a copy of the segment; `journal_unwritable`, also if an object store refuses, and while another process archives
 */
export async function archive(options: ArchiveOptions): Promise<readonly ArchivedSegment[]> {
  const lock = lockArchive(options.dir);
  try {
    return await move(options);
  } finally {
    lock.release();
  }
}

/** Only one process may archive, or remove content: two would replace or remove each other's files. @throws SluiceError `journal_unwritable` */
export function lockArchive(dir: string): Lock {
  const path = join(dir, '.archive.lock');
  let lock: Lock | null;
  try {
    lock = tryLock(path);
  } catch (cause) {
    throw new SluiceError('journal_unwritable', {
      message: `${path} cannot be opened (${(cause as Error).message}). This needs the right to write in the journal's directory.`,
      cause,
    });
  }
  if (lock === null)
    throw new SluiceError(
      'journal_unwritable',
      `Another \`sluice decisions archive\` or \`remove\` is at work in ${dir}. Run this command again when it has ended.`,
    );
  return lock;
}

async function move(options: ArchiveOptions): Promise<readonly ArchivedSegment[]> {
  const { dir, to, key } = options;
  const report = await verify({ dir, key });
  if (!report.ok)
    throw new SluiceError(
      'chain_broken',
      'The journal does not verify, so nothing was archived. Run `sluice decisions verify` and find out why first.',
    );
  const chosen: { readonly origin: string; readonly segment: Segment }[] = [];
  for (const { origin, segments } of await listOrigins(dir)) {
    // `verify` needs the statements as long as the chains that they are about.
    if (isOfRemovals(origin)) continue;
    // The newest segment with records stays: the next start continues it.
    const newest = segments.findLastIndex((s) => s.size > 0);
    const copied = await options.copied(origin);
    for (const segment of segments.slice(0, Math.max(0, newest))) {
      const last = await lastOf(segment);
      if (last === null || last.seq > copied) break;
      const { timestamp } = last;
      if (options.before !== null && timestamp !== null && Date.parse(timestamp) >= options.before.getTime())
        break;
      chosen.push({ origin, segment });
    }
  }
  const total = chosen.reduce((sum, { segment }) => sum + segment.size, 0);
  const moved: ArchivedSegment[] = [];
  let done = 0;
  for (const { origin, segment } of chosen) {
    const name = nameOf(segment, options.recipients);
    const place = typeof to === 'string' ? to : await outgoing(dir, segment, options.recipients);
    const { records, first, last, hash } = await copy(segment, place, options.recipients, place !== to);
    const anchor: Anchor = { origin, seq: last, hash, at: new Date().toISOString(), archived: true };
    const line = formatAnchor(anchor, key);
    // The order makes an interruption safe: anchor in the archive, anchor in the journal, then remove the segment.
    if (typeof to === 'string') append(to, line);
    else await send(to, name, join(place, name), line);
    append(dir, line);
    rmSync(segment.path);
    syncDirectory(dir);
    moved.push({
      origin,
      file: name,
      records,
      first,
      last,
      bytes: segment.size,
    });
    done += segment.size;
    options.progress?.(done, total);
  }
  forgetOutgoing(dir);
  return moved;
}

const nameOf = ({ file }: Segment, recipients: readonly string[]): string =>
  recipients.length === 0 ? `${file}.gz` : `${file}.gz.age`;

/** @param own whether only this command writes to the directory, so that an encrypted copy that is there is whole and the segment's */
async function copy(
  segment: Segment,
  to: string,
  recipients: readonly string[],
  own: boolean,
): Promise<ChainInFile> {
  const path = join(to, nameOf(segment, recipients));
  const refused = (): SluiceError =>
    new SluiceError(
      'input_invalid',
      `${path} is not a copy of the segment ${segment.file}. Move it away and archive again; the segment was left where it is.`,
    );
  if (recipients.length === 0) {
    // A copy may be there from a run that was interrupted.
    if (!existsSync(path)) await write(segment, path, recipients);
    else settle(path);
    const wanted = await digestOf(segment.path);
    // What cannot be decompressed is no copy either.
    if ((await digestOf(path, createGunzip()).catch(() => null)) !== wanted) throw refused();
  } else if (own && existsSync(path)) settle(path);
  else {
    // Nobody here can decrypt it: its bytes are compared with those that were written.
    const written = await write(segment, path, recipients);
    if ((await digestOf(path)) !== written) throw refused();
  }
  // Whether removed content was stated is known: the journal has been verified.
  const { ok, chains } = await verifyFile(recipients.length === 0 ? path : segment.path, [], {
    isStated: () => true,
  });
  if (!ok || chains.length !== 1)
    throw new SluiceError(
      'chain_broken',
      `The segment ${segment.file} does not verify any more. It was left where it is; run \`sluice decisions verify\`.`,
    );
  return chains[0]!;
}

/** @returns SHA-256 of the bytes that were written */
async function write(segment: Segment, path: string, recipients: readonly string[]): Promise<string> {
  const draft = `${path}.new`;
  const digest = createHash('sha256');
  try {
    makeDirectory(dirname(path));
    const encrypt = recipients.length === 0 ? null : await encryption(recipients);
    const packed = createGzip();
    const source = createReadStream(segment.path);
    source.once('error', (e) => packed.destroy(e));
    source.pipe(packed);
    await pipeline(
      encrypt === null ? packed : await encrypt(packed),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          digest.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(draft, { mode: 0o640 }),
    );
    sync(draft);
    renameSync(draft, path);
  } catch (cause) {
    if (existsSync(draft)) rmSync(draft);
    if (cause instanceof SluiceError) throw cause;
    throw unwritable(path, cause);
  }
  settle(path);
  return digest.digest('hex');
}

function settle(path: string): void {
  try {
    sync(path);
    syncDirectory(dirname(path));
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

const unwritable = (path: string, cause: unknown): SluiceError =>
  new SluiceError('journal_unwritable', {
    message: `${path} cannot be written (${errno(cause)}). The segment was left where it is.`,
    cause,
  });

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Bytes after the last newline are an anchor that a full disk cut off. They are removed: its segment is still here and is archived again. */
function append(dir: string, line: string): void {
  const file = join(dir, ARCHIVED);
  try {
    if (existsSync(file)) {
      const bytes = readFileSync(file);
      const end = bytes.lastIndexOf('\n') + 1;
      if (end < bytes.length) truncateSync(file, end);
    }
    appendFileSync(file, line, { mode: 0o640, flush: true });
    syncDirectory(dir);
  } catch (cause) {
    throw new SluiceError('journal_unwritable', {
      message: `${file} cannot be written (${errno(cause)}). The segment was left where it is.`,
      cause,
    });
  }
}

/** The seq of its last record, and the newest time that is left: null if the content of all records was removed, which is older than what has content. */
async function lastOf(
  segment: Segment,
): Promise<{ readonly seq: number; readonly timestamp: string | null } | null> {
  let seq: number | null = null;
  let timestamp: string | null = null;
  for await (const lines of readLines(segment.path)) {
    if (!lines.at(-1)!.complete) return null;
    let isLast = true;
    for (let i = lines.length - 1; i >= 0; i--) {
      const inspected = inspect(lines[i]!.bytes);
      if (!inspected.ok || inspected.link.document !== null) continue;
      if (isLast) seq = inspected.link.seq;
      isLast = false;
      const time = ownMembers(inspected)?.timestamp;
      if (typeof time !== 'string') continue;
      timestamp = time;
      break;
    }
  }
  return seq === null ? null : { seq, timestamp };
}
