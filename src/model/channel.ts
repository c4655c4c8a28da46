/**
 * Carries announcements of changes from one process to all others that use the same store. A cache of what the store holds may be relied on
 * only while its channel is up.
 */
import type { Change } from './invalidation.ts';

export interface Channel {
  /**
   * Tells the other processes. Resolves when the server has taken the announcement; what cannot be delivered takes effect when caches expire.
   * @throws SluiceError `store_unavailable`
   */
  publish(change: Change): Promise<void>;
  /** false: an announcement may have been missed, so that nothing cached may be relied on */
  isUp(): boolean;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  close(): Promise<void>;
}

export interface ChannelEvents {
  /** a change that another process has announced; also everything, each time the channel is up again */
  received(change: Change): void;
  /** called when the channel goes up or down, for the log and the metrics */
  changed?(isUp: boolean, why: string): void;
}

/** A channel sends itself a message every `interval` ms; after `silence` ms without one it counts as down. */
export interface Heartbeat {
  readonly interval: number;
  readonly silence: number;
}

/** Both directions have to work for it, at the server as well: what a heartbeat comes back through carries announcements too. */
export const HEARTBEAT: Heartbeat = { interval: 500, silence: 1_500 };
