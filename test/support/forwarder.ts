/** A TCP connection to PostgreSQL, or another server, that a test can cut, stop or hold up. */
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { POSTGRES } from './postgres.ts';

export interface Forwarder {
  /** the URL of PostgreSQL through here */
  url(schema: string): string;
  port(): number;
  /** connections are refused, and those that are open end */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** bytes are held back in both directions, while connections stay open */
  hold(): void;
  release(): void;
  /** what a client sends behind this text is held back; answers still come */
  holdAfter(text: string): void;
  /** how much clients have sent: each piece is a message or a few that were written together */
  messages(): number;
  /** the n-th of these from now on is lost, and its connection ends; null: none is */
  cutAt(n: number | null): void;
  /** new connections go to this server; those that are open end */
  moveTo(url: string): void;
  close(): Promise<void>;
}

export const schemaUrl = (schema: string, url = POSTGRES): string => {
  const at = new URL(url);
  at.searchParams.set('options', `-c search_path=${schema}`);
  return at.href;
};

/** @param to URL of the server */
export async function openForwarder(to = POSTGRES): Promise<Forwarder> {
  let target = new URL(to);
  const sockets = new Set<Socket>();
  let isHeld = false;
  let isStopped = false;
  let last: string | null = null;
  let messages = 0;
  let cut: number | null = null;
  const server = createServer((near) => {
    // It was accepted while the others were ended.
    if (isStopped) return void near.destroy();
    const far = connect(Number(target.port || (target.protocol === 'redis:' ? 6379 : 5432)), target.hostname);
    near.on('data', (chunk) => {
      if (++messages === cut) {
        // First, so that this piece is not written to it.
        far.destroy();
        near.destroy();
        return;
      }
      if (last !== null && chunk.includes(last)) near.unpipe().pause();
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (!isHeld) from.pipe(to);
    }
  });
  let port = 0;
  const start = async (): Promise<void> => {
    isStopped = false;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as { port: number }).port;
  };
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    isStopped = true;
    // A test that has failed while it held them must not hold up the next one.
    isHeld = false;
    last = null;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await start();
  return {
    port: () => port,
    url: (schema) => {
      const through = new URL(schemaUrl(schema));
      through.hostname = '127.0.0.1';
      through.port = String(port);
      return through.href;
    },
    start,
    stop,
    hold() {
      isHeld = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    release() {
      isHeld = false;
      // What was held back is lost with its connection: that is what a network does.
      for (const socket of sockets) socket.destroy();
    },
    holdAfter(text) {
      last = text;
    },
    messages: () => messages,
    cutAt(n) {
      cut = n === null ? null : messages + n;
    },
    moveTo(url) {
      target = new URL(url);
      for (const socket of sockets) socket.destroy();
    },
    close: stop,
  };
}
