/**
 * Whether a name still leads to the file that was opened under it. Bytes written to a file that was unlinked, or whose directory
 * was moved away, reach the disk and are nowhere to be found.
 */
import { type BigIntStats, fstatSync, statSync } from 'node:fs';

/** Device and inode number; numbers of 64 bits, which a double cannot hold on every file system. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

export const identityOf = (fd: number): FileIdentity => fstatSync(fd, { bigint: true });

/** null: nothing stands there, or nobody can say. Reads no data and writes none, so it does not wait for the disk. */
export function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

export const isSame = (a: FileIdentity | null, b: FileIdentity | null): boolean =>
  a !== null && b !== null && a.ino === b.ino && a.dev === b.dev;
