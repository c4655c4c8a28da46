/**
 * The listening sockets, which the first process holds: it accepts connections and deals them out to the workers in turn. A port
 * stays open whatever becomes of the workers: while none serves, connections wait. One that a worker had not taken when it ended
 * is closed, not dealt again, since the worker may have read from it.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Address, listen } from '../../server/listening.ts';
import type { Slot } from './crew.ts';
import type { Listener } from './messages.ts';

/** connections that wait for a worker, and for how many milliseconds */
const WAITING = { most: 1024, time: 15_000 };

interface Accepted {
  readonly to: Listener;
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
}

export class Dealer {
  readonly #slots: () => readonly Slot[];
  readonly #servers: Server[] = [];
  readonly #waiting: Accepted[] = [];
  readonly #untaken = new Map<Slot, Socket>();
  /** where the next turn begins */
  #next = 0;

  constructor(slots: () => readonly Slot[]) {
    this.#slots = slots;
  }

  /**
   * @returns the port that was really taken
   * @throws SluiceError `address_in_use`
   */
  listen(to: Listener, address: Address): Promise<number> {
    // Nothing is read here: the bytes are the worker's.
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(to, socket));
    this.#servers.push(server);
    return listen(server, address);
  }

  /** A worker takes connections now, or has taken the one that it was given. */
  free(slot: Slot): void {
    this.#release(slot);
    this.#deal();
  }

  /** Its process has ended. */
  ended(slot: Slot): void {
    this.#release(slot);
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { socket, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      socket.destroy();
    }
  }

  #accept(to: Listener, socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#waiting.length >= WAITING.most) return void socket.destroy();
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(accepted), 1);
      socket.destroy();
    }, WAITING.time);
    const accepted = { to, socket, timer };
    this.#waiting.push(accepted);
    this.#deal();
  }

  #deal(): void {
    while (this.#waiting.length > 0) {
      const slot = this.#turn();
      if (slot === undefined) return;
      const { to, socket, timer } = this.#waiting.shift()!;
      clearTimeout(timer);
      if (socket.destroyed) continue;
      this.#untaken.set(slot, socket);
      // Kept open here until the worker has it, so that it can be closed if the worker ends before.
      slot.worker!.send({ say: 'connection', to }, socket, { keepOpen: true }, (error) => {
        if (error !== null && this.#untaken.get(slot) === socket) this.free(slot);
      });
    }
  }

  /** The next worker that serves and has taken what it was given: one that is stuck is given one more at most. */
  #turn(): Slot | undefined {
    const slots = this.#slots();
    for (let i = 0; i < slots.length; i++) {
      const at = (this.#next + i) % slots.length;
      const slot = slots[at]!;
      if (slot.state !== 'up' || !slot.worker?.isConnected() || this.#untaken.has(slot)) continue;
      this.#next = at + 1;
      return slot;
    }
    return undefined;
  }

  /** Our copy is closed; the connection goes on in the worker that has the other. */
  #release(slot: Slot): void {
    this.#untaken.get(slot)?.destroy();
    this.#untaken.delete(slot);
  }
}
