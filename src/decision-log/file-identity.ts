/**
 * Tells whether a path still names the file that was opened. Bytes written to an unlinked file, or to a file in a directory
 * that was moved, reach the disk but cannot be found under the path.
 */
import { type BigIntStats, fstatSync, statSync } from 'node:fs';

/** Device and inode number. Both have 64 bits, so a double cannot hold them on every file system. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

export const identityOf = (fd: number): FileIdentity => fstatSync(fd, { bigint: true });

/** null: no such file, or it cannot be examined. Reads and writes no data, so it does not wait for the disk. */
export function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

export const isSame = (a: FileIdentity | null, b: FileIdentity | null): boolean =>
  a !== null && b !== null && a.ino === b.ino && a.dev === b.dev;
