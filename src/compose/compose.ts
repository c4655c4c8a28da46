/** The composition root: builds every part from a loaded configuration, wires them, closes them. Long, since wiring happens in one place only. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { Config, LoadedConfig } from '../config/index.ts';
import { spellFault } from '../documents/faults.ts';
import type { UpstreamSection } from '../upstream/section.ts';
import { createConsentSource, createIdentities, createLookups } from '../consent/index.ts';
import { createDecisionLog, newDecisionId, type OpenDecisionLog } from '../decision-log/decision-log.ts';
import { charset as charsetNamed } from '../disclosure/formats/shared/charsets.ts';
import { createDisclosureStage } from '../disclosure/stage.ts';
import { DECODE_LIMITS, decodeStream, encodeStream, negotiate } from '../disclosure/encodings.ts';
import { recordsPointer } from '../disclosure/fields/envelope.ts';
import { createGuard } from '../disclosure/guard/requests.ts';
import { createKeyRing } from '../disclosure/keys.ts';
import { mediaOf } from '../disclosure/media.ts';
import { detokenize } from '../disclosure/treatments/tokenize.ts';
import { SluiceError } from '../errors.ts';
import { createIdentity } from '../identity/index.ts';
import type { Identity } from '../identity/types.ts';
import type { ConsentSource } from '../model/consent.ts';
import { type Clock, systemClock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { createMetrics, type Metrics } from '../observability/metrics.ts';
import { approvalRecords, malformedRecord, shadowRecord } from '../pipeline/event-records.ts';
import { createProxyPipeline } from '../pipeline/proxy.ts';
import { createShadow } from '../policy/shadow.ts';
import { createPolicyStore, type Gate, type LivePolicyStore } from '../policy/store.ts';
import { createRouter, knownFrom, resolvePurpose, routeWarnings } from '../routing/index.ts';
import { createAdmin } from '../endpoints/admin/admin.ts';
import { detokenizing, type Reverse } from '../endpoints/detokenize/detokenize.ts';
import { createResponses } from '../endpoints/responses.ts';
import { createCors } from '../endpoints/proxy/cors.ts';
import { createCheckHead } from '../endpoints/proxy/head.ts';
import { type Address, draining, listen, urlOf } from '../endpoints/listening.ts';
import type { Listener, Workers } from '../endpoints/admin/workers.ts';
import { createProxyListener } from '../endpoints/proxy/proxy.ts';
import type { GrantSource, Stages } from '../pipeline/stages.ts';
import { headerRules } from '../upstream/headers.ts';
import type { UpstreamBody } from '../upstream/body.ts';
import { createUpstreams, type UpstreamConfig } from '../upstream/upstream.ts';
import { version } from '../version.ts';

export interface ComposeDependencies {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** tries a policy before it goes live */
  readonly gate?: Gate;
  /** where this process is one of several: its listeners are theirs too, and the admin listener answers for all */
  readonly workers?: Workers;
  /** parts that the caller has built, and closes: the others are built as the configuration says */
  readonly given?: {
    readonly log?: OpenDecisionLog;
    readonly policy?: LivePolicyStore;
    readonly consents?: ConsentSource;
    readonly grants?: GrantSource;
  };
}

/** A running sidecar. */
export interface Sluice {
  /** URLs of the listeners, with the ports that were really taken */
  readonly proxy: string;
  readonly admin: string;
  readonly log: OpenDecisionLog;
  readonly policy: LivePolicyStore;
  readonly consents: ConsentSource;
  readonly identity: Identity;
  readonly metrics: Metrics;
  revision(): string;
  close(): Promise<void>;
}

/**
 * @throws SluiceError whatever keeps a part from starting: `policy_compile_failed`, `journal_unwritable`, `consent_invalid`,
 *   `address_in_use` …; what had been started by then is closed again
 */
