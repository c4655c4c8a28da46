/** Builds the stages of a request from a configuration, without listening. Long because the order in which parts need each other stands in one place. */
import { commandRecorder } from '../changes/recorder.ts';
import { type Config, type LoadedConfig, operationsOf } from '../config/index.ts';
import {
  createConsentSource,
  createIdentities,
  createLookups,
  createMarkedConsents,
} from '../consent/index.ts';
import { createDecisionLog, newDecisionId, type OpenDecisionLog } from '../decision-log/decision-log.ts';
import type { JournalHooks } from '../decision-log/journal/journal.ts';
import type { LogWitness } from '../decision-log/tree/witness.ts';
import { charset as charsetNamed } from '../disclosure/formats/shared/charsets.ts';
import { createDisclosureStage } from '../disclosure/stage.ts';
import { DECODE_LIMITS, decodeStream, encodeStream, negotiate } from '../disclosure/encodings.ts';
import { recordsPointer } from '../disclosure/fields/envelope.ts';
import { protectedResource } from './protected-resource.ts';
import { createGuard } from '../disclosure/guard/requests.ts';
import { createKeyRing, type KeyRing } from '../disclosure/keys.ts';
import { layoutOf, mediaOf } from '../disclosure/media.ts';
import { createResponses } from '../endpoints/responses.ts';
import { createProtectedResource } from '../endpoints/oauth/protected-resource.ts';
import { createCors } from '../endpoints/proxy/cors.ts';
import { createCheckHead } from '../endpoints/proxy/head.ts';
import { createIdentity, createSecurityEvents, takesApiKeys } from '../identity/index.ts';
import type { Identity } from '../identity/types.ts';
import { type Channel, HEARTBEAT } from '../model/channel.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { Database } from '../model/database.ts';
import { createInvalidation, type Invalidation } from '../model/invalidation.ts';
import type { SecurityEvents } from '../model/security-event.ts';
import { type Clock, systemClock, watchSteps } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { createMetrics, type Metrics } from '../observability/metrics.ts';
import { approvalRecords, shadowRecord } from '../pipeline/event-records.ts';
import type { GrantSource } from '../model/grant.ts';
import type { Stages } from '../pipeline/stages.ts';
import { markSource } from '../erasure/index.ts';
import { createGrantSource } from '../grants/index.ts';
import { openVerifications } from './verifications.ts';
import { PROOF_HEADERS, type Verifications } from '../model/verification.ts';
import { createReviews, type ReviewStore } from '../reviews/index.ts';
import { openQuotas, type QuotaStage } from '../quotas/index.ts';
import { createOffers } from '../changes/access-requests.ts';
import { createSigning } from '../signing/index.ts';
import type { Signing } from '../model/signing.ts';
import { passingOn } from '../model/trace.ts';
import { createShadow } from '../policy/shadow.ts';
import type { Gate } from '../policy/gate.ts';
import { createPolicyStore, type LivePolicyStore } from '../policy/store.ts';
import type { CallRoutes } from '../pipeline/call.ts';
import { createRouter, knownFrom, resolvePurpose } from '../routing/index.ts';
import { type HeaderRules, headerRules } from '../upstream/headers.ts';
import { createUpstreams, type Upstreams } from '../upstream/upstream.ts';
import { accessRequestOptions } from './admin.ts';
import { registerGauges } from './gauges.ts';
import { opening } from './opened.ts';
import { createRecipients, type Recipients, startRecipients } from './recipients.ts';
import { keepOutboxShort } from '../store/index.ts';
import { openStore, openStoreChannel } from './store.ts';
import { openWitness } from './witness.ts';
import { warnAboutFlags, warnAboutRoutes, warnAboutSinks } from './warnings.ts';
import { lookupThrough, upstreamConfigs } from './upstreams.ts';

export interface BuildDependencies {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** tries a policy before it goes live */
  readonly gate?: Gate;
  /** parts that the caller has built, and closes: the others are built as the configuration says */
  readonly given?: {
    readonly log?: OpenDecisionLog;
    readonly policy?: LivePolicyStore;
    readonly consents?: ConsentSource;
    readonly grants?: GrantSource;
    readonly verifications?: Verifications;
    readonly upstreams?: Upstreams;
  };
}

