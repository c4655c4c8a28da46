/** Counters of one process. They are empty after a restart, and other processes do not see them. */
import type { Claim, Counter, CounterOptions, CounterStore, Granted } from './counters.ts';
import { Distinct } from './distinct.ts';
import { LONGEST, windowStart } from './windows.ts';

interface State {
  start: number;
  records: number;
  dataSubjects: Distinct;
  /** reservation → what it holds, and when it expires */
  readonly held: Map<string, { readonly amount: number; readonly until: number }>;
}

/** counters below which nothing is swept */
const FEW = 1_000;

/**
 * @param now milliseconds since 1970, for windows
 * @param elapsed milliseconds of a clock that nobody sets, for reservations
 */
export function createMemoryCounters(
  { expiry, exact }: CounterOptions,
  now: () => number,
  elapsed: () => number = () => performance.now(),
): CounterStore {
  const counters = new Map<string, { readonly per: Counter['per']; readonly state: State }>();
  let sweepAt = FEW;

  /** The counter in its present window. */
  function stateOf({ key, per }: Counter, at: number): State {
    const start = windowStart(per, at);
    let state = counters.get(key)?.state;
    if (state === undefined) {
      if (counters.size >= sweepAt) sweep(at);
      state = { start, records: 0, dataSubjects: new Distinct(exact), held: new Map() };
      counters.set(key, { per, state });
    }
    if (start > state.start) {
      state.records = 0;
      state.dataSubjects = new Distinct(exact);
      state.start = start;
      // The clock went back by more than a window: what is used stays used until the next border.
    } else if (state.start - start > LONGEST[per]) state.start = start;
    const passed = elapsed();
    for (const [id, { until }] of state.held) if (until <= passed) state.held.delete(id);
    return state;
  }

  /** Forgets counters of earlier windows that hold nothing. */
  function sweep(at: number): void {
    const passed = elapsed();
    for (const [key, { per, state }] of counters)
      if (
        windowStart(per, at) > state.start &&
        [...state.held.values()].every(({ until }) => until <= passed)
      )
        counters.delete(key);
    sweepAt = Math.max(FEW, 2 * counters.size);
  }

  function reserve(id: string, { counter, wanted, all }: Claim): Granted {
    const at = now();
    const { records, dataSubjects, held } = stateOf(counter, at);
    const ofRecords = counter.of === 'records';
    const used = ofRecords ? records : dataSubjects.count();
    let reserved = 0;
    for (const { amount } of held.values()) reserved += amount;
    const left = Math.max(0, counter.limit - used - reserved);
    const granted = all && left < wanted ? 0 : Math.min(wanted, left);
    if (granted > 0) held.set(id, { amount: granted, until: elapsed() + expiry });
    return { used, reserved, granted, exact: ofRecords || dataSubjects.exact };
  }

  return {
    reserve: async (id, claims) => claims.map((claim) => reserve(id, claim)),
    async settle({ id, claims, records, dataSubjects }, isRepeated) {
      for (const { counter } of claims) {
        const state = stateOf(counter, now());
        const isHeld = state.held.delete(id);
        if (counter.of === 'data_subjects') for (const one of dataSubjects) state.dataSubjects.add(one);
        else if (isHeld || !isRepeated) state.records += records;
      }
    },
    ready: async () => ({ ok: true }),
    close: async () => {},
  };
}
