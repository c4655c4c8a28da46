/** API keys in the store, as requests are compared with them. */
import { hash } from 'node:crypto';
import type { Row } from '../model/database.ts';
import { expiredKey, MAX_LENGTH, unknownKey } from './api-keys.ts';
import { configuredSubject, NO_CLAIMS } from './claims.ts';
import { revokedError } from './revoked.ts';
import type { SubjectConfig } from './section.ts';
import { createStoreMemory, type StoreMemory, type StoreMemoryOptions } from './store-memory.ts';
import type { Authenticated } from './types.ts';

export interface StoredApiKeys extends Pick<StoreMemory<never>, 'ready' | 'refresh' | 'close'> {
  /** @throws SluiceError `token_key_unknown`, `token_expired`, `token_revoked`, `keys_unavailable` (thrown or as a rejection) */
  find(key: string): Authenticated | Promise<Authenticated>;
  /**
   * Whether a key that was found has been revoked since.
   * @throws SluiceError `token_revoked`, `keys_unavailable` (thrown or as a rejection)
   */
  recheck(authenticated: Authenticated): void | Promise<void>;
}

interface Entry extends Row {
  readonly sha256: string;
  readonly id: string;
  readonly subject: string;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

export function createStoredApiKeys(
  around: Omit<StoreMemoryOptions<Entry>, 'what' | 'current' | 'named' | 'nameOf' | 'concerns'>,
  realm: string | undefined,
): StoredApiKeys {
  const memory = createStoreMemory<Entry>({
    ...around,
    what: 'API keys',
    // Expired ones too, for as long as somebody may want to know why they are refused.
    current: `SELECT sha256, id, subject, expires_at, revoked_at FROM sluice_api_keys WHERE expires_at > $1 - ${30 * 86_400_000}`,
    named: 'AND sha256 = ANY($2)',
    nameOf: ({ sha256 }) => sha256,
    concerns: (scope) => (scope === 'all' ? null : undefined),
  });
  const admit = (entries: readonly Entry[]): Authenticated => {
    const [entry] = entries;
    if (entry === undefined) throw unknownKey();
    const authenticated = authenticatedBy(entry, realm);
    if (entry.revoked_at !== null) throw revokedError(authenticated.subject);
    if (!(entry.expires_at > around.clock.now().getTime())) throw expiredKey();
    return authenticated;
  };
  return {
    find(key) {
      // The lookup uses the digest, so its duration reveals nothing about a key.
      if (key.length > MAX_LENGTH) throw unknownKey();
      const found = memory.find([hash('sha256', key, 'hex')]);
      return found instanceof Promise ? found.then(admit) : admit(found);
    },
    recheck({ digests, subject }) {
      const found = memory.find(digests);
      const check = (entries: readonly Entry[]): void => {
        if (entries.some(({ revoked_at }) => revoked_at !== null)) throw revokedError(subject);
      };
      if (found instanceof Promise) return found.then(check);
      check(found);
    },
    ready: memory.ready,
    refresh: memory.refresh,
    close: memory.close,
  };
}

/** The same object for the same row, whose answers are remembered by it. */
const known = new WeakMap<Entry, Authenticated>();

function authenticatedBy(entry: Entry, realm: string | undefined): Authenticated {
  let authenticated = known.get(entry);
  if (authenticated === undefined) {
    const subject = JSON.parse(entry.subject) as SubjectConfig;
    authenticated = Object.freeze({
      subject: configuredSubject(subject, [], realm),
      claims: NO_CLAIMS,
      digests: [entry.sha256],
      issuer: `api-key:${entry.id}`,
      expires: entry.expires_at,
      purpose: subject.purpose ?? null,
    });
    known.set(entry, authenticated);
  }
  return authenticated;
}