/** Everything that endpoints, health checks and commands use. */
export interface Parts {
  readonly stages: Stages;
  /** of MCP servers */
  readonly operations: CallRoutes;
  readonly log: OpenDecisionLog;
  readonly policy: LivePolicyStore;
  readonly consents: ConsentSource;
  readonly identity: Identity;
  /** null: no transmitter is configured */
  readonly securityEvents: SecurityEvents | null;
  readonly store: Database;
  readonly reviews: ReviewStore;
  readonly recipients: Recipients;
  /** announcements of changes in the store; null: none are needed */
  readonly channel: Channel | null;
  readonly quotas: QuotaStage;
  readonly upstreams: Upstreams;
  readonly keys: KeyRing;
  readonly signing: Signing;
  /** null: none is configured */
  readonly witness: LogWitness | null;
  readonly metrics: Metrics;
  /** tells of every change that may give a caller another answer */
  readonly invalidation: Invalidation;
  close(): Promise<void>;
}

/**
 * @throws SluiceError whatever keeps a part from starting: `policy_compile_failed`, `journal_unwritable`, `consent_invalid` …; what had been
 *   opened by then is closed again
 */
export const build = (loaded: LoadedConfig, deps: BuildDependencies): Promise<Parts> =>
  opening(async (opened) => {
    const { config, directory } = loaded;
    const { logger, given = {} } = deps;
    const clock = deps.clock ?? systemClock;
    const metrics = createMetrics();
    const invalidation = createInvalidation();
    const { announce } = invalidation;
    opened.add(
      watchSteps(clock, (by) => {
        metrics.count('clock_steps');
        logger.warn(
          { seconds: Math.round(by / 1000) },
          `the clock was set ${by < 0 ? 'back' : 'forward'}: dates are compared with the new time`,
        );
      }),
    );
    const around = { logger, clock, baseDir: directory };
    const store = opened.add(await openStore(config.store, clock, logger));
    const reviews = createReviews(store, config.reviews.due, () => clock.now());
    const channel = openStoreChannel(config.store, announce, logger);
    if (channel !== null) opened.add(channel);
    if (store.dialect === 'postgres') opened.add(keepOutboxShort(store));

    const quotas = opened.add(
      await openQuotas(config.quotas, { logger, now: () => clock.now(), workers: config.workers }),
    );

    const signing = createSigning(config.signing, { clock, logger });
    const log =
      given.log ??
      opened.add(
        await createDecisionLog(config.decision_log, {
          ...around,
          notes: signing.notes,
          awaitsRules: true,
          hooks: { committed: countCommits(metrics) },
        }),
      );
    const witness = openWitness(config, { signer: signing.notes, now: () => clock.now(), logger });
    const policy =
      given.policy ??
      opened.add(
        await createPolicyStore(config.policy, {
          ...around,
          metrics,
          announce,
          check: ({ data }) => quotas.check(data),
          ...(deps.gate ? { gate: deps.gate } : {}),
          approvals: approvalRecords({ log, newDecisionId, clock }),
        }),
      );
    const followPolicy = (): void => {
      log.maskCopies(policy.current().copyRules());
      warnAboutSinks(loaded, policy, logger);
    };
    followPolicy();
    opened.add({ close: invalidation.subscribe(({ kind }) => kind === 'policy' && followPolicy()) });
    warnAboutRoutes(loaded, policy, logger);
    if (config.erasure !== undefined) warnAboutFlags(policy, logger);
    // Few data subjects share a state that has dates in it: dates are left out unless the policy reads them.
    const readsDates = (): boolean => policy.current().reads_consent_dates;
    const announcements = channel && { isUp: () => channel.isUp(), silence: HEARTBEAT.silence };
    const listed =
      given.consents ??
      opened.add(
        await createConsentSource(
          config.consent,
          { clock, logger, readsDates, announce },
          {
            database: store,
            announcements,
            invalidation,
          },
        ),
      );
    const consents =
      config.erasure === undefined
        ? listed
        : opened.add(
            createMarkedConsents(listed, markSource(store), {
              logger,
              cache: config.consent.cache,
              announcements,
              invalidation,
            }),
          );
    const shadow = config.policy.shadow
      ? opened.add(
          await createShadow(config.policy.shadow, {
            ...around,
            metrics,
            report: shadowRecord({ log, newDecisionId, clock, logger }),
          }),
        )
      : null;
    const identity = opened.add(
      createIdentity(config.identity, {
        clock,
        logger,
        invalidation,
        store: { database: store, announcements: channel },
      }),
    );
    const securityEvents =
      config.identity.security_events.length === 0
        ? null
        : opened.add(createSecurityEvents(config.identity.security_events, { clock, logger }));
    const upstreams = given.upstreams ?? opened.add(createUpstreams(upstreamConfigs(config)));
    const identities = createIdentities(
      consents,
      createLookups(config.consent.lookups, lookupThrough(upstreams)),
    );
    const keys = createKeyRing(config.keys, { clock });
    const now = (): Date => clock.now();
    const recipients = createRecipients({
      config,
      store,
      pseudonym: log.dataSubject,
      newId: newDecisionId,
      now,
    });
    const recorder = (by: string) => commandRecorder(by, { log: async () => log, newDecisionId, clock });
    const deliveries = opened.add(startRecipients(recipients, { config, store, now, logger, recorder }));
    const requests = accessRequestOptions(config, signing, clock);

    // The SDK is loaded where it is needed: it takes longer than a part of Sluice does.
    const tracing =
      config.tracing === undefined
        ? null
        : opened.add((await import('../observability/tracing.ts')).createTracing(config.tracing));
    const resource = protectedResource(config);
    const stages: Stages = {
      checkHead: createCheckHead(config.limits.header_count),
      identity,
      router: createRouter(config.routes, config.limits, charsetNamed),
      purposeOf: (request) => resolvePurpose(config.purpose, request),
      knownNames: ({ data }) => knownFrom(data),
      policy: shadow ? { ...policy, current: () => shadow.beside(policy.current()) } : policy,
      consents,
      grants: given.grants ?? (config.grants && createGrantSource(store)),
      identities,
      ...(requests === null ? {} : { accessRequests: createOffers(requests) }),
      verifications:
        given.verifications ??
        openVerifications(config, {
          ask: lookupThrough(upstreams),
          store,
          clock,
          logger,
          opened,
        }),
      reviews,
      shares: recipients.shares ?? undefined,
      quotas,
      guard: createGuard({ consents, identities }),
      mediaOf,
      layoutOf,
      recordsOf: recordsPointer,
      upstreams,
      headersOf: headerRulesOf(config),
      decode: decoder(config),
      encoding,
      disclosure: createDisclosureStage({
        keys,
        dataSubject: log.dataSubject,
        limits: disclosureLimits(config),
      }),
      log,
      responses: createResponses(credentialHeaders(config)),
      protectedResource: resource && createProtectedResource(resource),
      cors: config.cors && createCors(config.cors, headersNamed(config)),
      tracing: tracing?.begin ?? passingOn,
      newDecisionId,
      clock,
      metrics,
      logger,
      limits: config.limits,
      labels: config.observability.labels,
    };
    registerGauges({
      config,
      metrics,
      log,
      policy,
      identity,
      consents,
      channel,
      quotas,
      deliveries,
      tracing,
    });
    return {
      stages,
      operations: { router: createRouter(operationsOf(config), config.limits, charsetNamed) },
      log,
      policy,
      consents,
      identity,
      securityEvents,
      store,
      reviews,
      recipients,
      channel,
      quotas,
      upstreams,
      keys,
      signing,
      witness,
      metrics,
      invalidation,
      close: () => opened.close(),
    };
  });

