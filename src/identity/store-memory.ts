/**
 * What the identity stage keeps of a table of the store. Where announcements of changes arrive, all current rows are in memory; a change that is
 * announced counts from the next request. Otherwise (SQLite; PostgreSQL while announcements may be lost) the store is asked for every request.
 */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Database, Row } from '../model/database.ts';
import type { Invalidation, Scope } from '../model/invalidation.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';

export interface IdentityStore {
  readonly database: Database;
  /** null: no changes are announced */
  readonly announcements: { isUp(): boolean } | null;
}

export interface StoreMemoryOptions<R extends Row> extends IdentityStore {
  readonly invalidation: Pick<Invalidation, 'subscribe'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** for messages: `revocations` */
  readonly what: string;
  /** SELECT of the rows that are current at $1 */
  readonly current: string;
  /** continues it: only rows of the names $2 */
  readonly named: string;
  readonly nameOf: (row: R) => string;
  /** the name that an announcement is about; null: it may be about any; undefined: it is about another table */
  readonly concerns: (scope: Scope) => string | null | undefined;
}

export interface StoreMemory<R> {
  /** @throws SluiceError `keys_unavailable` (as a rejection) */
  find(names: readonly string[]): readonly R[] | Promise<readonly R[]>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** reads what is in memory anew */
  refresh(): void;
  close(): void;
}

export function createStoreMemory<R extends Row>({
  database,
  announcements,
  invalidation,
  clock,
  logger,
  what,
  current,
  named,
  nameOf,
  concerns,
}: StoreMemoryOptions<R>): StoreMemory<R> {
  /** null: not loaded, or no longer true */
  let known: Map<string, readonly R[]> | null = null;
  /** names that an announcement was about, until the store has told of them; the object stands for the announcement */
  const unsure = new Map<string, object>();
  /** number of announcements about everybody, and of those that came while nothing was loaded */
  let generation = 0;
  let isLoading = false;
  let isFailing = false;

  async function ask(names: readonly string[] | null): Promise<readonly R[]> {
    const now = clock.now().getTime();
    try {
      const rows = await (names === null
        ? database.query<R>(current, [now])
        : database.query<R>(`${current} ${named}`, [now, names]));
      if (isFailing) logger.info({}, `${what} in the store can be read again`);
      isFailing = false;
      return rows;
    } catch (err) {
      if (!isSluiceError(err)) throw err;
      if (!isFailing)
        logger.error({ err }, `${what} in the store cannot be read: credentials that need them are rejected`);
      isFailing = true;
      throw new SluiceError('keys_unavailable', {
        message: `The ${what} in the store cannot be read, so that the credential cannot be checked now.`,
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
        const rows = await ask(null);
        // What was announced meanwhile may not be in it.
        if (generation === begun) known = Map.groupBy(rows, nameOf);
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
      const rows = await ask([name]);
      if (unsure.get(name) !== announcement) return;
      unsure.delete(name);
      if (rows.length === 0) known?.delete(name);
      else known?.set(name, rows);
    } catch {
      forget();
    }
  }

  const unsubscribe =
    announcements === null
      ? () => {}
      : invalidation.subscribe(({ kind, scope }) => {
          if (kind !== 'revocations') return;
          const name = concerns(scope);
          if (name === undefined) return;
          if (known !== null && name !== null) void learn(name);
          else {
            forget();
            void load();
          }
        });

  return {
    find(names) {
      if (announcements?.isUp()) {
        const loaded = known;
        if (loaded === null) void load();
        else if (unsure.size === 0 || !names.some((name) => unsure.has(name)))
          return loaded.size === 0 ? NONE : names.flatMap((name) => loaded.get(name) ?? NONE);
      }
      return ask(names);
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

const NONE: readonly never[] = [];