export async function compose(loaded: LoadedConfig, deps: ComposeDependencies): Promise<Sluice> {
  const { config, directory } = loaded;
  const { logger, given = {} } = deps;
  const clock = deps.clock ?? systemClock;
  const opened: { close(): unknown }[] = [];
  const open = <T extends { close(): unknown }>(part: T): T => {
    opened.unshift(part);
    return part;
  };
  const closeAll = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close();
  };
  try {
    const metrics = createMetrics();
    const log =
      given.log ?? open(await createDecisionLog(config.decision_log, { logger, clock, baseDir: directory }));
    const policy =
      given.policy ??
      open(
        await createPolicyStore(config.policy, {
          logger,
          clock,
          baseDir: directory,
          metrics,
          ...(deps.gate ? { gate: deps.gate } : {}),
          approvals: approvalRecords({ log, newDecisionId, clock }),
        }),
      );
    const hasConsents = given.consents !== undefined || config.consent.file !== undefined;
    for (const { route, key, message } of routeWarnings(
      config.routes,
      policy.current().catalogs,
      hasConsents,
    ))
      logger.warn({}, spellFault(loaded.fault(['routes', route, ...key], message)));
    // States with dates in them seldom coincide: dates are left out unless the policy reads them.
    const readsDates = (): boolean => policy.current().reads_consent_dates;
    const consents =
      given.consents ?? open(await createConsentSource(config.consent, { clock, logger, readsDates }));
    const shadow = config.policy.shadow
      ? open(
          await createShadow(config.policy.shadow, {
            logger,
            clock,
            baseDir: directory,
            metrics,
            report: shadowRecord({ log, newDecisionId, clock, logger }),
          }),
        )
      : null;
    const identity = open(createIdentity(config.identity, { clock, logger }));
    const upstreams = open(createUpstreams(upstreamConfigs(config)));
    const identities = createIdentities(
      consents,
      createLookups(config.consent.lookups, async (upstream, target) => {
        const { status, body } = await upstreams.send(upstream, {
          method: 'GET',
          target,
          headers: { accept: 'application/json' },
          body: null,
        });
        return { status, body: await shortText(body) };
      }),
    );
    const keys = createKeyRing(config.keys, { clock });
    const disclosure = createDisclosureStage({
      keys,
      dataSubject: log.dataSubject,
      limits: disclosureLimits(config),
    });
    const rules = new Map(
      Object.entries(config.upstreams).map(([name, u]) => [
        name,
        headerRules({ request: u.request_headers, response: u.response_headers }),
      ]),
    );
    const known = new WeakMap<object, ReturnType<typeof knownFrom>>();
    const stages: Stages = {
      checkHead: createCheckHead(config.limits.header_count),
      identity,
      router: createRouter(config.routes, config.limits, charsetNamed),
      purposeOf: (request) => resolvePurpose(config.purpose, request),
      knownOf(snapshot) {
        let names = known.get(snapshot.data);
        if (!names) {
          names = knownFrom(snapshot.data);
          known.set(snapshot.data, names);
        }
        return names;
      },
      policy: shadow ? { ...policy, current: () => shadow.beside(policy.current()) } : policy,
      consents,
      grants: given.grants,
      identities,
      guard: createGuard({ consents, identities }),
      mediaOf,
      recordsOf: recordsPointer,
      upstreams,
      headersOf: (name) => rules.get(name) as NonNullable<ReturnType<typeof rules.get>>,
      decode: decoder(config),
      encoding,
      disclosure,
      log,
      responses: createResponses([
        config.purpose.header,
        ...(config.identity.api_keys.length > 0 ? [config.identity.api_key_header] : []),
      ]),
      cors: config.cors && createCors(config.cors, headersNamed(config)),
      newDecisionId,
      clock,
      metrics,
      logger,
      limits: config.limits,
      labels: config.observability.labels,
    };
    observe(metrics, { log, policy, identity });
    const reverse: Reverse = (token, origin) => detokenize(token, { ...origin, keys });

    const proxy = createProxyListener(
      createProxyPipeline(stages),
      malformedRecord(stages),
      config.limits,
      tlsOf(config),
    );
    open(draining(proxy, config.limits.shutdown));
    const scheme = tlsOf(config) ? 'https' : 'http';
    const proxyUrl = await listenAs(proxy, 'proxy', config.listen.proxy, scheme, deps.workers);
    const admin = createServer(
      createAdmin({
        metrics,
        version: version(),
        workers: deps.workers,
        extensions: [detokenizing(stages, reverse)],
        checks: [
          {
            name: 'policy',
            // A policy that did not load is told, and the last good one goes on serving.
            run: async () => {
              const detail = policy.status();
              return { ok: detail.ok, degraded: (detail.error ?? detail.unavailable) !== null, detail };
            },
          },
          { name: 'journal', run: async () => log.status() },
          { name: 'consent', run: () => consents.ready() },
          { name: 'identity', run: () => identity.ready() },
          {
            name: 'upstreams',
            run: async () => {
              const detail = await upstreams.reachable();
              return { ok: detail.every((u) => u.ok), detail };
            },
          },
        ],
      }),
    );
    open(draining(admin, 1_000));
    const adminUrl = await listenAs(admin, 'admin', config.listen.admin, 'http', deps.workers);
    return {
      proxy: proxyUrl,
      admin: adminUrl,
      log,
      policy,
      consents,
      identity,
      metrics,
      revision: () => policy.current().revision,
      close: closeAll,
    };
  } catch (e) {
    await closeAll();
    throw e;
  }
}

