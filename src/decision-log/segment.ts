/**
 * The segment that is appended to. It knows how many of its bytes are acknowledged; what is behind them was written by
 * a commit that failed, and is cut away before anything else is written.
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
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { segmentName } from './directory.ts';

const [write, flush, syncAll, open, close, truncate] = [
  promisify(writeFd),
  promisify(fdatasync),
  promisify(fsync),
  promisify(openFd),
  promisify(closeFd),
  promisify(ftruncate),
];
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
/** A write that returns once its bytes are on disk (POSIX open(2)): one turn through the thread pool instead of two. Windows has none. */
const WRITE_THROUGH = (constants as { readonly O_DSYNC?: number }).O_DSYNC ?? 0;

export class Segment {
  readonly #dir: string;
  readonly #origin: string;
  readonly #limit: number;
  readonly #strict: boolean;
  #path: string | null;
  #fd: number | null = null;
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

  /** Appends, to a new segment if this one is full. @param first seq of the first record in `bytes` */
  async append(bytes: Buffer, first: number): Promise<void> {
    const full = this.#size >= this.#limit && this.#size > 0;
    if (this.#fd === null || full) await this.#begin(first, full);
    for (let at = 0; at < bytes.length; ) {
      at += (await write(this.#fd!, bytes, at, bytes.length - at, null)).bytesWritten;
    }
    if (this.#strict && WRITE_THROUGH === 0) await flush(this.#fd!);
  }

  async #begin(first: number, full: boolean): Promise<void> {
    if (this.#fd !== null) {
      await flush(this.#fd);
      await this.#close();
    }
    if (this.#path === null || full) {
      this.#path = join(this.#dir, segmentName(this.#origin, first));
      this.#size = 0;
    }
    this.#fd = await open(this.#path, this.#strict ? APPEND | WRITE_THROUGH : APPEND, 0o640);
    // The new name is durable only once its directory is.
    const directory = await open(this.#dir, 'r');
    await syncAll(directory).finally(() => close(directory));
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

  /** Cuts away what is not acknowledged, durably; the file is opened anew at the next append. */
  async cut(): Promise<void> {
    await this.#close().catch(() => undefined);
    if (this.#path === null) return;
    const fd = await open(this.#path, constants.O_WRONLY | constants.O_CREAT, 0o640);
    try {
      await truncate(fd, this.#size);
      await flush(fd);
    } finally {
      await close(fd);
    }
  }

  /**
   * Name of the segment if somebody has removed or cut it while it was in use; it is given up then, and the next append
   * begins another.
   */
  async lost(): Promise<string | null> {
    if (this.#path === null || this.#fd === null || this.#size === 0) return null;
    const [path, size] = [this.#path, this.#size];
    const there = await stat(path).catch(() => null);
    if (there !== null && there.size >= size) return null;
    this.#path = null;
    return basename(path);
  }

  async #close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = null;
    if (fd !== null) await close(fd);
  }

  close(): Promise<void> {
    return this.#close();
  }
}
