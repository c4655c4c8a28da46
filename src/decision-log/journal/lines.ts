/** Reads a segment or an export line by line, in chunks, so that memory does not grow with the file. */
import { open } from 'node:fs/promises';

export interface Line {
  /** without its newline; valid, and not shared, until the next batch */
  readonly bytes: Buffer;
  readonly offset: number;
  /** false: the file ends without a newline, or the line is longer than a record may be (`bytes` is truncated then) */
  readonly complete: boolean;
}

const CHUNK = 1 << 20;
const FIRST_CHUNK = 64 << 10;
/** The upper bound of `max_record` is 16 MiB; a longer line is not a record. */
const MAX_LINE = 16 * (1 << 20) + 4096;
/** bytes kept of a line that is too long */
const KEPT = 4096;
const NEWLINE = 10;

/** Yields the lines of a chunk together, because a promise for each line would cost more than reading it. */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  from = 0,
): AsyncGenerator<readonly Line[], void, void> {
  /** bytes read so far */
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
      if (!isSkipping) lines.push({ bytes: data.subarray(at, end), offset: start + at, complete: true });
      isSkipping = false;
      at = end + 1;
    }
    rest = data.subarray(at);
    if (rest.length > MAX_LINE) {
      if (!isSkipping)
        lines.push({ bytes: rest.subarray(0, KEPT), offset: position - rest.length, complete: false });
      isSkipping = true;
      rest = Buffer.alloc(0);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0 && !isSkipping)
    yield [{ bytes: rest, offset: position - rest.length, complete: false }];
}

/** @param until the offset to stop at */
export const readLines = (
  path: string,
  from = 0,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Line[], void, void> => splitLines(chunksOf(path, from, until), from);

/** Like `readLines`, for a listed segment that may have been archived since: a missing file has no lines. */
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
