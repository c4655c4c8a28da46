/**
 * The listening sockets that all workers share: each worker accepts connections itself. The first worker opens them. The primary
 * keeps a handle on which it never accepts, so a port stays open when workers end: while none
 * serves, connections wait in the kernel's backlog. So does a flood of connections, until a worker can serve them.
 */
import type { SendHandle } from 'node:child_process';
import type { ToWorker } from './messages.ts';
import type { Listener } from '../../endpoints/admin/workers.ts';

/** Node's handle of a socket that is sent unchanged: no server is made of it, so nothing is accepted on it */
export type ListeningSocket = SendHandle & { close(): void };

export class Listeners {
  readonly #open = new Map<Listener, { readonly socket: ListeningSocket; readonly port: number }>();

  /** The reply to a worker that wants to listen: the socket, or the request to open it. */
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
