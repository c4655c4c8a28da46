/**
 * The segment that is appended to. It knows how many of its bytes are acknowledged; what is behind them was written by
 * a commit that failed, and is cut away before anything else is written. After every write it looks whether the file it wrote to is
 * still the one that the directory names: one that is not is given up, and the next append begins another.
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
import { segmentName } from './directory.ts';
import { type FileIdentity, identityOf, isSame, statOf } from '../identity.ts';

const [write, flush, syncAll, open, close, truncate] = [
  promisify(writeFd),
  promisify(fdatasync),
  promisify(fsync),
  promisify(openFd),
  promisify(closeFd),
  promisify(ftruncate),
];
const APPEND = constants.O_WRONLY | constants.O_APPEND;
/** A name that is there already is of another file: nothing is ever appended to it. */
const NEW = constants.O_CREAT | constants.O_EXCL;
/** A write that returns once its bytes are on disk (POSIX open(2)): one turn through the thread pool instead of two. Windows has none. */
const WRITE_THROUGH = (constants as { readonly O_DSYNC?: number }).O_DSYNC ?? 0;

export class Segment {
  readonly #dir: string;
  readonly #origin: string;
  readonly #limit: number;
  readonly #strict: boolean;
  #path: string | null;
  #fd: number | null = null;
  #file: FileIdentity | null = null;
  /** the file is not, or not as it was left, where the directory says */
  #lost = false;
  #size: number;

  /**
   * @param strict what `append` wrote is on disk when it resolves
   * @param at the last segment of the chain, with the bytes that are believed; opened at the first write
   */
  constructor(
    dir: string,
    origin: string,
    limit: number,
    strict: boolean,
    at: { path: string; size: number } | null,
  ) {
    this.#dir = dir;
    this.#origin = origin;
    this.#limit = limit;
    this.#strict = strict;
    this.#path = at?.path ?? null;
    this.#size = at?.size ?? 0;
  }

  /**
   * Appends, to a new segment if this one is full.
   * @param first seq of the first record in `bytes`
   * @throws SluiceError `journal_unwritable` when the file was removed, replaced, cut or written to by somebody else
   */
  async append(bytes: Buffer, first: number): Promise<void> {
    const full = this.#size >= this.#limit && this.#size > 0;
    if (this.#fd === null || full) await this.#begin(first, full);
    for (let at = 0; at < bytes.length; ) {
      at += (await write(this.#fd!, bytes, at, bytes.length - at, null)).bytesWritten;
    }
    if (this.#strict && WRITE_THROUGH === 0) await flush(this.#fd!);
    this.#checkPlace(this.#size + bytes.length);
  }

  async #begin(first: number, full: boolean): Promise<void> {
    if (this.#fd !== null) {
      await flush(this.#fd);
      await this.#close();
    }
    const flags = this.#strict ? APPEND | WRITE_THROUGH : APPEND;
    if (this.#path === null || full) {
      this.#path = null;
      this.#size = 0;
      const path = join(this.#dir, segmentName(this.#origin, first));
      this.#fd = await open(path, flags | NEW, 0o640);
      this.#path = path;
    } else
      this.#fd = await open(this.#path, flags).catch(() => this.#astray('was removed or made unreadable'));
    try {
      this.#file = identityOf(this.#fd);
      this.#checkPlace(this.#size);
      // The new name is durable only once its directory is.
      const directory = await open(this.#dir, 'r');
      await syncAll(directory).finally(() => close(directory));
    } catch (e) {
      await this.#close().catch(() => undefined);
      throw e;
    }
  }

  /** @param size what its length must be */
  #checkPlace(size: number): void {
    const there = statOf(this.#path!);
    if (!isSame(there, this.#file)) this.#astray('was removed or replaced');
    if (there!.size !== BigInt(size)) this.#astray('was cut, or written to by somebody else,');
  }

  #astray(what: string): never {
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

  /** tells whether a flush that failed was of the file that is still in use */
  get descriptor(): number | null {
    return this.#fd;
  }

  /**
   * Cuts away what is not acknowledged, durably; the file is opened anew at the next append. A file that is not in its place any more
   * is given up, and another is begun then.
   */
  async cut(): Promise<void> {
    const [fd, file] = [this.#fd, this.#file];
    // Wherever the file was moved to: what was refused must not stand in it.
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

  /** @throws SluiceError `journal_unwritable` like `append`, though nothing is being written */
  checkPlace(): void {
    if (this.#path === null || this.#fd === null) return;
    const there = statOf(this.#path);
    if (!isSame(there, this.#file)) this.#astray('was removed or replaced');
    // More may be on its way just now.
    if (there!.size < BigInt(this.#size)) this.#astray('was cut');
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
