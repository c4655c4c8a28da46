/** What no schema can say: names that must exist, values that must not meet, doors that stand open. */
import { type Document, isMap, type Node, type YAMLMap } from 'yaml';
import { isCharset, responseFault } from '../disclosure/config.ts';
import { compileRoutes, narrowsByHeader } from '../routing/config.ts';
import { isDigest, TAG_CONDITIONS } from '../upstream/config.ts';
import { startOf } from '../model/moment.ts';
import { holdsUnseen } from '../model/spelling.ts';
import { didYouMean } from '../errors.ts';
import type { Fault, Path } from '../documents/faults.ts';
import { place, type Reading } from '../documents/reader.ts';
import type { Config } from './schema.ts';
import type { CorsConfig } from '../endpoints/proxy/section.ts';
import type { IdentityConfig } from '../identity/section.ts';
import type { ListenConfig } from '../endpoints/section.ts';
import type { InsecureConfig } from './section.ts';
import type { RouteConfig } from '../routing/section.ts';

/** Hop-by-hop (RFC 9110 §7.6.1), framing, credentials, and what overrides method, path or caller. */
const NEVER_FORWARDED =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:length|encoding|range)|host|authorization|cookie|set-cookie|expect|range|if-.*|accept-(?:encoding|ranges)|etag|last-modified|x-http-method.*|x-method-override|x-original-url|x-rewrite-url|sluice-.*)$/i;
/** Set by Sluice on every answer, so that an upstream's would be lost, or would say what `cors` does not. */
const SET_HERE = /^(?:access-control-.*|cache-control|content-type|vary|x-content-type-options)$/i;
/** Read or forwarded in a meaning of its own: no place for a purpose or a credential. */
const TAKEN = /^(?:accept|accept-language|content-type|origin|soapaction)$/i;
/** Headers in which an upstream may want its credential, though a caller's never gets there. */
const CREDENTIALS = /^(?:authorization|cookie|proxy-authorization)$/i;
/** RFC 9110 §5.5, without obs-text, which one reader takes for Latin-1 and another for UTF-8 */
const HEADER_TEXT = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|::1|\[::1\])$/i;

/** @param reading its faults say which parts of `config` cannot be looked at */
export function checkConfig(config: Partial<Config>, reading: Reading): readonly Fault[] {
  const faults: Fault[] = [];
  const isSound = (...path: Path): boolean =>
    !reading.faults.some((f) => path.every((step, i) => f.path[i] === step) || f.path.length === 0);
  const report = (path: Path, message: string): void => {
    faults.push({ ...whereIs(reading, path), path, message });
  };
  const { routes, upstreams, identity, listen, insecure } = config;
  if (routes && upstreams)
    checkRoutes(
      routes.map((route, i) => (isSound('routes', i) ? route : null)),
      routes.map((route, i) => (isSound('routes', i, 'upstream') ? route.upstream : null)),
      Object.keys(upstreams),
      report,
    );
  if (config.consent && upstreams && isSound('consent'))
    for (const [type, { upstream }] of Object.entries(config.consent.lookups))
      if (!Object.hasOwn(upstreams, upstream))
        report(
          ['consent', 'lookups', type, 'upstream'],
          `no upstream named "${upstream}"${didYouMean(upstream, Object.keys(upstreams))}`,
        );
  if (config.cors && isSound('cors')) checkCors(config.cors, report);
  if (config.policy && isSound('policy')) checkPolicy(config.policy, report);
  if (upstreams && isSound('upstreams')) checkUpstreams(upstreams, report);
  if (upstreams && isSound('upstreams') && identity && isSound('identity'))
    checkCredentials(upstreams, identity, report);
  if (identity && isSound('identity') && config.purpose && isSound('purpose'))
    checkCallersHeaders(identity.api_key_header, config.purpose.header, report);
  if (identity && isSound('identity')) checkSpelling(identity, ['identity'], report);
  const listenIsSound = listen !== undefined && isSound('listen');
  if (identity && isSound('identity') && listenIsSound && insecure)
    checkIdentity(identity, listen, insecure, report);
  if (
    listenIsSound &&
    listen.proxy.port !== 0 &&
    listen.proxy.port === listen.admin.port &&
    listen.proxy.host === listen.admin.host
  )
    report(['listen', 'admin'], 'is the address of the proxy');
  return faults;
}

type Report = (path: Path, message: string) => void;

/** Nobody would be found by such a name, or nobody could be revoked by it. */
function checkSpelling(value: unknown, path: Path, report: Report): void {
  if (typeof value === 'string' && holdsUnseen(value))
    report(path, 'has a blank around it or an invisible character in it: nothing would be found by it');
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (holdsUnseen(key)) report(at, 'its name has a blank around it or an invisible character in it');
    checkSpelling(member, at, report);
  }
}

