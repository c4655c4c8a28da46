/** Where consents come from. */
import type { ConsentConfig } from './section.ts';
import type { ConsentSource } from '../model/consent.ts';
import { type ConsentDependencies, openConsentFile } from './file.ts';

export type { ConsentEntry, ConsentsDocument } from './schema.ts';
export { parseConsents, type ReadConsents, readConsents } from './document.ts';
export { createIdentities, type Identities, idForms } from './identities.ts';
export { type Ask, createLookups } from './lookups.ts';
export type { ConsentDependencies } from './file.ts';
export { createStaticConsents, type StaticConsents } from './static.ts';

/** @throws SluiceError `consent_invalid` with every fault and its place, `consent_unavailable` when there is no such file */
export async function createConsentSource(
  config: Omit<ConsentConfig, 'lookups'>,
  deps: ConsentDependencies,
): Promise<ConsentSource> {
  return openConsentFile(config, deps);
}
