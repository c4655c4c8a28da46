/** Reads a segment as lines, a chunk at a time, however long it is. */
import { open } from 'node:fs/promises';

export interface Line {
  /** without its newline; private to the reader until the next batch */
  readonly bytes: Buffer;
  readonly offset: number;
  /** false: the file ended before a newline, or the line is longer than any record may be (`bytes` is cut then) */
  readonly whole: boolean;
}

const CHUNK = 1 << 20;
/** A record is at most `max_record` (16 MiB at the very most); what is longer is no record. */
export const MAX_LINE = 16 * (1 << 20) + 4096;
const NEWLINE = 10;

/** Yields the lines of each chunk together: a promise per line would cost more than the line. */
export async function* readLines(
  path: string,
  from = 0,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Line[], void, void> {
  const file = await open(path, 'r');
  try {
    let position = from;
    let rest: Buffer = Buffer.alloc(0);
    let skipping = false;
    for (;;) {
      const room = Math.min(CHUNK, until - position);
      const chunk = Buffer.allocUnsafe(Math.max(0, room));
      const { bytesRead } = room > 0 ? await file.read(chunk, 0, room, position) : { bytesRead: 0 };
      if (bytesRead === 0) break;
      const start = position - rest.length;
      position += bytesRead;
      const data =
        rest.length === 0
          ? chunk.subarray(0, bytesRead)
          : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const lines: Line[] = [];
      let at = 0;
      for (;;) {
        const end = data.indexOf(NEWLINE, at);
        if (end === -1) break;
        if (!skipping) lines.push({ bytes: data.subarray(at, end), offset: start + at, whole: true });
        skipping = false;
        at = end + 1;
      }
      rest = data.subarray(at);
      if (rest.length > MAX_LINE) {
        if (!skipping)
          lines.push({ bytes: rest.subarray(0, 4096), offset: position - rest.length, whole: false });
        skipping = true;
        rest = Buffer.alloc(0);
      }
      if (lines.length > 0) yield lines;
    }
    if (rest.length > 0 && !skipping) yield [{ bytes: rest, offset: position - rest.length, whole: false }];
  } finally {
    await file.close();
  }
}

/** The same of a stream of bytes. */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly bytes: Buffer; readonly whole: boolean }, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  for await (const chunk of chunks) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      const end = data.indexOf(NEWLINE, at);
      if (end === -1) break;
      if (!skipping) yield { bytes: data.subarray(at, end), whole: true };
      skipping = false;
      at = end + 1;
    }
    rest = data.subarray(at);
    if (rest.length <= MAX_LINE) continue;
    if (!skipping) yield { bytes: rest.subarray(0, 4096), whole: false };
    skipping = true;
    rest = Buffer.alloc(0);
  }
  if (rest.length > 0 && !skipping) yield { bytes: rest, whole: false };
}
