/** What callers are shown of an MCP server: its names, and the tools and resources that they may use. Texts are the server's, cut at a length. */
import { namesOf, type ResourceConfig, type ToolConfig } from './section.ts';
import { tokensOf } from '../../model/pointer.ts';
import { isMembers, type Members } from './message.ts';
import { isRevision } from './revision.ts';
import { argumentsOf, relaxed } from './schema.ts';

const LONGEST_TEXT = 4096;
/** characters of a schema as JSON; a longer one is left out */
const LONGEST_SCHEMA = 65_536;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value.slice(0, LONGEST_TEXT).toWellFormed() : undefined;

const withText = (from: Members, ...names: readonly string[]): Members =>
  Object.fromEntries(
    names.flatMap((name) => {
      const said = text(from[name]);
      return said === undefined ? [] : [[name, said]];
    }),
  );

const bounded = (schema: unknown): unknown =>
  JSON.stringify(schema).length > LONGEST_SCHEMA ? { type: 'object' } : schema;

const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const;

/** Arguments that a mapping names. */
export const argumentsNamed = ({
  id,
  data_subject,
  query_fields,
  body,
  params,
}: ToolConfig): ReadonlySet<string> =>
  new Set(
    [id, data_subject, ...Object.keys(query_fields), ...Object.keys(body), ...params].flatMap((pointer) =>
      pointer === undefined ? [] : (tokensOf(pointer)[0] ?? []),
    ),
  );

/** @param shown by name: the tools that this caller may use */
export function toolList(result: Members, shown: ReadonlyMap<string, ToolConfig>): Members {
  const tools = Array.isArray(result['tools']) ? (result['tools'] as unknown[]) : [];
  const listed = tools.flatMap((tool) => {
    const config = isMembers(tool) && typeof tool['name'] === 'string' ? shown.get(tool['name']) : undefined;
    return config === undefined ? [] : [toolEntry(tool as Members, config)];
  });
  return { tools: listed, ...cursorOf(result) };
}

function toolEntry(tool: Members, config: ToolConfig): Members {
  const { inputSchema, outputSchema, annotations } = tool;
  const hints = isMembers(annotations)
    ? Object.fromEntries(
        HINTS.flatMap((name) => (typeof annotations[name] === 'boolean' ? [[name, annotations[name]]] : [])),
      )
    : {};
  return {
    ...withText(tool, 'name', 'title'),
    ...(config.description === undefined
      ? withText(tool, 'description')
      : { description: config.description }),
    inputSchema: bounded(argumentsOf(inputSchema, argumentsNamed(config))),
    ...(isMembers(outputSchema) ? { outputSchema: bounded(relaxed(outputSchema)) } : {}),
    ...(Object.keys(hints).length === 0 ? {} : { annotations: hints }),
  };
}

/** An opaque text of the server, which it gets back. */
function cursorOf({ nextCursor }: Members): Members {
  return typeof nextCursor === 'string' && nextCursor !== '' && nextCursor.length <= 1_024
    ? { nextCursor }
    : {};
}

/**
 * Resources with a URI of the configuration. Those that a URI with names in it covers are not listed: which there are, and what they are called, is
 * data that no catalog describes.
 */
export function resourceList(result: Members, shown: readonly ResourceConfig[]): Members {
  const uris = new Set(shown.filter(({ uri }) => namesOf(uri).length === 0).map(({ uri }) => uri));
  return listOf(result, 'resources', 'uri', (uri) => uris.has(uri));
}

export const templateList = (shown: readonly ResourceConfig[]): Members => ({
  resourceTemplates: shown.flatMap(({ uri, resource }) =>
    namesOf(uri).length === 0 ? [] : [{ uriTemplate: uri, name: resource, mimeType: 'application/json' }],
  ),
});

function listOf(result: Members, list: string, key: string, isShown: (name: string) => boolean): Members {
  const all = Array.isArray(result[list]) ? (result[list] as unknown[]) : [];
  const shown = all.filter(
    (one): one is Members => isMembers(one) && typeof one[key] === 'string' && isShown(one[key]),
  );
  return {
    [list]: shown.map((one) => withText(one, key, 'name', 'title', 'description', 'mimeType')),
    ...cursorOf(result),
  };
}

/** `initialize` and `server/discover`. */
export function serverShown(
  result: Members,
  has: { readonly tools: boolean; readonly resources: boolean },
): Members {
  const { protocolVersion, supportedVersions, serverInfo, capabilities } = result;
  const can = isMembers(capabilities) ? capabilities : {};
  return {
    ...(typeof protocolVersion === 'string' ? { protocolVersion } : {}),
    ...(Array.isArray(supportedVersions) ? { supportedVersions: supportedVersions.filter(isRevision) } : {}),
    capabilities: {
      ...(has.tools && isMembers(can['tools']) ? { tools: {} } : {}),
      ...(has.resources && isMembers(can['resources']) ? { resources: {} } : {}),
    },
    serverInfo: isMembers(serverInfo)
      ? { name: '', version: '', ...withText(serverInfo, 'name', 'title', 'version') }
      : { name: '', version: '' },
    ...withText(result, 'instructions'),
  };
}
