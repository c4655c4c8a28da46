/**
 * Removes unsolicited interim responses `100 Continue` (RFC 9110 §15.2: a client must be able to receive them). undici accepts 101 to 199
 * but closes the connection at a 100. The filter reads only the head of a response: once a status of 200 or more has begun, bytes pass
 * unchanged until the next request.
 */
import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';

/** maximum bytes of interim responses before a final response; undici rejects more */
const MOST = 32 * 1024;
const STATUS_LINE = /^HTTP\/1\.[01] 1\d\d$/;
/** how the status line of an interim response begins, as far as it has arrived */
const BEGINNINGS = ['HTTP/1.1 1', 'HTTP/1.0 1'];
const STATUS_LINE_BYTES = 12;

class InterimFilter {
  #inHead = true;
  #held: Buffer | null = null;
  #seen = 0;

  /** A request is about to be sent, so the head of a response comes next. */
  expectHead(): void {
    this.#inHead = true;
    this.#seen = 0;
  }

  /** A new connection: resets the state. */
  reset(): void {
    this.#held = null;
    this.expectHead();
  }

  /** @returns the bytes that undici reads; null: none yet */
  take(chunk: Buffer): Buffer | null {
    if (!this.#inHead) return chunk;
    let bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = null;
    const kept: Buffer[] = [];
    while (this.#inHead) {
      const from = afterLineBreaks(bytes);
      const line = bytes.toString('latin1', from, from + STATUS_LINE_BYTES);
      if (!STATUS_LINE.test(line)) {
        if (line.length < STATUS_LINE_BYTES && BEGINNINGS.some((b) => b.startsWith(line.slice(0, b.length))))
          return this.#hold(bytes, kept);
        this.#inHead = false;
        break;
      }
      const end = endOfHead(bytes, from);
      if (this.#seen + (end === -1 ? bytes.length : end) > MOST) {
        this.#inHead = false;
        break;
      }
      if (end === -1) return this.#hold(bytes, kept);
      if (!line.endsWith('100')) kept.push(bytes.subarray(0, end));
      this.#seen += end;
      bytes = bytes.subarray(end);
    }
    return kept.length === 0 ? bytes : Buffer.concat([...kept, bytes]);
  }

  #hold(bytes: Buffer, kept: readonly Buffer[]): Buffer | null {
    this.#held = bytes.length === 0 ? null : bytes;
    return kept.length === 0 ? null : Buffer.concat(kept);
  }

  /** Inserts the filter between a connection and its reader. */
  watch(socket: Socket): void {
    this.reset();
    const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
    socket.read = (size?: number): Buffer | null => {
      for (;;) {
        const chunk = read(size);
        if (chunk === null) return null;
        const taken = this.take(chunk);
        if (taken !== null && taken.length > 0) return taken;
      }
    };
  }
}

function afterLineBreaks(bytes: Buffer): number {
  let i = 0;
  while (bytes[i] === 0x0d || bytes[i] === 0x0a) i++;
  return i;
}

/** Offset after the empty line; -1 if it has not arrived. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let i = bytes.indexOf(0x0a, from); i !== -1; i = bytes.indexOf(0x0a, i + 1)) {
    if (bytes[i + 1] === 0x0a) return i + 2;
    if (bytes[i + 1] === 0x0d && bytes[i + 2] === 0x0a) return i + 3;
  }
  return -1;
}

type Connect = buildConnector.BuildOptions;

/** A connection to an upstream with `InterimFilter`, for the `factory` of a pool. */
export class InterimClient extends Client {
  readonly #filter: InterimFilter;

  constructor(origin: URL, options: Client.Options, connect: Connect) {
    const filter = new InterimFilter();
    const connector = buildConnector(connect);
    super(origin, {
      ...options,
      connect: (to, callback) =>
        connector(to, (...[error, socket]) => {
          if (error !== null) return callback(error, null);
          filter.watch(socket);
          callback(null, socket);
        }),
    });
    this.#filter = filter;
  }

  override dispatch(...request: Parameters<Client['dispatch']>): boolean {
    this.#filter.expectHead();
    return super.dispatch(...request);
  }
}
