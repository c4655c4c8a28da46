/**
 * Copies records from the journal to a store: at least once, in order within an origin, resumable. It copies only records
 * that the head covers: later ones are truncated if their flush fails.
 */
import { inspect } from '../journal/chain.ts';
import { headPath, listOrigins, type OriginFiles } from '../journal/directory.ts';
import { readHead } from '../journal/head.ts';
import { readLines } from '../journal/lines.ts';
import type { Copy, Position, Store } from './store.ts';

/** Maximum records and bytes of one transaction. */
const BATCH = 500;
const BATCH_BYTES = 4 << 20;

export interface FeedResult {
  /** origin → seq of the last record copied */
  readonly seq: ReadonlyMap<string, number>;
  /** records that the journal has and the store does not have, over all origins */
  readonly lag: number;
  /** lines that were skipped because their hash does not match */
  readonly refused: number;
}

/**
 * Makes one pass over the origins that are `wanted`; stops early when `signal` is aborted.
 * @throws errors of the store
 */
export async function feed(
  dir: string,
  store: Store,
  signal?: AbortSignal,
  wanted: (origin: string) => boolean = () => true,
): Promise<FeedResult> {
  const positions = await store.positions();
  const seq = new Map([...positions].map(([origin, p]) => [origin, p.seq]));
  let lag = 0;
  let refused = 0;
  for (const files of await listOrigins(dir)) {
    if (!wanted(files.origin)) continue;
    const head = readHead(headPath(dir, files.origin), null)?.latest?.head.seq ?? 0;
    let position = positions.get(files.origin) ?? { segment: 0, offset: 0, seq: 0 };
    if (position.seq < head && signal?.aborted !== true) {
      for await (const step of batches(files, position, head)) {
        if (step.copies.length > 0) await store.take(files.origin, step.copies, step.position);
        position = step.position;
        refused += step.refused;
        seq.set(files.origin, position.seq);
        if (signal?.aborted) break;
      }
    }
    lag += Math.max(0, head - position.seq);
  }
  return { seq, lag, refused };
}

interface Step {
  readonly copies: readonly Copy[];
  readonly position: Position;
  readonly refused: number;
}

async function* batches(files: OriginFiles, from: Position, head: number): AsyncGenerator<Step, void, void> {
  let copies: Copy[] = [];
  let bytes = 0;
  let refused = 0;
  let position = from;
  for (const segment of files.segments) {
    if (segment.first < from.segment) continue;
    const start = segment.first === from.segment ? from.offset : 0;
    for await (const lines of readLines(segment.path, start)) {
      for (const line of lines) {
        if (!line.complete) continue;
        const inspected = inspect(line.bytes);
        const offset = line.offset + line.bytes.length + 1;
        if (!inspected.ok) {
          refused++;
          position = { segment: segment.first, offset, seq: position.seq };
          continue;
        }
        const { record } = inspected;
        if (record.seq > head) {
          if (copies.length > 0) yield { copies, position, refused };
          return;
        }
        position = { segment: segment.first, offset, seq: record.seq };
        copies.push({ record, line: line.bytes.toString() });
        bytes += line.bytes.length;
        if (copies.length < BATCH && bytes < BATCH_BYTES) continue;
        yield { copies, position, refused };
        [copies, bytes, refused] = [[], 0, 0];
      }
    }
  }
  if (copies.length > 0 || refused > 0) yield { copies, position, refused };
}
