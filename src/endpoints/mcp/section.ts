/** Section `mcp`: MCP servers that callers reach through Sluice, and what each of their tools and resources asks for. */
import type { Path, Report } from '../../documents/faults.ts';
import {
  defaulted,
  oneOrMore,
  optional,
  pointer,
  section,
  size,
  type Static,
  table,
  Type,
} from '../../documents/kinds.ts';
import { ACTIONS, LISTS, SENDS_RECORD, WRITES } from '../../model/actions.ts';
import type { ActionName } from '../../model/input.ts';
import { tokensOf } from '../../model/pointer.ts';

const word = Type.String({ minLength: 1, maxLength: 128 });

const asked = {
  resource: word,
  action: Type.Unsafe<ActionName>(Type.Enum([...ACTIONS])),
  properties: defaulted(
    table(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { key: '^[a-z][a-z0-9_]*$' }),
    {},
  ),
  purpose: optional(word),
  records: optional(
    pointer({
      description: 'place of the records in the result; without it, the whole result is one record',
    }),
  ),
  empty: optional(
    Type.String({
      minLength: 1,
      description: 'JSON that a narrowed list is answered with if no record of it is disclosed, or found',
    }),
  ),
};

const toolSchema = section({
  ...asked,
  id: optional(pointer({ description: 'argument with the id of the record' })),
  data_subject: optional(
    pointer({ description: 'argument with the data subject, if the result does not name it' }),
  ),
  query_fields: defaulted(
    table(oneOrMore(pointer()), {
      key: '^/',
      description: 'argument → fields that it searches, filters or sorts by',
    }),
    {},
  ),
  body: defaulted(
    table(pointer(), { key: '^/[^/]+$', description: 'argument of a write → field that it writes' }),
    {},
  ),
  params: defaulted(
    Type.Array(pointer(), { uniqueItems: true, description: 'arguments that refer to no field' }),
    [],
  ),
  text: optional(
    pointer({
      description:
        'field of the resource that a text is which is no JSON, where the result has nothing else; its class says what happens to it; default: texts are left out',
    }),
  ),
  description: optional(
    Type.String({ minLength: 1, maxLength: 4096, description: 'shown instead of that of the MCP server' }),
  ),
});

const resourceSchema = section({
  ...asked,
  uri: Type.String({
    minLength: 1,
    maxLength: 512,
    description: 'URI of the resource; `{name}` takes one part of it, without a slash',
  }),
  id: optional(Type.String({ minLength: 1, description: 'id of the record: text with `{name}` of the URI' })),
  data_subject: optional(Type.String({ minLength: 1, description: 'the same for the data subject' })),
});

const serverSchema = section({
  path: Type.String({
    pattern: '^/[A-Za-z0-9._~/-]*$',
    maxLength: 256,
    description: 'path at which callers reach the MCP server: POST, and DELETE for the end of a session',
  }),
  upstream: word,
  upstream_path: optional(
    Type.String({ pattern: '^/', description: 'path of the MCP server at the upstream; default: `path`' }),
  ),
  tools: defaulted(
    table(toolSchema, {
      key: '^[A-Za-z0-9_./-]{1,128}$',
      description: 'the tools that callers may use at all; every other one is neither listed nor called',
    }),
    {},
  ),
  resources: defaulted(
    Type.Array(resourceSchema, {
      description: 'the resources that callers may read at all; every other one is neither listed nor read',
    }),
    [],
  ),
  approval: defaulted(
    Type.Boolean({
      description:
        'a denied call that a grant could lift is requested at once, if the caller has stated a justification; needs `admin.url` and `grants`',
    }),
    false,
  ),
  max_result: defaulted(
    size({ min: '1KiB', max: '1GiB', description: 'longest answer of the MCP server to one message' }),
    '16MiB',
  ),
});

export const mcpSchema = Type.Array(serverSchema, {
  minItems: 1,
  description: 'MCP servers (Model Context Protocol, streamable HTTP), and what their tools ask for',
});

export type ServerConfig = Static<typeof serverSchema>;
export type ToolConfig = Static<typeof toolSchema>;
export type ResourceConfig = Static<typeof resourceSchema>;

/** Paths of the routes that the operations of a server are. No HTTP request reaches them. */
export const toolTarget = (server: number, tool: number): string => `/${server}/tools/${tool}`;
export const resourceTarget = (server: number, resource: number): string =>
  `/${server}/resources/${resource}`;

/** A route of an operation, and where in the section it comes from. */
export interface OperationRoute {
  readonly at: Path;
  readonly route: object;
}

