/** `sluice.yaml` → a configuration that can be relied on: loaded, validated, defaults filled in, secrets resolved. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Document, LineCounter, parseDocument } from 'yaml';
import { SluiceError } from '../errors.ts';
import { checkConfig, warningsOf, whereIs } from './checks.ts';
import { configInvalid, type Fault, type Path } from './faults.ts';
import { type Reading, read, type Schema } from './reader.ts';
import { type Config, configSchema } from './schema.ts';
import { routesSchema } from './sections/routes.ts';

export type { Config } from './schema.ts';
export { configFaults, type Fault, spell, tell } from './faults.ts';
export { configSchemas } from './schemas.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** as given */
  readonly file: string;
  /** what stood in the file */
  readonly text: string;
  /** absolute; relative paths in the file start here */
  readonly directory: string;
  /** dangerous options in use, for the log at start */
  readonly warnings: readonly Fault[];
  /** with its place, for what only other stages can see */
  fault(path: Path, message: string): Fault;
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws SluiceError `config_unreadable`, `config_invalid` with every fault, one a line, each with file:line:column */
export async function loadConfig(path: string, env: Env): Promise<LoadedConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SluiceError('config_unreadable', {
      message: `The configuration ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      cause,
    });
  }
  return parseConfig(text, path, env);
}

/**
 * @param file names the text in messages; relative paths start at its directory
 * @throws SluiceError `config_invalid`
 */
export function parseConfig(text: string, file: string, env: Env): LoadedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const faults: Fault[] = [...document.errors, ...document.warnings].map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return { line: Math.max(line, 1), column: Math.max(col, 1), path: [], message: lowerFirst(message) };
  });
  // A document with broken syntax would only have follow-on faults.
  if (faults.length > 0) throw configInvalid(file, faults);
  const reading: Reading = {
    document,
    lines,
    directory: resolve(dirname(file)),
    env,
    literalSecrets: document.getIn(['insecure', 'literal_secrets']) === true,
    faults,
  };
  const config = read(reading, configSchema as unknown as Schema, document.contents, []) as
    | Config
    | undefined;
  if (config !== undefined) faults.push(...checkConfig(config, reading));
  if (config === undefined || faults.length > 0) throw configInvalid(file, faults);
  return {
    config,
    file,
    text,
    directory: reading.directory,
    warnings: warningsOf(config, reading),
    fault: (path, message) => ({ ...whereIs(reading, path), path, message }),
  };
}

/**
 * Routes that stand in another document than `sluice.yaml`, with what the reader fills in there.
 * @returns null where they have faults: each with its path in the list, and without a place
 */
export function readRoutes(routes: readonly object[]): {
  readonly routes: Config['routes'] | null;
  readonly faults: readonly Pick<Fault, 'path' | 'message'>[];
} {
  const document = new Document(routes);
  const faults: Fault[] = [];
  const reading: Reading = {
    document,
    lines: new LineCounter(),
    directory: resolve('/'),
    env: {},
    literalSecrets: false,
    faults,
  };
  const value = read(reading, routesSchema as unknown as Schema, document.contents, []);
  return { routes: faults.length === 0 ? (value as Config['routes']) : null, faults };
}

const lowerFirst = (s: string): string => s.charAt(0).toLowerCase() + s.slice(1).replace(/\.$/, '');
