/** A real HTTP server that takes decision logs as OPA sends them, and answers as a test says. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly events: readonly Event[];
  /** answered with 2xx */
  readonly taken: boolean;
}
type Event = { readonly [name: string]: unknown } & {
  readonly decision_id: string;
  readonly custom: { readonly seq: number; readonly origin: string };
};
type Answer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly text?: string }
  | 'nothing'
  | 'break';

export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** the seqs of each origin in the order of their arrival, of what was taken */
  seqs(): Readonly<Record<string, readonly number[]>>;
}

export async function receiver(
  answer: (events: readonly Event[], n: number) => Answer = () => ({ status: 200 }),
  tls?: ServerOptions,
): Promise<Receiver> {
  const received: Received[] = [];
  const server = (tls === undefined ? createServer : createTlsServer.bind(null, tls))(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const events = JSON.parse(
      (req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString(),
    ) as Event[];
    const said = answer(events, received.length);
    const taken = typeof said === 'object' && said.status < 300;
    received.push({ method: req.method, headers: req.headers, events, taken });
    if (said === 'nothing') return;
    if (said === 'break') return void req.socket.destroy();
    res.writeHead(said.status, said.headers).end(said.text ?? '{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${(server.address() as AddressInfo).port}/logs`,
    received,
    seqs() {
      const out: Record<string, number[]> = {};
      for (const { events, taken } of received)
        if (taken)
          for (const { custom } of events) out[custom.origin] = [...(out[custom.origin] ?? []), custom.seq];
      return out;
    },
  };
}
