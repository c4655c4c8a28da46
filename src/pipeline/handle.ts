/** One request of an endpoint, from its start to its recorded end. */
import type { Reply } from '../model/exchange.ts';
import type { DecisionEntry } from './record.ts';
import { type Refusable, refuse, refuseUnrecorded } from './refusal.ts';
import type { Stages } from './stages.ts';
import type { SluiceError } from '../errors.ts';

/** What a failure is answered with instead, where there are too many of its kind; null: with itself. One record tells of those that have none. */
export type FailureLimit = (
  error: unknown,
  entry: DecisionEntry,
) => { readonly error: SluiceError; readonly isRecorded: boolean } | null;

/**
 * Serves a request. Whatever `serve` throws is recorded and then answered as a refusal. Where the decision log takes no records, nothing is
 * looked up or asked of anybody. What was reserved of quotas is settled by what the records say.
 */
export async function handle(
  request: Refusable,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  serve: () => Promise<void>,
  limit?: FailureLimit,
): Promise<void> {
  try {
    stages.log.check();
    await serve();
  } catch (error) {
    const limited = limit?.(error, entry) ?? null;
    if (limited?.isRecorded === false) refuseUnrecorded(request, reply, entry, stages, limited.error);
    else await refuse(request, reply, entry, stages, limited?.error ?? error);
  } finally {
    entry.settle();
  }
}
