/**
 * The segment that receives appends. It knows how many bytes are acknowledged. Bytes after them come from a failed commit
 * and are truncated before the next write. After every write it checks that the path still names the open file; if not, the
 * file is abandoned and the next append begins a new segment.
 */
import {
  close as closeFd,
  constants,
  fdatasync,
  fsync,
  ftruncate,
  open as openFd,
  write as writeFd,
} from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { SluiceError } from '../../errors.ts';
import { errno, quarantineSegment, segmentName } from './directory.ts';
import { type FileIdentity, identityOf, isSame, statOf } from '../file-identity.ts';

const [write, flush, syncAll, open, close, truncate] = [
  promisify(writeFd),
  promisify(fdatasync),
  promisify(fsync),
  promisify(openFd),
  promisify(closeFd),
  promisify(ftruncate),
];
const APPEND = constants.O_WRONLY | constants.O_APPEND;
/** An existing file of this name is never appended to. */
const NEW = constants.O_CREAT | constants.O_EXCL;
/** With O_DSYNC a write returns once its bytes are on disk: one thread-pool task instead of two. Windows does not have it. */
const WRITE_THROUGH = (constants as { readonly O_DSYNC?: number }).O_DSYNC ?? 0;

export class Segment {
  readonly #dir: string;
  readonly #origin: string;
  readonly #strict: boolean;
  #path: string | null;
  #fd: number | null = null;
  #file: FileIdentity | null = null;
  /** the path no longer names the open file, or its size is unexpected */
  #lost = false;
  #size: number;

  /**
   * @param strict the bytes are on disk when `append` resolves
   * @param at the last segment of the chain, and the size of its verified part; opened at the first write
   */
  constructor(dir: string, origin: string, strict: boolean, at: { path: string; size: number } | null) {
    this.#dir = dir;
    this.#origin = origin;
    this.#strict = strict;
    this.#path = at?.path ?? null;
    this.#size = at?.size ?? 0;
  }

  /** bytes that are acknowledged */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends.
   * @param first seq of the first record in `bytes`
   * @param begins begin a new segment
   * @throws SluiceError `journal_unwritable` if the file was removed, replaced, truncated, or written to by another process
   */
  async append(bytes: Buffer, first: number, begins: boolean): Promise<void> {
    if (this.#fd === null || begins) await this.#begin(first, begins);
    for (let at = 0; at < bytes.length; ) {
      at += (await write(this.#fd!, bytes, at, bytes.length - at, null)).bytesWritten;
    }
    if (this.#strict && WRITE_THROUGH === 0) await flush(this.#fd!);
    this.#checkPlace(this.#size + bytes.length);
  }

  /** Begins a new segment before its first record. @throws as `append` */
  begin(first: number): Promise<void> {
    return this.#begin(first, true);
  }

  async #begin(first: number, begins: boolean): Promise<void> {
    if (this.#fd !== null) {
      await flush(this.#fd);
      await this.#close();
    }
    const flags = this.#strict ? APPEND | WRITE_THROUGH : APPEND;
    if (this.#path === null || begins) {
      this.#path = null;
      this.#size = 0;
      const path = join(this.#dir, segmentName(this.#origin, first));
      this.#fd = await open(path, flags | NEW, 0o640).catch((e: unknown) => {
        // A segment that was lost before its first record was acknowledged stands where the next one begins.
        if (errno(e) !== 'EEXIST') throw e;
        quarantineSegment(this.#dir, this.#origin, first);
        return open(path, flags | NEW, 0o640);
      });
      this.#path = path;
    } else
      this.#fd = await open(this.#path, flags).catch(() => this.#misplaced('was removed or made unreadable'));
    try {
      this.#file = identityOf(this.#fd);
      this.#checkPlace(this.#size);
      // The new file name is durable only after its directory is synced.
      const directory = await open(this.#dir, 'r');
      await syncAll(directory).finally(() => close(directory));
    } catch (e) {
      await this.#close().catch(() => undefined);
      throw e;
    }
  }

  /** @param size the expected size */
  #checkPlace(size: number): void {
    const there = statOf(this.#path!);
    if (!isSame(there, this.#file)) this.#misplaced('was removed or replaced');
    if (there!.size !== BigInt(size)) this.#misplaced('was truncated, or written to by another process,');
  }

  #misplaced(what: string): never {
    this.#lost = true;
    throw new SluiceError(
      'journal_unwritable',
      `${basename(this.#path!)} ${what} while in use. A new segment is begun; run \`sluice decisions verify\`.`,
    );
  }

  acknowledge(bytes: number): void {
    this.#size += bytes;
  }

  async flush(): Promise<void> {
    if (this.#fd !== null) await flush(this.#fd);
  }

  /** lets a caller tell whether a failed flush concerned the file that is still open */
  get descriptor(): number | null {
    return this.#fd;
  }

  /**
   * Truncates, durably, what is not acknowledged. The next append opens the file again. If the path no longer names the
   * file, the next append begins a new segment.
   */
  async cut(): Promise<void> {
    const [fd, file] = [this.#fd, this.#file];
    // A moved file must not keep rejected records either.
    if (fd !== null && !isSame(statOf(this.#path!), file)) {
      await truncate(fd, this.#size).catch(() => undefined);
      this.#lost = true;
    }
    await this.#close().catch(() => undefined);
    if (this.#lost) {
      this.#path = null;
      this.#size = 0;
      this.#lost = false;
    }
    if (this.#path === null) return;
    const again = await open(this.#path, constants.O_WRONLY).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT') return null;
      throw e;
    });
    if (again === null) {
      this.#path = null;
      this.#size = 0;
      return;
    }
    try {
      await truncate(again, this.#size);
      await flush(again);
    } finally {
      await close(again);
    }
  }

  /** Checks the open file without a write. @throws SluiceError `journal_unwritable` like `append` */
  checkPlace(): void {
    if (this.#path === null || this.#fd === null) return;
    const there = statOf(this.#path);
    if (!isSame(there, this.#file)) this.#misplaced('was removed or replaced');
    // A write in progress may have made it longer.
    if (there!.size < BigInt(this.#size)) this.#misplaced('was truncated');
  }

  async #close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = null;
    this.#file = null;
    if (fd !== null) await close(fd);
  }

  close(): Promise<void> {
    return this.#close();
  }
}
