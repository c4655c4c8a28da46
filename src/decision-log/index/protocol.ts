/** Messages between the main thread and the copy worker. */
import type { DecisionQuery } from './query.ts';

export interface WorkerSettings {
  readonly dir: string;
  /** null: the worker only answers queries and copies nothing */
  readonly origin: string | null;
  readonly index:
    | { readonly sqlite: string }
    | { readonly postgres: string; readonly schema?: string }
    | null;
  readonly sinks: readonly ({ readonly file: string } | { readonly stdout: true })[];
  /** milliseconds between passes over the journal if no commit is reported */
  readonly interval: number;
}

export type ToWorker =
  | { readonly type: 'committed' }
  | { readonly type: 'query'; readonly id: number; readonly query: DecisionQuery }
  | { readonly type: 'get'; readonly id: number; readonly decisionId: string }
  /** copy the remaining records, then stop */
  | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'copied'; readonly store: string; readonly seq: number; readonly lag: number }
  | { readonly type: 'failed'; readonly store: string; readonly message: string }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly code: string; readonly message: string };
