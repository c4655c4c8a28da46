/**
 * Several workers behind one admin listener. Each serves it, whichever is asked gathers what all say, and here that becomes
 * one answer: the worst of them, with the number of the worker it comes from.
 */
import type { Server } from 'node:http';
import type { MetricsReport } from '../../observability/totals.ts';
import type { Address } from '../listening.ts';

export interface Finding {
  readonly ok: boolean;
  /** it serves, and somebody must look at it: one bad push must not take every replica out of service */
  readonly degraded?: boolean;
  readonly detail?: unknown;
}

export type Status = 'ready' | 'degraded' | 'not ready';

export interface Readiness {
  readonly status: Status;
  readonly checks: Readonly<Record<string, Finding>>;
}

/** What a worker can be asked for, and what it then says. */
export interface Answers {
  readonly alive: null;
  readonly ready: Readiness;
  readonly metrics: MetricsReport;
}
export type Question = keyof Answers;

export type WorkerReport<Q extends Question> =
  | { readonly worker: number; readonly state: 'up'; readonly answer: Answers[Q] }
  /** `down`: not started, or ended and about to be started again; `silent`: it runs and did not answer in time */
  | { readonly worker: number; readonly state: 'down' | 'silent'; readonly detail?: string };

export type Listener = 'proxy' | 'admin';

export type Respond = <Q extends Question>(question: Q) => Promise<Answers[Q]>;

export interface Workers {
  /**
   * Listens on the socket that all workers share; whoever is the first opens it.
   * @returns the port that was really taken
   * @throws SluiceError `address_in_use`
   */
  listen(listener: Listener, server: Server, address: Address): Promise<number>;
  /** one report a worker, by number, this one's among them */
  gather<Q extends Question>(question: Q): Promise<readonly WorkerReport<Q>[]>;
  /** says who answers for this worker */
  responds(respond: Respond): void;
}

const RANKS: readonly Status[] = ['ready', 'degraded', 'not ready'];
const rank = ({ ok, degraded }: Finding): number => (!ok ? 2 : degraded ? 1 : 0);

export const statusOfChecks = (checks: readonly Finding[]): Status =>
  RANKS[Math.max(0, ...checks.map(rank))]!;

/**
 * A worker that is down gets no requests, the others serve: degraded. One that is silent still holds connections: not ready.
 */
const ABSENT = { down: 'degraded', silent: 'not ready' } as const;

export interface WorstReadiness extends Readiness {
  /** of each check the worst finding, and whose it is */
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

/** Alive: every worker that runs has answered. */
export function livenessOf(reports: readonly WorkerReport<'alive'>[]): {
  readonly ok: boolean;
  readonly workers: Readonly<Record<number, string>>;
} {
  return {
    ok: reports.every(({ state }) => state !== 'silent'),
    workers: Object.fromEntries(reports.map(({ worker, state }) => [worker, state])),
  };
}
