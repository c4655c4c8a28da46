/** What commands about the store work on: the configuration, the store, and the changes, each of which is in the journal before it is in force. */
import { userInfo } from 'node:os';
import { apiKeyChanges, type ApiKeyChanges } from '../changes/api-keys.ts';
import type { Recorder } from '../changes/change.ts';
import { type ConsentChanges, consentChanges } from '../changes/consents.ts';
import { type ErasureChanges, erasureChanges } from '../changes/erasure.ts';
import { type GrantChanges, grantChanges } from '../changes/grants.ts';
import { commandRecorder } from '../changes/recorder.ts';
import { type LinkChanges, linkChanges } from '../changes/links.ts';
import type { RecipientChanges } from '../changes/recipients.ts';
import { type ReviewChanges, reviewChanges } from '../changes/reviews.ts';
import { type RevocationChanges, revocationChanges } from '../changes/revocations.ts';
import { createRecipients } from '../compose/recipients.ts';
import { type VerificationChanges, verificationChanges } from '../changes/verifications.ts';
import { openStore } from '../compose/store.ts';
import { upstreamConfigs } from '../compose/upstreams.ts';
import { codesThrough } from '../compose/verifications.ts';
import { type LoadedConfig, loadConfig } from '../config/index.ts';
import { createConsentRecords, recordIdOf } from '../consent/index.ts';
import { createDecisionLog, newDecisionId, type OpenDecisionLog } from '../decision-log/decision-log.ts';
import { checkCategory, createErasure } from '../erasure/index.ts';
import { SluiceError } from '../errors.ts';
import { createGrants, scopeOf, stateOf } from '../grants/index.ts';
import { createApiKeyRecords, createRevocationRecords, realmsOf } from '../identity/index.ts';
import { systemClock } from '../observability/clock.ts';
import { silentLogger } from '../observability/logger.ts';
import { createLinks } from '../links/index.ts';
import { createSigning } from '../signing/index.ts';
import { createPolicyStore } from '../policy/store.ts';
import { createReviews } from '../reviews/index.ts';
import { createUpstreams, type Upstreams } from '../upstream/upstream.ts';
import { createCodes } from '../verification/index.ts';
import { dpvTerms } from './consent/terms.ts';
import type { Io } from './io.ts';

export interface Opened {
  readonly loaded: LoadedConfig;
  /** @throws SluiceError `usage_invalid` where the configuration keeps consents elsewhere */
  consents(): ConsentChanges;
  /** @throws SluiceError `grants_unconfigured` */
  grants(): GrantChanges;
  /** @throws SluiceError `erasure_unconfigured` */
  erasure(): ErasureChanges;
  /** @throws SluiceError `verification_unconfigured` */
  verifications(): VerificationChanges;
  /** with the address of the page. @throws SluiceError `page_unconfigured` */
  links(): LinkChanges & { readonly url: string };
  readonly reviews: ReviewChanges;
  readonly recipients: RecipientChanges;
  readonly revocations: RevocationChanges;
  readonly apiKeys: ApiKeyChanges;
  /** The record of one change. @param by default: the user of this process */
  recorder(by?: string): Recorder;
}