const countCommits =
  ({ count }: Metrics): NonNullable<JournalHooks['committed']> =>
  ({ records, bytes, micros }) => {
    count('journal_commits');
    count('journal_records', records);
    count('journal_bytes', bytes);
    count('journal_seconds', micros / 1e6);
  };

/** Request headers that name the purpose, bring a proof, or carry a credential other than Authorization. */
const credentialHeaders = ({ purpose, identity, verification }: Config): string[] => [
  purpose.header,
  ...(verification === undefined ? [] : Object.values(PROOF_HEADERS)),
  ...(takesApiKeys(identity) ? [identity.api_key_header] : []),
];

/** Header fields that pages of other origins need, and that the configuration names in other sections. */
const headersNamed = (config: Config) => {
  const upstreams = Object.values(config.upstreams);
  return {
    request: [...credentialHeaders(config), ...upstreams.flatMap((u) => u.request_headers)],
    response: [
      ...(config.protected_resource === undefined ? [] : ['WWW-Authenticate']),
      ...upstreams.flatMap((u) => u.response_headers),
    ],
  };
};

function headerRulesOf({ upstreams }: Config): Stages['headersOf'] {
  const rules = new Map<string, HeaderRules>(
    Object.entries(upstreams).map(([name, u]) => [
      name,
      headerRules({ request: u.request_headers, response: u.response_headers }),
    ]),
  );
  // Routes name configured upstreams only.
  return (name) => rules.get(name) as HeaderRules;
}

const disclosureLimits = ({ limits }: Config) => ({
  depth: limits.depth,
  record_bytes: limits.record,
  record_members: limits.record_members,
  group_bytes: limits.group,
});

function decoder({ limits }: Config): Stages['decode'] {
  return (body, encodings) =>
    encodings.length === 0
      ? body
      : decodeStream(encodings, { ...DECODE_LIMITS, maxRatio: limits.decoded_ratio })(body);
}

const encoding: Stages['encoding'] = (accepted) => {
  const coding = negotiate(typeof accepted === 'string' ? accepted : accepted?.join(', '));
  return coding === null || coding === 'identity' ? null : { coding, encode: encodeStream(coding) };
};
