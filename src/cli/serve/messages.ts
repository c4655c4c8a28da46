/** The output of `sluice serve` on stdout, and the messages between the primary and its workers. */
import type { ErrorCode, SluiceError } from '../../errors.ts';
import type { Listener, ReportKind, WorkerReport } from '../../endpoints/admin/workers.ts';

/** Its addresses and the revision of its policy. */
export interface Ready {
  readonly proxy: string;
  readonly admin: string;
  /** revision */
  readonly policy: string;
}

/** The one line on stdout that the starting process waits for. */
export const readyLine = (ready: Ready & { readonly workers?: number }): string =>
  `${JSON.stringify({ ready: true, ...ready })}\n`;

/** The environment variable with the worker's number, from 1. */
export const WORKER = 'SLUICE_WORKER';

export type ToWorker =
  /** the validated text of the configuration: a later change of the file does not apply to this run */
  | { readonly say: 'configuration'; readonly text: string }
  /** with the shared socket and its port; without: this worker opens it */
  | { readonly say: 'listen'; readonly listener: Listener; readonly port: number | null }
  | { readonly say: 'asked'; readonly id: number; readonly question: ReportKind }
  | { readonly say: 'gathered'; readonly id: number; readonly reports: readonly WorkerReport<ReportKind>[] }
  | { readonly say: 'reread' }
  | { readonly say: 'stop' };

export type FromWorker =
  /** it receives messages now */
  | { readonly say: 'hello' }
  | { readonly say: 'listens?'; readonly listener: Listener }
  /** with the socket, which the primary keeps and the others share */
  | { readonly say: 'opened'; readonly listener: Listener; readonly port: number }
  | { readonly say: 'ready'; readonly policy: string }
  /** it finishes its requests and accepts no more */
  | { readonly say: 'leaving' }
  /** why it cannot start; it then waits to be ended, so that this message is read first */
  | {
      readonly say: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly at: SluiceError['at'];
    }
  | { readonly say: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly say: 'gather'; readonly id: number; readonly question: ReportKind };
