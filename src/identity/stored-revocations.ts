/** Revocations in the store, as requests are compared with them. Whose revocation cannot be checked is rejected. */
import { namesOf } from '../model/realm.ts';
import { asSeen } from '../model/spelling.ts';
import type { Clock } from '../observability/clock.ts';
import type { Revocation } from './revocation-records.ts';
import { revokedError } from './revoked.ts';
import { createStoreMemory, type StoreMemory, type StoreMemoryOptions } from './store-memory.ts';
import type { Authenticated } from './types.ts';

export interface StoredRevocations extends Pick<StoreMemory<never>, 'ready' | 'refresh' | 'close'> {
  /**
   * @param certificate digest of the certificate of the connection
   * @throws SluiceError `token_revoked`, `keys_unavailable` (thrown or as a rejection)
   */
  check(authenticated: Authenticated, certificate: string | null): void | Promise<void>;
}

/** What a request is compared with. */
type Entry = Pick<Revocation, 'kind' | 'name' | 'issuer' | 'issued_before' | 'starts_at' | 'ends_at'>;

export function createStoredRevocations(
  around: Omit<StoreMemoryOptions<Entry>, 'what' | 'current' | 'named' | 'nameOf' | 'concerns'> & {
    readonly clock: Clock;
  },
): StoredRevocations {
  const memory = createStoreMemory<Entry>({
    ...around,
    what: 'revocations',
    current:
      'SELECT kind, name, issuer, issued_before, starts_at, ends_at FROM sluice_revocations WHERE restored_at IS NULL AND (ends_at IS NULL OR ends_at > $1)',
    named: 'AND name = ANY($2)',
    nameOf: ({ name }) => name,
    concerns: (scope) => (typeof scope === 'object' && 'subject' in scope ? scope.subject : null),
  });
  return {
    check(authenticated, certificate) {
      const found = memory.find(revocable(authenticated, certificate));
      const against = (entries: readonly Entry[]): void => {
        if (entries.length > 0) judge(entries, authenticated, certificate, around.clock.now().getTime());
      };
      if (found instanceof Promise) return found.then(against);
      against(found);
    },
    ready: memory.ready,
    refresh: memory.refresh,
    close: memory.close,
  };
}

function revocable({ subject, claims, digests }: Authenticated, certificate: string | null): string[] {
  const names = [...namesOf(subject.id).map(asSeen), ...digests];
  if (claims['jti'] !== undefined) names.push(asSeen(String(claims['jti'])));
  if (certificate !== null) names.push(certificate);
  return names;
}

/** @throws SluiceError `token_revoked` */
function judge(
  entries: readonly Entry[],
  { subject, claims, digests, issuer }: Authenticated,
  certificate: string | null,
  now: number,
): void {
  const names = namesOf(subject.id).map(asSeen);
  const issued = typeof claims['iat'] === 'number' ? claims['iat'] * 1000 : 0;
  for (const entry of entries) {
    const { kind, name } = entry;
    const isNamed = {
      subject: names.includes(name),
      jti: claims['jti'] !== undefined && name === asSeen(String(claims['jti'])),
      sha256: digests.includes(name) || name === certificate,
    };
    if (
      isNamed[kind] &&
      (entry.issuer === null || entry.issuer === issuer) &&
      (entry.issued_before === null || issued < entry.issued_before) &&
      (entry.starts_at === null || entry.starts_at <= now) &&
      (entry.ends_at === null || entry.ends_at > now)
    )
      throw revokedError(subject);
  }
}
