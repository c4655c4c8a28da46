/** The proxy listener: turns node:http into a `ProxyRequest` and a `Reply` for the pipeline. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { SluiceError } from '../../errors.ts';
import type { ProxyRequest, Reply } from '../../model/exchange.ts';
import type { MalformedCode, MalformedRecord } from '../../pipeline/event-records.ts';
import { createResponses } from '../responses.ts';
import { statusOf } from '../problems.ts';
import { Connection } from './connection.ts';
import { brokeOff, NodeReply } from './exchange.ts';

/** Bounds on what a caller may cost before it is authenticated; each is a key under `limits` in sluice.yaml. */
export interface ListenerLimits {
  /** bytes of all header fields together */
  readonly header_bytes: number;
  /** ms until the head, and until the whole request, must have arrived (slow loris); the latter also for an answer to be read */
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

export function createProxyListener(
  handle: Handler,
  malformed: MalformedRecord,
  limits: ListenerLimits,
  tls?: TlsOptions,
): Server {
  const options = {
    maxHeaderSize: limits.header_bytes,
    headersTimeout: Math.min(limits.header_timeout, limits.request_timeout),
    requestTimeout: limits.request_timeout,
    keepAliveTimeout: limits.keep_alive_timeout,
    connectionsCheckingInterval: Math.min(1_000, limits.header_timeout, limits.request_timeout),
    insecureHTTPParser: false,
    // Node would answer by itself, without a record; `checkHead` refuses the same.
    requireHostHeader: false,
    noDelay: true,
    // Java's HttpClient offers HTTP/2 with its first request on every plain connection, and takes HTTP/1.1 as the answer (RFC 9110 §7.8).
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() !== 'h2c',
  };
  const server = tls
    ? (createTlsServer({
        ...options,
        cert: tls.cert,
        key: tls.key,
        minVersion: 'TLSv1.2',
        // Node's default is 120 s, for a client that connects and sends nothing.
        handshakeTimeout: options.headersTimeout,
        ...(tls.client_ca === undefined
          ? {}
          : { ca: tls.client_ca, requestCert: true, rejectUnauthorized: true }),
      }) as unknown as Server)
    : createServer(options);
  // Beyond its limit Node drops headers silently, a second Host among them; `limits.header_count` is checked on all.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  // A caller may end its side after its last request and wait for the answer (see `Connection`). Node's types lack the option.
  Object.assign(server, { httpAllowHalfOpen: true });

  const connections = new WeakMap<Socket, Connection>();
  // Node removes its own error listeners (CONNECT, Upgrade) and adds them late (TLS); an unhandled error event ends the process.
  server.on('connection', (socket: Socket) => void socket.on('error', () => undefined));
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    connections.set(
      socket,
      new Connection(socket, (connection, why) => refuseBytes(connection, 'request_malformed', why)),
    );
  });

  const onRequest = (message: IncomingMessage, response: ServerResponse): void => {
    const request = connections.get(message.socket)?.request(message, response) ?? null;
    if (request === null) return void message.socket.destroy();
    handle(request, new NodeReply(request, response, limits.request_timeout)).catch(() => response.destroy());
  };
  server.on('request', onRequest);
  // `Expect: 100-continue` is answered when the body is read, after authentication. `checkHead` refuses other expectations.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);

  const unsecured = new WeakSet<Socket>();

  /** Bytes that are not a request: recorded, answered after the answer in flight, and the connection is ended. */
  const refuseBytes = (
    connection: Connection,
    code: MalformedCode,
    why?: string,
    status = statusOf(code),
  ): void => {
    connection.shut();
    malformed(connection.ip, code, status).then(({ id, unrecorded }) =>
      connection.end(
        unrecorded
          ? rawAnswer(connection.isHead, unrecorded, id)
          : rawAnswer(connection.isHead, MALFORMED[code](why), id, status),
      ),
    );
  };
  const refuseUpgrade = (_message: IncomingMessage, socket: Socket): void => {
    const connection = connections.get(socket);
    if (connection) refuseBytes(connection, 'upgrade_refused');
    else socket.destroy();
  };
  // After an upgrade the policy would not see what the connection carries (RFC 9110 §7.8).
  server.on('upgrade', refuseUpgrade);
  server.on('connect', refuseUpgrade);
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    const connection = connections.get(socket);
    const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' || error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    if (error.code === 'ECONNRESET') return void socket.destroy();
    if (connection === undefined) {
      if (unsecured.has(socket)) return;
      // There is no TLS session to answer on, and ending the socket would wait for a handshake that never comes.
      unsecured.add(socket);
      const code = late ? 'request_timeout' : 'request_malformed';
      const ip = socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
      malformed(ip, code, statusOf(code)).then(() => socket.destroy());
      return;
    }
    if (connection.isShut) return;
    if (!socket.writable) return void socket.destroy();
    const request = connection.unfinished;
    // A request with a malformed body is refused by the pipeline, which records it.
    if (request !== null) request.fail(late ? tooLate() : bodyFailure(error.code));
    else if (late) refuseBytes(connection, 'request_timeout');
    else
      refuseBytes(
        connection,
        'request_malformed',
        undefined,
        error.code === 'HPE_HEADER_OVERFLOW' ? 431 : undefined,
      );
  });
  return server;
}

const tooLate = (): SluiceError =>
  new SluiceError(
    'request_timeout',
    'The request did not arrive in time (limits.header_timeout, limits.request_timeout).',
  );

const bodyFailure = (code: string | undefined): SluiceError =>
  code === 'HPE_INVALID_EOF_STATE'
    ? brokeOff()
    : new SluiceError('request_malformed', 'The body is not framed as RFC 9112 has it.');

const MALFORMED: Readonly<Record<MalformedCode, (why?: string) => SluiceError>> = {
  request_malformed: (why) =>
    new SluiceError(
      'request_malformed',
      why === undefined
        ? 'The bytes received are not an HTTP/1.1 request (RFC 9112).'
        : `The request ${why} (RFC 9112).`,
    ),
  request_timeout: tooLate,
  upgrade_refused: () =>
    new SluiceError('upgrade_refused', 'An upgraded connection would leave the policy’s sight.'),
};

const { refused } = createResponses([]);

function rawAnswer(toHead: boolean, error: SluiceError, id: string, status?: number): string {
  const answer = refused(error, id, [{ code: error.code }], status);
  const headers = {
    ...answer.headers,
    ...(toHead ? {} : { 'content-length': String(answer.body.byteLength) }),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n${lines.join('')}\r\n${toHead ? '' : answer.body.toString('utf8')}`;
}
