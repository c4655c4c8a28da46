/** Quotas: reserved before a request is forwarded, settled by what was disclosed. */
import { randomUUID } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { QuotaCount, QuotaRequest, QuotaReservation, Quotas, QuotaState } from '../model/quota.ts';
import type { Logger } from '../observability/logger.ts';
import type { Claim, CounterStore, Granted } from './counters.ts';
import { type Quota, quotasOf } from './definitions.ts';
import { createMemoryCounters } from './memory.ts';
import { createRedisCounters } from './redis.ts';
import type { QuotasConfig } from './section.ts';

/** what happened to reservations; `near` and `cut` beside `reserved` */
export type QuotaEvent = 'reserved' | 'near' | 'cut' | 'exceeded' | 'unavailable' | 'unsettled';

export interface QuotaStage extends Quotas {
  readonly events: Readonly<Record<QuotaEvent, number>>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** Waits for the settlements that are under way. */
  close(): Promise<void>;
}

export interface QuotasOptions {
  readonly logger: Logger;
  readonly now: () => Date;
  /** processes that answer requests of this configuration */
  readonly workers: number | 'auto';
}

/** Starts also where Redis does not answer: what needs it is refused until it does. @throws SluiceError `config_invalid` */
export async function openQuotas(
  config: QuotasConfig,
  { logger, now, workers }: QuotasOptions,
): Promise<QuotaStage> {
  const { redis, prefix, timeout } = config;
  const options = { expiry: config.reservation, exact: config.exact };
  if (redis !== undefined) {
    const store = createRedisCounters({ ...options, url: redis, prefix, timeout, logger });
    await store.tried;
    return createQuotas(store, logger);
  }
  if (workers !== 1) return createQuotas(UNSHARED, logger);
  return createQuotas(
    createMemoryCounters(options, () => now().getTime()),
    logger,
  );
}

/** Each worker would count for itself, and grant the whole limit. */
const UNSHARED: CounterStore = {
  reserve: async () => {
    throw new SluiceError(
      'quota_unavailable',
      'The policy has quotas, and several workers do not share counts: set quotas.redis, or workers: 1.',
    );
  },
  settle: async () => {},
  ready: async () => ({ ok: true }),
  close: async () => {},
};

export function createQuotas(store: CounterStore, logger: Logger): QuotaStage {
  const events = { reserved: 0, near: 0, cut: 0, exceeded: 0, unavailable: 0, unsettled: 0 };
  const settling = new Set<Promise<void>>();

  async function reserve(asked: readonly Asked[]): Promise<QuotaReservation> {
    const id = randomUUID();
    const claims = asked.map(({ claim }) => claim);
    let granted: readonly Granted[];
    try {
      granted = await store.reserve(id, claims);
    } catch (e) {
      events.unavailable++;
      throw e;
    }
    const state = stateOf(asked, granted);
    if (state.exceeded.length > 0) events.exceeded++;
    else {
      events.reserved++;
      if (granted.some((g, i) => g.granted < claims[i]!.wanted)) events.cut++;
    }
    if (state.near.length > 0) events.near++;
    return {
      state,
      settle(records, dataSubjects) {
        const done = store.settle(id, claims, granted, records, dataSubjects).catch((err: unknown) => {
          events.unsettled++;
          logger.warn(
            { err, quotas: asked.map(({ quota }) => quota.name), records, data_subjects: dataSubjects.size },
            'a disclosure could not be counted: its quotas stay lower than they should be',
          );
        });
        settling.add(done);
        void done.then(() => settling.delete(done));
      },
    };
  }

  return {
    events,
    reserve(request) {
      let asked: readonly Asked[];
      try {
        asked = askedOf(request);
      } catch (e) {
        events.unavailable++;
        throw e;
      }
      return asked.length === 0 ? null : reserve(asked);
    },
    ready: () => store.ready(),
    async close() {
      await Promise.all(settling);
      await store.close();
    },
  };
}

interface Asked {
  readonly quota: Quota;
  readonly claim: Claim;
}

/** The counters that a request is about. A caller with several roles counts in each. */
function askedOf({ data, subject, purpose, single }: QuotaRequest): readonly Asked[] {
  const quotas = quotasOf(data);
  if (quotas.length === 0) return [];
  const asked: Asked[] = [];
  for (const quota of quotas) {
    if (quota.purposes !== null && !quota.purposes.includes(purpose)) continue;
    const roles = [...new Set(subject.properties.roles)].filter(
      (role) => quota.roles?.includes(role) ?? true,
    );
    if (quota.roles !== null && roles.length === 0) continue;
    const { name, of, per, limit, over, by } = quota;
    const parts: Readonly<Record<Quota['by'][number], string>> = {
      subject: `${subject.type}\n${subject.id}`,
      role: '',
      purpose,
    };
    for (const role of by.includes('role') ? roles : [''])
      asked.push({
        quota,
        claim: {
          counter: {
            key: JSON.stringify([name, of, per, ...by.map((one) => (one === 'role' ? role : parts[one]))]),
            of,
            per,
            limit,
          },
          wanted: single ? 1 : quota.reserve,
          all: over === 'deny',
        },
      });
  }
  return asked;
}

function stateOf(asked: readonly Asked[], granted: readonly Granted[]): QuotaState {
  const counts: { [name: string]: QuotaCount } = Object.create(null) as { [name: string]: QuotaCount };
  const exceeded = new Set<string>();
  const near = new Set<string>();
  let most = Number.POSITIVE_INFINITY;
  for (const [i, { quota, claim }] of asked.entries()) {
    const { used, reserved, granted: got, exact } = granted[i]!;
    const { name, limit } = quota;
    const remaining = Math.max(0, limit - used - reserved);
    const before = counts[name];
    if (before === undefined || remaining < before.remaining)
      counts[name] = { exact, limit, remaining, used };
    if (claim.all && got < claim.wanted) exceeded.add(name);
    if (used + reserved + got >= quota.warn * limit) near.add(name);
    most = Math.min(most, got);
  }
  return {
    counts: { ...counts },
    exceeded: [...exceeded],
    max_records: most,
    near: [...near],
  };
}
