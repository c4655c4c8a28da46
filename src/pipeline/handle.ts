/** One request of an endpoint, from its start to its recorded end. */
import type { Reply } from '../model/exchange.ts';
import type { DecisionEntry } from './record.ts';
import { type Refusable, refuse } from './refusal.ts';
import type { Stages } from './stages.ts';

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
): Promise<void> {
  try {
    stages.log.check();
    await serve();
  } catch (error) {
    await refuse(request, reply, entry, stages, error);
  } finally {
    entry.settle();
  }
}
