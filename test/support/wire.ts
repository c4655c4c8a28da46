/** HTTP/1.x by hand over raw sockets: what a client library would refuse to send, and what it would hide of an answer. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Answer {
  /** as received, up to and with the blank line; latin1 */
  readonly head: string;
  readonly version: string;
  readonly status: number;
  readonly phrase: string;
  /** lower-case name → values, in order */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
  readonly trailers: string;
  /** its framing came to its end (a length reached, a last chunk); false: the connection closed first */
  readonly complete: boolean;
}

export const headerOf = (answer: Answer, name: string): string | undefined =>
  answer.headers.get(name)?.join(', ');

export const textOf = (answer: Answer): string => answer.body.toString('utf8');
export const jsonOf = (answer: Answer): Record<string, unknown> =>
  JSON.parse(textOf(answer)) as Record<string, unknown>;

/** ends a wait for what never comes, and measures nothing */
const PATIENCE_MS = 120_000;

/** One connection, kept open: requests go out as they are given, answers are taken one at a time. */
export class Wire {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  closed = false;
  /** the connection was reset, not closed */
  reset = false;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#signal();
    });
    socket.on('error', (e: NodeJS.ErrnoException) => {
      this.reset ||= e.code === 'ECONNRESET';
    });
    socket.on('close', () => {
      this.closed = true;
      this.#signal();
    });
  }

  /** @param tls the certificate is not looked at */
  static async open(port: number, { tls = false } = {}): Promise<Wire> {
    const to = { port, host: '127.0.0.1', noDelay: true };
    const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    const wire = new Wire(socket);
    await new Promise<void>((resolve, reject) =>
      socket.once(tls ? 'secureConnect' : 'connect', () => resolve()).once('error', reject),
    );
    return wire;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  #excerpt(): string {
    return `${this.received.length} bytes, ${JSON.stringify(this.received.toString('latin1', 0, 600))}`;
  }

  #signal(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** resolves when something arrived, the connection closed or the time is over */
  #changed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** The next answer, 1xx included. @param bodiless true for an answer to HEAD */
  async answer({ bodiless = false, timeout = PATIENCE_MS } = {}): Promise<Answer> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const parsed = parse(this.received, bodiless, this.closed);
      if (parsed) {
        this.received = this.received.subarray(parsed.used);
        return parsed.answer;
      }
      if (this.closed) throw new Error(`closed before an answer: ${this.#excerpt()}`);
      if (Date.now() > deadline) throw new Error(`no whole answer in ${timeout} ms: ${this.#excerpt()}`);
      await this.#changed(Math.max(1, deadline - Date.now()));
    }
  }

  /** Resolves when these bytes have arrived. @param from bytes that are not looked at */
  async until(text: string, from = 0): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!this.received.includes(text, from)) {
      if (this.closed) throw new Error(`closed before ${JSON.stringify(text)}: ${this.#excerpt()}`);
      if (Date.now() > deadline) throw new Error(`no ${JSON.stringify(text)}: ${this.#excerpt()}`);
      await this.#changed(Math.max(1, deadline - Date.now()));
    }
  }

  /** resolves when the other side has closed */
  async untilClosed(timeout = PATIENCE_MS): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!this.closed) {
      if (Date.now() > deadline) throw new Error('the connection stays open');
      await this.#changed(Math.max(1, deadline - Date.now()));
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** What of an answer is there already. */
export const soFar = (bytes: Buffer): Answer | null => parse(bytes, false, true)?.answer ?? null;

function parse(
  bytes: Buffer,
  bodiless: boolean,
  closed: boolean,
): { readonly answer: Answer; readonly used: number } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = bytes.subarray(0, end + 4).toString('latin1');
  const [line = '', ...fields] = head.trimEnd().split('\r\n');
  const status = /^(HTTP\/\d\.\d) (\d{3}) ?(.*)$/.exec(line);
  if (!status) throw new Error(`not a status line: ${JSON.stringify(line)}`);
  const headers = new Map<string, string[]>();
  for (const field of fields) {
    const at = field.indexOf(':');
    const name = field.slice(0, at).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), field.slice(at + 1).trim()]);
  }
  const code = Number(status[2]);
  const made = (body: Buffer, used: number, complete: boolean, trailers = '') => ({
    answer: {
      head,
      version: status[1] ?? '',
      status: code,
      phrase: status[3] ?? '',
      headers,
      body,
      trailers,
      complete,
    },
    used,
  });
  const from = end + 4;
  if (bodiless || code < 200 || code === 204 || code === 304) return made(Buffer.alloc(0), from, true);
  if (headers.get('transfer-encoding')?.[0] === 'chunked') return chunked(bytes, from, closed, made);
  const length = headers.get('content-length')?.[0];
  if (length !== undefined) {
    const until = from + Number(length);
    if (bytes.length >= until) return made(bytes.subarray(from, until), until, true);
    return closed ? made(bytes.subarray(from), bytes.length, false) : null;
  }
  return closed ? made(bytes.subarray(from), bytes.length, true) : null;
}

type Made = (
  body: Buffer,
  used: number,
  complete: boolean,
  trailers?: string,
) => { readonly answer: Answer; readonly used: number };

function chunked(bytes: Buffer, start: number, closed: boolean, made: Made): ReturnType<Made> | null {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line === -1) break;
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16);
    const from = line + 2;
    if (size === 0) {
      const end = bytes.indexOf('\r\n', from) === from ? from : bytes.indexOf('\r\n\r\n', from);
      if (end === -1) break;
      const over = end === from ? from + 2 : end + 4;
      return made(Buffer.concat(parts), over, true, bytes.subarray(from, end).toString('latin1'));
    }
    if (bytes.length < from + size + 2) {
      parts.push(bytes.subarray(from));
      break;
    }
    parts.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
  return closed ? made(Buffer.concat(parts), bytes.length, false) : null;
}

/** Sends bytes on a connection of their own and takes one answer. Pieces go out one by one, `pause` ms apart. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array | readonly (string | Uint8Array)[],
  options: { readonly bodiless?: boolean; readonly pause?: number; readonly timeout?: number } = {},
): Promise<Answer> {
  const wire = await Wire.open(port);
  try {
    const pieces = typeof bytes === 'string' || bytes instanceof Uint8Array ? [bytes] : bytes;
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await new Promise((r) => setTimeout(r, options.pause ?? 15));
      if (wire.closed) break;
      wire.write(piece);
    }
    return await wire.answer(options);
  } finally {
    wire.destroy();
  }
}

/** A request as text. Headers are written as given; `Host` is there unless it is named. */
export function requestText(
  line: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  body = '',
): string {
  const named = Object.keys(headers).map((h) => h.toLowerCase());
  const fields = Object.entries({
    ...(named.includes('host') ? {} : { Host: 'crm.example' }),
    ...headers,
    ...(body !== '' && !named.includes('content-length') && !named.includes('transfer-encoding')
      ? { 'Content-Length': String(Buffer.byteLength(body, 'latin1')) }
      : {}),
  });
  const lines = fields.flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((v) => `${name}: ${v}`),
  );
  return `${[line.includes(' HTTP/') ? line : `${line} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body}`;
}
