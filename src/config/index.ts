/** `sluice.yaml` → a configuration that can be relied on: loaded, validated, defaults filled in, secrets resolved. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { decodeUtf8 } from '../documents/complete.ts';
import { type Fault, faultError, inOrder, type Path, type PlacedFault } from '../documents/faults.ts';
import { readDocument, readPlain, type Schema } from '../documents/reader.ts';
import { isObject, readYaml } from '../documents/yaml.ts';
import { SluiceError } from '../errors.ts';
import { checkConfig, warningsOf } from './checks.ts';
import { type Config, configSchema } from './schema.ts';

export { operationAt, operationsOf } from './operations.ts';
export { configSchemas } from './schemas.ts';
export type { Config } from './schema.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** as given */
  readonly file: string;
  /** what stood in the file */
  readonly text: string;
  /** absolute; relative paths in the file start here */
  readonly directory: string;
  /** dangerous options in use, for the log at start */
  readonly warnings: readonly PlacedFault[];
  /** with its place, for what only other stages can see */
  fault(path: Path, message: string): PlacedFault;
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
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch (e) {
    throw invalid([{ file: path, line: 1, column: 1, message: (e as Error).message }]);
  }
  return parseConfig(text, path, env);
}

/**
 * @param file names the text in messages; relative paths start at its directory
 * @throws SluiceError `config_invalid`
 */
export function parseConfig(text: string, file: string, env: Env): LoadedConfig {
  const yaml = readYaml(file, text, { dialect: 'sluice', mostAliases: MOST_ALIASES });
  if ('faults' in yaml) throw invalid(yaml.faults);
  const { document } = yaml;
  if (document.root === null) throw invalid([{ file, line: 1, column: 1, message: EMPTY }]);
  const directory = resolve(dirname(file));
  const { value, faults } = readDocument(document, configSchema as unknown as Schema, {
    env,
    directory,
    literalSecrets: allowsLiteralSecrets(document.value),
  });
  const found = isObject(value)
    ? [...faults, ...checkConfig(value as Partial<Config>, document, faults)]
    : faults;
  if (found.length > 0) throw invalid(found);
  const config = value as Config;
  return {
    config,
    file,
    text,
    directory,
    warnings: warningsOf(config, document),
    fault: (path, message) => ({ ...document.fault(path, message), path }),
  };
}

/** It decides how the other sections are read, and so it is looked up before them. */
const allowsLiteralSecrets = (value: unknown): boolean =>
  isObject(value) && isObject(value['insecure']) && value['insecure']['literal_secrets'] === true;

/**
 * Routes that stand in another document than `sluice.yaml`, with what the reader fills in there.
 * @returns null where they have faults: each with its path in the list, and without a place
 */
export function readRoutes(routes: readonly object[]): {
  readonly routes: Config['routes'] | null;
  readonly faults: ReturnType<typeof readPlain>['faults'];
} {
  const references = { env: {}, directory: resolve('/'), literalSecrets: false };
  const { value, faults } = readPlain(
    routes,
    configSchema.properties.routes as unknown as Schema,
    references,
  );
  return { routes: faults.length === 0 ? (value as Config['routes']) : null, faults };
}

const invalid = (faults: readonly Fault[]): SluiceError =>
  faultError('config_invalid', inOrder(faults), { heading: 'faults in the configuration' });

/** Its author is trusted, and may repeat a route's settings as often as there are routes. */
const MOST_ALIASES = 1_000_000;
const EMPTY = 'the file is empty; docs/configuration.md has the smallest one that works';
