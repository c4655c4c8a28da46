/**
 * Reads files that others may write at the same time. A file is opened once and read to its end. If it was written meanwhile, or its name
 * now leads to another file, it is read again. So the result is the content at one moment.
 */
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';

/** Maximum reads before an error says that the file changes all the time. */
const TRIES = 5;
/**
 * File systems record changes with a resolution of some milliseconds. Two changes within one tick look like one, and a writer may pause, so a
 * file that changed this recently is read again.
 */
const TICK_MS = 100;
const UNSETTLED = 'look ';
let looks = 0;

export interface StableFile {
  readonly bytes: Buffer;
  /** shows whether the file has changed since, see `stampOf` */
  readonly stamp: string;
}

/**
 * @param most maximum bytes; a longer file is not read
 * @throws errors of the file system; RangeError for a file that is too long; Error for one that changes all the time
 */
export function readStable(path: string, most: number = Number.POSITIVE_INFINITY): StableFile {
  for (let tries = 0; tries < TRIES; tries++) {
    const fd = openSync(path, 'r');
    try {
      const before = fstatSync(fd, { bigint: true });
      if (before.size > most) throw new RangeError(`the file has more than ${most} bytes`);
      const bytes = readFileSync(fd);
      const after = fstatSync(fd, { bigint: true });
      const stamp = stampOf(path);
      if (spelled(before) === spelled(after) && spelled(after) === stamp.split(` ${UNSETTLED}`)[0])
        return { bytes, stamp };
    } finally {
      closeSync(fd);
    }
  }
  throw new Error('the file is written to all the time');
}

interface Stats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

const spelled = ({ dev, ino, size, mtimeNs, ctimeNs }: Stats): string =>
  `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;

/** Changes when the file of this name changes, and at every call shortly after its last change. Never throws. */
export function stampOf(path: string): string {
  try {
    const stats = statSync(path, { bigint: true });
    const age = Date.now() - Number(stats.ctimeNs / 1_000_000n);
    return Math.abs(age) < TICK_MS ? `${spelled(stats)} ${UNSETTLED}${++looks}` : spelled(stats);
  } catch (e) {
    return (e as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