/** Opens the store, and the journal at the first change, which gives this process a chain of its own; closes both. */
export async function withStore<T>(
  { config: file }: { readonly config: string },
  io: Io,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const loaded = await loadConfig(file, io.env);
  const { config, directory } = loaded;
  const clock = systemClock;
  const now = (): Date => clock.now();
  const database = await openStore(config.store, clock, silentLogger);
  let log: Promise<OpenDecisionLog> | null = null;
  const openLog = (): Promise<OpenDecisionLog> => {
    // Sinks get this chain from a sidecar, which has the policy that says what they may have.
    const section = { ...config.decision_log, sinks: [] };
    log ??= createDecisionLog(section, { logger: silentLogger, clock, baseDir: directory });
    return log;
  };
  let upstreams: Upstreams | null = null;
  const reviews = createReviews(database, config.reviews.due, now);
  const recipients = createRecipients({
    config,
    store: database,
    pseudonym: async (id) => (await openLog()).dataSubject(id),
    newId: newDecisionId,
    now,
  });
  const consentRecords = () => {
    const terms = dpvTerms(config);
    return createConsentRecords(database, {
      now,
      termOf: (purpose) => terms.get(purpose),
      changed: recipients.consentsChanged,
    });
  };
  try {
    return await work({
      loaded,
      reviews: reviewChanges(reviews),
      recipients: recipients.changes,
      revocations: revocationChanges(createRevocationRecords(database, now)),
      apiKeys: apiKeyChanges(createApiKeyRecords(database, now)),
      consents() {
        if (config.consent.store === undefined) throw keptElsewhere(file, loaded);
        return consentChanges(consentRecords(), {
          dataSubject: async () => (await openLog()).dataSubject,
          now,
          recordIdOf,
        });
      },
      grants() {
        if (config.grants === undefined)
          throw new SluiceError(
            'grants_unconfigured',
            `${file} has no section grants, which says who approves (docs/grants.md).`,
          );
        const grants = createGrants(database, config.grants, {
          reviews,
          alert: recipients.glassBroken,
          decided: recipients.requestDecided,
          newId: newDecisionId,
          now,
          realms: realmsOf(config.identity),
        });
        return grantChanges(grants, { policy: () => policyOf(loaded), scopeOf, stateOf, now });
      },
      links() {
        const page = config.data_subject_page;
        if (page === undefined)
          throw new SluiceError(
            'page_unconfigured',
            `${file} has no section data_subject_page, so no sidecar would open a link (docs/data-subject-page.md).`,
          );
        const signing = createSigning(config.signing, { logger: silentLogger, clock });
        const links = createLinks(database, page, { signing, now });
        return { ...linkChanges(links, async () => (await openLog()).dataSubject), url: page.url };
      },
      erasure() {
        if (config.erasure === undefined)
          throw new SluiceError(
            'erasure_unconfigured',
            `${file} has no section erasure, so that a request would stop no disclosure: add "erasure: {}" and restart the sidecars (docs/erasure.md).`,
          );
        const { due } = config.erasure;
        const erasure = createErasure(database, {
          newId: newDecisionId,
          now,
          due,
          accepted: recipients.erasureAccepted,
          ...(config.consent.store === undefined ? {} : { lifted: consentRecords().empty }),
        });
        return erasureChanges(erasure, {
          dataSubject: async () => (await openLog()).dataSubject,
          policy: () => policyOf(loaded),
          checkCategory,
        });
      },
      verifications() {
        const code = config.verification?.code;
        if (code === undefined)
          throw new SluiceError(
            'verification_unconfigured',
            `${file} has no section verification.code, which says how codes are sent (docs/verification.md).`,
          );
        upstreams ??= createUpstreams(upstreamConfigs(config));
        return verificationChanges(createCodes(database, code), {
          send: codesThrough(upstreams, code),
          dataSubject: async () => (await openLog()).dataSubject,
          now,
        });
      },
      recorder: (by = userInfo().username) => commandRecorder(by, { log: openLog, newDecisionId, clock }),
    });
  } finally {
    // What failed to open has been reported by the change that needed it.
    await (await (log as Promise<OpenDecisionLog> | null)?.catch(() => null))?.close();
    await (upstreams as Upstreams | null)?.close();
    await database.close();
  }
}

/** The policy as it would go live now. @throws SluiceError `policy_compile_failed` and others */
async function policyOf({ config, directory }: LoadedConfig) {
  const policy = await createPolicyStore(config.policy, {
    logger: silentLogger,
    clock: systemClock,
    baseDir: directory,
  });
  try {
    return policy.current();
  } finally {
    await policy.close();
  }
}

const keptElsewhere = (file: string, { config }: LoadedConfig): SluiceError =>
  new SluiceError(
    'usage_invalid',
    `${file} keeps consents in ${config.consent.file === undefined ? 'a service (consent.http): change them there' : 'a file (consent.file): edit it'}. These commands are for "consent: { store: true }".`,
  );
