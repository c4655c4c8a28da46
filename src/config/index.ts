/** `sluice.yaml` → a configuration that can be relied on: loaded, validated, defaults filled in, secrets resolved. */
import { type Static, Type } from 'typebox';
import { SluiceError } from '../errors.ts';
import { defaulted, section } from './kinds.ts';
import { consentSchema } from './sections/consent.ts';
import { identitySchema } from './sections/identity.ts';
import { limitsSchema, listenSchema } from './sections/listen.ts';
import { insecureSchema, observabilitySchema, workersSchema } from './sections/process.ts';
import { purposeSchema } from './sections/purpose.ts';
import { routesSchema } from './sections/routes.ts';
import { upstreamsSchema } from './sections/upstreams.ts';

export const configSchema = section({
  version: Type.Literal(1),
  listen: defaulted(listenSchema, {}),
  upstreams: upstreamsSchema,
  identity: identitySchema,
  consent: consentSchema,
  purpose: defaulted(purposeSchema, {}),
  routes: routesSchema,
  limits: defaulted(limitsSchema, {}),
  observability: defaulted(observabilitySchema, {}),
  insecure: defaulted(insecureSchema, {}),
  workers: defaulted(workersSchema, 1),
});

export type Config = Static<typeof configSchema>;

export interface LoadedConfig {
  readonly config: Config;
  /** absolute, as given */
  readonly file: string;
  /** dangerous options in use, one sentence each, for the log at start */
  readonly warnings: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws SluiceError `config_unreadable`, `config_invalid` with every fault, one a line, each with file:line:column */
export function loadConfig(_path: string, _env: Env): Promise<LoadedConfig> {
  throw new SluiceError('internal', 'config is being built');
}

/** @param file names the text in messages; relative paths are relative to its directory */
export function parseConfig(_text: string, _file: string, _env: Env): LoadedConfig {
  throw new SluiceError('internal', 'config is being built');
}
