/**
 * MCP over streamable HTTP, at a path of the proxy listener: each JSON-RPC message is authorized, recorded and answered by itself. Nothing of a server
 * passes but what this folder writes anew: lists of what the caller may use, and results as the policy discloses them.
 */
import { SluiceError } from '../../errors.ts';
import type { ProxyRequest } from '../../model/exchange.ts';
import { authenticate } from '../../pipeline/authorize.ts';
import { type CallRoutes, exchange } from '../../pipeline/call.ts';
import type { Serve } from '../../pipeline/proxy.ts';
import { release } from '../../pipeline/release.ts';
import type { Approvals } from './approval.ts';
import { callTool, readResource } from './calls.ts';
import { type Exchange, headersOf, keyOf, label, notify, respond, sessionOf, targetOf } from './exchange.ts';
import { type InFlight, tracked } from './in-flight.ts';
import { invalid, type Message, readMessage } from './message.ts';
import { revisionOf } from './revision.ts';
import type { ServerConfig } from './section.ts';
import { createSessions, unknownSession } from './session.ts';
import { discover, initialize, listResources, listTemplates, listTools } from './shows.ts';

export interface McpOptions {
  readonly servers: readonly ServerConfig[];
  /** the operations of all servers (`operationRoutes`) */
  readonly routes: CallRoutes;
  /** bytes of a message */
  readonly limit: number;
  /** null: the configuration has no access requests */
  readonly approvals: Approvals | null;
  /** key of sessions, alike in all processes of one listener */
  readonly key: string;
}

export function createMcp({
  servers,
  routes,
  limit,
  key,
  approvals,
}: McpOptions): (request: ProxyRequest) => Serve | null {
  const inFlight: InFlight = new Map();
  const serving = new Map(
    servers.map((server, index) => {
      const sessions = createSessions(server.path, key);
      const serve: Serve = async (request, reply, entry, stages) => {
        entry.kind = 'mcp';
        entry.errorFormat = 'mcp';
        label(entry, server, request);
        await authenticate(request, entry, stages);
        const at = { request, reply, entry, stages, server, index, routes, sessions, inFlight, approvals };
        if (request.method === 'DELETE') return endSession(at);
        if (request.method !== 'POST') throw postOnly();
        const message = await messageOf(request, limit);
        if (message.id !== null) entry.call = { id: message.id, stateless: false };
        const revision = revisionOf(request.headers, message);
        if (message.id !== null) entry.call = { id: message.id, stateless: revision.stateless };
        const session = revision.stateless ? null : sessionOf(request, entry, sessions);
        await answer({ ...at, message, revision, session });
      };
      return [server.path, serve] as const;
    }),
  );
  return ({ target }) => {
    const mark = target.indexOf('?');
    return serving.get(mark === -1 ? target : target.slice(0, mark)) ?? null;
  };
}

const postOnly = (): SluiceError =>
  new SluiceError('method_not_allowed', {
    message:
      'Messages of MCP are sent by POST. There is no stream of the server’s own messages (GET), and streams are not resumed (Last-Event-ID).',
    headers: { allow: 'DELETE, POST' },
  });

async function messageOf(request: ProxyRequest, limit: number): Promise<Message> {
  const { headers, target } = request;
  if (target.includes('?'))
    throw new SluiceError('query_parameter_unknown', 'The path of an MCP server takes no query.');
  if (headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== 'application/json')
    throw new SluiceError('body_unreadable', 'Messages of MCP are sent as application/json.');
  if (headers['content-encoding'] !== undefined)
    throw new SluiceError('body_encoding_unsupported', 'Messages of MCP are sent without a content coding.');
  return readMessage(await request.read(limit));
}

/** Methods with an answer of their own. Every other one is refused. */
const METHODS: Readonly<Record<string, (at: Exchange) => Promise<void>>> = {
  initialize,
  'server/discover': discover,
  ping: (at) => respond(at, '{}', null),
  'tools/list': listTools,
  'tools/call': callTool,
  'resources/list': listResources,
  'resources/templates/list': listTemplates,
  'resources/read': readResource,
};

/** Methods of MCP that a server may have, and that are refused by their names. */
const KNOWN: ReadonlySet<string> = new Set([
  'completion/complete',
  'logging/setLevel',
  'prompts/get',
  'prompts/list',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'tasks/cancel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
]);

async function answer(at: Exchange): Promise<void> {
  const { entry, message } = at;
  const { method, id } = message;
  if (id === null) return notified(at);
  if (!Object.hasOwn(METHODS, method)) {
    if (KNOWN.has(method)) entry.action = method;
    const what = KNOWN.has(method) ? `The method ${method}` : 'This method';
    throw new SluiceError('mcp_method_unsupported', `${what} is not passed on by Sluice (docs/agents.md).`);
  }
  entry.action = method;
  label(entry, at.server, at.request, ` ${method}`);
  await tracked(at, () => METHODS[method]!(at));
}

/** Nobody waits for what a notification brings about. */
async function notified(at: Exchange): Promise<void> {
  const { entry, message, session, inFlight, reply, stages } = at;
  const { method, params } = message;
  if (!method.startsWith('notifications/')) throw invalid('The message is no notification, and has no id.');
  if (method === 'notifications/initialized') {
    entry.action = method;
    await notify(at, `{"jsonrpc":"2.0","method":"${method}"}`);
  }
  const called =
    method === 'notifications/cancelled' ? inFlight.get(keyOf(session, params['requestId'])) : undefined;
  if (called !== undefined) {
    entry.action = method;
    await notify(at, `{"jsonrpc":"2.0","method":"${method}","params":{"requestId":"${called.id}"}}`);
    called.abort();
  }
  await release({ status: 202, headers: headersOf(entry), body: null }, null, reply, entry, stages);
}

/** The server is told, too, if it keeps sessions. */
async function endSession(at: Omit<Exchange, 'message' | 'revision' | 'session'>): Promise<void> {
  const { request, reply, entry, stages, server, sessions } = at;
  entry.action = 'session/end';
  const session = sessionOf(request, entry, sessions);
  if (session === null) throw unknownSession();
  const asked = {
    method: 'DELETE',
    target: targetOf(server),
    headers: { 'mcp-session-id': session },
    body: null,
  };
  await exchange(
    server.upstream,
    asked,
    (abort) => request.onAbort(abort),
    async () => undefined,
    entry,
    stages,
  );
  await release({ status: 204, headers: headersOf(entry), body: null }, null, reply, entry, stages);
}
