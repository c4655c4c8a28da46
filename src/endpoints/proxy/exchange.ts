/** One request and its reply on a connection: node:http in the terms of the pipeline. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '../../errors.ts';
import type { ProxyRequest, Reply } from '../../model/exchange.ts';
import type { Connection } from './connection.ts';

export class NodeRequest implements ProxyRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly peer: ProxyRequest['peer'];
  readonly hasBody: boolean;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  #failure: SluiceError | null = null;
  #reject: ((failure: SluiceError) => void) | null = null;
  #discarded: (() => void) | null = null;

  constructor(message: IncomingMessage, response: ServerResponse, connection: Connection) {
    this.#message = message;
    this.#response = response;
    // An unhandled error event would end the process; readers and writers are told by `close` and `destroyed`.
    message.on('error', () => undefined);
    response.on('error', () => undefined);
    this.method = message.method ?? '';
    this.target = message.url ?? '';
    this.version = message.httpVersion;
    this.headers = message.headers;
    this.rawHeaders = message.rawHeaders;
    const { ip, certificate } = connection;
    this.peer = certificate === undefined ? { ip } : { ip, certificate };
    const length = message.headers['content-length'];
    this.hasBody =
      message.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  }

  /** a part of it has not arrived yet */
  get incomplete(): boolean {
    return !this.#message.complete;
  }

  /** its answer has begun */
  get answered(): boolean {
    return this.#response.headersSent;
  }

  /** Reports a fault of the bytes: reading the body, now or later, rejects with it. */
  fail(failure: SluiceError): void {
    this.#failure ??= failure;
    this.#reject?.(failure);
    this.#discarded?.();
  }

  onAbort(listener: () => void): void {
    const response = this.#response;
    if (response.destroyed) {
      listener();
      return;
    }
    response.once('close', () => {
      if (!response.writableFinished) listener();
    });
  }

  /**
   * Discards the rest of a refused body, within bounds: to close while the caller is still sending would reset the connection before the
   * caller has read the answer (RFC 9112 §9.6).
   */
  discard(done: () => void): void {
    const message = this.#message;
    // A caller that expects 100 (Continue) sends no body, and after a fault nothing is read.
    const waits = message.headers.expect !== undefined || this.#failure !== null;
    if (message.complete || message.destroyed || waits) {
      done();
      return;
    }
    let bytes = 0;
    const timer = setTimeout(over, LINGER_MS);
    function over(): void {
      clearTimeout(timer);
      message.off('data', count).off('close', over).off('end', over);
      message.pause();
      done();
    }
    function count(chunk: Uint8Array): void {
      bytes += chunk.byteLength;
      if (bytes > LINGER_BYTES) over();
    }
    this.#discarded = over;
    message.on('data', count).on('close', over).on('end', over);
    message.resume();
  }

  read(limit: number): Promise<Uint8Array> {
    const message = this.#message;
    const declared = Number(message.headers['content-length'] ?? 0);
    if (declared > limit) return Promise.reject(tooLarge(limit));
    if (this.#failure) return Promise.reject(this.#failure);
    if (message.destroyed && !message.complete) return Promise.reject(brokeOff());
    // RFC 9110 §10.1.1: HTTP/1.0 has no interim answers. 100 (Continue) is sent even if the body has arrived: without it Node would
    // end the connection after the answer.
    const asked = message.headers.expect !== undefined && this.version === '1.1';
    if (asked && ownsSocket(this.#response)) this.#response.writeContinue();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      const chunks: Buffer[] = [];
      let size = 0;
      message.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= limit) return void chunks.push(chunk);
        message.removeAllListeners('data');
        message.pause();
        reject(tooLarge(limit));
      });
      message.on('end', () => {
        if (this.#failure) reject(this.#failure);
        else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size));
      });
      message.on('error', (cause) => reject(this.#failure ?? brokeOff(cause)));
      message.on('close', () => reject(this.#failure ?? brokeOff()));
    });
  }
}

/** Bytes written to a response that is not its socket's current one are sent out of order: Node puts the head before them. */
const ownsSocket = ({ socket, headersSent }: ServerResponse): boolean => socket !== null && !headersSent;

