/** A place that copies of records go to: an index or a sink. Fed from the journal by feeder.ts. */
import type { DecisionRecord } from '../../model/record.ts';
import type { QueryInterface } from './query.ts';

/** How far an origin has been copied. */
export interface Position {
  /** first seq of the segment */
  readonly segment: number;
  /** byte in the segment that comes next */
  readonly offset: number;
  /** of the last record copied */
  readonly seq: number;
}

export interface Copy {
  readonly record: DecisionRecord;
  /** the line as it stands in the journal, without its newline: the bytes that the hash is over */
  readonly line: string;
}

export interface Store {
  /** for messages and metrics */
  readonly name: string;
  positions(): Promise<ReadonlyMap<string, Position>>;
  /**
   * Takes copies of one origin, in order, and remembers `position` once they are kept. What it has already is taken
   * again without harm.
   */
  take(origin: string, copies: readonly Copy[], position: Position): Promise<void>;
  close(): Promise<void>;
}

export interface IndexStore extends Store, QueryInterface {}
