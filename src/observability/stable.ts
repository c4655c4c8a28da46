/**
 * Files that others write while they are read. A file is opened once and read to its end; if it was written to meanwhile, or its name
 * leads to another by then, it is read again. So what is answered stood there at one moment.
 */
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';

/** Reads before it is said that a file does not come to rest. */
const TRIES = 5;
/**
 * File systems stamp a change with a clock of some milliseconds: two changes within one tick look like one, and a writer may pause. A
 * file that changed so recently is looked into again.
 */
const TICK_MS = 100;
const UNSETTLED = 'look ';
let looks = 0;

export interface StableFile {
  readonly bytes: Buffer;
  /** tells whether the file has changed since, see `stampOf` */
  readonly stamp: string;
}

/**
 * @param most bytes at most; a longer file is not read
 * @throws what the file system says; RangeError for a file that is too long; Error for one that changes all the time
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

/** Differs once the file under this name has changed, and at every look within a moment of its last change. Never throws. */
export function stampOf(path: string): string {
  try {
    const stats = statSync(path, { bigint: true });
    const age = Date.now() - Number(stats.ctimeNs / 1_000_000n);
    return Math.abs(age) < TICK_MS ? `${spelled(stats)} ${UNSETTLED}${++looks}` : spelled(stats);
  } catch (e) {
    return (e as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
