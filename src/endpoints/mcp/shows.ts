/** What a caller is shown of an MCP server. */
import { SluiceError } from '../../errors.ts';
import { listedAt } from '../../pipeline/call.ts';
import { permitted } from '../../pipeline/permitted.ts';
import { partsOf } from './arguments.ts';
import { ask, type Exchange, respond } from './exchange.ts';
import { resourceList, serverShown, templateList, toolList } from './lists.ts';
import { invalid, isMembers, type Members } from './message.ts';
import { isRevision } from './revision.ts';
import { resourceTarget, type ServerConfig, toolTarget } from './section.ts';

const shown = ({ server: { tools, resources } }: Exchange) => ({
  tools: Object.keys(tools).length > 0,
  resources: resources.length > 0,
});

/** The client can do nothing for the server: Sluice passes no requests on. */
export async function initialize(at: Exchange): Promise<void> {
  const { message, entry, sessions } = at;
  const { protocolVersion, clientInfo } = message.params;
  if (typeof protocolVersion !== 'string' || protocolVersion.length > 32)
    throw invalid('params.protocolVersion is no revision of MCP.');
  const own = isMembers(clientInfo) ? clientInfo : {};
  const said = (name: string): string =>
    typeof own[name] === 'string' ? own[name].slice(0, 128).toWellFormed() : '';
  const params = {
    protocolVersion: JSON.stringify(protocolVersion),
    capabilities: '{}',
    clientInfo: JSON.stringify({ name: said('name'), version: said('version') }),
  };
  const { answer: given, session } = await ask(at, { params });
  if (!isRevision(given.value['protocolVersion']))
    throw new SluiceError(
      'response_malformed',
      'The MCP server speaks a revision of MCP that Sluice does not know.',
    );
  const result = JSON.stringify(serverShown(given.value, shown(at)));
  const told =
    session === null || entry.subject === null
      ? {}
      : { 'mcp-session-id': sessions.told(session, { agent: entry.agent, subject: entry.subject }) };
  await respond(at, result, null, told);
}

export async function discover(at: Exchange): Promise<void> {
  const { answer: given } = await ask(at, { params: {} });
  await respond(at, JSON.stringify(serverShown(given.value, shown(at))), null);
}

function cursorOf({ cursor }: Members): Record<string, string> {
  if (cursor === undefined) return {};
  if (typeof cursor !== 'string' || cursor.length > 1_024)
    throw invalid('params.cursor is none that Sluice gave.');
  return { cursor: JSON.stringify(cursor) };
}

export async function listTools(at: Exchange): Promise<void> {
  const { server, request, entry, stages, message, routes, index } = at;
  const tools = Object.entries(server.tools);
  const listed = tools.map((_, t) => listedAt(routes, toolTarget(index, t)));
  const may = await permitted(request, listed, entry, stages);
  const { answer: given } = await ask(at, { params: cursorOf(message.params) });
  const result = toolList(given.value, new Map(tools.filter((_, t) => may[t])));
  await respond(at, JSON.stringify(result), null);
}

async function permittedResources(at: Exchange): Promise<ServerConfig['resources']> {
  const { server, request, entry, stages, routes, index } = at;
  const listed = server.resources.map(({ uri }, r) =>
    listedAt(routes, resourceTarget(index, r) + partsOf(uri).example),
  );
  const may = await permitted(request, listed, entry, stages);
  return server.resources.filter((_, r) => may[r]);
}

export async function listResources(at: Exchange): Promise<void> {
  const may = await permittedResources(at);
  const { answer: given } = await ask(at, { params: cursorOf(at.message.params) });
  await respond(at, JSON.stringify(resourceList(given.value, may)), null);
}

/** The templates are those of the configuration: the server is not asked. */
export async function listTemplates(at: Exchange): Promise<void> {
  await respond(at, JSON.stringify(templateList(await permittedResources(at))), null);
}
