/**
 * Revocations in the store. Where announcements of changes arrive, all that are in force are kept in memory; a change that is announced counts
 * from the next request. Otherwise (SQLite; PostgreSQL while announcements may be lost) the store is asked for every request. Whose revocation
 * cannot be checked is rejected.
 */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Database, Row } from '../model/database.ts';
import type { Invalidation } from '../model/invalidation.ts';
import { asSeen } from '../model/spelling.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { RevocationTarget } from './revocation-records.ts';
import { revokedError } from './revoked.ts';
import type { Authenticated } from './types.ts';

export interface StoredRevocations {
  /**
   * @param certificate digest of the certificate of the connection
   * @throws SluiceError `token_revoked`, `keys_unavailable` (thrown or as a rejection)
   */
  check(authenticated: Authenticated, certificate: string | null): void | Promise<void>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** reads what is in memory anew */
  refresh(): void;
  close(): void;
}

export interface RevocationStore {
  readonly database: Database;
  /** null: no changes are announced */
  readonly announcements: { isUp(): boolean } | null;
}

export interface StoredRevocationsOptions extends RevocationStore {
  readonly invalidation: Pick<Invalidation, 'subscribe'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a request is compared with. */
interface Entry extends Row {
  readonly kind: RevocationTarget['kind'];
  readonly name: string;
  readonly issuer: string | null;
  readonly issued_before: number | null;
  readonly starts_at: number | null;
  readonly ends_at: number | null;
}

const CURRENT =
  'SELECT kind, name, issuer, issued_before, starts_at, ends_at FROM sluice_revocations WHERE restored_at IS NULL AND (ends_at IS NULL OR ends_at > $1)';
const NAMED = `${CURRENT} AND name = ANY($2)`;

export function createStoredRevocations({
  database,
  announcements,
  invalidation,
  clock,
  logger,
}: StoredRevocationsOptions): StoredRevocations {
  /** name → entries; null: not loaded, or no longer true */
  let known: Map<string, readonly Entry[]> | null = null;
  /** names that an announcement was about, until the store has told of them; the object stands for the announcement */
  const unsure = new Map<string, object>();
  /** number of announcements about everybody, and of those that came while nothing was loaded */
  let generation = 0;
  let isLoading = false;
  let isFailing = false;

  async function ask(names: readonly string[] | null): Promise<readonly Entry[]> {
    const now = clock.now().getTime();
    try {
      const entries = await (names === null
        ? database.query<Entry>(CURRENT, [now])
        : database.query<Entry>(NAMED, [now, names]));
      if (isFailing) logger.info({}, 'revocations in the store can be read again');
      isFailing = false;
      return entries;
    } catch (err) {
      if (!isSluiceError(err)) throw err;
      if (!isFailing)
        logger.error({ err }, 'revocations in the store cannot be read: all credentials are rejected');
      isFailing = true;
      throw new SluiceError('keys_unavailable', {
        message: 'The revocations in the store cannot be read, so no credential is accepted now.',
        cause: err,
      });
    }
  }

  function forget(): void {
    generation++;
    known = null;
    unsure.clear();
  }

  async function load(): Promise<void> {
    if (isLoading) return;
    isLoading = true;
    try {
      while (known === null) {
        const begun = generation;
        const entries = await ask(null);
        // What was announced meanwhile may not be in it.
        if (generation === begun) known = byName(entries);
      }
    } catch {
      // It is logged. The next request asks for itself, and tries again.
    } finally {
      isLoading = false;
    }
  }

  async function learn(name: string): Promise<void> {
    const announcement = {};
    unsure.set(name, announcement);
    try {
      const entries = await ask([name]);
      if (unsure.get(name) !== announcement) return;
      unsure.delete(name);
      if (entries.length === 0) known?.delete(name);
      else known?.set(name, entries);
    } catch {
      forget();
    }
  }

  const unsubscribe =
    announcements === null
      ? () => {}
      : invalidation.subscribe(({ kind, scope }) => {
          if (kind !== 'revocations') return;
          if (known !== null && typeof scope === 'object' && 'subject' in scope) void learn(scope.subject);
          else {
            forget();
            void load();
          }
        });

  return {
    check(authenticated, certificate) {
      const names = namesOf(authenticated, certificate);
      if (announcements?.isUp()) {
        const loaded = known;
        if (loaded === null) void load();
        else if (unsure.size === 0 || !names.some((name) => unsure.has(name))) {
          if (loaded.size > 0)
            for (const name of names)
              judge(loaded.get(name) ?? NONE, authenticated, certificate, clock.now().getTime());
          return;
        }
      }
      return ask(names).then((entries) => judge(entries, authenticated, certificate, clock.now().getTime()));
    },
    async ready() {
      if (announcements?.isUp() && known !== null) return { ok: true };
      try {
        await ask([]);
        return { ok: true };
      } catch (e) {
        return { ok: false, detail: (e as Error).message };
      }
    },
    refresh() {
      if (announcements === null) return;
      forget();
      void load();
    },
    close: unsubscribe,
  };
}

const NONE: readonly Entry[] = [];

function byName(entries: readonly Entry[]): Map<string, readonly Entry[]> {
  const map = new Map<string, Entry[]>();
  for (const entry of entries) {
    const list = map.get(entry.name);
    if (list === undefined) map.set(entry.name, [entry]);
    else list.push(entry);
  }
  return map;
}

function namesOf({ subject, claims, digests }: Authenticated, certificate: string | null): string[] {
  const names = [asSeen(subject.id), ...digests];
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
  const issued = typeof claims['iat'] === 'number' ? claims['iat'] * 1000 : 0;
  for (const entry of entries) {
    const { kind, name } = entry;
    const isNamed = {
      subject: name === asSeen(subject.id),
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
