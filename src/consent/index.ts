/** Where consents come from. */
import type { ConsentConfig } from '../config/sections/consent.ts';
import { SluiceError } from '../errors.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';

export interface ConsentDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws SluiceError `consent_invalid` with every fault and its place when the file cannot be used at the start */
export function createConsentSource(
  _config: ConsentConfig,
  _deps: ConsentDependencies,
): Promise<ConsentSource> {
  throw new SluiceError('internal', 'consent is being built');
}
