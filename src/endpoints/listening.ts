/** Opens and closes listeners: on an address, or on a socket that another process has opened. */
import type { Server } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { SluiceError } from '../errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const urlOf = (scheme: string, { host, port }: Address): string =>
  `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;

/**
 * @returns the port that was really taken
 * @throws SluiceError `address_in_use`
 */
export async function listen(server: NetServer, { host, port }: Address): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // The listener stays: an unhandled error of a later accept (too many open files) would end the process.
    server.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new SluiceError('address_in_use', {
          message: `Cannot listen on ${host}:${port} (${cause.code}). Is another process there? See listen in sluice.yaml.`,
          cause,
        }),
      ),
    );
    // A sidecar that tries a policy within a worker must not share the worker's listeners.
    server.listen({ port, host, exclusive: true }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** @param socket as another process has sent it, listening on that port */
export async function listenOn(server: NetServer, socket: unknown, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(socket, resolve);
  });
  return port;
}

/** ms for which a kept connection may still send a request when its server closes: one may be in transit */
const LAST_REQUEST_MS = 500;

/**
 * Closing lets requests in flight finish, for `grace` milliseconds. The next answer on each connection says `Connection: close`: a client whose
 * connection is closed while it sends a request could not tell whether the request was served (RFC 9112 §9.6).
 */
export function draining(server: Server, grace: number): { close(): Promise<void> } {
  // Node does not track connections on which an upgrade was requested, nor those that it has not accepted itself.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  return {
    close: () =>
      new Promise((resolve) => {
        // `http.Server.close` would close idle connections at once.
        NetServer.prototype.close.call(server);
        // Node counts requests from now on, since there was no limit before.
        server.maxRequestsPerSocket = 1;
        // for connections that are answered from now on; the others are idle now
        Object.assign(server, { keepAliveTimeout: LAST_REQUEST_MS, keepAliveTimeoutBuffer: 0 });
        const last = setTimeout(() => server.closeIdleConnections(), LAST_REQUEST_MS);
        const timer = setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, grace);
        const left = setInterval(look, 20);
        function look(): void {
          if (sockets.size > 0) return;
          clearTimeout(last);
          clearTimeout(timer);
          clearInterval(left);
          // Also stops the timer that checks for late requests.
          server.close();
          resolve();
        }
        look();
      }),
  };
}
