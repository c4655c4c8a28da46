/** The operations of MCP servers (section `mcp`) as routes, read and checked as those of the section `routes` are. */
import type { Path, Report } from '../documents/faults.ts';
import { readPlain, type Schema } from '../documents/reader.ts';
import { resolve } from 'node:path';
import { checkMcp, operationRoutes } from '../endpoints/mcp/section.ts';
import { checkRoutes } from '../routing/section.ts';
import { type Config, configSchema } from './schema.ts';

type Servers = NonNullable<Config['mcp']>;

const read = (routes: readonly object[]): ReturnType<typeof readPlain> =>
  readPlain(routes, configSchema.properties.routes as unknown as Schema, {
    env: {},
    directory: resolve('/'),
    literalSecrets: false,
  });

/** Of a configuration that was checked. */
export function operationsOf({ mcp = [] }: Pick<Config, 'mcp'>): Config['routes'] {
  const routes = operationRoutes(mcp).map(({ route }) => route);
  return routes.length === 0 ? [] : (read(routes).value as Config['routes']);
}

/** Where in the configuration the operation of a route is. */
export const operationAt = ({ mcp = [] }: Pick<Config, 'mcp'>, route: number): Path =>
  operationRoutes(mcp)[route]?.at ?? ['mcp'];

export function checkOperations(servers: Servers, upstreams: readonly string[], report: Report): void {
  let isSound = true;
  checkMcp(servers, upstreams, (path, message) => {
    isSound = false;
    report(path, message);
  });
  const operations = operationRoutes(servers);
  if (!isSound || operations.length === 0) return;
  // The path of a fault in a route is led back to the operation that it was made of.
  const within = (path: Path): Path => {
    const [, index, ...rest] = path[0] === 'routes' ? path : ['routes', ...path];
    const at = operations[Number(index)]?.at ?? ['mcp'];
    const [first] = rest;
    return first === 'id' || first === 'data_subject' || first === 'records' || first === 'properties'
      ? [...at, first]
      : at;
  };
  const { value, faults } = read(operations.map(({ route }) => route));
  for (const { path, message } of faults) report(within(path ?? []), message);
  if (faults.length === 0)
    checkRoutes(value as Config['routes'], (path, message) => report(within(path), message));
}