function checkRoutes(
  routes: readonly (RouteConfig | null)[],
  wanted: readonly (string | null)[],
  upstreams: readonly string[],
  report: Report,
): void {
  for (const fault of compileRoutes(routes).faults)
    report(['routes', fault.route, ...fault.key], fault.message);
  for (const [i, route] of routes.entries()) {
    const fault = route === null ? null : responseFault(route.response);
    if (fault !== null) report(['routes', i, 'response', fault.key], fault.message);
    const charset = route?.request.charset;
    if (charset !== undefined && !isCharset(charset))
      report(
        ['routes', i, 'request', 'charset'],
        'names no charset that is supported (docs/formats.md#charsets)',
      );
  }
  for (const [i, name] of wanted.entries())
    if (name !== null && !upstreams.includes(name))
      report(['routes', i, 'upstream'], `no upstream named "${name}"${didYouMean(name, upstreams)}`);
}

function checkPolicy(policy: Config['policy'], report: Report): void {
  const { require_approval: approval } = policy;
  if (approval !== undefined) {
    if (Object.keys(approval.keys).length === 0)
      report(['policy', 'require_approval', 'keys'], 'is empty: nothing could ever be approved');
    if (policy.dir !== undefined && approval.file === undefined)
      report(['policy', 'require_approval'], 'needs file: a directory carries no approvals');
    for (const [kid, { key, file }] of Object.entries(approval.keys))
      if (key === undefined && file === undefined)
        report(['policy', 'require_approval', 'keys', kid], 'needs the key, or a file that holds it');
  }
  const sources = ['dir', 'bundle', 'url'] as const;
  for (const [path, source] of [
    [['policy'], policy] as const,
    [['policy', 'shadow'], policy.shadow] as const,
  ]) {
    for (const [name, value] of Object.entries(source?.headers ?? {}))
      if (!HEADER_TEXT.test(value)) report([...path, 'headers', name], UNSENDABLE);
    const given = source ? sources.filter((name) => source[name] !== undefined) : [];
    if (source && given.length !== 1)
      report(
        path,
        `needs exactly one of ${sources.join(', ')}${given.length === 0 ? '' : `; it has ${given.join(' and ')}`}`,
      );
  }
}

const UNSENDABLE =
  'the secret has a character that no header can carry: ASCII only, without control characters, a byte order mark or space at an end';

