/**
 * The proxy listener as a protected resource of OAuth 2.0: its metadata (RFC 9728), and the challenges that tell a client where they are and
 * which authentication is missing (RFC 9470). All of it comes from the configuration; nothing depends on who asks.
 */
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { Serve } from '../../pipeline/proxy.ts';
import { release } from '../../pipeline/release.ts';
import type { ProtectedResource } from '../../pipeline/stages.ts';
import { statusOf } from '../problems.ts';
import { challenge } from '../responses.ts';
import { authorizationServers, type ProtectedResourceConfig } from './section.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** seconds for which others may keep the metadata */
const MAX_AGE = 300;

export interface ResourceOptions {
  readonly config: ProtectedResourceConfig;
  readonly issuers: readonly string[];
  /** paths of MCP servers: each is a resource of its own */
  readonly paths: readonly string[];
}

const pathOf = (target: string): string => {
  const mark = target.indexOf('?');
  return mark === -1 ? target : target.slice(0, mark);
};

export function createProtectedResource({
  config,
  paths,
}: Omit<ResourceOptions, 'issuers'>): ProtectedResource {
  const known = new Set(paths);
  const metadataOf = (target: string): string => {
    const path = pathOf(target);
    return `${config.url}${WELL_KNOWN}${known.has(path) ? path : ''}`;
  };
  const challenging = (given: string, target: string): string =>
    `${given}${given === 'Bearer' ? ' ' : ', '}resource_metadata="${metadataOf(target)}"`;

  return {
    challenge({ target, headers }, error) {
      if (!isSluiceError(error)) return null;
      if (statusOf(error.code) === 401) return challenging(challenge(error.code), target);
      // Another kind of credential cannot be exchanged for one with a stronger authentication.
      if (error.stepUp === undefined || !/^bearer /i.test(headers.authorization ?? '')) return null;
      return challenging(`Bearer ${insufficient(config, error.stepUp)}`, target);
    },
  };
}

/** RFC 9470 §3. */
function insufficient({ step_up }: ProtectedResourceConfig, asked: string): string {
  const known = Object.hasOwn(step_up, asked) ? step_up[asked] : undefined;
  const acr = known === undefined ? (WORDS.test(asked) ? [asked] : undefined) : known.acr_values;
  return [
    'error="insufficient_user_authentication"',
    'error_description="A stronger authentication is required"',
    ...(acr === undefined ? [] : [`acr_values="${acr.join(' ')}"`]),
    ...(known?.max_age === undefined ? [] : [`max_age="${Math.floor(known.max_age / 1000)}"`]),
  ].join(', ');
}

/** What may stand between quotation marks as it is. */
const WORDS = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

/** Serves the metadata of the listener, and of each MCP server, to everybody. */
export function servedMetadata({
  config,
  issuers,
  paths,
}: ResourceOptions): (target: string) => Serve | null {
  const serving = new Map<string, Serve>(
    ['', ...paths].map((path) => {
      const metadata = {
        resource: `${config.url}${path}`,
        authorization_servers: authorizationServers(issuers),
        ...(config.scopes === undefined ? {} : { scopes_supported: config.scopes }),
        bearer_methods_supported: ['header'],
      };
      return [`${WELL_KNOWN}${path}`, serveText(JSON.stringify(metadata))] as const;
    }),
  );
  return (target) => serving.get(pathOf(target)) ?? null;
}

const serveText =
  (text: string): Serve =>
  async ({ method }, reply, entry, stages) => {
    if (method !== 'GET' && method !== 'HEAD')
      throw new SluiceError('method_not_allowed', {
        message: 'The metadata of the resource is read by GET or HEAD.',
        headers: { allow: 'GET, HEAD' },
      });
    entry.reasons = [
      { code: 'resource_metadata', message: 'Answered from the configuration; nothing was looked up.' },
    ];
    const headers = {
      'content-type': 'application/json',
      'cache-control': `public, max-age=${MAX_AGE}`,
      'x-content-type-options': 'nosniff',
      'sluice-decision-id': entry.id,
    };
    const body = method === 'HEAD' ? null : Buffer.from(text);
    await release({ status: 200, headers, body }, null, reply, entry, stages);
  };