const LINGER_MS = 1_000;
const LINGER_BYTES = 4 * 1024 * 1024;

const tooLarge = (limit: number): SluiceError =>
  new SluiceError(
    'body_too_large',
    `The request's body is larger than ${limit} bytes (limits.request_body).`,
  );

export const brokeOff = (cause?: unknown): SluiceError =>
  new SluiceError('request_aborted', {
    message: 'The caller broke off while sending its request.',
    ...(cause === undefined ? {} : { cause }),
  });

export class NodeReply implements Reply {
  readonly #request: NodeRequest;
  readonly #response: ServerResponse;
  readonly #bodiless: boolean;
  /** HTTP/1.0 has no chunks: the end of the connection is the end of the answer */
  readonly #framedByClose: boolean;
  readonly #stall: number;

  /** @param stall ms for which a caller may read nothing of an answer */
  constructor(request: NodeRequest, response: ServerResponse, stall: number) {
    this.#request = request;
    this.#response = response;
    this.#bodiless = request.method === 'HEAD';
    this.#framedByClose = request.version === '1.0';
    this.#stall = stall;
  }

  get started(): boolean {
    return this.#response.headersSent;
  }

  send(status: number, headers: Readonly<Record<string, string>>, chunks: readonly Uint8Array[]): void {
    const response = this.#response;
    // HEAD: a Content-Length would tell how long the undisclosed body is (RFC 9110 §8.6 lets it be left out).
    if (this.#bodiless || status === 204 || status === 304) {
      response.writeHead(status, headers);
      response.end();
      return;
    }
    let length = 0;
    for (const c of chunks) length += c.byteLength;
    response.writeHead(status, { ...headers, 'content-length': String(length) });
    if (headers['connection'] === 'close' && this.#request.incomplete) {
      for (const c of chunks) response.write(c);
      this.#request.discard(() => this.end());
      return;
    }
    const last = chunks.length - 1;
    if (last > 0) response.cork();
    for (let i = 0; i < last; i++) response.write(chunks[i]);
    response.end(chunks[last]);
    this.#watchRest();
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(status, headers);
  }

  write(chunks: readonly Uint8Array[]): Promise<void> {
    const response = this.#response;
    if (this.#bodiless) return Promise.resolve();
    if (response.destroyed) return Promise.reject(gone());
    response.cork();
    let more = true;
    for (const c of chunks) more = response.write(c);
    response.uncork();
    // A response that waits behind another has no socket yet. Where there is a socket, only it knows whether it is full: what `write`
    // returned while corked may be outdated by now, and no drain event would follow.
    const { socket } = response;
    if (socket === null ? more : !socket.writableNeedDrain) return Promise.resolve();
    if (socket !== null) this.#watch(socket);
    const drained = socket ?? response;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        drained.off('drain', settle);
        response.off('close', settle);
        socket?.setTimeout(0);
        if (response.destroyed) reject(gone());
        else resolve();
      };
      drained.on('drain', settle);
      response.on('close', settle);
    });
  }

  end(): void {
    this.#response.end();
    this.#watchRest();
  }

  abort(): void {
    const { socket } = this.#response;
    if (this.#framedByClose && socket !== null) connectionBelow(socket)?.resetAndDestroy();
    this.#response.destroy();
  }

  /** Bytes of the complete answer may still wait for the caller to read. */
  #watchRest(): void {
    const { socket } = this.#response;
    if (socket !== null && socket.writableLength > 0) this.#watch(socket);
  }

  /** Node destroys a connection on which no bytes move for the timeout. */
  #watch(socket: Socket): void {
    socket.setTimeout(this.#stall);
  }
}

/** Only the TCP connection can be reset. Below TLS Node keeps it in a private member; null: it has none. */
const connectionBelow = (socket: Socket): Socket | null =>
  'encrypted' in socket ? ((socket as Socket & { readonly _parent?: Socket })._parent ?? null) : socket;

const gone = (): SluiceError =>
  new SluiceError(
    'request_aborted',
    'The caller went away, or stopped reading, before the answer was complete.',
  );
