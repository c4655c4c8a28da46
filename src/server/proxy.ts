/** The proxy listener: node:http in, one `ProxyRequest` and one `Reply` for the pipeline. Knows nothing of policies. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { SluiceError } from '../errors.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import { createAnswers } from './answers.ts';
import { statusOf } from './problems.ts';
import { brokeOff, Connection, NodeReply, NodeRequest } from './exchange.ts';

/** Bounds on what a caller may cost before it is known; each can be set under `limits` in sluice.yaml. */
export interface ListenerLimits {
  /** bytes of all header fields together */
  readonly header_bytes: number;
  /** ms until the head, and until the whole request, must have arrived (slow loris); the latter too for an answer to be taken */
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

export type MalformedCode = 'request_malformed' | 'request_timeout' | 'upgrade_refused';

/** Called for bytes that never became a request: the listener answers, the caller of this records. Never rejects. */
export type Malformed = (
  ip: string | null,
  code: MalformedCode,
  status: number,
) => Promise<{
  /** the decision's */
  readonly id: string;
  /** why it is not on record: then nothing else is said */
  readonly unrecorded: SluiceError | null;
}>;

export function createProxyListener(
  handle: Handler,
  malformed: Malformed,
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
    // Node would answer by itself, without a record; `checkHead` refuses what it would.
    requireHostHeader: false,
    noDelay: true,
  };
  const server = tls
    ? (createTlsServer({
        ...options,
        cert: tls.cert,
        key: tls.key,
        minVersion: 'TLSv1.2',
        // Node's own is 120 s: whoever connects and says nothing would be waited for that long.
        handshakeTimeout: options.headersTimeout,
        ...(tls.client_ca === undefined
          ? {}
          : { ca: tls.client_ca, requestCert: true, rejectUnauthorized: true }),
      }) as unknown as Server)
    : createServer(options);
  // Beyond its count Node leaves headers out silently, a second Host as well; `limits.header_count` is checked on all of them.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;

  const connections = new WeakMap<Socket, Connection>();
  const connectionOf = (socket: Socket): Connection => {
    let connection = connections.get(socket);
    if (!connection) {
      connection = new Connection(socket);
      connections.set(socket, connection);
    }
    return connection;
  };

  const onRequest = (message: IncomingMessage, response: ServerResponse): void => {
    const { socket } = message;
    const connection = connectionOf(socket);
    if (connection.deaf) return;
    const request = new NodeRequest(message, response, connection);
    connection.newest = request;
    connection.open += 1;
    const over = (): void => {
      connection.open -= 1;
      if (connection.ending && connection.open === 0) socket.destroySoon();
    };
    handle(request, new NodeReply(request, response, limits.request_timeout)).then(over, () => {
      response.destroy();
      over();
    });
  };
  server.on('request', onRequest);
  // `Expect: 100-continue`: nothing is promised before the policy has spoken. Other expectations `checkHead` refuses.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);

  // Where TLS has not come about nothing can be said, and an end would wait for a handshake that never comes.
  const unsecured = new WeakSet<Socket>();
  // before https makes a clientError of it
  server.prependListener('tlsClientError', (_error: Error, socket: Socket) => void unsecured.add(socket));

  /** Bytes that are no request: recorded, answered, and the connection ended; once. */
  const refuseBytes = (socket: Socket, code: MalformedCode, status = statusOf(code)): void => {
    const connection = connectionOf(socket);
    if (connection.deaf) return;
    connection.deaf = true;
    connection.ending = true;
    // Answers under way come first, and whoever reads them must not take ours for one of them: it is left out.
    const answers = connection.open === 0;
    malformed(connection.ip, code, status).then(({ id, unrecorded }) => {
      if (!answers) return;
      if (!socket.writable || unsecured.has(socket)) socket.destroy();
      else if (unrecorded) socket.end(rawAnswer(unrecorded, id));
      else socket.end(rawAnswer(SAID[code](), id, status));
    });
  };
  // An upgrade would take the connection out of the policy's sight (RFC 9110 §7.8).
  server.on('upgrade', (_message: IncomingMessage, socket: Socket) => refuseBytes(socket, 'upgrade_refused'));
  server.on('connect', (_message: IncomingMessage, socket: Socket) => refuseBytes(socket, 'upgrade_refused'));
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    const secured = !unsecured.has(socket);
    if (error.code === 'ECONNRESET' || (secured && !socket.writable)) return void socket.destroy();
    const request = connections.get(socket)?.newest;
    const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' || error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    // A request whose body goes wrong is still that request: its own exit from the pipeline records and answers it.
    if (request?.incomplete) request.fail(late ? tooLate() : bodyFailure(error.code));
    else if (late) refuseBytes(socket, 'request_timeout');
    else refuseBytes(socket, 'request_malformed', error.code === 'HPE_HEADER_OVERFLOW' ? 431 : undefined);
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

const SAID: Readonly<Record<MalformedCode, () => SluiceError>> = {
  request_malformed: () =>
    new SluiceError('request_malformed', 'The bytes received are not an HTTP/1.1 request (RFC 9112).'),
  request_timeout: tooLate,
  upgrade_refused: () =>
    new SluiceError('upgrade_refused', 'An upgraded connection would leave the policy’s sight.'),
};

const { refused } = createAnswers([]);

function rawAnswer(error: SluiceError, id: string, status?: number): string {
  const answer = refused(error, id, [{ code: error.code }], status);
  const headers = {
    ...answer.headers,
    'content-length': String(answer.body.byteLength),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n${lines.join('')}\r\n${answer.body.toString('utf8')}`;
}
