/** Where consents come from. */
import type { ConsentConfig } from './section.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { Invalidation } from '../model/invalidation.ts';
import type { Announcements } from './cache.ts';
import type { Database } from '../model/database.ts';
import { type ConsentDependencies, openConsentFile } from './file.ts';
import { httpEntries } from './http.ts';
import { createLookedUpConsents } from './source.ts';
import { createStates } from './states.ts';
import { storedEntries } from './store.ts';

export type { ConsentEntry, ConsentsDocument } from './schema.ts';
export { parseConsents, type ReadConsents, readConsents } from './document.ts';
export { createIdentities, type Identities, idForms } from './identities.ts';
export { type Ask, createLookups } from './lookups.ts';
export type { ConsentDependencies } from './file.ts';
export { createMarkedConsents } from './marked.ts';
export { CONSENT_MIGRATIONS } from './migrations.ts';
export {
  checkReceipt,
  newest,
  type Receipt,
  type ReceiptEvent,
  receiptOf,
  signedReceipt,
  withConsent,
} from './receipt.ts';
export { type ConsentChange, type ConsentRecords, createConsentRecords } from './records.ts';
export {
  checkEdit,
  type ConsentEvent,
  type ConsentRecord,
  type Edit,
  type Evidence,
  recordIdOf,
  type Statement,
} from './statement.ts';
export { createStaticConsents, type StaticConsents } from './static.ts';

/** What consents in the store need; the caller closes it. */
export interface ConsentStore {
  readonly database: Database;
  /** null: nobody announces changes (SQLite, where a look-up sees every commit) */
  readonly announcements: Announcements | null;
  readonly invalidation?: Pick<Invalidation, 'subscribe'>;
}

/**
 * @throws SluiceError `consent_invalid` with every fault and its place, `consent_unavailable` when there is no such file
 */
export async function createConsentSource(
  config: Omit<ConsentConfig, 'lookups' | 'cache'> & Partial<Pick<ConsentConfig, 'cache'>>,
  deps: ConsentDependencies,
  store: ConsentStore | null = null,
): Promise<ConsentSource> {
  const { file, http, expose_dates, cache } = config;
  if (file !== undefined) return openConsentFile({ ...config, file }, deps);
  const { logger, readsDates = () => false } = deps;
  const states = createStates(() => expose_dates || readsDates());
  if (http !== undefined) {
    const options = {
      states,
      logger,
      ...(cache && { cache }),
      ...(store?.invalidation && { invalidation: store.invalidation }),
    };
    return createLookedUpConsents(httpEntries(http), options);
  }
  // The configuration was checked: there is one of the three.
  const { database, announcements, invalidation } = store!;
  return createLookedUpConsents(storedEntries(database, logger), {
    states,
    logger,
    ...(announcements === null
      ? {}
      : { ...(cache && { cache }), announcements, ...(invalidation && { invalidation }) }),
  });
}
