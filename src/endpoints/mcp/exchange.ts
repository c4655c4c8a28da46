/** One message of a caller: what the MCP server is asked for it, and how the caller is answered. */
import { isSluiceError } from '../../errors.ts';
import type { ProxyRequest, Reply } from '../../model/exchange.ts';
import type { DisclosureSummary } from '../../model/record.ts';
import { type CallRoutes, exchange } from '../../pipeline/call.ts';
import type { DecisionEntry } from '../../pipeline/record.ts';
import { release } from '../../pipeline/release.ts';
import type { Stages } from '../../pipeline/stages.ts';
import type { Approvals } from './approval.ts';
import { type Answer, readAnswer } from './answer.ts';
import type { InFlight } from './in-flight.ts';
import type { Message } from './message.ts';
import { headersFor, metaFor, type Revision } from './revision.ts';
import type { ServerConfig } from './section.ts';
import { isSession, type Sessions, unknownSession } from './session.ts';

/** One message on its way. */
export interface Exchange {
  readonly request: ProxyRequest;
  readonly reply: Reply;
  readonly entry: DecisionEntry;
  readonly stages: Stages;
  readonly server: ServerConfig;
  readonly index: number;
  readonly routes: CallRoutes;
  readonly sessions: Sessions;
  readonly inFlight: InFlight;
  readonly approvals: Approvals | null;
  readonly message: Message;
  readonly revision: Revision;
  /** the MCP server's own; null: there is none */
  readonly session: string | null;
}

/** The names of routes in records and metrics are those of the configuration. */
export function label(
  entry: DecisionEntry,
  { path }: ServerConfig,
  { method, peer }: ProxyRequest,
  operation = '',
): void {
  entry.request = { client_ip: peer.ip, method, path, route: `MCP ${path}${operation}` };
}

export function sessionOf(
  { headers }: ProxyRequest,
  { agent, subject }: DecisionEntry,
  sessions: Sessions,
): string | null {
  const told = headers['mcp-session-id'];
  if (told === undefined) return null;
  if (typeof told !== 'string' || subject === null) throw unknownSession();
  return sessions.own(told, { agent, subject });
}

export const keyOf = (session: string | null, id: unknown): string => JSON.stringify([session, id]);

export async function notify(at: Exchange, body: string): Promise<void> {
  await exchange(
    at.server.upstream,
    {
      method: 'POST',
      target: targetOf(at.server),
      headers: passedHeaders(at, null),
      body: Buffer.from(body),
    },
    (abort) => at.request.onAbort(() => abort?.()),
    async () => undefined,
    at.entry,
    at.stages,
  );
}

export const targetOf = ({ path, upstream_path }: ServerConfig): string => upstream_path ?? path;

const passedHeaders = (
  { message, revision, session }: Exchange,
  name: string | null,
): Record<string, string> => ({
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  ...headersFor(revision, message.method, name),
  ...(session === null ? {} : { 'mcp-session-id': session }),
});

interface Asked {
  /** members as JSON */
  readonly params: Readonly<Record<string, string>>;
  /** of the tool or resource */
  readonly name?: string;
  /** headers of the caller that are passed on */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The message goes to the server under the decision's id, so that no answer is taken for that of another message. */
export async function ask(
  at: Exchange,
  { params, name, headers }: Asked,
): Promise<{ readonly answer: Answer; readonly session: string | null }> {
  const { entry, message, server, revision, stages, request, session } = at;
  const meta = metaFor(revision);
  const members = { ...params, ...(meta === null ? {} : { _meta: JSON.stringify(meta) }) };
  const written = Object.entries(members).map(([key, json]) => `${JSON.stringify(key)}:${json}`);
  const body = `{"jsonrpc":"2.0","id":"${entry.id}","method":"${message.method}","params":{${written.join(',')}}}`;
  const sent = {
    method: 'POST',
    target: targetOf(server),
    headers: { ...headers, ...passedHeaders(at, name ?? null) },
    body: Buffer.from(body),
  };
  try {
    return await exchange(
      server.upstream,
      sent,
      (abort) => {
        request.onAbort(abort);
        at.inFlight.get(keyOf(session, idValue(message)))?.onAbort(abort);
      },
      async (given) => {
        const told = given.headers['mcp-session-id'];
        const read = await readAnswer(given, entry.id, server.max_result);
        return { answer: read, session: isSession(told) ? told : null };
      },
      entry,
      stages,
    );
  } catch (error) {
    // The server has forgotten it: the client begins another one.
    if (
      session !== null &&
      entry.upstream?.status === 404 &&
      isSluiceError(error, 'upstream_status_withheld')
    )
      throw unknownSession();
    throw error;
  }
}

const idValue = ({ id }: Message): unknown => (id === null ? null : JSON.parse(id));

export const headersOf = (entry: DecisionEntry): Record<string, string> => ({
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
  'sluice-decision-id': entry.id,
});

/** @param result as JSON */
export const wrapped = ({ message: { id }, revision: { stateless } }: Exchange, result: string): Buffer => {
  const typed = stateless
    ? result.replace(/^\{(?=(\})?)/, (_, end) => `{"resultType":"complete"${end ? '' : ','}`)
    : result;
  return Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":${typed}}\n`);
};

/** An answer with nothing of anybody's data, unless `disclosure` says so. */
export function respond(
  at: Exchange,
  result: string,
  disclosure: DisclosureSummary | null,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { entry, reply, stages } = at;
  const told = { 'content-type': 'application/json', ...headersOf(entry), ...headers };
  return release({ status: 200, headers: told, body: wrapped(at, result) }, disclosure, reply, entry, stages);
}
