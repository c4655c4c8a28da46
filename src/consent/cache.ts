/**
 * Remembers what a source answered, for as long as it may be relied on. An answer is as old as the question: it counts from when it was asked
 * for. While announcements may be lost, nothing is taken from here and nothing is kept. An announcement drops what it is about, and an answer
 * under way to it is given to those who wait for it, and not kept.
 */
import { LRUCache } from 'lru-cache';
import type { Invalidation, Scope } from '../model/invalidation.ts';

export interface CacheSettings {
  /** milliseconds */
  readonly ttl: number;
  /** 0: nothing is remembered */
  readonly entries: number;
}

/** Whether announcements of changes arrive. */
export interface Announcements {
  isUp(): boolean;
  /** milliseconds after which a lost announcement is noticed */
  readonly silence: number;
}

export interface CacheCounts {
  hits: number;
  misses: number;
}

export interface EntryCacheOptions {
  readonly cache: CacheSettings;
  readonly isUp: () => boolean;
  readonly counts: CacheCounts;
  /** absent: nothing announces changes here */
  readonly invalidation?: Pick<Invalidation, 'subscribe'>;
  /** the key that an announcement of changed consents is about; null: it may be about any */
  readonly keyOf: (scope: Scope) => string | null;
}

type Find<V> = (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;

/** What was found, or null for what does not exist. */
interface Cached<V> {
  readonly value: V | null;
  readonly askedAt: number;
}

/** A look-up that the source has not answered yet. */
interface Pending<V> {
  readonly askedAt: number;
  readonly found: Promise<ReadonlyMap<string, V>>;
}

export class EntryCache<V> {
  readonly #find: Find<V>;
  readonly #ttl: number;
  readonly #isUp: () => boolean;
  readonly #counts: CacheCounts;
  readonly #cached: LRUCache<string, Cached<V>>;
  readonly #pending = new Map<string, Pending<V>>();

  readonly #unsubscribe: (() => void) | undefined;

  constructor(find: Find<V>, { cache, isUp, counts, invalidation, keyOf }: EntryCacheOptions) {
    this.#find = find;
    this.#ttl = cache.ttl;
    this.#isUp = isUp;
    this.#counts = counts;
    // With `max` it would allocate all its room at once: hundreds of megabytes for ten million entries.
    this.#cached = new LRUCache({ maxSize: cache.entries, sizeCalculation: () => 1 });
    this.#unsubscribe = invalidation?.subscribe(({ kind, scope }) => {
      if (kind !== 'consents') return;
      const key = keyOf(scope);
      if (key === null) {
        this.#cached.clear();
        this.#pending.clear();
      } else {
        this.#cached.delete(key);
        this.#pending.delete(key);
      }
    });
  }

  get size(): number {
    return this.#cached.size;
  }

  /** Answers at once if everything is known. */
  get(keys: readonly string[]): ReadonlyMap<string, V> | Promise<ReadonlyMap<string, V>> {
    if (!this.#isUp()) {
      this.#counts.misses += keys.length;
      return this.#find(keys);
    }
    const now = performance.now();
    const result = new Map<string, V>();
    const pending = new Map<Pending<V>, string[]>();
    const missing: string[] = [];
    for (const key of keys) {
      const cached = this.#cached.get(key);
      if (cached !== undefined && now - cached.askedAt <= this.#ttl) {
        this.#counts.hits++;
        if (cached.value !== null) result.set(key, cached.value);
        continue;
      }
      this.#counts.misses++;
      const lookup = this.#pending.get(key);
      if (lookup === undefined || now - lookup.askedAt > this.#ttl) missing.push(key);
      else listed(pending, lookup, key);
    }
    if (missing.length > 0) pending.set(this.#start(missing, now), missing);
    return pending.size === 0 ? result : collected(pending, result);
  }

  #start(keys: readonly string[], askedAt: number): Pending<V> {
    const found = this.#find(keys);
    const lookup: Pending<V> = { askedAt, found };
    for (const key of keys) this.#pending.set(key, lookup);
    const keep = (values: ReadonlyMap<string, V> | null): void => {
      const keeps = values !== null && this.#isUp();
      for (const key of keys) {
        // Another one stands here, or none, if the key was announced meanwhile.
        if (this.#pending.get(key) !== lookup) continue;
        this.#pending.delete(key);
        if (keeps) this.#cached.set(key, { value: values.get(key) ?? null, askedAt });
      }
    };
    found.then(keep, () => keep(null));
    return lookup;
  }

  close(): void {
    this.#unsubscribe?.();
  }
}

function listed<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

async function collected<V>(
  pending: ReadonlyMap<Pending<V>, readonly string[]>,
  result: Map<string, V>,
): Promise<ReadonlyMap<string, V>> {
  await Promise.all(
    [...pending].map(async ([{ found }, keys]) => {
      const values = await found;
      for (const key of keys) {
        const value = values.get(key);
        if (value !== undefined) result.set(key, value);
      }
    }),
  );
  return result;
}
