/**
 * Consents that are looked up elsewhere, in the store or at a service. Entries become states at the time of each look-up, whether they were
 * remembered or not. The bound is the greatest age of what an answer rests on: beyond it the look-up fails.
 */
import {
  aliasKey,
  type Alias,
  type ConsentSource,
  type DataSubjectState,
  type States as FoundStates,
} from '../model/consent.ts';
import type { Invalidation } from '../model/invalidation.ts';
import type { Logger } from '../observability/logger.ts';
import { type Announcements, type CacheSettings, EntryCache } from './cache.ts';
import type { ConsentEntry } from './schema.ts';
import type { Prepared, States } from './states.ts';
import { unavailable } from './unavailable.ts';

/** Where entries come from. Ids and values are distinct and hold no NUL, and all of them are asked for in one round trip. */
export interface EntrySource {
  /** also without ids: then only whether the source answers matters */
  entries(ids: readonly string[]): Promise<ReadonlyMap<string, ConsentEntry>>;
  /** alias → id */
  aliases?(type: string, values: readonly string[]): Promise<ReadonlyMap<string, string>>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  close(): Promise<void>;
}

export interface LookedUpOptions {
  readonly states: States;
  readonly logger: Logger;
  /** absent: every look-up asks the source */
  readonly cache?: CacheSettings;
  /** absent: nothing announces changes, and what is remembered is used until its time is over */
  readonly announcements?: Announcements;
  readonly invalidation?: Pick<Invalidation, 'subscribe'>;
}

export function createLookedUpConsents(source: EntrySource, options: LookedUpOptions): ConsentSource {
  const { states, logger, announcements, invalidation } = options;
  const cache =
    options.cache !== undefined && options.cache.entries > 0 && options.cache.ttl > 0 ? options.cache : null;
  const bound =
    cache === null ? null : Math.min(cache.ttl, announcements?.silence ?? Number.POSITIVE_INFINITY);
  const isUp = (): boolean => announcements?.isUp() !== false;
  const counts = { hits: 0, misses: 0 };

  let isFailing = false;
  /** What fails is logged once, and told to callers as `consent_unavailable`. */
  const asked = async <T>(work: () => Promise<T>): Promise<T> => {
    const begin = performance.now();
    try {
      const found = await work();
      if (bound !== null && performance.now() - begin > bound)
        throw new Error(`the answer took longer than the bound of ${bound} ms, and may be older`);
      if (isFailing) logger.info({}, 'consents can be looked up again');
      isFailing = false;
      return found;
    } catch (err) {
      if (!isFailing)
        logger.error({ err }, 'consents cannot be looked up: requests that need them are refused');
      isFailing = true;
      throw unavailable(err);
    }
  };
  const entries = (ids: readonly string[]): Promise<ReadonlyMap<string, Prepared>> =>
    asked(async () => {
      const found = new Map<string, Prepared>();
      for (const [id, entry] of await source.entries(ids)) found.set(id, states.prepare(entry));
      return found;
    });
  /** by `aliasKey` */
  const aliases = (keys: readonly string[]): Promise<ReadonlyMap<string, string>> =>
    asked(async () => {
      const found = new Map<string, string>();
      const each = [...byType(keys)].map(async ([type, texts]) => {
        for (const [text, id] of (await source.aliases?.(type, texts)) ?? [])
          found.set(aliasKey({ type, text }), id);
      });
      await Promise.all(each);
      return found;
    });

  const around = cache && { cache, isUp, counts, ...(invalidation && { invalidation }) };
  const cached =
    around &&
    new EntryCache(entries, {
      ...around,
      keyOf: (scope) => (typeof scope === 'object' && 'data_subject' in scope ? scope.data_subject : null),
    });
  // An announcement does not say which alias has changed.
  const cachedAliases = around && new EntryCache(aliases, { ...around, keyOf: () => null });

  const resolved = (found: ReadonlyMap<string, Prepared>, at: number): FoundStates => {
    const result = new Map<string, DataSubjectState>();
    for (const [id, entry] of found) result.set(id, states.resolve(entry, at));
    return result;
  };

  return {
    lookup(ids, at) {
      const wanted = storable(ids);
      // Nobody is asked about: whether the source can be asked is known while announcements arrive from it.
      const found =
        cached === null || (wanted.length === 0 && !(announcements !== undefined && isUp()))
          ? entries(wanted)
          : cached.get(wanted);
      const time = at.getTime();
      return found instanceof Promise ? found.then((all) => resolved(all, time)) : resolved(found, time);
    },
    ...(source.aliases === undefined
      ? {}
      : {
          aliases(values: readonly Alias[]) {
            const keys = storable(values.map(aliasKey));
            return cachedAliases === null ? aliases(keys) : cachedAliases.get(keys);
          },
        }),
    async ready() {
      const found = await source.ready();
      if (!found.ok || bound === null) return found;
      const detail = { cached_for_at_most: `${bound / 1000}s`, entries: cached?.size ?? 0 };
      return isUp()
        ? { ok: true, detail }
        : {
            ok: true,
            degraded: true,
            detail: { ...detail, announcements: 'down: every look-up asks the source' },
          };
    },
    ...(bound === null
      ? {}
      : {
          cache: () => ({ ...counts, entries: cached?.size ?? 0, isUp: isUp(), bound }),
        }),
    async close() {
      cached?.close();
      cachedAliases?.close();
      await source.close();
    },
  };
}

/** Nobody can be kept under a text with a NUL, and PostgreSQL refuses it. */
export function storable(texts: readonly string[]): readonly string[] {
  if (texts.length === 1 && !texts[0]!.includes('\0')) return texts;
  return [...new Set(texts.filter((text) => !text.includes('\0')))];
}

/** The texts of keys by `aliasKey`; a type has no line break. */
function byType(keys: readonly string[]): ReadonlyMap<string, string[]> {
  const types = new Map<string, string[]>();
  for (const key of keys) {
    const end = key.indexOf('\n');
    const type = key.slice(0, end);
    const texts = types.get(type);
    if (texts === undefined) types.set(type, [key.slice(end + 1)]);
    else texts.push(key.slice(end + 1));
  }
  return types;
}