/** Browsers send an origin in one spelling; a pattern must not take in what others can register. */
function checkCors({ origins, credentials }: CorsConfig, report: Report): void {
  for (const [i, origin] of origins.entries()) {
    const path = ['cors', 'origins', i];
    if (origin === '*') {
      if (origins.length > 1) report(path, 'stands for every origin: the others say nothing beside it');
      if (credentials) report(path, 'cannot go with credentials: name the origins');
      continue;
    }
    const [, host = '', port] = /^https?:\/\/(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(origin) ?? [];
    const fixed = host.split('*').at(-1) ?? '';
    if (
      origin !== origin.toLowerCase() ||
      host === '' ||
      (port !== undefined && !/^(?:\*|[0-9]{1,5})$/.test(port))
    )
      report(path, 'is not an origin as browsers send it: https://host or https://host:port');
    else if (port === (origin.startsWith('https:') ? '443' : '80'))
      report(path, 'names the default port, which browsers leave out');
    else if (host.includes('*') && !/^\.[a-z0-9-]+\.[a-z0-9.-]+$/.test(fixed))
      report(
        path,
        'takes in hosts of anybody: write it as https://*.example.com, with at least two labels behind the *',
      );
  }
}

function checkUpstreams(upstreams: Config['upstreams'], report: Report): void {
  for (const [name, { url, auth, tls, request_headers, response_headers }] of Object.entries(upstreams)) {
    if (url.includes('?'))
      report(['upstreams', name, 'url'], 'has a query; a base path is all that it may have');
    if ((tls.cert === undefined) !== (tls.key === undefined))
      report(['upstreams', name, 'tls'], 'needs both cert and key, or neither');
    if (!/^https:/i.test(url) && (tls.ca ?? tls.cert) !== undefined)
      report(['upstreams', name, 'tls'], 'is given for a URL that is not https:');
    for (const [key, headers] of Object.entries({ request_headers, response_headers }))
      for (const [i, header] of headers.entries())
        if (key === 'request_headers' && TAG_CONDITIONS.has(header.toLowerCase())) continue;
        else if (NEVER_FORWARDED.test(header))
          report(['upstreams', name, key, i], 'is a header that never crosses Sluice');
        else if (key === 'request_headers' && narrowsByHeader(header))
          report(
            ['upstreams', name, key, i],
            'has the name of a search, an order or a page, and headers are not looked into: callers could sort by a hidden field; let them use a query parameter, and a route that names it',
          );
        else if (key === 'response_headers' && isDigest(header))
          report(
            ['upstreams', name, key, i],
            'is computed from the body as the upstream sent it: whoever has it can try the digits that a mask took out until they fit',
          );
        else if (key === 'response_headers' && SET_HERE.test(header))
          report(['upstreams', name, key, i], 'is a header that Sluice sets itself');
    const own = auth?.header?.name;
    if (own !== undefined && !CREDENTIALS.test(own) && (NEVER_FORWARDED.test(own) || TAKEN.test(own)))
      report(
        ['upstreams', name, 'auth', 'header', 'name'],
        'is a header with a meaning of its own: no credential can stand in it',
      );
    for (const [at, value] of [
      [['bearer'], auth?.bearer],
      [['header', 'value'], auth?.header?.value],
    ] as const)
      if (value !== undefined && !HEADER_TEXT.test(value))
        report(['upstreams', name, 'auth', ...at], UNSENDABLE);
  }
}

/** A header of two meanings would put the one into the place of the other: a token into the record as a purpose. */
function checkCallersHeaders(key: string, purpose: string, report: Report): void {
  const isTaken = (name: string): boolean => NEVER_FORWARDED.test(name) || TAKEN.test(name);
  const message = 'is a header with a meaning of its own: name another';
  if (isTaken(key)) report(['identity', 'api_key_header'], message);
  if (isTaken(purpose) && !/^sluice-purpose$/i.test(purpose)) report(['purpose', 'header'], message);
  else if (!isTaken(key) && key.toLowerCase() === purpose.toLowerCase())
    report(['purpose', 'header'], 'is the header of API keys (identity.api_key_header)');
}

/** The caller's own credential stays here, by whatever header it comes. */
function checkCredentials(
  upstreams: Config['upstreams'],
  { api_keys, api_key_header }: IdentityConfig,
  report: Report,
): void {
  if (api_keys.length === 0) return;
  for (const [name, { request_headers }] of Object.entries(upstreams))
    for (const [i, header] of request_headers.entries())
      if (header.toLowerCase() === api_key_header.toLowerCase())
        report(
          ['upstreams', name, 'request_headers', i],
          'carries the caller’s API key (identity.api_key_header); the upstream gets its own (auth.header)',
        );
}

function checkIdentity(
  { issuers, api_keys, certificates }: IdentityConfig,
  listen: ListenConfig,
  insecure: InsecureConfig,
  report: Report,
): void {
  if (issuers.length + api_keys.length + certificates.length === 0)
    report(['identity'], 'names no issuer, API key or certificate: nobody could ever be let in');
  for (const [i, { issuer, jwks }] of issuers.entries()) {
    if (issuers.findIndex((other) => other.issuer === issuer) < i)
      report(['identity', 'issuers', i, 'issuer'], 'is there twice');
    if (
      jwks.url !== undefined &&
      /^http:/i.test(jwks.url) &&
      !LOOPBACK.test(new URL(jwks.url).hostname) &&
      !insecure.plain_http_keys
    )
      report(
        ['identity', 'issuers', i, 'jwks', 'url'],
        'is not https: whoever is on the way could replace the keys (insecure.plain_http_keys)',
      );
    for (const [k, key] of (jwks.keys ?? []).entries())
      if ('d' in key || key.kty === 'oct')
        report(
          ['identity', 'issuers', i, 'jwks', 'keys', k],
          'is a private or shared key; only public keys belong here',
        );
  }
  for (const [i, key] of api_keys.entries()) {
    if (api_keys.findIndex((other) => other.sha256 === key.sha256 || other.id === key.id) < i)
      report(['identity', 'api_keys', i], 'has the id or the digest of another key');
    if (key.expires !== undefined && Number.isNaN(startOf(key.expires)))
      report(['identity', 'api_keys', i, 'expires'], 'is no date or time of the calendar');
  }
  if (certificates.length > 0 && listen.tls?.client_ca === undefined)
    report(['identity', 'certificates'], 'need listen.tls.client_ca: without it nobody shows a certificate');
}

/** Where a path stands in the document, or the nearest thing above it that stands there. */
export function whereIs({ document, lines }: Reading, path: Path): { line: number; column: number } {
  let node: unknown = (document as Document).contents;
  let found = node as Node;
  for (const step of path) {
    const key = isMap(node) ? (node as YAMLMap).items.find((p) => String(p.key) === String(step)) : undefined;
    node = key
      ? key.value
      : ((node as { get?: (s: unknown, keep: true) => unknown } | null)?.get?.(step, true) ?? null);
    if (node === null || node === undefined) break;
    found = node as Node;
  }
  return place({ lines }, found);
}

/** One for each door that somebody opened. */
export function warningsOf(config: Config, reading: Reading): readonly Fault[] {
  const warnings: Fault[] = [];
  const warn = (path: Path, message: string): void => {
    warnings.push({ ...whereIs(reading, path), path, message });
  };
  for (const [name, { tls }] of Object.entries(config.upstreams))
    if (tls.insecure.skip_verify)
      warn(
        ['upstreams', name, 'tls', 'insecure', 'skip_verify'],
        'anybody on the way can pose as this upstream',
      );
  if (config.insecure.literal_secrets)
    warn(['insecure', 'literal_secrets'], 'whoever reads the configuration file has its secrets');
  if (config.insecure.plain_http_keys)
    warn(
      ['insecure', 'plain_http_keys'],
      'whoever is on the way can replace the keys that tokens are checked with',
    );
  if (!LOOPBACK.test(config.listen.admin.host))
    warn(['listen', 'admin'], 'health, metrics and audit are reachable from other machines');
  return warnings;
}
