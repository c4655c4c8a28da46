/** Runs the checks of each section, and checks what concerns several sections. */
import { isLoopback } from '../model/loopback.ts';
import { checkConsent } from '../consent/section.ts';
import { checkBodies } from '../disclosure/section.ts';
import { checkHolds, checkInstance, checkSinks } from '../decision-log/section.ts';
import type { Fault, Path, PlacedFault, Report } from '../documents/faults.ts';
import { didYouMean } from '../documents/near-name.ts';
import type { YamlDocument } from '../documents/yaml.ts';
import { checkProtectedResource } from '../endpoints/oauth/section.ts';
import { checkCors } from '../endpoints/proxy/section.ts';
import { checkErasure } from '../erasure/section.ts';
import { checkGrants } from '../grants/section.ts';
import { checkNotices } from '../notices/section.ts';
import { checkIdentity, realmsOf, takesApiKeys } from '../identity/section.ts';
import { checkDataSubjectPage } from '../links/section.ts';
import { inRealm, LOCAL_REALM } from '../model/realm.ts';
import { checkTracing } from '../observability/section.ts';
import { checkPolicy } from '../policy/section.ts';
import { checkRoutes, narrowsByHeader } from '../routing/section.ts';
import { checkUpstreams, isTaken } from '../upstream/section.ts';
import { checkVerification } from '../verification/section.ts';
import { checkOperations } from './operations.ts';
import type { Config } from './schema.ts';

/**
 * @param found faults that are known already; values that have one are not checked
 * @returns further faults
 */
export function checkConfig(
  config: Partial<Config>,
  document: YamlDocument,
  found: readonly Fault[],
): readonly Fault[] {
  const faults: Fault[] = [];
  const isSound = (...path: Path): boolean =>
    !found.some(({ path: at = [] }) => at.length === 0 || path.every((step, i) => at[i] === step));
  const sound = <Name extends keyof Config>(name: Name): Config[Name] | undefined =>
    isSound(name) ? config[name] : undefined;
  const report: Report = (path, message) => {
    faults.push({ ...document.fault(path, message), path });
  };

  const { routes } = config;
  if (routes && config.upstreams)
    checkUpstreamNames(
      routes.map((route, i) => (isSound('routes', i, 'upstream') ? route.upstream : null)),
      Object.keys(config.upstreams),
      report,
    );
  if (routes) {
    const read = routes.map((route, i) => (isSound('routes', i) ? route : null));
    checkRoutes(read, report);
    for (const [i, route] of read.entries()) if (route !== null) checkBodies(route, ['routes', i], report);
  }
  const mcp = sound('mcp');
  if (routes?.length === 0 && (config.mcp ?? []).length === 0)
    report([], 'has neither routes nor mcp, so that every request would be refused');
  if (mcp && config.upstreams) checkOperations(mcp, Object.keys(config.upstreams), report);
  if (mcp && config.admin && (config.admin.url === undefined || config.grants === undefined))
    for (const [i, { approval }] of mcp.entries())
      if (approval)
        report(['mcp', i, 'approval'], 'needs admin.url and the section grants, where access is requested');
  const tracing = sound('tracing');
  if (tracing !== undefined) checkTracing(tracing, report);
  const [cors, policy, upstreams, identity, purpose, listen, consent, grants, erasure, notices, page] = [
    sound('cors'),
    sound('policy'),
    sound('upstreams'),
    sound('identity'),
    sound('purpose'),
    sound('listen'),
    sound('consent'),
    sound('grants'),
    sound('erasure'),
    sound('notices'),
    sound('data_subject_page'),
  ];
  const decisionLog = sound('decision_log');
  if (decisionLog) {
    checkSinks(decisionLog.sinks, report);
    checkInstance(decisionLog.journal, report);
    checkHolds(decisionLog.holds, report);
  }
  if (cors) checkCors(cors, report);
  if (grants) checkGrants(grants, report);
  if (isSound('admin') && config.admin?.url !== undefined && isSound('grants') && grants === undefined)
    report(
      ['admin', 'url'],
      'needs the section grants: without it nobody approves what a denial offers to request',
    );
  if (erasure) checkErasure(erasure, report);
  if (page) checkDataSubjectPage(page, report);
  if (page && consent && consent.store === undefined)
    report(
      ['data_subject_page'],
      'needs consents in the store, where they can be withdrawn (consent.store: true)',
    );
  if (page && listen) checkPageAddress(listen, report);
  if (erasure && config.upstreams) checkDeletions(erasure, Object.keys(config.upstreams), report);
  if (notices) checkNotices(notices, report);
  if (config.shares && config.decision_log && config.store)
    checkShares(config.store, config.decision_log, report);
  const verification = sound('verification');
  if (verification && config.upstreams)
    checkVerification(verification, Object.keys(config.upstreams), report);
  if (routes)
    checkProofs(
      routes.map((route, i) => (isSound('routes', i) ? route : null)),
      config.verification,
      report,
    );
  if (policy) checkPolicy(policy, report);
  if (upstreams) checkUpstreams(upstreams, narrowsByHeader, report);
  if (identity) checkIdentity(identity, report);
  if (consent) checkConsent(consent, report);
  if (consent && config.upstreams) checkLookups(consent, Object.keys(config.upstreams), report);
  if (identity && upstreams) checkCredentials(identity, upstreams, report);
  if (identity && purpose) checkCallersHeaders(identity.api_key_header, purpose.header, report);
  if (identity && listen) checkClientCertificates(identity, listen, report);
  if (identity && config.insecure) checkKeySets(identity, config.insecure, report);
  if (config.admin?.scim && identity && !identity.revocations_in_store)
    report(['admin', 'scim'], 'needs identity.revocations_in_store: true, where it takes effect');
  const resource = sound('protected_resource');
  if (identity && resource)
    checkProtectedResource(
      resource,
      identity.issuers.map(({ issuer }) => issuer),
      report,
    );
  if (identity) checkRealms(identity, grants, config.admin?.scim, report);
  if (listen) checkAddresses(listen, report);
  return faults;
}

