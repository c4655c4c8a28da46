/** Hints that announcements were written, by pub/sub of Redis. They hold nothing: what has changed is read from the database. */
import { createClient } from '@redis/client';
import { SluiceError } from '../errors.ts';
import type { Database, Parameter, Row } from '../model/database.ts';

/** of every store that uses the same Redis: a hint too many costs one read */
const CHANNEL = 'sluice:announcements';
const CONNECT_MS = 1_000;

export interface Hints {
  /** Sends one in the background. Several at once are one. */
  send(): void;
  /** @param heard called for each hint, and when they arrive again */
  listen(heard: () => void): void;
  isUp(): boolean;
  why(): string;
  /** Waits a little for what is being sent. */
  close(): Promise<void>;
}

export interface HintsOptions {
  /** called when hints arrive or no longer do */
  readonly changed?: (isUp: boolean, why: string) => void;
}

/** Connects at the first use, and again after each loss. @throws SluiceError `config_invalid` */
export function openHints(url: string, { changed }: HintsOptions = {}): Hints {
  if (!/^rediss?:\/\/./.test(url) || !URL.canParse(url))
    throw new SluiceError('config_invalid', 'store.announcements.redis is no redis:// or rediss:// URL.');
  const client = createClient({
    url,
    disableOfflineQueue: true,
    // Finds out that a connection is dead also where nobody closed it.
    pingInterval: 1_000,
    socket: {
      connectTimeout: CONNECT_MS,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** Math.min(retries, 5), 1_000),
      socketTimeout: 5_000,
    },
  });
  let why = 'not connected yet';
  let isUp = false;
  let isOpen = false;
  const turn = (now: boolean, reason: string): void => {
    why = reason;
    if (now === isUp) return;
    isUp = now;
    changed?.(now, reason);
  };
  client.on('error', (e: Error) =>
    turn(false, e.message || (e as NodeJS.ErrnoException).code || 'no answer'),
  );
  const connect = (): void => {
    if (isOpen) return;
    isOpen = true;
    // Errors come as events.
    client.connect().catch(() => undefined);
  };
  const connected = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (client.isReady) return resolve();
      const timer = setTimeout(() => reject(new Error('no connection')), CONNECT_MS);
      client.once('ready', () => {
        clearTimeout(timer);
        resolve();
      });
    });

  let sending: Promise<void> | null = null;
  let isAgain = false;
  async function sendAll(): Promise<void> {
    do {
      isAgain = false;
      try {
        connect();
        await connected();
        await client.publish(CHANNEL, '');
      } catch {
        // Whoever listens reads at its next heartbeat.
      }
    } while (isAgain);
    sending = null;
  }

  return {
    send() {
      isAgain = true;
      sending ??= sendAll();
    },
    listen(heard) {
      client.on('ready', () => {
        client
          .subscribe(CHANNEL, heard)
          .then(() => {
            turn(true, 'up');
            // Those sent meanwhile are lost.
            heard();
          })
          .catch((e: Error) => turn(false, e.message));
      });
      connect();
    },
    isUp: () => isUp,
    why: () => why,
    async close() {
      if (sending !== null) {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, CONNECT_MS);
        });
        await Promise.race([sending, late]);
        clearTimeout(timer);
      }
      if (isOpen) client.destroy();
    },
  };
}

/** A hint after each commit of a statement that announces. */
export function hinting(database: Database, announces: (sql: string) => boolean, hints: Hints): Database {
  return {
    ...database,
    async write<R extends Row>(sql: string, parameters?: readonly Parameter[]) {
      const rows = await database.write<R>(sql, parameters);
      if (announces(sql)) hints.send();
      return rows;
    },
    async transaction(work, limits) {
      let isAnnounced = false;
      const result = await database.transaction(
        (queries) =>
          work({
            query(sql, parameters) {
              isAnnounced ||= announces(sql);
              return queries.query(sql, parameters);
            },
          }),
        limits,
      );
      if (isAnnounced) hints.send();
      return result;
    },
    async close() {
      await hints.close();
      await database.close();
    },
  };
}

/** Whether a statement changes a table that has triggers which announce: those whose name begins with `announce`. */
export function announcing(migrations: string): (sql: string) => boolean {
  const tables = new Set(
    [...migrations.matchAll(/CREATE TRIGGER announce\w* AFTER [A-Z ]+ ON (\w+)/g)].map(([, table]) => table),
  );
  const changes = new RegExp(
    `\\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\\s+(?:${[...tables].join('|')})\\b`,
  );
  return (sql) => changes.test(sql);
}
