/** A client of an MCP server, which asks what the server offers. It speaks what the endpoint speaks to servers, and reads answers with its reader. */
import { readAnswer } from '../../endpoints/mcp/answer.ts';
import { isMembers, type Members } from '../../endpoints/mcp/message.ts';
import { SluiceError } from '../../errors.ts';
import { version } from '../../version.ts';

const REVISION = '2025-11-25';
const MOST = 16 * 1024 * 1024;
const PAGES = 100;
const TIMEOUT = 30_000;

export interface McpClient {
  readonly name: string;
  readonly revision: string;
  readonly capabilities: Members;
  /** every entry of a list, of all its pages */
  list(method: string, member: string): Promise<readonly Members[]>;
  call(tool: string, args: Members): Promise<Members>;
  close(): Promise<void>;
}

const malformed = (why: string): SluiceError => new SluiceError('response_malformed', why);

/**
 * @param headers that the server wants, such as a credential
 * @throws SluiceError `upstream_unreachable`, `upstream_timeout`, `upstream_status_withheld`, `mcp_version_unsupported`, and those of the reader
 */
export async function connectTo(url: URL, headers: Readonly<Record<string, string>>): Promise<McpClient> {
  let session: Readonly<Record<string, string>> = {};
  let last = 0;

  const send = async (init: RequestInit): Promise<Response> => {
    try {
      return await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT), ...init });
    } catch (cause) {
      if ((cause as Error).name === 'TimeoutError')
        throw new SluiceError('upstream_timeout', {
          message: `${url.origin} did not answer within ${TIMEOUT / 1000} s.`,
          cause,
        });
      const { code = 'no connection' } = ((cause as Error).cause ?? {}) as { readonly code?: string };
      throw new SluiceError('upstream_unreachable', {
        message: `${url.origin} cannot be reached (${code}).`,
        cause,
      });
    }
  };
  const post = (message: object): Promise<Response> =>
    send({
      method: 'POST',
      headers: {
        ...headers,
        ...session,
        accept: 'application/json, text/event-stream',
        'accept-encoding': 'identity',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });

  async function ask(method: string, params: object): Promise<{ result: Members; response: Response }> {
    const id = `sluice-${++last}`;
    const response = await post({ id, method, params });
    if (!response.ok) throw await refusal(response);
    if (response.body === null) throw malformed(`${url.href} answered ${method} without a body.`);
    const { value } = await readAnswer(
      { status: response.status, headers: Object.fromEntries(response.headers), body: response.body },
      id,
      MOST,
    );
    return { result: value, response };
  }

  async function refusal({ status, body }: Response): Promise<SluiceError> {
    await body?.cancel();
    if (status === 401 || status === 403)
      return new SluiceError(
        'upstream_status_withheld',
        `The server at ${url.href} wants a credential (${status}). Give it with --header "Authorization: Bearer …".`,
      );
    if ((status === 404 || status === 405) && (await speaksOldTransport()))
      return new SluiceError(
        'mcp_version_unsupported',
        `The server at ${url.href} speaks the transport HTTP+SSE of 2024-11-05 only, which Sluice does not speak. Start the server with streamable HTTP.`,
      );
    return new SluiceError(
      'upstream_status_withheld',
      `${url.href} answered ${status} to an MCP message. Is the path of the URL that of the MCP server?`,
    );
  }

  /** Its clients begin with a GET, which is answered with a stream. */
  async function speaksOldTransport(): Promise<boolean> {
    const {
      status,
      headers: of,
      body,
    } = await send({
      headers: { ...headers, accept: 'text/event-stream' },
    });
    await body?.cancel();
    return status === 200 && (of.get('content-type') ?? '').startsWith('text/event-stream');
  }

  const { result, response } = await ask('initialize', {
    protocolVersion: REVISION,
    capabilities: {},
    clientInfo: { name: 'sluice-mcp-map', version: version() },
  });
  const { protocolVersion, serverInfo, capabilities } = result;
  if (typeof protocolVersion !== 'string' || !isMembers(capabilities))
    throw malformed(
      `What answers at ${url.href} is no MCP server: it has no protocolVersion or capabilities.`,
    );
  const id = response.headers.get('mcp-session-id');
  session = {
    'mcp-protocol-version': protocolVersion,
    ...(id === null ? {} : { 'mcp-session-id': id }),
  };
  await (await post({ method: 'notifications/initialized' })).body?.cancel();

  return {
    name: isMembers(serverInfo) && typeof serverInfo['name'] === 'string' ? serverInfo['name'] : 'crm',
    revision: protocolVersion,
    capabilities,
    async list(method, member) {
      const entries: Members[] = [];
      let cursor: unknown;
      for (let page = 0; page < PAGES; page++) {
        const { result: found } = await ask(method, cursor === undefined ? {} : { cursor });
        const some = found[member];
        if (!Array.isArray(some)) throw malformed(`The answer to ${method} has no list "${member}".`);
        entries.push(...(some as unknown[]).filter(isMembers));
        cursor = found['nextCursor'];
        if (cursor === undefined) return entries;
      }
      throw malformed(`The answer to ${method} has more than ${PAGES} pages.`);
    },
    call: async (name, args) => (await ask('tools/call', { name, arguments: args })).result,
    async close() {
      if (id !== null)
        await (await send({ method: 'DELETE', headers: { ...headers, ...session } })).body?.cancel();
    },
  };
}
