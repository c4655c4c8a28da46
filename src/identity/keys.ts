/**
 * The public keys of an issuer: from the configuration, a file, or a URL. Only one request at a time fetches a URL, and, whatever
 * tokens arrive, not more often than the cooldown allows. Keys are not used past their maximum age, because a key that the issuer
 * has withdrawn must stop working.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { IssuerConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { type Clock, millis } from '../observability/clock.ts';
import { observeFile } from '../observability/file.ts';
import type { Logger } from '../observability/logger.ts';

type KeyFinder = ReturnType<typeof createLocalJWKSet>;
type Source = IssuerConfig['jwks'];

export interface KeySet {
  readonly find: JWTVerifyGetKey;
  /** changes whenever the keys do */
  generation(): number;
  /**
   * Fetches the keys again after a signature that no key of generation `since` has made. It respects the cooldown and shares one request.
   * @returns whether the keys have changed
   */
  renew(since: number): Promise<boolean>;
  /** when the keys must be fetched again: `millis` of the clock */
  trustedUntil(): number;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** starts a fetch now, regardless of the cooldown, without waiting for it */
  refresh(): void;
  close(): void;
}

export interface KeyDependencies {
  /** called when the keys of a set were replaced or can no longer be read */
  readonly onChange?: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fetch?: typeof fetch;
}

const MAX_KEYS = 100;
const MAX_BYTES = 512 * 1024;
/** Delay after a failed fetch: short enough to notice a recovered issuer soon, long enough not to flood it. */
const RETRY_MS = 2_000;

/** @throws SluiceError `config_invalid` for inline keys or a file that cannot be used */
export function createKeySet(issuer: string, source: Source, deps: KeyDependencies): KeySet {
  if (source.keys !== undefined) return fixed({ keys: source.keys as JSONWebKeySet['keys'] }, issuer);
  if (source.file !== undefined) return fromFile(source.file, source, deps);
  if (source.url !== undefined) return fromUrl(source.url, source, deps);
  throw new SluiceError('config_invalid', 'An issuer has no keys: jwks needs one of file, url, keys.');
}

/** A published set must hold neither private nor shared keys; they are ignored, so tokens that need them are rejected. */
function finderOf(document: unknown): KeyFinder {
  const keys = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS)
    throw new Error('not a JSON Web Key Set');
  const usable = keys.filter(
    (k): k is JSONWebKeySet['keys'][number] =>
      typeof k === 'object' && k !== null && (k as { kty?: unknown }).kty !== 'oct' && !('d' in k),
  );
  return createLocalJWKSet({ keys: usable });
}

const unavailable = (why: string): SluiceError =>
  new SluiceError(
    'keys_unavailable',
    `The issuer's keys cannot be used: ${why}. The token cannot be checked now.`,
  );

function fixed(document: JSONWebKeySet, issuer: string): KeySet {
  let find: KeyFinder;
  try {
    find = finderOf(document);
  } catch {
    throw new SluiceError('config_invalid', `The keys of the issuer "${issuer}" are not a JSON Web Key Set.`);
  }
  return {
    find,
    generation: () => 0,
    renew: async () => false,
    trustedUntil: () => Number.POSITIVE_INFINITY,
    ready: async () => ({ ok: true }),
    refresh: () => {},
    close: () => {},
  };
}

function fromFile(path: string, source: Source, { clock, logger, onChange }: KeyDependencies): KeySet {
  let generation = 0;
  const file = readAtStart(path, () =>
    observeFile({
      path,
      clock,
      parse: (text) => finderOf(JSON.parse(text)),
      onChange: () => {
        generation += 1;
        onChange?.();
      },
      onError: () => logger.error({ file: path }, 'a key file has become unreadable'),
    }),
  );
  const isUsable = (): boolean =>
    file.brokenSince === null || millis(clock) - file.brokenSince <= source.stale_if_error;
  const current = (): number => (isUsable() ? generation : -1);
  return {
    find: (header, token) => {
      if (!isUsable()) throw unavailable('the key file cannot be read');
      return file.value(header, token);
    },
    generation: current,
    async renew(since) {
      file.look();
      return current() !== since;
    },
    trustedUntil: () =>
      file.brokenSince === null ? Number.POSITIVE_INFINITY : file.brokenSince + source.stale_if_error,
    ready: async () =>
      file.error === null ? { ok: true } : { ok: false, detail: 'a key file cannot be read' },
    refresh: () => file.look(true),
    close: () => file.close(),
  };
}

function readAtStart<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new SluiceError('config_invalid', {
      message: `The key file ${path} ${code === undefined ? 'is not a JSON Web Key Set' : `cannot be read (${code})`}.`,
      cause,
    });
  }
}

function fromUrl(url: string, source: Source, deps: KeyDependencies): KeySet {
  const { clock, logger } = deps;
  let find: KeyFinder | null = null;
  let text = '';
  let generation = 0;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failed = false;
  let underway: Promise<void> | null = null;

  // A clock that is set back may neither make old keys new nor put off the next attempt.
  const now = (): number => millis(clock);
  const age = (): number => now() - loadedAt;
  const mayTry = (): boolean =>
    now() - triedAt >= (failed ? Math.min(RETRY_MS, source.cooldown) : source.cooldown);

  /** Never rejects; the result is visible in `find` and its age. */
  function refresh(): Promise<void> {
    underway ??= (async () => {
      triedAt = now();
      let isChanged = false;
      try {
        const next = await download(url, source.timeout, deps.fetch ?? fetch);
        if (next !== text) {
          find = finderOf(JSON.parse(next));
          text = next;
          generation += 1;
          isChanged = true;
        }
        loadedAt = now();
        failed = false;
      } catch (e) {
        failed = true;
        logger.warn({ url, reason: (e as Error).name }, 'the keys of an issuer cannot be fetched');
      } finally {
        underway = null;
      }
      if (isChanged) deps.onChange?.();
    })();
    return underway;
  }

  async function ensure(): Promise<KeyFinder> {
    if (find === null || age() > source.max_age) {
      if (underway || mayTry() || (find !== null && !failed)) await refresh();
    } else if (age() > source.max_age / 2 && mayTry()) void refresh();
    if (find === null) throw unavailable('they could not be fetched');
    if (age() > source.max_age + source.stale_if_error) throw unavailable('they are older than jwks.max_age');
    return find;
  }

  return {
    async find(header, token) {
      const current = await ensure();
      try {
        return await current(header, token);
      } catch (e) {
        // The key id is unknown: the issuer may have a new key.
        if (!(e instanceof errors.JWKSNoMatchingKey) || !(underway || mayTry())) throw e;
        await refresh();
        return await (find ?? current)(header, token);
      }
    },
    generation: () => generation,
    async renew(since) {
      if (generation === since && (underway || mayTry())) await refresh();
      return generation !== since;
    },
    trustedUntil: () => loadedAt + source.max_age + source.stale_if_error,
    async ready() {
      try {
        await ensure();
        return { ok: true };
      } catch {
        return { ok: false, detail: 'the keys of an issuer cannot be fetched' };
      }
    },
    // Until the new keys arrive, the current ones stay valid.
    refresh: () => void refresh(),
    close: () => {},
  };
}

async function download(url: string, timeout: number, get: typeof fetch): Promise<string> {
  // A redirect could lead to a URL without https, or to another owner's host.
  const response = await get(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeout),
    headers: { accept: 'application/json, application/jwk-set+json' },
  });
  if (response.status !== 200 || !response.body) throw new Error('status');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
