/**
 * Several workers behind one admin listener. Every worker serves it; the one that is asked gathers the reports of all and answers with the
 * worst, with the number of the worker that it comes from.
 */
import type { Server } from 'node:http';
import type { MetricsReport } from '../../observability/totals.ts';
import type { Address } from '../listening.ts';

export interface Finding {
  readonly ok: boolean;
  /** it serves and needs attention: a bad policy must not take every replica out of service */
  readonly degraded?: boolean;
  readonly detail?: unknown;
}

export type Status = 'ready' | 'degraded' | 'not ready';

export interface Readiness {
  readonly status: Status;
  readonly checks: Readonly<Record<string, Finding>>;
}

/** Reports that a worker can be asked for. */
export interface Reports {
  readonly alive: null;
  readonly ready: Readiness;
  readonly metrics: MetricsReport;
}
export type ReportKind = keyof Reports;

export type WorkerReport<Q extends ReportKind> =
  | { readonly worker: number; readonly state: 'up'; readonly answer: Reports[Q] }
  /** `down`: not started, or to be started again; `silent`: it runs and did not answer in time */
  | { readonly worker: number; readonly state: 'down' | 'silent'; readonly detail?: string };

export type Listener = 'proxy' | 'admin' | 'data_subjects';

export type Respond = <Q extends ReportKind>(question: Q) => Promise<Reports[Q]>;

export interface Workers {
  /**
   * Listens on the socket that all workers share; the first worker opens it.
   * @returns the port
   * @throws SluiceError `address_in_use`
   */
  listen(listener: Listener, server: Server, address: Address): Promise<number>;
  /** One report a worker, by number, including this worker's. */
  gather<Q extends ReportKind>(question: Q): Promise<readonly WorkerReport<Q>[]>;
  /** Sets the function that answers for this worker. */
  responds(respond: Respond): void;
}

const RANKS: readonly Status[] = ['ready', 'degraded', 'not ready'];
const rank = ({ ok, degraded }: Finding): number => (!ok ? 2 : degraded ? 1 : 0);

export const statusOfChecks = (checks: readonly Finding[]): Status =>
  RANKS[Math.max(0, ...checks.map(rank))]!;

/** A worker that is down gets no requests, and the others serve. A silent one still holds connections. */
const ABSENT = { down: 'degraded', silent: 'not ready' } as const;

export interface WorstReadiness extends Readiness {
  /** the worst finding of each check, and its worker */
  readonly checks: Readonly<Record<string, Finding & { readonly worker: number }>>;
  readonly workers: Readonly<Record<number, { readonly status: string; readonly detail?: string }>>;
}

export function worstOf(reports: readonly WorkerReport<'ready'>[]): WorstReadiness {
  const checks: Record<string, Finding & { readonly worker: number }> = {};
  const workers: Record<number, { status: string; detail?: string }> = {};
  let worst = 0;
  for (const report of reports) {
    const { worker, state } = report;
    if (state !== 'up') {
      workers[worker] = { status: state, ...(report.detail === undefined ? {} : { detail: report.detail }) };
      worst = Math.max(worst, RANKS.indexOf(ABSENT[state]));
      continue;
    }
    workers[worker] = { status: report.answer.status };
    worst = Math.max(worst, RANKS.indexOf(report.answer.status));
    for (const [name, finding] of Object.entries(report.answer.checks)) {
      const before = checks[name];
      if (before === undefined || rank(finding) > rank(before)) checks[name] = { ...finding, worker };
    }
  }
  return { status: RANKS[worst]!, checks, workers };
}

/** Alive if every running worker has answered. */
export function livenessOf(reports: readonly WorkerReport<'alive'>[]): {
  readonly ok: boolean;
  readonly workers: Readonly<Record<number, string>>;
} {
  return {
    ok: reports.every(({ state }) => state !== 'silent'),
    workers: Object.fromEntries(reports.map(({ worker, state }) => [worker, state])),
  };
}
