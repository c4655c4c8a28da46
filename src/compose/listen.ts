/** Opens the listeners of a sidecar. An endpoint is registered here in one line. */
import { join } from 'node:path';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Config } from '../config/index.ts';
import { detokenize } from '../disclosure/treatments/tokenize.ts';
import { type AdminEndpoint, createAdmin } from '../endpoints/admin/admin.ts';
import { type AdminApi, administering } from '../endpoints/admin/api/api.ts';
import type { Listener, Workers } from '../endpoints/admin/workers.ts';
import { createDataSubjectPage } from '../endpoints/data-subject/page.ts';
import { detokenizing } from '../endpoints/detokenize/detokenize.ts';
import { limitFailures } from '../endpoints/failed-authentications.ts';
import type { FailureLimit } from '../pipeline/handle.ts';
import { provisioning } from '../endpoints/scim/scim.ts';
import { receivingEvents } from '../endpoints/security-events/security-events.ts';
import { takesApiKeys } from '../identity/index.ts';
import { TREES } from '../decision-log/tree/log.ts';
import { servedLogs, witnessing } from '../endpoints/tlog/tlog.ts';
import { publishedKeys } from '../endpoints/jwks/jwks.ts';
import { type Address, draining, listen as listenAt, urlOf } from '../endpoints/listening.ts';
import { createMcp } from '../endpoints/mcp/mcp.ts';
import { servedMetadata } from '../endpoints/oauth/protected-resource.ts';
import { createProxyListener } from '../endpoints/proxy/proxy.ts';
import { malformedRecord } from '../pipeline/event-records.ts';
import { createProxyPipeline } from '../pipeline/proxy.ts';
import { version } from '../version.ts';
import { adminApi, approvalsOf } from './admin.ts';
import type { Parts } from './build.ts';
import { pageServices } from './data-subjects.ts';
import { millis } from '../observability/clock.ts';
import { checksOf } from './health.ts';
import { opening } from './opened.ts';
import { protectedResource } from './protected-resource.ts';
import { adminTls, listenerTls } from './tls.ts';

/** Endpoints on the admin listener. */
function onAdmin(parts: Parts, config: Config): readonly AdminEndpoint[] {
  const { stages, keys, signing } = parts;
  const api = adminApi(parts, config);
  const limit = limitFailures(() => millis(stages.clock));
  return [
    detokenizing(stages, (token, origin) => detokenize(token, { ...origin, keys }), limit),
    publishedKeys(signing),
    servedLogs(join(parts.log.dir, TREES)),
    ...(parts.witness === null ? [] : [witnessing(parts.witness)]),
    ...accessByOthers(parts, config, api, limit),
    // Takes every other path below /v1.
    administering(stages, api, limit),
  ];
}

/** Who else may take access away: identity providers, by SCIM and by security events. */
function accessByOthers(
  { stages, securityEvents }: Parts,
  { identity, admin: { scim } }: Config,
  { services: { revocations } }: AdminApi,
  limit: FailureLimit,
): readonly AdminEndpoint[] {
  // The configuration was checked: without revocations in the store there is neither.
  if (revocations === null) return [];
  const provisioned =
    scim &&
    provisioning(
      stages,
      {
        revocations,
        subject: scim.subject,
        ...(scim.realm === undefined ? {} : { realm: scim.realm }),
        apiKeyHeader: takesApiKeys(identity) ? identity.api_key_header : null,
        now: () => stages.clock.now(),
      },
      limit,
    );
  const received = securityEvents && receivingEvents(stages, { events: securityEvents, revocations }, limit);
  return [provisioned, received].filter((endpoint) => endpoint != null);
}

/** Listeners, in the order in which they open; the last closes first. */
const LISTENERS: { readonly [L in Listener]: Open } = { proxy, data_subjects: dataSubjects, admin };

/** null: the configuration has none */
type Open = (parts: Parts, config: Config, workers: Workers | undefined) => Opening | null;

interface Opening {
  readonly server: Server;
  readonly address: Address;
  readonly scheme: 'http' | 'https';
  /** milliseconds that requests under way may take when it closes */
  readonly grace: number;
}

/** What has a path of the proxy listener besides the routes: metadata for OAuth clients, MCP servers. */
function servedAs(parts: Parts, config: Config): ReturnType<typeof createMcp> {
  const resource = protectedResource(config);
  const metadata = resource && servedMetadata(resource);
  const mcp = createMcp({
    servers: config.mcp ?? [],
    routes: parts.operations,
    limit: config.limits.request_body,
    approvals: approvalsOf(parts, config),
    // All processes of a listener have the same key for data subjects, of which this is another one.
    key: parts.log.dataSubject('key of MCP sessions'),
  });
  return (request) => metadata?.(request.target) ?? mcp(request);
}

function proxy(parts: Parts, config: Config): Opening {
  const { stages } = parts;
  const tls = listenerTls(config);
  const pipeline = createProxyPipeline(stages, servedAs(parts, config));
  return {
    server: createProxyListener(pipeline, malformedRecord(stages), config.limits, tls),
    address: config.listen.proxy,
    scheme: tls ? 'https' : 'http',
    grace: config.limits.shutdown,
  };
}

function admin(parts: Parts, config: Config, workers: Workers | undefined): Opening {
  const app = createAdmin({
    metrics: parts.metrics,
    version: version(),
    workers,
    checks: checksOf(parts),
    endpoints: onAdmin(parts, config),
  });
  const tls = adminTls(config);
  return {
    server: tls ? createTlsServer(tls, app) : createServer(app),
    address: config.listen.admin,
    scheme: tls ? 'https' : 'http',
    grace: 1_000,
  };
}

function dataSubjects(parts: Parts, config: Config): Opening | null {
  const { data_subject_page: page, listen, limits } = config;
  if (page === undefined) return null;
  const server = createServer(createDataSubjectPage(parts.stages, pageServices(parts, config, page)));
  server.headersTimeout = limits.header_timeout;
  server.requestTimeout = limits.request_timeout;
  server.keepAliveTimeout = limits.keep_alive_timeout;
  server.maxConnections = limits.connections;
  return { server, address: listen.data_subjects, scheme: 'http', grace: 1_000 };
}

/** URLs of the listeners, with the ports that were really taken. */
export type Listening = { readonly proxy: string; readonly admin: string } & {
  /** absent: the configuration has none */
  readonly data_subjects?: string;
} & { close(): Promise<void> };

/**
 * Closing lets requests under way finish, and resolves when all listeners are closed.
 * @throws SluiceError `address_in_use`, `config_invalid`
 */
export const listen = (parts: Parts, config: Config, workers: Workers | undefined): Promise<Listening> =>
  opening(async (opened) => {
    const urls: Partial<Record<Listener, string>> = {};
    for (const name of Object.keys(LISTENERS) as Listener[]) {
      const opening = LISTENERS[name](parts, config, workers);
      if (opening === null) continue;
      const { server, address, scheme, grace } = opening;
      opened.add(draining(server, grace));
      const port = await (workers?.listen(name, server, address) ?? listenAt(server, address));
      urls[name] = urlOf(scheme, { ...address, port });
    }
    return { ...(urls as Omit<Listening, 'close'>), close: () => opened.close() };
  });
