/** Quotas: reserved before a request is forwarded, settled by what was disclosed. */
import { randomUUID } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { QuotaCount, QuotaRequest, QuotaReservation, Quotas, QuotaState } from '../model/quota.ts';
import type { Logger } from '../observability/logger.ts';
import type { Claim, CounterStore, Granted } from './counters.ts';
import { checkQuotas, type Quota, quotasOf } from './definitions.ts';
import { createMemoryCounters } from './memory.ts';
import { createRedisCounters } from './redis.ts';
import type { QuotasConfig } from './section.ts';
import { Settlements } from './settlements.ts';

export { checkQuotas } from './definitions.ts';

/** what happened to reservations; `near` and `cut` beside `reserved` */
export type QuotaEvent = 'reserved' | 'near' | 'cut' | 'exceeded' | 'unavailable' | 'unsettled';

export interface QuotaStage extends Quotas {
  readonly events: Readonly<Record<QuotaEvent, number>>;
  /**
   * Before a policy goes live. Warns where its quotas cannot be counted.
   * @throws SluiceError `policy_data_invalid`
   */
  check(data: { readonly [name: string]: unknown }): void;
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
    const store = createRedisCounters({ ...options, urls: redis, prefix, timeout, logger });
    await store.tried;
    return createQuotas(store, { logger, expiry: options.expiry });
  }
  const isShared = !isUnshared(config, workers);
  const store = isShared ? createMemoryCounters(options, () => now().getTime()) : UNSHARED;
  return createQuotas(store, { logger, expiry: options.expiry, isShared });
}

/** Several workers, and nothing that they count in together. */
export const isUnshared = ({ redis }: Pick<QuotasConfig, 'redis'>, workers: number | 'auto'): boolean =>
  redis === undefined && workers !== 1;

export const UNSHARED_ADVICE =
  'several workers do not share counts, so that requests under a quota are refused: set quotas.redis, or workers: 1';

/** Each worker would count for itself, and grant the whole limit. */
const UNSHARED: CounterStore = {
  reserve: async () => {
    throw new SluiceError('quota_unavailable', `The policy has quotas, and ${UNSHARED_ADVICE}.`);
  },
  settle: async () => {},
  ready: async () => ({ ok: true }),
  close: async () => {},
};

export interface QuotaStageOptions {
  readonly logger: Logger;
  /** milliseconds after which the store gives a reservation back */
  readonly expiry: number;
  /** false: the processes of this configuration do not count together */
  readonly isShared?: boolean;
}

export function createQuotas(
  store: CounterStore,
  { logger, expiry, isShared = true }: QuotaStageOptions,
): QuotaStage {
  const events = { reserved: 0, near: 0, cut: 0, exceeded: 0, unavailable: 0, unsettled: 0 };
  const settlements = new Settlements(store, { expiry, logger, onLost: () => void events.unsettled++ });

  async function reserve(asked: readonly Asked[]): Promise<QuotaReservation> {
    const id = randomUUID();
    const claims = asked.map(({ claim }) => claim);
    const names = asked.map(({ quota }) => quota.name);
    const at = performance.now();
    let granted: readonly Granted[];
    try {
      granted = await store.reserve(id, claims);
    } catch (e) {
      events.unavailable++;
      // Some of the claims, or all, may hold something although no answer came.
      settlements.add({ id, claims, granted: null, records: 0, dataSubjects: NOBODY }, names, at);
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
      settle: (records, dataSubjects) =>
        settlements.add({ id, claims, granted, records, dataSubjects }, names, at),
    };
  }

  return {
    events,
    check(data) {
      checkQuotas(data);
      if (!isShared && quotasOf(data).length > 0)
        logger.warn({ quotas: quotasOf(data).map(({ name }) => name) }, UNSHARED_ADVICE);
    },
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
    async remaining(request) {
      const asked = askedOf({ ...request, single: true }).map(({ quota, claim }) => ({
        quota,
        claim: { ...claim, wanted: 0 },
      }));
      if (asked.length === 0) return {};
      const granted = await store.reserve(
        randomUUID(),
        asked.map(({ claim }) => claim),
      );
      return stateOf(asked, granted).counts;
    },
    ready: () => store.ready(),
    async close() {
      await settlements.close();
      await store.close();
    },
  };
}

const NOBODY: ReadonlySet<string> = new Set();

interface Asked {
  readonly quota: Quota;
  readonly claim: Claim;
}

/** The counters that a request is about. A caller with several roles counts in each. */
function askedOf({ data, subject, agent = null, purpose, single }: QuotaRequest): readonly Asked[] {
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
    // Who asks without an agent counts in no agent's quota.
    if (agent === null && by.includes('agent')) continue;
    const parts: Readonly<Record<Quota['by'][number], string>> = {
      subject: `${subject.type}\n${subject.id}`,
      agent: agent ?? '',
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