/** Where issuers have realms, a name without one is nobody's. */
function checkRealms(
  identity: Config['identity'],
  grants: Config['grants'],
  scim: Config['admin']['scim'],
  report: Report,
): void {
  const realms = realmsOf(identity);
  const names = realms?.filter((realm) => realm !== LOCAL_REALM) ?? [];
  if (scim && (scim.realm === undefined ? names.length > 0 : !names.includes(scim.realm)))
    report(
      ['admin', 'scim', 'realm'],
      `names the realm of its users: ${names.join(', ') || 'none is configured'}`,
    );
  for (const name of realms === null ? [] : Object.keys(grants?.approvers ?? {}))
    if (!realms!.some((realm) => name.startsWith(`${realm}:`)))
      report(
        ['grants', 'approvers', name],
        `is nobody's name: write it with its realm (${realms!.map((realm) => inRealm(realm, name)).join(', ')})`,
      );
}

/** A proof that a route demands and that nothing checks would refuse every request. */
function checkProofs(
  routes: readonly (Config['routes'][number] | null)[],
  verification: Config['verification'],
  report: Report,
): void {
  for (const [i, route] of routes.entries())
    for (const [n, method] of (route?.verification ?? []).entries())
      if (verification?.[method] === undefined)
        report(
          ['routes', i, 'verification', n],
          `no section verification.${method} says how such a proof is checked`,
        );
}

function checkUpstreamNames(
  names: readonly (string | null)[],
  upstreams: readonly string[],
  report: Report,
): void {
  for (const [i, name] of names.entries())
    if (name !== null && !upstreams.includes(name))
      report(['routes', i, 'upstream'], `no upstream named "${name}"${didYouMean(name, upstreams)}`);
}

/** Sidecars with different keys would have different pseudonyms of a data subject, so that a withdrawal would not find what others have shared. */
function checkShares(
  store: Config['store'],
  { data_subject_key }: Config['decision_log'],
  report: Report,
): void {
  if ('postgres' in store && data_subject_key === undefined)
    report(
      ['shares'],
      'needs decision_log.data_subject_key, the same for all sidecars that share the database: else a withdrawal does not find what another one has shared',
    );
}

function checkLookups({ lookups }: Config['consent'], upstreams: readonly string[], report: Report): void {
  for (const [type, { upstream }] of Object.entries(lookups))
    if (!upstreams.includes(upstream))
      report(
        ['consent', 'lookups', type, 'upstream'],
        `no upstream named "${upstream}"${didYouMean(upstream, upstreams)}`,
      );
}

function checkDeletions(
  { deletions }: NonNullable<Config['erasure']>,
  upstreams: readonly string[],
  report: Report,
): void {
  for (const [i, { upstream }] of deletions.entries())
    if (!upstreams.includes(upstream))
      report(
        ['erasure', 'deletions', i, 'upstream'],
        `no upstream named "${upstream}"${didYouMean(upstream, upstreams)}`,
      );
}

