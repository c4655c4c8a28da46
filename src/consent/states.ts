/**
 * The consent state of a data subject at a given time. Equal states are the same frozen object, so that the policy is asked once
 * for each distinct state: a page of a hundred customers usually has two or three.
 */
import { LRUCache } from 'lru-cache';
import type { Consent, DataSubjectState } from '../model/consent.ts';
import type { ConsentEntry } from './schema.ts';
import { endOf, startOf } from '../model/moment.ts';

interface Dated {
  readonly consent: Omit<Consent, 'status' | 'from' | 'until'>;
  readonly status: 'given' | 'withdrawn' | 'unknown';
  readonly from: number;
  readonly until: number;
  readonly dates: Pick<Consent, 'from' | 'until'>;
}

/** An entry with its last state, and for which times that state is valid. */
export interface Prepared {
  readonly consents: readonly Dated[];
  readonly flags: readonly string[];
  answer: {
    readonly state: DataSubjectState;
    readonly since: number;
    readonly before: number;
    readonly dated: boolean;
  } | null;
}

export interface States {
  prepare(entry: ConsentEntry): Prepared;
  resolve(entry: Prepared, at: number): DataSubjectState;
}

const DISTINCT_STATES = 10_000;

/** @param exposeDates called for every lookup, since a reloaded policy may read dates that the last one did not */
export function createStates(exposeDates: () => boolean): States {
  const interned = new LRUCache<string, DataSubjectState>({ max: DISTINCT_STATES });

  function intern(state: DataSubjectState): DataSubjectState {
    const key = JSON.stringify(state);
    const held = interned.get(key);
    if (held) return held;
    for (const c of state.consents) Object.freeze(Object.freeze(c).categories);
    Object.freeze(state.consents);
    Object.freeze(state.flags);
    interned.set(key, Object.freeze(state));
    return state;
  }

  return {
    prepare: ({ consents = [], flags = [] }) => ({
      consents: consents.map(({ from, until, status, at: _, ...rest }) => ({
        consent: { ...rest, categories: [...rest.categories].sort() },
        // An unknown status withholds the record: it may be a misspelled withdrawal.
        status: status === 'given' || status === 'withdrawn' ? status : 'unknown',
        from: from === undefined ? Number.NEGATIVE_INFINITY : startOf(from),
        until: until === undefined ? Number.POSITIVE_INFINITY : endOf(until),
        dates: {
          ...(from === undefined ? {} : { from: new Date(startOf(from)).toISOString() }),
          ...(until === undefined ? {} : { until: new Date(endOf(until)).toISOString() }),
        },
      })),
      flags: [...flags].sort(),
      answer: null,
    }),

    resolve(entry, at) {
      const last = entry.answer;
      const dated = exposeDates();
      if (last && last.dated === dated && last.since <= at && at < last.before) return last.state;
      let since = Number.NEGATIVE_INFINITY;
      let before = Number.POSITIVE_INFINITY;
      const consents = entry.consents.map(({ consent, status, from, until, dates: known }): Consent => {
        const dates = dated ? known : {};
        if (status !== 'given') return { ...consent, status, ...dates };
        // A consent is valid from the millisecond `from` to the millisecond `until`, both included.
        for (const change of [from, until + 1]) {
          if (change <= at) since = Math.max(since, change);
          else before = Math.min(before, change);
        }
        return { ...consent, status: at < from ? 'pending' : at > until ? 'expired' : 'given', ...dates };
      });
      const state = intern({ consents, flags: entry.flags });
      entry.answer = { state, since, before, dated };
      return state;
    },
  };
}