/** Header fields that pages need, and that the configuration names in other sections. */
const headersNamed = ({ identity, purpose, upstreams }: Config) => ({
  request: [
    purpose.header,
    ...(identity.api_keys.length > 0 ? [identity.api_key_header] : []),
    ...Object.values(upstreams).flatMap((u) => u.request_headers),
  ],
  response: Object.values(upstreams).flatMap((u) => u.response_headers),
});

function upstreamConfigs(config: Config): Record<string, UpstreamConfig> {
  return Object.fromEntries(
    Object.entries(config.upstreams).map(([name, u]) => [
      name,
      {
        url: u.url,
        timeout: u.timeout,
        connect_timeout: u.connect_timeout,
        connections: u.connections,
        health: u.health ?? null,
        credential: credentialOf(u),
        tls: {
          verify: !u.tls.insecure.skip_verify,
          ...(u.tls.ca === undefined ? {} : { ca: pem(u.tls.ca, `upstreams.${name}.tls.ca`) }),
          ...(u.tls.cert === undefined ? {} : { cert: pem(u.tls.cert, `upstreams.${name}.tls.cert`) }),
          ...(u.tls.key === undefined ? {} : { key: pem(u.tls.key, `upstreams.${name}.tls.key`) }),
        },
      },
    ]),
  );
}

function credentialOf({ auth }: UpstreamSection): Record<string, string> {
  if (auth?.bearer !== undefined) return { authorization: `Bearer ${auth.bearer}` };
  if (auth?.basic !== undefined)
    return {
      authorization: `Basic ${Buffer.from(`${auth.basic.username}:${auth.basic.password}`).toString('base64')}`,
    };
  if (auth?.header !== undefined) return { [auth.header.name.toLowerCase()]: auth.header.value };
  return {};
}

function tlsOf({ listen: { tls } }: Config) {
  if (!tls) return undefined;
  return {
    cert: pem(tls.cert, 'listen.tls.cert'),
    key: pem(tls.key, 'listen.tls.key'),
    ...(tls.client_ca === undefined ? {} : { client_ca: pem(tls.client_ca, 'listen.tls.client_ca') }),
  };
}

function pem(file: string, where: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('config_invalid', { message: `${where}: ${file} cannot be read.`, cause });
  }
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

const LOOKUP_BYTES = 64 * 1024;

/** What an upstream answers a look-up of a data subject with: a short text. */
async function shortText(body: UpstreamBody): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > LOOKUP_BYTES) return null;
    }
  } finally {
    body.discard();
  }
  return Buffer.concat(chunks).toString('utf8');
}

function observe(
  metrics: Metrics,
  { log, policy, identity }: Pick<Stages, 'identity'> & { log: OpenDecisionLog; policy: LivePolicyStore },
): void {
  metrics.gauge(
    'sluice_journal_lag_records',
    'Records in the journal that index and sinks do not have yet.',
    () => log.status().lag,
  );
  metrics.gauge(
    'sluice_journal_ok',
    '1 while the journal takes records.',
    () => Number(log.status().ok),
    'min',
  );
  metrics.gauge(
    'sluice_policy_ok',
    '1 while the newest policy is the live one.',
    () => Number(policy.status().ok && policy.status().error === null),
    'min',
  );
  metrics.gauge('sluice_policy_memory_bytes', 'WebAssembly memory of the live policy.', () =>
    policy.current().memoryBytes(),
  );
  metrics.totals(
    'sluice_policy_cache_lookups_total',
    'Answers of the live policy remembered, by result.',
    'result',
    () => {
      const { hits, misses } = policy.current().stats();
      return { hit: hits, miss: misses };
    },
  );
  metrics.totals('sluice_token_cache_lookups_total', 'Credentials remembered, by result.', 'result', () => ({
    hit: identity.remembered.hits,
    miss: identity.remembered.misses,
  }));
}

async function listenAs(
  server: Server,
  name: Listener,
  address: Address,
  scheme: string,
  workers: Workers | undefined,
): Promise<string> {
  const port = await (workers === undefined
    ? listen(server, address)
    : workers.listen(name, server, address));
  return urlOf(scheme, { ...address, port });
}
