/** What the main thread and the worker that makes the copies say to each other. */
import type { DecisionQuery } from './query.ts';

export interface WorkerSettings {
  readonly dir: string;
  /** null: a reader's worker, which sends no copies */
  readonly origin: string | null;
  readonly index:
    | { readonly sqlite: string }
    | { readonly postgres: string; readonly schema?: string }
    | null;
  readonly sinks: readonly ({ readonly file: string } | { readonly stdout: true })[];
  /** milliseconds between looks at the journal, when nobody says that there is something new */
  readonly interval: number;
}

export type ToWorker =
  | { readonly say: 'committed' }
  | { readonly say: 'query'; readonly id: number; readonly query: DecisionQuery }
  | { readonly say: 'get'; readonly id: number; readonly decisionId: string }
  /** copy what there is, then stop */
  | { readonly say: 'close' };

export type FromWorker =
  | { readonly say: 'fed'; readonly store: string; readonly seq: number; readonly lag: number }
  | { readonly say: 'failed'; readonly store: string; readonly message: string }
  | { readonly say: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly say: 'refusal'; readonly id: number; readonly code: string; readonly message: string };
