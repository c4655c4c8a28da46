/**
 * Announcements by LISTEN and NOTIFY of PostgreSQL. The triggers of Sluice's tables announce too, in the transaction of the change, whoever
 * made it. One connection listens and sends the heartbeats; it cannot go through a pooler that shares connections by transaction,
 * for which there is `outbox-channel.ts`.
 * https://www.postgresql.org/docs/15/sql-notify.html
 */
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import pg from 'pg';
import { type Channel, type ChannelEvents, HEARTBEAT, type Heartbeat } from '../model/channel.ts';
import { EVERYTHING, read } from './announcements.ts';
import { connectionOf, type PostgresOptions } from './postgres.ts';

/** Triggers name it too. */
const CHANGES = 'sluice_changes';
const RETRY_MS = 500;

export interface PostgresChannelOptions extends PostgresOptions {
  readonly heartbeat?: Heartbeat;
}

/** Connects in the background, and again after each loss. */
export function openPostgresChannel(
  url: string,
  events: ChannelEvents,
  options: PostgresChannelOptions = {},
): Channel {
  return new PostgresChannel(url, events, options);
}

class PostgresChannel implements Channel {
  readonly #url: string;
  readonly #events: ChannelEvents;
  readonly #options: PostgresChannelOptions;
  readonly #heartbeat: Heartbeat;
  /** its own, so that a thousand sidecars do not hear a thousand hearts */
  readonly #own = `sluice_beat_${randomUUID().replaceAll('-', '')}`;
  /** listens and sends the heartbeats */
  #client: pg.Client | null = null;
  /** of the connection in use, from its first moment */
  #end: () => void = () => undefined;
  /** monotonic: when the last heartbeat that came back was sent; what was announced before has come, too */
  #sentAt = Number.NEGATIVE_INFINITY;
  /** since the last loss or silence, everything was announced as changed */
  #isCaughtUp = false;
  #why = 'not connected yet';
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(url: string, events: ChannelEvents, options: PostgresChannelOptions) {
    this.#url = url;
    this.#events = events;
    this.#options = options;
    this.#heartbeat = options.heartbeat ?? HEARTBEAT;
    void this.#connect();
  }

  isUp(): boolean {
    return this.#isCaughtUp && this.#isHeard();
  }

  async ready(): Promise<{ ok: boolean; detail?: string }> {
    return this.isUp() ? { ok: true } : { ok: false, detail: `announcements by LISTEN: ${this.#why}` };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#client = null;
    this.#end();
  }

  #isHeard(): boolean {
    return this.#client !== null && performance.now() - this.#sentAt <= this.#heartbeat.silence;
  }

  async #connect(): Promise<void> {
    const socket = new Socket();
    const client = new pg.Client({ ...connectionOf(this.#url, this.#options), stream: () => socket });
    // The server may not answer at all: do not wait for a polite end.
    const end = (): void => {
      client.end().catch(() => undefined);
      socket.destroy();
    };
    this.#end = end;
    let isLost = false;
    const lost = (why: string): void => {
      if (isLost || this.#isClosed) return;
      isLost = true;
      this.#client = null;
      this.#note(why);
      end();
      this.#timer = setTimeout(() => void this.#connect(), RETRY_MS).unref();
    };
    client.on('error', (e) => lost(e.message));
    client.on('end', () => lost('the connection was closed'));
    client.on('notification', ({ channel, payload = '' }) => {
      if (channel === this.#own) this.#heard(Number(payload));
      else for (const change of read(payload)) this.#events.received(change);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANGES}; LISTEN ${this.#own}`);
    } catch (e) {
      lost((e as Error).message);
      return;
    }
    if (isLost || this.#isClosed) return;
    this.#client = client;
    const beat = async (): Promise<void> => {
      try {
        await client.query(`NOTIFY ${this.#own}, '${performance.now()}'`);
      } catch (e) {
        lost((e as Error).message);
        return;
      }
      if (isLost || this.#isClosed) return;
      if (!this.isUp()) this.#note('no heartbeat came back');
      this.#timer = setTimeout(() => void beat(), this.#heartbeat.interval).unref();
    };
    await beat();
  }

  #heard(sentAt: number): void {
    const wasUp = this.isUp();
    if (!wasUp) this.#note('no heartbeat came back');
    this.#sentAt = sentAt;
    // One that was held up on its way says nothing about now.
    if (wasUp || !this.#isHeard()) return;
    // What was announced while nobody listened is lost.
    for (const change of EVERYTHING) this.#events.received(change);
    this.#isCaughtUp = true;
    this.#why = 'up';
    this.#events.changed?.(true, 'up');
  }

  #note(why: string): void {
    this.#why = why;
    if (!this.#isCaughtUp) return;
    this.#isCaughtUp = false;
    this.#events.changed?.(false, why);
  }
}
