/**
 * Announcements read from their table, which works through a pooler that shares connections by transaction. A read that succeeds is the heartbeat:
 * everything that was committed before it has been heard. Hints only make the next read come sooner, so that a lost one costs at most the interval.
 */
import { type Channel, type ChannelEvents, HEARTBEAT, type Heartbeat } from '../model/channel.ts';
import type { Database } from '../model/database.ts';
import type { Hints } from './hints.ts';
import { type Position, readOutbox } from './outbox.ts';

/** between two reads that hints have caused: an import sends many */
const SPACING_MS = 20;

export interface OutboxChannelOptions {
  readonly heartbeat?: Heartbeat;
}

/** @param database of its own: look-ups that wait for a connection must not make the channel go down; closed with it */
export function openOutboxChannel(
  database: Database,
  hints: Hints,
  events: ChannelEvents,
  { heartbeat = HEARTBEAT }: OutboxChannelOptions = {},
): Channel {
  let position: Position | null = null;
  /** monotonic: when the last read that succeeded was sent */
  let sentAt = Number.NEGATIVE_INFINITY;
  let why = 'not read yet';
  let isToldUp = false;
  let isHinted = false;
  let hintedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;
  let wake: () => void = () => undefined;

  const isUp = (): boolean => performance.now() - sentAt <= heartbeat.silence;
  const tell = (): void => {
    if (isUp() === isToldUp) return;
    isToldUp = !isToldUp;
    events.changed?.(isToldUp, why);
  };
  const nextBeat = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, heartbeat.interval).unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const spaced = async (): Promise<void> => {
    const wait = hintedAt + SPACING_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    hintedAt = performance.now();
  };

  async function readOnce(): Promise<void> {
    const at = performance.now();
    try {
      const { position: now, changes } = await readOutbox(database, position);
      if (isClosed) return;
      // A silence that nobody has noticed yet is told before its end.
      if (!isUp()) why = `no answer within ${heartbeat.silence} ms`;
      tell();
      for (const change of changes) events.received(change);
      position = now;
      sentAt = at;
      why = isUp() ? 'up' : `no answer within ${heartbeat.silence} ms`;
    } catch (e) {
      why = (e as Error).message;
    }
    if (!isClosed) tell();
  }

  async function run(): Promise<void> {
    while (!isClosed) {
      await readOnce();
      if (isClosed) return;
      if (!isHinted) await nextBeat();
      if (isHinted) await spaced();
      // From here on a hint asks for another read.
      isHinted = false;
    }
  }

  hints.listen(() => {
    isHinted = true;
    wake();
  });
  const running = run();

  return {
    isUp,
    async ready() {
      const parts = [
        ...(isUp() ? [] : [`announcements, read from sluice_announcements: ${why}`]),
        ...(hints.isUp()
          ? []
          : [`hints through Redis: ${hints.why()}; a change counts within ${heartbeat.interval} ms`]),
      ];
      return parts.length === 0 ? { ok: true } : { ok: false, detail: parts.join('; ') };
    },
    hintsUp: () => hints.isUp(),
    async close() {
      isClosed = true;
      wake();
      await hints.close();
      await database.close();
      await running;
    },
  };
}
