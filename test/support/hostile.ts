/** An upstream on raw sockets that answers whatever the test says, well-formed or not. */
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface Received {
  readonly method: string;
  readonly target: string;
  /** lower-case name → value; a repeated one is joined by `, ` */
  readonly headers: Readonly<Record<string, string>>;
  readonly head: string;
  readonly body: Buffer;
}

export type Behaviour = (request: Received, socket: Socket) => void;

export interface HostileUpstream {
  readonly url: string;
  readonly port: number;
  /** what it does with the next requests */
  answer: Behaviour;
  /** every request that arrived whole */
  readonly received: Received[];
  /** connections closed by the other side before this one ended them */
  aborted: number;
  readonly connections: number;
  close(): Promise<void>;
}

/** An answer as text, with its length unless one is named. */
export function reply(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  status = '200 OK',
): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
  const named = new Set(Object.keys(headers).map((h) => h.toLowerCase()));
  const fields = Object.entries({
    ...(named.has('content-type') ? {} : { 'Content-Type': 'application/json' }),
    ...(named.has('content-length') || named.has('transfer-encoding')
      ? {}
      : { 'Content-Length': String(bytes.length) }),
    ...headers,
  }).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((v) => `${name}: ${v}\r\n`),
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${fields.join('')}\r\n`, 'latin1'), bytes]);
}

/** A body cut into chunks of the given sizes (the last takes the rest), with trailers. */
export function chunks(body: Uint8Array, sizes: readonly number[] = [], trailers = ''): Buffer {
  const out: Buffer[] = [];
  let at = 0;
  for (const size of [...sizes, body.length]) {
    const piece = body.subarray(at, at + Math.max(1, size));
    at += piece.length;
    if (piece.length > 0)
      out.push(Buffer.from(`${piece.length.toString(16)}\r\n`), Buffer.from(piece), Buffer.from('\r\n'));
  }
  out.push(Buffer.from(`0\r\n${trailers}\r\n`, 'latin1'));
  return Buffer.concat(out);
}

export const answers =
  (body: string | Uint8Array, headers: Parameters<typeof reply>[1] = {}, status?: string): Behaviour =>
  (_request, socket) =>
    socket.write(reply(body, headers, status));

export async function startHostile(): Promise<HostileUpstream> {
  const sockets = new Set<Socket>();
  const received: Received[] = [];
  const state = { aborted: 0, behaviour: answers('{}') as Behaviour };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const taken = take(bytes);
        if (!taken) return;
        bytes = bytes.subarray(taken.used);
        received.push(taken.request);
        state.behaviour(taken.request, socket);
      }
    });
    let theirs = false;
    const left = (): void => {
      if (!theirs && !socket.writableEnded) state.aborted += 1;
      theirs = true;
    };
    socket.on('error', left);
    socket.on('end', left);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    get answer() {
      return state.behaviour;
    },
    set answer(behaviour) {
      state.behaviour = behaviour;
    },
    get aborted() {
      return state.aborted;
    },
    set aborted(n) {
      state.aborted = n;
    },
    get connections() {
      return sockets.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function take(bytes: Buffer): { readonly request: Received; readonly used: number } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = bytes.subarray(0, end + 4).toString('latin1');
  const [line = '', ...fields] = head.trimEnd().split('\r\n');
  const [method = '', target = ''] = line.split(' ');
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const at = field.indexOf(':');
    const name = field.slice(0, at).toLowerCase();
    const value = field.slice(at + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const length = Number(headers['content-length'] ?? 0);
  if (bytes.length < end + 4 + length) return null;
  const body = Buffer.from(bytes.subarray(end + 4, end + 4 + length));
  return { request: { method, target, headers, head, body }, used: end + 4 + length };
}
