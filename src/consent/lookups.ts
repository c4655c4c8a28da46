/**
 * Resolves aliases by asking the protected system, for example a GET that returns the customer's number for a login. Successful
 * answers are cached for a short time, in a bounded cache. An alias that was not found is not cached, since it may be created at any time.
 */
import { LRUCache } from 'lru-cache';
import type { LookupConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { tokensOf } from '../model/pointer.ts';

export interface Lookups {
  has(type: string): boolean;
  /**
   * @returns null if the upstream knows nobody of that name
   * @throws SluiceError `consent_unavailable`
   */
  find(type: string, value: string): Promise<string | null>;
}

/** @returns the status, and the body; null for a body longer than a few kilobytes */
export type Ask = (
  upstream: string,
  target: string,
) => Promise<{ readonly status: number; readonly body: string | null }>;

const REMEMBERED = 10_000;
/** concurrent requests */
const AT_ONCE = 8;

export function createLookups(configs: Readonly<Record<string, LookupConfig>>, ask: Ask): Lookups {
  const remembered = new Map(
    Object.entries(configs).map(([type, { cache }]) => [
      type,
      cache === 0 ? null : new LRUCache<string, string>({ max: REMEMBERED, ttl: cache }),
    ]),
  );
  const underway = new Map<string, Promise<string | null>>();
  const waiting: (() => void)[] = [];
  let free = AT_ONCE;

  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };

  async function asked(type: string, value: string): Promise<string | null> {
    const { upstream, path, id } = configs[type]!;
    let answer: Awaited<ReturnType<Ask>>;
    try {
      answer = await turn(() => ask(upstream, path.replace('{value}', encodeURIComponent(value))));
    } catch (cause) {
      throw failed(type, 'the upstream did not answer', cause);
    }
    if (answer.status === 404 || answer.status === 410) return null;
    if (answer.status !== 200 || answer.body === null)
      throw failed(type, `the upstream answered with status ${answer.status}`);
    const found = memberAt(answer.body, id);
    if (found === undefined) throw failed(type, 'the answer is not JSON');
    if (found !== null) remembered.get(type)?.set(value, found);
    return found;
  }

  return {
    has: (type) => Object.hasOwn(configs, type),
    async find(type, value) {
      // `.` and `..` would be path segments with a meaning (RFC 3986 §5.2.4).
      if (/^\.+$/.test(value)) return null;
      const known = remembered.get(type)?.get(value);
      if (known !== undefined) return known;
      const key = `${type}\n${value}`;
      let answer = underway.get(key);
      if (answer === undefined) {
        answer = asked(type, value).finally(() => underway.delete(key));
        underway.set(key, answer);
      }
      return answer;
    },
  };
}

const failed = (type: string, why: string, cause?: unknown): SluiceError =>
  new SluiceError('consent_unavailable', {
    message: `The look-up of data subjects by ${type} failed (consent.lookups.${type}): ${why}.`,
    cause,
  });

/** @returns null if there is no id at the pointer; undefined if the text is not JSON */
function memberAt(text: string, pointer: string): string | null | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const name of tokensOf(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}
