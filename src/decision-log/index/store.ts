/** A destination of record copies: an index or a sink. `feeder.ts` fills it from the journal. */
import { SluiceError } from '../../errors.ts';
import type { CopyMask, DecisionRecord } from '../../model/record.ts';
import type { ChainLink } from '../journal/chain.ts';
import type { Read } from '../journal/reader.ts';
import type { Entry } from './entry.ts';
import type { QueryInterface } from './query.ts';

/** The position up to which an origin has been copied. */
export interface Position {
  /** first seq of the segment */
  readonly segment: number;
  /** byte offset in the segment of the next record */
  readonly offset: number;
  /** of the last record copied */
  readonly seq: number;
}

export interface Copy {
  readonly record: DecisionRecord & CopyMask;
  /** the complete record as a line, without its newline; it can be verified on its own unless it is masked */
  readonly line: string;
  /** as in `Read`; absent: those of `record` */
  readonly link?: ChainLink | undefined;
  /** as in `Read`; absent: as with version 1 */
  readonly parts?: Extract<Read, { readonly what: 'record' }>['parts'] | undefined;
}

/** @template Held what it takes of a copy */
export interface Store<Held = Copy> {
  /** for messages and metrics */
  readonly name: string;
  /** milliseconds since 1970: older decisions are not stored; absent or 0: all are */
  readonly oldest?: number;
  /** maximum of records in one `take`; default 500 */
  readonly batch?: number;
  /** What it takes of a copy; null for a record that it cannot hold. Absent: the copy itself, of every record */
  hold?(copy: Copy): Held | null;
  positions(): Promise<ReadonlyMap<string, Position>>;
  /** Begins what `take` will need for these, while those before them are taken. It stores none of them. */
  prepare?(origin: string, held: readonly Held[]): void;
  /**
   * Stores records of one origin, in order, and then `position`. It is idempotent, or its readers must drop duplicates
   * by origin and seq.
   * @param from the position before them
   */
  take(origin: string, held: readonly Held[], position: Position, from: Position): Promise<void>;
  close(): Promise<void>;
}

export interface IndexStatus {
  /** of its tables' form */
  readonly version: number;
  /** of its tables on disk */
  readonly bytes: number;
  readonly records: number;
  /** the first and the last day (UTC) with decisions; null: there are none */
  readonly days: readonly [first: string, last: string] | null;
}

/** both inclusive */
export type SeqRange = readonly [first: number, last: number];

export interface IndexStore extends Store<Entry>, QueryInterface {
  /** milliseconds since 1970: older decisions are not stored */
  readonly oldest: number;
  status(): Promise<IndexStatus>;
  /** Deletes what is older than the configuration keeps. @returns the days (UTC) that were deleted */
  prune(): Promise<readonly string[]>;
  /** Deletes the records of these seqs, and what is stored for them alone. */
  forget(origin: string, ranges: readonly SeqRange[]): Promise<void>;
  /** Deletes everything, so that feeders start at the beginning of each chain. */
  clear(): Promise<void>;
}

export interface IndexOptions {
  /** milliseconds for which decisions are kept; absent: for ever */
  readonly keep?: number | undefined;
  /** called when an index of an earlier version was found: this one begins with nothing */
  readonly replaced?: (() => void) | undefined;
}

export const oldestKept = (keep: number | undefined): number => (keep === undefined ? 0 : Date.now() - keep);

/**
 * The stored position may be ahead of a feeder, if another one copies the same chain. It is behind if the index was cleared meanwhile: then
 * records between the two would be missing.
 * @throws SluiceError `index_cleared`
 */
export function requireUnbroken(stored: number, from: Position): void {
  if (stored < from.seq)
    throw new SluiceError('index_cleared', 'The index was cleared. It is built again from the beginning.');
}
