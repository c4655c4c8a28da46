/**
 * Carries announcements of changes from one process to all others that use the same store. The store announces them itself, in the transaction of
 * the change. A cache of what the store holds may be relied on only while its channel is up.
 */
import type { Change } from './invalidation.ts';

export interface Channel {
  /** false: an announcement may have been missed, so that nothing cached may be relied on */
  isUp(): boolean;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** of a channel that hears sooner by hints, and without them at its next heartbeat; absent: it needs none */
  hintsUp?(): boolean;
  close(): Promise<void>;
}

export interface ChannelEvents {
  /** a change that another process has announced; also everything, where announcements may have been missed, before the channel is up again */
  received(change: Change): void;
  /** called when the channel goes up or down, for the log and the metrics */
  changed?(isUp: boolean, why: string): void;
}

/** A channel asks the server every `interval` ms; `silence` ms after the last question that was answered it counts as down. */
export interface Heartbeat {
  readonly interval: number;
  readonly silence: number;
}

/** Both directions have to work for it, at the server as well: what the answer comes through carries announcements too. */
export const HEARTBEAT: Heartbeat = { interval: 500, silence: 1_500 };
