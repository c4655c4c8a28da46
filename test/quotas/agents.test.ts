/** Quotas that count each agent by itself. */
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/observability/logger.ts';
import { createMemoryCounters } from '../../src/quotas/memory.ts';
import { createQuotas } from '../../src/quotas/index.ts';
import { namelessIn } from '../../src/model/input.ts';

test('a quota by agent counts each agent by itself, and nobody who asks without one', async () => {
  const store = createMemoryCounters({ expiry: 60_000, exact: 1000 }, () =>
    Date.parse('2026-11-22T08:00:00Z'),
  );
  const quotas = createQuotas(store, { logger: silentLogger, expiry: 60_000 });
  const limit = { title: 'T', by: ['agent'], of: 'records', per: 'day', limit: 1, over: 'deny', reserve: 1 };
  const subject = (id: string) => ({ type: 'user', id, properties: namelessIn('internal') });
  const data = { quotas: { agents: limit } };
  const exceeded = async (agent: string | null, person: string) =>
    (await quotas.reserve({ data, subject: subject(person), agent, purpose: 'p', single: true }))?.state
      .exceeded;
  expect(await exceeded('a', 'u-1')).toEqual([]);
  expect(await exceeded('a', 'u-2')).toEqual(['agents']);
  expect(await exceeded('b', 'u-1')).toEqual([]);
  expect(await exceeded(null, 'u-1')).toBeUndefined();
  await quotas.close();
});
