/** Counters in Redis, shared by any number of sidecars. */
import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import { connectRedis } from './connection.ts';
import type { Claim, CounterOptions, CounterStore, Granted } from './counters.ts';
import { RESERVE, SETTLE } from './script.ts';

export interface RedisOptions extends CounterOptions {
  /** `redis://` or `rediss://` (TLS); several: nodes of a cluster */
  readonly urls: readonly string[];
  /** of all keys */
  readonly prefix: string;
  /** milliseconds in which Redis must answer */
  readonly timeout: number;
  readonly logger: Logger;
  /** for tests: milliseconds since 1970, in place of Redis's clock */
  readonly now?: () => number;
}

export interface RedisCounters extends CounterStore {
  /** Resolves when Redis has answered for the first time, or failed to: Sluice connects in the background until it does. */
  readonly tried: Promise<unknown>;
}

/** While Redis does not answer, `reserve` throws. @throws SluiceError `config_invalid` */
export function createRedisCounters(options: RedisOptions): RedisCounters {
  const { urls, prefix, timeout, logger, expiry, exact } = options;
  const redis = connectRedis(urls, timeout, logger);

  const keysOf = (key: string): string[] => {
    // The text between the braces decides the slot of a cluster. A digest, since names may contain braces.
    const tag = `${prefix}:{${createHash('sha256').update(key).digest('base64url')}}`;
    return [`${tag}:count`, `${tag}:held`, `${tag}:subjects`];
  };
  const run = async (
    script: Script,
    { key }: Claim['counter'],
    values: readonly string[],
  ): Promise<unknown> => {
    const asked = { keys: keysOf(key), arguments: [String(options.now?.() ?? ''), ...values] };
    try {
      return await redis.evalSha(script.sha, asked);
    } catch (e) {
      if (!(e instanceof Error && e.message.startsWith('NOSCRIPT'))) throw e;
      return redis.eval(script.text, asked);
    }
  };

  return {
    tried: redis.tried,
    reserve: (id, claims) =>
      within(
        timeout,
        claims.map(async ({ counter, wanted, all }): Promise<Granted> => {
          const { per, of, limit } = counter;
          const values = [per, of, expiry, limit, wanted, all ? 1 : 0, id].map(String);
          const answer = (await run(reserving, counter, values)) as readonly number[];
          const [used, reserved, granted, isExact] = answer.map(Number) as [number, number, number, number];
          return { used, reserved, granted, exact: isExact === 1 };
        }),
      ),
    async settle({ id, claims, granted, records, dataSubjects }, isRepeated) {
      await within(
        timeout,
        claims.map(({ counter }, i) => {
          const { per, of } = counter;
          const held = granted === null ? '' : granted[i]!.granted;
          const values = [per, of, expiry, exact, id, held, isRepeated ? 1 : 0, records].map(String);
          return run(settling, counter, of === 'records' ? values : [...values, ...dataSubjects]);
        }),
      );
    },
    async ready() {
      try {
        await within(timeout, [redis.ping()]);
        return { ok: true };
      } catch (e) {
        return { ok: false, detail: (e as Error).message };
      }
    },
    async close() {
      redis.close();
    },
  };
}

interface Script {
  readonly text: string;
  readonly sha: string;
}
const scriptOf = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });
const reserving = scriptOf(RESERVE);
const settling = scriptOf(SETTLE);

/** All of them, in time. @throws SluiceError `quota_unavailable` */
async function within<T>(timeout: number, all: readonly Promise<T>[]): Promise<T[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([Promise.all(all), late]);
  } catch (cause) {
    throw new SluiceError('quota_unavailable', {
      message: 'The quota store does not answer, so that nothing is disclosed. Try again later.',
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}
