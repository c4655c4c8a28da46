/**
 * The listening sockets that all workers share: each worker accepts connections for itself. The first worker opens them, and the primary
 * keeps a copy on which it never accepts, so that a port stays open at its address whatever becomes of the workers: while none
 * serves, connections wait in the kernel's backlog. A flood that is faster than the workers waits there too: nobody takes what nobody can serve.
 */
import type { SendHandle } from 'node:child_process';
import type { ToWorker } from './messages.ts';
import type { Listener } from '../../endpoints/admin/workers.ts';

/** what Node gives of a handle that is sent as it is: no server is made of it, so nothing is accepted on it */
export type ListeningSocket = SendHandle & { close(): void };

export class Listeners {
  readonly #open = new Map<Listener, { readonly socket: ListeningSocket; readonly port: number }>();

  /** What a worker that wants to listen is told: the socket, or that it is the one who opens it. */
  give(listener: Listener, reply: (message: ToWorker, socket?: SendHandle) => void): void {
    const open = this.#open.get(listener);
    reply({ say: 'listen', listener, port: open?.port ?? null }, open?.socket);
  }

  keep(listener: Listener, port: number, socket: ListeningSocket): void {
    this.#open.set(listener, { socket, port });
  }

  /** @throws if no worker has opened it */
  port(listener: Listener): number {
    return this.#open.get(listener)!.port;
  }

  close(): void {
    for (const { socket } of this.#open.values()) socket.close();
    this.#open.clear();
  }
}
