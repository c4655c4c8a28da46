/** Which segments may hold records after a time: what is older need not be read. */
import { inspect, ownMembers } from '../journal/chain.ts';
import type { Segment } from '../journal/directory.ts';
import { linesLeft } from '../journal/lines.ts';

/** Clocks may step back, so a segment is skipped only if it ends this much earlier. */
export const SLACK = 3_600_000;

/**
 * Skips the segments before `from`, milliseconds since 1970: those at the start whose successors begin before it. A clock that was ahead
 * for longer than a segment, and was put back, hides nothing: what it stamped begins a segment after `from`, at which the skipping ends.
 */
export async function since(segments: readonly Segment[], from: number): Promise<readonly Segment[]> {
  if (!Number.isFinite(from)) return segments;
  let first = 0;
  for (; first + 1 < segments.length; first++) {
    const began = await beginning(segments[first + 1]!);
    if (began === null || began >= from) break;
  }
  return segments.slice(first);
}

async function beginning(segment: Segment): Promise<number | null> {
  for await (const batch of linesLeft(segment.path, 1 << 20)) {
    for (const { bytes } of batch) {
      const inspected = inspect(bytes);
      if (!inspected.ok) return null;
      const timestamp = ownMembers(inspected)?.timestamp;
      if (inspected.link.document === null && typeof timestamp === 'string') return Date.parse(timestamp);
    }
  }
  return null;
}
