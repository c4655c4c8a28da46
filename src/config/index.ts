/** `sluice.yaml` → a configuration that can be relied on: loaded, validated, defaults filled in, secrets resolved. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Document, LineCounter, parseDocument } from 'yaml';
import { SluiceError } from '../errors.ts';
import { checkConfig, warningsOf, whereIs } from './checks.ts';
import { configInvalid, type Fault, type Path } from '../documents/faults.ts';
import { type Reading, read, type Schema } from '../documents/reader.ts';
import { type Config, configSchema } from './schema.ts';
import { routesSchema } from '../routing/section.ts';

export type { Config } from './schema.ts';
export { configFaults, type Fault, spell, tell } from '../documents/faults.ts';
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
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new SluiceError('config_unreadable', {
      message: `The configuration ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      cause,
    });
  }
  return parseConfig(textOf(bytes, path), path, env);
}

/** Names in another charset would be names that no catalog and no upstream has. */
function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const message = 'the file is not UTF-8: save it in this encoding';
    throw configInvalid(path, [{ line: 1, column: 1, path: [], message }]);
  }
}

/**
 * @param file names the text in messages; relative paths start at its directory
 * @throws SluiceError `config_invalid`
 */
export function parseConfig(text: string, file: string, env: Env): LoadedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const faults: Fault[] = [...document.errors, ...document.warnings].map(({ code, pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    const told = code === 'MULTIPLE_DOCS' ? SEVERAL : lowerFirst(message);
    return { line: Math.max(line, 1), column: Math.max(col, 1), path: [], message: told };
  });
  if (faults.length === 0 && document.contents === null)
    faults.push({ line: 1, column: 1, path: [], message: EMPTY });
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

const SEVERAL = 'a second YAML document begins here; a configuration is one';
const EMPTY = 'the file is empty; docs/configuration.md has the smallest one that works';

const lowerFirst = (s: string): string => s.charAt(0).toLowerCase() + s.slice(1).replace(/\.$/, '');