/** If two settings named the same header, one value would be read as the other: a token would be recorded as a purpose. */
function checkCallersHeaders(key: string, purpose: string, report: Report): void {
  const message = 'is a header with a meaning of its own: name another';
  if (isTaken(key)) report(['identity', 'api_key_header'], message);
  if (isTaken(purpose) && !/^sluice-purpose$/i.test(purpose)) report(['purpose', 'header'], message);
  else if (!isTaken(key) && key.toLowerCase() === purpose.toLowerCase())
    report(['purpose', 'header'], 'is the header of API keys (identity.api_key_header)');
}

/** The caller's own credential is not forwarded, whichever header carries it. */
function checkCredentials(
  identity: Config['identity'],
  upstreams: Config['upstreams'],
  report: Report,
): void {
  if (!takesApiKeys(identity)) return;
  const { api_key_header } = identity;
  for (const [name, { request_headers }] of Object.entries(upstreams))
    for (const [i, header] of request_headers.entries())
      if (header.toLowerCase() === api_key_header.toLowerCase())
        report(
          ['upstreams', name, 'request_headers', i],
          'carries the caller’s API key (identity.api_key_header); the upstream gets its own (auth.header)',
        );
}

function checkClientCertificates(
  { certificates }: Config['identity'],
  { tls, admin_tls }: Config['listen'],
  report: Report,
): void {
  if (certificates.length > 0 && tls?.client_ca === undefined && admin_tls?.client_ca === undefined)
    report(
      ['identity', 'certificates'],
      'need listen.tls.client_ca or listen.admin_tls.client_ca: without them nobody shows a certificate',
    );
}

function checkKeySets(
  { issuers }: Config['identity'],
  { plain_http_keys }: Config['insecure'],
  report: Report,
): void {
  for (const [i, { jwks }] of issuers.entries())
    if (
      jwks.url !== undefined &&
      /^http:/i.test(jwks.url) &&
      !isLoopback(new URL(jwks.url).hostname) &&
      !plain_http_keys
    )
      report(
        ['identity', 'issuers', i, 'jwks', 'url'],
        'is not https: whoever is on the way could replace the keys (insecure.plain_http_keys)',
      );
}

function checkAddresses({ proxy, admin }: Config['listen'], report: Report): void {
  if (proxy.port !== 0 && proxy.port === admin.port && proxy.host === admin.host)
    report(['listen', 'admin'], 'is the address of the proxy');
}

function checkPageAddress({ proxy, admin, data_subjects }: Config['listen'], report: Report): void {
  for (const [name, { host, port }] of Object.entries({ proxy, admin }))
    if (port !== 0 && port === data_subjects.port && host === data_subjects.host)
      report(['listen', 'data_subjects'], `is the address of ${name}`);
}

/** One for each dangerous option in use, and for each section that does less than its reader would think. */
export function warningsOf(config: Config, document: YamlDocument): readonly PlacedFault[] {
  const warnings: PlacedFault[] = [];
  const warn: Report = (path, message) => {
    warnings.push({ ...document.fault(path, message), path });
  };
  for (const [name, { tls }] of Object.entries(config.upstreams))
    if (tls.insecure.skip_verify)
      warn(
        ['upstreams', name, 'tls', 'insecure', 'skip_verify'],
        'anybody on the way can pose as this upstream',
      );
  const { issuers } = config.identity;
  if (issuers.length > 1)
    for (const [i, { realm }] of issuers.entries())
      if (realm === undefined)
        warn(
          ['identity', 'issuers', i],
          'has no realm: its subjects count as those of every other issuer without one. Where two issuers may give one id to two people, give each a realm',
        );
  if (config.insecure.literal_secrets)
    warn(['insecure', 'literal_secrets'], 'whoever reads the configuration file has its secrets');
  if (config.insecure.plain_http_keys)
    warn(
      ['insecure', 'plain_http_keys'],
      'whoever is on the way can replace the keys that tokens are checked with',
    );
  if (config.shares !== undefined && config.consent.store === undefined)
    warn(
      ['shares'],
      'recipients are not told of withdrawals: these are seen only where the consents are in the store (consent.store: true)',
    );
  if (!isLoopback(config.listen.admin.host))
    warn(['listen', 'admin'], 'health, metrics and audit are reachable from other machines');
  return warnings;
}
