/** Reads a segment or an export as lines, a chunk at a time, however long it is. */
import { open } from 'node:fs/promises';

export interface Line {
  /** without its newline; private to the reader until the next batch */
  readonly bytes: Buffer;
  readonly offset: number;
  /** false: the file ended before a newline, or the line is longer than any record may be (`bytes` is cut then) */
  readonly whole: boolean;
}

const CHUNK = 1 << 20;
const FIRST_CHUNK = 64 << 10;
/** A record is at most `max_record` (16 MiB at the very most); what is longer is no record. */
const MAX_LINE = 16 * (1 << 20) + 4096;
/** how much of a line that is too long is kept */
const KEPT = 4096;
const NEWLINE = 10;

/** Yields the lines of each chunk together: a promise per line would cost more than the line. */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  from = 0,
): AsyncGenerator<readonly Line[], void, void> {
  /** how much has been read */
  let position = from;
  let rest: Buffer = Buffer.alloc(0);
  let isSkipping = false;
  for await (const chunk of chunks) {
    const start = position - rest.length;
    position += chunk.length;
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Line[] = [];
    let at = 0;
    for (;;) {
      const end = data.indexOf(NEWLINE, at);
      if (end === -1) break;
      if (!isSkipping) lines.push({ bytes: data.subarray(at, end), offset: start + at, whole: true });
      isSkipping = false;
      at = end + 1;
    }
    rest = data.subarray(at);
    if (rest.length > MAX_LINE) {
      if (!isSkipping)
        lines.push({ bytes: rest.subarray(0, KEPT), offset: position - rest.length, whole: false });
      isSkipping = true;
      rest = Buffer.alloc(0);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0 && !isSkipping) yield [{ bytes: rest, offset: position - rest.length, whole: false }];
}

/** @param until the offset to stop at */
export const readLines = (
  path: string,
  from = 0,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Line[], void, void> => splitLines(chunksOf(path, from, until), from);

/** Of a segment that was listed and may have been archived since: then it has no lines any more. */
export async function* linesLeft(
  path: string,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Line[], void, void> {
  try {
    yield* readLines(path, 0, until);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
  }
}

async function* chunksOf(path: string, from: number, until: number): AsyncGenerator<Buffer, void, void> {
  const file = await open(path, 'r');
  try {
    // A short file needs no large buffer: each chunk is twice as long as the one before.
    for (let position = from, next = FIRST_CHUNK; position < until; next = Math.min(CHUNK, 2 * next)) {
      const size = Math.min(next, until - position);
      const chunk = Buffer.allocUnsafe(size);
      const { bytesRead } = await file.read(chunk, 0, size, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
