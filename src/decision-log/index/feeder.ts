/**
 * Copies records from the journal to a store: at least once, in order within an origin, resumable. It copies only records
 * that the head covers: later ones are truncated if their flush fails.
 */
import { setImmediate } from 'node:timers/promises';
import { headPath, listOrigins, type OriginFiles } from '../journal/directory.ts';
import { readHead } from '../journal/head.ts';
import { readLines } from '../journal/lines.ts';
import { type Read, SegmentReader } from '../journal/reader.ts';
import type { DecisionRecord } from '../../model/record.ts';
import { DAY } from './entry.ts';
import { since } from './since.ts';
import type { Copy, Position, Store } from './store.ts';

/** Maximum records and bytes of one transaction. A store may say another number of records; then the bytes are those in the journal. */
const BATCH = 500;
const BATCH_BYTES = 4 << 20;
/** lines that are read in one turn of the event loop */
const TURN = 128;

export interface FeedResult {
  /** origin → seq of the last record copied */
  readonly seq: ReadonlyMap<string, number>;
  /** records that the journal has and the store does not have, over all origins */
  readonly lag: number;
  /** lines that were skipped: their hash does not match, or they refer to a shared document that is not in the segment */
  readonly refused: number;
}

/** The shared documents before a position, so that the next pass need not read them again. */
interface Place {
  readonly reader: SegmentReader;
  segment: number;
  offset: number;
}
/**
 * Maximum of chains whose place is kept: a process feeds its own chain again and again, and those of ended processes once. A place
 * holds the shared documents of one segment.
 */
export const MOST_PLACES = 16;
const places = new WeakMap<object, Map<string, Place>>();

/** origin → place, the last used one last */
export function placesOf(store: object): Map<string, Place> {
  const known = places.get(store) ?? new Map<string, Place>();
  places.set(store, known);
  return known;
}

async function placeAt(store: object, files: OriginFiles, at: Position): Promise<Place> {
  const known = placesOf(store);
  const { origin } = files;
  let place = known.get(origin);
  known.delete(origin);
  if (place === undefined || place.segment !== at.segment || place.offset !== at.offset) {
    const reader = new SegmentReader();
    const segment = files.segments.find(({ first }) => first === at.segment);
    if (segment !== undefined && at.offset > 0) await reader.readShared(segment.path, at.offset);
    place = { reader, segment: at.segment, offset: at.offset };
  }
  if (known.size >= MOST_PLACES) known.delete(known.keys().next().value!);
  known.set(origin, place);
  return place;
}

/**
 * Makes one pass over the origins that are `wanted`; stops early when `signal` is aborted.
 * @param taken called after each batch
 * @throws errors of the store
 */
export async function feed<Held>(
  dir: string,
  store: Store<Held>,
  signal?: AbortSignal,
  wanted: (origin: string) => boolean = () => true,
  taken: (origin: string, position: Position) => void = () => undefined,
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
      const place = await placeAt(store, files, position);
      const take = async (step: Step<Held>): Promise<void> => {
        if (step.held.length > 0) await store.take(files.origin, step.held, step.position, position);
        position = step.position;
        taken(files.origin, position);
        refused += step.refused;
        seq.set(files.origin, position.seq);
      };
      let taking: Promise<void> = Promise.resolve();
      for await (const step of batches(files, position, head, place, store)) {
        // The next batch is read and prepared while the store takes this one.
        if (step.held.length > 0) store.prepare?.(files.origin, step.held);
        await taking;
        taking = take(step);
        taking.catch(() => undefined);
        if (signal?.aborted) break;
      }
      await taking;
    }
    lag += Math.max(0, head - position.seq);
  }
  return { seq, lag, refused };
}

interface Step<Held> {
  readonly held: readonly Held[];
  readonly position: Position;
  readonly refused: number;
}

async function* batches<Held>(
  files: OriginFiles,
  from: Position,
  head: number,
  place: Place,
  store: Store<Held>,
): AsyncGenerator<Step<Held>, void, void> {
  const most = store.batch ?? BATCH;
  let held: Held[] = [];
  let bytes = 0;
  let refused = 0;
  let position = from;
  const left = files.segments.filter(({ first }) => first >= from.segment);
  // What an index does not keep is not read. A clock that was put back by less than a day hides nothing.
  const { oldest = 0 } = store;
  for (const segment of oldest === 0 ? left : await since(left, oldest - DAY)) {
    const start = segment.first === from.segment ? from.offset : 0;
    if (start === 0) place.reader.begin();
    for await (const lines of readLines(segment.path, start)) {
      for (const [i, line] of lines.entries()) {
        // The store talks with a server meanwhile, which would wait.
        if (store.prepare !== undefined && i % TURN === TURN - 1) await setImmediate();
        if (!line.complete) continue;
        const read = place.reader.read(line.bytes);
        if (read.what === 'document') continue;
        const offset = line.offset + line.bytes.length + 1;
        if (read.what !== 'fault' && read.link.seq > head) {
          if (held.length > 0 || refused > 0) yield { held, position, refused };
          return;
        }
        const seq = read.what === 'fault' ? position.seq : read.link.seq;
        position = { segment: segment.first, offset, seq };
        Object.assign(place, { segment: segment.first, offset });
        const copy = read.what === 'record' ? new JournalCopy(read) : null;
        const one = copy === null ? null : store.hold === undefined ? (copy as Held) : store.hold(copy);
        if (one !== null) {
          held.push(one);
          // The line of a copy is made where it is needed, and the store will need it.
          bytes += store.batch === undefined ? copy!.line.length : line.bytes.length;
        } else if (read.what !== 'removed') refused++;
        if (seq === head) {
          // The next start may cut off what is behind the head, and write other lines there.
          yield { held, position, refused };
          return;
        }
        if (held.length < most && bytes < (BATCH_BYTES * most) / BATCH) continue;
        yield { held, position, refused };
        [held, bytes, refused] = [[], 0, 0];
      }
    }
  }
  if (held.length > 0 || refused > 0 || position !== from) yield { held, position, refused };
}

/** An index needs neither the record nor its line, and each costs more than the rest. */
class JournalCopy implements Copy {
  readonly link: Copy['link'];
  readonly parts: Copy['parts'];
  readonly #read: Extract<Read, { readonly what: 'record' }>;
  #line: string | undefined;

  constructor(read: Extract<Read, { readonly what: 'record' }>) {
    this.link = read.link;
    this.parts = read.parts;
    this.#read = read;
    // In version 1 it is the line of the file, which is valid until the next chunk.
    if (read.parts === null) this.#line = read.line();
  }

  get record(): DecisionRecord {
    return this.#read.record;
  }

  get line(): string {
    this.#line ??= this.#read.line();
    return this.#line;
  }
}
