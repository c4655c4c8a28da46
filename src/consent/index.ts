/** Where consents come from. */
import type { ConsentConfig } from './section.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { Database } from '../model/database.ts';
import { type ConsentDependencies, openConsentFile } from './file.ts';
import { createLookedUpConsents } from './source.ts';
import { createStates } from './states.ts';
import { storedEntries } from './store.ts';

export type { ConsentEntry, ConsentsDocument } from './schema.ts';
export { parseConsents, type ReadConsents, readConsents } from './document.ts';
export { createIdentities, type Identities, idForms } from './identities.ts';
export { type Ask, createLookups } from './lookups.ts';
export type { ConsentDependencies } from './file.ts';
export { CONSENT_MIGRATIONS } from './migrations.ts';
export { type ConsentRecords, createConsentRecords } from './records.ts';
export {
  type ConsentEvent,
  type ConsentRecord,
  type Edit,
  type Evidence,
  momentAfter,
  recordIdOf,
  type Statement,
} from './statement.ts';
export { createStaticConsents, type StaticConsents } from './static.ts';

/**
 * @param store the database of the section `store`, which the caller closes
 * @throws SluiceError `consent_invalid` with every fault and its place, `consent_unavailable` when there is no such file
 */
export async function createConsentSource(
  config: Omit<ConsentConfig, 'lookups'>,
  deps: ConsentDependencies,
  store: Database | null = null,
): Promise<ConsentSource> {
  const { file, expose_dates } = config;
  if (file !== undefined) return openConsentFile({ ...config, file }, deps);
  const { logger, readsDates = () => false } = deps;
  // The configuration was checked: without a file, there is a store.
  const source = storedEntries(store!, logger);
  return createLookedUpConsents(
    source,
    createStates(() => expose_dates || readsDates()),
    logger,
  );
}
