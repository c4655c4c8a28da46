/** What `sluice serve` says on stdout, and the primary and its workers to each other. */
import type { ErrorCode, SluiceError } from '../../errors.ts';
import type { Listener, ReportKind, WorkerReport } from '../../endpoints/admin/workers.ts';

/** Where it listens, and what it decides by. */
export interface Ready {
  readonly proxy: string;
  readonly admin: string;
  /** revision */
  readonly policy: string;
}

/** The one line on stdout that whoever started us waits for. */
export const readyLine = (ready: Ready & { readonly workers?: number }): string =>
  `${JSON.stringify({ ready: true, ...ready })}\n`;

/** The environment variable that has the worker's number, from 1. */
export const WORKER = 'SLUICE_WORKER';

export type ToWorker =
  /** the text that the primary found without fault: a file that has changed since is not for this run */
  | { readonly say: 'configuration'; readonly text: string }
  /** with the socket that all share and its port; without: this worker opens it */
  | { readonly say: 'listen'; readonly listener: Listener; readonly port: number | null }
  | { readonly say: 'asked'; readonly id: number; readonly question: ReportKind }
  | { readonly say: 'gathered'; readonly id: number; readonly reports: readonly WorkerReport<ReportKind>[] }
  | { readonly say: 'reread' }
  | { readonly say: 'stop' };

export type FromWorker =
  /** it listens to messages now */
  | { readonly say: 'hello' }
  | { readonly say: 'listens?'; readonly listener: Listener }
  /** with the socket, for the primary to keep and the others to share */
  | { readonly say: 'opened'; readonly listener: Listener; readonly port: number }
  | { readonly say: 'ready'; readonly policy: string }
  /** it finishes what it has, and takes no more */
  | { readonly say: 'leaving' }
  /** why it cannot start; it waits to be ended, so that this is read first */
  | {
      readonly say: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly at: SluiceError['at'];
    }
  | { readonly say: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly say: 'gather'; readonly id: number; readonly question: ReportKind };
