/** Deletes a person at the upstreams that the configuration names. What one of them has confirmed is not asked for again. */
import type { ErasureConfig } from './section.ts';
import { type Confirmation, confirmationsOf, type RequestRow } from './tables.ts';

/** Sends a request without a body. @throws whatever keeps the upstream from answering */
export type Send = (upstream: string, method: string, target: string) => Promise<number>;

export type Deletion = ErasureConfig['deletions'][number];

export type Deleted =
  | { readonly confirmation: Confirmation }
  | { readonly upstream: string /** null: no answer */; readonly status: number | null };

export interface DeletionDependencies {
  readonly send: Send;
  readonly now: () => Date;
  /** between two attempts */
  readonly wait: (attempt: number) => Promise<void>;
}

const ATTEMPTS = 3;

/** One after the other, each up to three times where trying again may help. */
export async function* carryOut(
  request: RequestRow,
  deletions: readonly Deletion[],
  deps: DeletionDependencies,
): AsyncGenerator<Deleted> {
  const confirmed = new Set(confirmationsOf(request).map(({ upstream }) => upstream));
  for (const deletion of deletions)
    if (!confirmed.has(deletion.upstream)) yield await one(request.data_subject, deletion, deps);
}

async function one(
  id: string,
  { upstream, method, path, absent }: Deletion,
  { send, now, wait }: DeletionDependencies,
): Promise<Deleted> {
  const target = path.replace('{id}', () => encodeURIComponent(id));
  let status: number | null = null;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await wait(attempt);
    status = await send(upstream, method, target).catch(() => null);
    if (status !== null && isConfirmed(status, absent))
      return { confirmation: { upstream, status, at: now().toISOString() } };
    if (status !== null && status < 500 && status !== 429) break;
  }
  return { upstream, status };
}

const isConfirmed = (status: number, absent: readonly number[]): boolean =>
  (status >= 200 && status < 300) || absent.includes(status);
