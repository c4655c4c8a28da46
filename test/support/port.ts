/** Ports for processes that tests start, and that cannot be told to choose one themselves. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Where the system begins to choose the ports of outgoing connections: one from there on may be taken before its owner listens. */
function firstOutgoing(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/)[0]);
  } catch {
    return 32_768;
  }
}

const LOWEST = 10_000;
/** The bus of a node of a Redis Cluster listens this much higher. */
export const BUS = 10_000;

/** A port of 127.0.0.1 that nobody listens on, as nobody does `BUS` higher, and that no outgoing connection takes. */
export async function freePort(): Promise<number> {
  const room = firstOutgoing() - BUS - LOWEST;
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * Math.max(room, 5_000));
    if ((await isFree(port)) && (await isFree(port + BUS))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const failed = once(server, 'error').then(() => false);
  server.listen(port, '127.0.0.1');
  const free = await Promise.race([once(server, 'listening').then(() => true), failed]);
  if (free) await new Promise((done) => server.close(done));
  return free;
}
