/** Where quotas are counted. One counter for each quota and each value of what it counts by; two stores, which behave alike. */
import type { Period } from './windows.ts';

export interface Counter {
  readonly key: string;
  readonly of: 'records' | 'data_subjects';
  readonly per: Period;
  readonly limit: number;
}

export interface Claim {
  readonly counter: Counter;
  readonly wanted: number;
  /** nothing is granted where less than `wanted` is left */
  readonly all: boolean;
}

/** The counter as it was before the claim, and what it got. */
export interface Granted {
  readonly used: number;
  /** by requests under way */
  readonly reserved: number;
  readonly granted: number;
  readonly exact: boolean;
}

/** Counts what was disclosed, and gives back what a reservation holds besides. */
export interface Settlement {
  /** of the reservation */
  readonly id: string;
  readonly claims: readonly Claim[];
  /** what `reserve` gave, in the same order; null: `reserve` failed, and may have been carried out all the same */
  readonly granted: readonly Granted[] | null;
  readonly records: number;
  readonly dataSubjects: ReadonlySet<string>;
}

export interface CounterStore {
  /**
   * Each claim is checked and reserved in one step. The claims of a request are independent of each other.
   * @param id names the reservation, which expires if it is not settled
   */
  reserve(id: string, claims: readonly Claim[]): Promise<readonly Granted[]>;
  /**
   * @param isRepeated an attempt before this one failed, and may have been carried out all the same: what is not reserved any more is not counted
   */
  settle(settlement: Settlement, isRepeated: boolean): Promise<void>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  close(): Promise<void>;
}

export interface CounterOptions {
  /** milliseconds after which a reservation that nobody settled is given back */
  readonly expiry: number;
  /** distinct data subjects that a counter holds exactly; beyond, it estimates (HyperLogLog) */
  readonly exact: number;
}
