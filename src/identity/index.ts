/** Credentials → Subject: bearer tokens (jose), API keys, client certificates. */
import type { IdentityConfig } from '../config/sections/identity.ts';
import { SluiceError } from '../errors.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Identity } from './types.ts';

export type { Authenticated, Headers, Identity, Peer } from './types.ts';

export interface IdentityDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fetch?: typeof fetch;
}

/** Reads key files at once and throws `config_invalid` if one cannot be read; key URLs are asked when first needed. */
export function createIdentity(_config: IdentityConfig, _deps: IdentityDependencies): Identity {
  throw new SluiceError('internal', 'identity is being built');
}
