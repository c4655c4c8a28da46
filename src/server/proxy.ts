/** The proxy listener: node:http in, one `ProxyRequest` and one `Reply` for the pipeline. Knows nothing of policies. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SluiceError } from '../errors.ts';
import type { PeerCertificate, ProxyRequest, Reply } from '../model/exchange.ts';

/** Bounds on what a caller may cost before it is known; each can be set under `limits` in sluice.yaml. */
export interface ListenerLimits {
  /** bytes of all header fields together */
  readonly header_bytes: number;
  readonly header_count: number;
  /** ms until the head, and until the whole request, must have arrived (slow loris) */
  readonly header_timeout: number;
  readonly request_timeout: number;
  readonly keep_alive_timeout: number;
  readonly connections: number;
}

export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  /** when given, callers must show a certificate that this CA signed */
  readonly client_ca?: string;
}

export type Handler = (request: ProxyRequest, reply: Reply) => Promise<void>;

/** Called for bytes that never became a request: the listener answers, the caller of this records. */
export type Malformed = (
  ip: string | null,
  code: 'request_malformed' | 'request_timeout',
) => Promise<string | null>;

export function createProxyListener(
  handle: Handler,
  malformed: Malformed,
  limits: ListenerLimits,
  tls?: TlsOptions,
): Server {
  const options = {
    maxHeaderSize: limits.header_bytes,
    headersTimeout: limits.header_timeout,
    requestTimeout: limits.request_timeout,
    keepAliveTimeout: limits.keep_alive_timeout,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
  };
  const server = tls
    ? (createTlsServer({
        ...options,
        cert: tls.cert,
        key: tls.key,
        minVersion: 'TLSv1.2',
        ...(tls.client_ca === undefined
          ? {}
          : { ca: tls.client_ca, requestCert: true, rejectUnauthorized: true }),
      }) as unknown as Server)
    : createServer(options);
  server.maxHeadersCount = limits.header_count;
  server.maxConnections = limits.connections;

  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    void handle(new NodeRequest(message, response), new NodeReply(response, message.method === 'HEAD'));
  });
  // `Expect: 100-continue`: nothing is promised before the policy has spoken, so the request is handled as it stands.
  server.on('checkContinue', (message: IncomingMessage, response: ServerResponse) => {
    server.emit('request', message, response);
  });
  // An upgrade would take the connection out of the policy's sight (RFC 9110 §7.8): refused, and recorded as malformed.
  server.on('upgrade', (_message: IncomingMessage, socket: Socket) =>
    refuse(socket, 501, 'upgrade_refused', malformed),
  );
  server.on('connect', (_message: IncomingMessage, socket: Socket) =>
    refuse(socket, 501, 'upgrade_refused', malformed),
  );
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') refuse(socket, 408, 'request_timeout', malformed);
    else refuse(socket, error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, 'request_malformed', malformed);
  });
  return server;
}

const PHRASE: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

function refuse(
  socket: Socket,
  status: number,
  code: 'request_malformed' | 'request_timeout' | 'upgrade_refused',
  malformed: Malformed,
): void {
  const ip = socket.remoteAddress ?? null;
  const answer = (id: string | null): void => {
    if (!socket.writable) return void socket.destroy();
    const body = JSON.stringify({
      type: `urn:sluice:error:${code}`,
      title: PHRASE[status],
      status,
      code,
      detail: 'The bytes received are not an HTTP request that Sluice passes on (RFC 9112).',
      ...(id === null ? {} : { decision_id: id }),
      reasons: [{ code }],
    });
    socket.end(
      `HTTP/1.1 ${status} ${PHRASE[status]}\r\nContent-Type: application/problem+json\r\nCache-Control: private, no-store\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  };
  malformed(ip, code === 'request_timeout' ? code : 'request_malformed').then(answer, () => answer(null));
}

class NodeRequest implements ProxyRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly hasBody: boolean;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message;
    this.#response = response;
    this.method = message.method ?? '';
    this.target = message.url ?? '';
    this.headers = message.headers;
    this.rawHeaders = message.rawHeaders;
    const length = message.headers['content-length'];
    this.hasBody =
      message.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  }

  get peer(): ProxyRequest['peer'] {
    const socket = this.#message.socket as TLSSocket;
    const ip = socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
    if (!socket.authorized) return { ip };
    return { ip, certificate: socket.getPeerCertificate() as unknown as PeerCertificate };
  }

  onAbort(listener: () => void): void {
    const response = this.#response;
    response.once('close', () => {
      if (!response.writableFinished) listener();
    });
  }

  read(limit: number): Promise<Uint8Array> {
    const message = this.#message;
    const declared = Number(message.headers['content-length'] ?? 0);
    if (declared > limit) return Promise.reject(tooLarge(limit));
    if (message.headers.expect !== undefined) this.#response.writeContinue();
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      message.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          message.removeAllListeners('data');
          message.pause();
          reject(tooLarge(limit));
        } else chunks.push(chunk);
      });
      message.on('end', () =>
        resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)),
      );
      message.on('error', (cause) =>
        reject(
          new SluiceError('request_aborted', {
            message: 'The caller broke off while sending its request.',
            cause,
          }),
        ),
      );
    });
  }
}

const tooLarge = (limit: number): SluiceError =>
  new SluiceError(
    'body_too_large',
    `The request's body is larger than ${limit} bytes (limits.request_body).`,
  );

class NodeReply implements Reply {
  readonly #response: ServerResponse;
  readonly #head: boolean;

  constructor(response: ServerResponse, head: boolean) {
    this.#response = response;
    this.#head = head;
  }

  get started(): boolean {
    return this.#response.headersSent;
  }

  send(status: number, headers: Readonly<Record<string, string>>, chunks: readonly Uint8Array[]): void {
    const response = this.#response;
    const bodiless = status === 204 || status === 304;
    // HEAD: a Content-Length would tell how long the undisclosed body is (RFC 9110 §8.6 lets it be left out).
    if (this.#head || bodiless) {
      response.writeHead(status, headers);
      response.end();
      return;
    }
    let length = 0;
    for (const c of chunks) length += c.byteLength;
    response.writeHead(status, { ...headers, 'content-length': String(length) });
    const last = chunks.length - 1;
    if (last > 0) response.cork();
    for (let i = 0; i < last; i++) response.write(chunks[i]);
    response.end(chunks[last]);
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(status, headers);
  }

  write(chunks: readonly Uint8Array[]): Promise<void> {
    const response = this.#response;
    if (this.#head) return Promise.resolve();
    if (response.destroyed) return Promise.reject(gone());
    response.cork();
    let more = true;
    for (const c of chunks) more = response.write(c);
    response.uncork();
    if (more) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        response.off('drain', settle);
        response.off('close', settle);
        if (response.destroyed) reject(gone());
        else resolve();
      };
      response.on('drain', settle);
      response.on('close', settle);
    });
  }

  end(): void {
    this.#response.end();
  }

  abort(): void {
    this.#response.destroy();
  }
}

const gone = (): SluiceError =>
  new SluiceError('request_aborted', 'The caller went away before the answer was complete.');
