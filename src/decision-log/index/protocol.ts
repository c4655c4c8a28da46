/** Messages between the main thread and the copy worker. */
import type { KeyObject } from 'node:crypto';
import type { WitnessConfig } from '../section.ts';
import type { CopyRules } from '../../model/policy.ts';
import type { MaskCounts } from '../sinks/masking.ts';
import type { SinkConfig } from '../sinks/section.ts';
import type { KeptLog } from '../tree/keep.ts';
import type { IndexSettings } from './open.ts';
import type { DecisionQuery } from './query.ts';

export interface WorkerSettings {
  readonly dir: string;
  /** null: the worker only answers queries and copies nothing */
  readonly origin: string | null;
  readonly index: IndexSettings | null;
  readonly sinks: readonly SinkConfig[];
  /** sinks get nothing before the first `rules` */
  readonly awaitsRules: boolean;
  readonly checkpoints: CheckpointSettings | null;
  /** milliseconds between passes over the journal if no commit is reported */
  readonly interval: number;
}

export interface CheckpointSettings {
  readonly name: string;
  /** milliseconds */
  readonly every: number;
  readonly witnesses: readonly WitnessConfig[];
  /** of the key that signs; the private key stays in the main thread */
  readonly publicKey: KeyObject;
}

export type ToWorker =
  | { readonly type: 'committed' }
  /** what sinks get from now on; null: each record as it is */
  | { readonly type: 'rules'; readonly rules: CopyRules | null }
  | { readonly type: 'query'; readonly id: number; readonly query: DecisionQuery }
  | { readonly type: 'get'; readonly id: number; readonly decisionId: string }
  /** null: it could not be signed */
  | { readonly type: 'signed'; readonly id: number; readonly signature: Uint8Array | null }
  /** copy the remaining records, then stop */
  | { readonly type: 'close' };

export type FromWorker =
  /** the index is built again, because it was of an earlier version */
  | { readonly type: 'replaced'; readonly store: string }
  /** days (UTC) whose decisions the index keeps no longer */
  | { readonly type: 'pruned'; readonly store: string; readonly days: readonly string[] }
  | { readonly type: 'copied'; readonly store: string; readonly seq: number }
  /** lines of the journal that cannot be read, which a store has not got */
  | { readonly type: 'unreadable'; readonly store: string; readonly count: number }
  | ({ readonly type: 'masked'; readonly store: string } & MaskCounts)
  /** `stopped`: it is not tried again before the next start */
  | { readonly type: 'failed'; readonly store: string; readonly message: string; readonly stopped: boolean }
  | { readonly type: 'sign'; readonly id: number; readonly text: string }
  /** `log` null: nothing is known of this process's chain. `problem`: of its chain, or of one that nobody holds */
  | { readonly type: 'checkpoint'; readonly log: KeptLog | null; readonly problem: string | null }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly code: string; readonly message: string };
