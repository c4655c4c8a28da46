/** A destination of record copies: an index or a sink. `feeder.ts` fills it from the journal. */
import type { CopyMask, DecisionRecord } from '../../model/record.ts';
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
}

export interface Store {
  /** for messages and metrics */
  readonly name: string;
  positions(): Promise<ReadonlyMap<string, Position>>;
  /**
   * Stores copies of one origin, in order, and then `position`. It is idempotent, or its readers must drop duplicates
   * by origin and seq.
   */
  take(origin: string, copies: readonly Copy[], position: Position): Promise<void>;
  close(): Promise<void>;
}

export interface IndexStore extends Store, QueryInterface {
  /** Deletes the records of these seqs, and what is stored for them alone. */
  forget(origin: string, ranges: readonly (readonly [first: number, last: number])[]): Promise<void>;
}
