/** The parts of the admin API, as the configuration says. */
import { type AccessRequestService, accessRequestService } from '../changes/access-requests.ts';
import { apiKeyChanges } from '../changes/api-keys.ts';
import { type ConsentChanges, consentChanges } from '../changes/consents.ts';
import { type ErasureChanges, erasureChanges } from '../changes/erasure.ts';
import { type GrantChanges, grantChanges } from '../changes/grants.ts';
import { subjectHistory } from '../changes/history.ts';
import { type LinkChanges, linkChanges } from '../changes/links.ts';
import { reviewChanges } from '../changes/reviews.ts';
import { revocationChanges } from '../changes/revocations.ts';
import { verificationChanges } from '../changes/verifications.ts';
import type { Config } from '../config/index.ts';
import { type ConsentRecords, createConsentRecords, recordIdOf } from '../consent/index.ts';
import { newDecisionId } from '../decision-log/decision-log.ts';
import type { AdminApi } from '../endpoints/admin/api/api.ts';
import type { Approvals } from '../endpoints/mcp/approval.ts';
import { checkCategory, createErasure } from '../erasure/index.ts';
import { createGrants, scopeOf, stateOf } from '../grants/index.ts';
import { createIdempotency } from '../idempotency/index.ts';
import { createLinks } from '../links/index.ts';
import { settingOf } from '../model/policy.ts';
import type { Signing } from '../model/signing.ts';
import type { Clock } from '../observability/clock.ts';
import { isLiftable } from '../pipeline/access-request.ts';
import { createApiKeyRecords, createRevocationRecords, realmsOf } from '../identity/index.ts';
import { createCodes } from '../verification/index.ts';
import type { Parts } from './build.ts';
import { codesThrough } from './verifications.ts';

/** Null: `admin.url` or the section grants is absent. */
export const accessRequestOptions = (
  { admin: { url, access_requests: lifetime }, grants }: Config,
  signing: Signing,
  clock: Clock,
) =>
  url === undefined || grants === undefined
    ? null
    : { url: url.replace(/\/+$/, ''), lifetime, signing, now: () => clock.now() };

/** Null: the section grants is absent. */
function grantsOf(
  { store, recipients, reviews, policy, stages: { clock } }: Parts,
  { grants, identity }: Config,
): GrantChanges | null {
  if (grants === undefined) return null;
  const now = (): Date => clock.now();
  const kept = createGrants(store, grants, {
    reviews,
    alert: recipients.glassBroken,
    decided: recipients.requestDecided,
    newId: newDecisionId,
    now,
    realms: realmsOf(identity),
  });
  return grantChanges(kept, { policy: async () => policy.current(), scopeOf, stateOf, now });
}

/** Null: `admin.url` or the section grants is absent. */
function accessRequestsOf(
  { log, policy, signing, stages: { clock } }: Parts,
  config: Config,
): AccessRequestService | null {
  const options = accessRequestOptions(config, signing, clock);
  if (options === null) return null;
  return accessRequestService(options, {
    log,
    dataSubject: log.dataSubject,
    callbacks: config.notices?.callbacks ?? {},
    isLiftable: (because) => isLiftable(policy.current().data, because),
  });
}

/** What a denied call of an MCP tool is requested by. Null: it cannot be. */
export function approvalsOf(parts: Parts, config: Config): Approvals | null {
  const grants = grantsOf(parts, config);
  const requests = accessRequestsOf(parts, config);
  return grants === null || requests === null ? null : { grants, requests };
}

export function adminApi(parts: Parts, config: Config): AdminApi {
  const { store: database, recipients, reviews, log, quotas, stages } = parts;
  const { clock, logger } = stages;
  const now = (): Date => clock.now();
  const code = config.verification?.code;
  const revocations = createRevocationRecords(database, now);
  return {
    logger,
    idempotency: createIdempotency(database, { lifetime: config.admin.idempotency, now }),
    services: {
      consents: config.consent.store === undefined ? null : consentsOf(parts),
      grants: grantsOf(parts, config),
      reviews: reviewChanges(reviews),
      revocations: config.identity.revocations_in_store ? revocationChanges(revocations) : null,
      apiKeys: config.identity.api_keys_in_store ? apiKeyChanges(createApiKeyRecords(database, now)) : null,
      accessRequests: accessRequestsOf(parts, config),
      erasure: erasureOf(parts, config),
      recipients: recipients.changes,
      links: config.data_subject_page === undefined ? null : linksOf(parts, config.data_subject_page),
      verifications: code === undefined ? null : verificationsOf(parts, code),
      history: subjectHistory(revocations, reviews, log),
      decisions: log.audit,
      quotas,
      dataSubject: log.dataSubject,
      now,
    },
  };
}

/** Changes of consents in the store. */
export const consentsOf = (parts: Parts): ConsentChanges =>
  consentChanges(consentRecordsOf(parts), {
    dataSubject: async () => parts.log.dataSubject,
    now: () => parts.stages.clock.now(),
    recordIdOf,
  });

function consentRecordsOf({ store, recipients, policy, stages: { clock } }: Parts): ConsentRecords {
  const termOf = (purpose: string): string | undefined => {
    const term = settingOf(policy.current().data, ['purposes', purpose, 'dpv']);
    return typeof term === 'string' ? term : undefined;
  };
  return createConsentRecords(store, { now: () => clock.now(), termOf, changed: recipients.consentsChanged });
}

/** Requests of data subjects. Null: the section erasure is absent. */
export function erasureOf(parts: Parts, { erasure, consent }: Config): ErasureChanges | null {
  if (erasure === undefined) return null;
  const { store, recipients, log, stages, policy } = parts;
  const now = (): Date => stages.clock.now();
  return erasureChanges(
    createErasure(store, {
      newId: newDecisionId,
      now,
      due: erasure.due,
      accepted: recipients.erasureAccepted,
      ...(consent.store === undefined ? {} : { lifted: consentRecordsOf(parts).empty }),
    }),
    { dataSubject: async () => log.dataSubject, policy: async () => policy.current(), checkCategory },
  );
}

/** Links to the page of data subjects. @param page the section of the configuration */
export function linksOf(
  { store, signing, log, stages: { clock } }: Parts,
  page: NonNullable<Config['data_subject_page']>,
): LinkChanges & { readonly url: string } {
  const links = createLinks(store, page, { signing, now: () => clock.now() });
  return { ...linkChanges(links, async () => log.dataSubject), url: page.url };
}

const verificationsOf = (
  { store, upstreams, log, stages: { clock } }: Parts,
  code: Parameters<typeof createCodes>[1],
) =>
  verificationChanges(createCodes(store, code), {
    send: codesThrough(upstreams, code),
    dataSubject: async () => log.dataSubject,
    now: () => clock.now(),
  });