const NAME = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Names that a URI takes its parts by, in their order. */
export const namesOf = (uri: string): readonly string[] => [...uri.matchAll(NAME)].map(([, name]) => name!);

/** The operations as routes whose body is the arguments of a call. */
export function operationRoutes(servers: readonly ServerConfig[]): readonly OperationRoute[] {
  return servers.flatMap(({ upstream, tools, resources }, s) => [
    ...Object.entries(tools).map(([name, tool], t): OperationRoute => {
      const {
        id,
        data_subject,
        query_fields,
        params,
        description: _shown,
        body: _written,
        text: _field,
        empty,
        ...rest
      } = tool;
      const named = [id, data_subject].filter((one) => one !== undefined);
      return {
        at: ['mcp', s, 'tools', name],
        route: {
          ...rest,
          match: `POST ${toolTarget(s, t)}`,
          upstream,
          ...(id === undefined ? {} : { id: `{body:${id}}` }),
          ...(data_subject === undefined ? {} : { data_subject: `{body:${data_subject}}` }),
          request: {
            fields: query_fields,
            params: [...new Set([...params, ...named])],
            ...(SENDS_RECORD.has(tool.action) ? { replaces: false } : {}),
          },
          response: { format: 'json', ...(empty === undefined ? {} : { empty }) },
        },
      };
    }),
    ...resources.map(({ uri, empty, ...rest }, r): OperationRoute => {
      const parts = namesOf(uri).map((name) => `/{${name}}`);
      return {
        at: ['mcp', s, 'resources', r],
        route: {
          ...rest,
          match: `POST ${resourceTarget(s, r)}${parts.join('')}`,
          upstream,
          response: { format: 'json', ...(empty === undefined ? {} : { empty }) },
        },
      };
    }),
  ]);
}

/** What the schema cannot express, and the checks of the operations as routes do not see. @param report paths start at `mcp` */
export function checkMcp(
  servers: readonly ServerConfig[],
  upstreams: readonly string[],
  report: Report,
): void {
  for (const [s, { path, upstream, tools, resources }] of servers.entries()) {
    if (servers.findIndex((other) => other.path === path) !== s)
      report(['mcp', s, 'path'], 'is the path of another server of this section');
    if (!upstreams.includes(upstream))
      report(['mcp', s, 'upstream'], `names no upstream: ${upstreams.join(', ')}`);
    for (const [name, tool] of Object.entries(tools)) checkTool(tool, ['mcp', s, 'tools', name], report);
    for (const [r, resource] of resources.entries())
      checkResource(resource, ['mcp', s, 'resources', r], report);
  }
}

function checkTool(
  { action, body, query_fields, params, id, text, records }: ToolConfig,
  at: Path,
  report: Report,
): void {
  const written = Object.keys(body);
  if (text !== undefined && (text === '' || /[*[\]]/.test(text)))
    report([...at, 'text'], 'must be the pointer of one field, without * and selectors');
  if (text !== undefined && (LISTS.has(action) || records !== undefined))
    report(
      [...at, 'text'],
      'belongs to tools whose result is one record: of which record a text is, no list says',
    );
  if (SENDS_RECORD.has(action)) {
    if (written.length === 0)
      report(
        [...at, 'body'],
        `names the arguments that the tool writes (action: ${action}), with their fields`,
      );
    if (new Set(Object.values(body)).size < written.length)
      report([...at, 'body'], 'has two arguments for one field');
    for (const [argument, field] of Object.entries(body))
      if (/[*[\]]/.test(field) || field === '')
        report([...at, 'body', argument], 'must be the pointer of one field, without * and selectors');
  } else if (written.length > 0)
    report([...at, 'body'], `belongs to tools that write a record (action: create or update)`);
  if (WRITES.has(action) && action !== 'create' && id === undefined)
    report([...at, 'id'], `names the argument with the id of the record that the tool writes`);
  for (const argument of [
    ...written,
    ...Object.keys(query_fields),
    ...params,
    ...(id === undefined ? [] : [id]),
  ])
    if (tokensOf(argument)[0]?.startsWith('*') !== false)
      report([...at], `has "${argument}" where the name of an argument is needed`);
}

function checkResource({ uri, action }: ResourceConfig, at: Path, report: Report): void {
  if (WRITES.has(action)) report([...at, 'action'], 'reads: read, search or export');
  const names = namesOf(uri);
  if (new Set(names).size < names.length) report([...at, 'uri'], 'has a name twice');
  if (/[{}]/.test(uri.replace(NAME, ''))) report([...at, 'uri'], 'has a brace that is no {name}');
  if (/\}\{/.test(uri)) report([...at, 'uri'], 'has two names with nothing between them');
}
