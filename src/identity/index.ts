/**
 * Credentials → Subject: bearer tokens, API keys, client certificates. A verified token is cached by its digest, so that a signature is
 * checked once. The entry ends when the token expires, when its issuer's keys change, and at the latest when those keys would have to be
 * fetched again. Revocations are not cached: they are checked for every request.
 */
import { LRUCache } from 'lru-cache';
import { type IdentityConfig, realmsIn, takesApiKeys } from './section.ts';
import { SluiceError } from '../errors.ts';
import { createInvalidation, type Invalidation } from '../model/invalidation.ts';
import { LOCAL_REALM } from '../model/realm.ts';
import { type Clock, millis } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { createApiKeys, unknownKey } from './api-keys.ts';
import { createCertificates, fingerprintOf } from './certificates.ts';
import { digestOf } from './digests.ts';
import { createKeySet } from './keys.ts';
import { NO_REVOCATIONS, openRevocations } from './revocations.ts';
import type { IdentityStore } from './store-memory.ts';
import { createStoredApiKeys } from './stored-api-keys.ts';
import { createStoredRevocations } from './stored-revocations.ts';
import { type Issuer, type Verified, verifyToken } from './tokens.ts';
import type { Authenticated, Headers, Identity, Peer } from './types.ts';

export {
  type ApiKeyRecords,
  type ApiKeyRow,
  createApiKeyRecords,
  type NewApiKey,
} from './api-key-records.ts';
export { createAssertionVerifier } from './assertions.ts';
export { IDENTITY_MIGRATIONS } from './migrations.ts';
export {
  createRevocationRecords,
  type Revocation,
  type RevocationRecords,
  type RevocationTarget,
  type Terms,
} from './revocation-records.ts';
export { createSecurityEvents } from './security-events.ts';
export { realmsOf, takesApiKeys } from './section.ts';
export type { Authenticated, Headers, Identity, Peer } from './types.ts';

export interface IdentityDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fetch?: typeof fetch;
  readonly invalidation?: Invalidation;
  /** for `identity.revocations_in_store` and `api_keys_in_store` */
  readonly store?: IdentityStore;
}

interface Remembered {
  readonly authenticated: Authenticated;
  /** of its issuer's keys: `millis` of the clock */
  readonly trustedUntil: number;
}

/** RFC 6750 §2.1; the scheme's name is case-insensitive (RFC 9110 §11.1). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** Reads key files immediately, and throws `config_invalid` if one is unusable. Key URLs are fetched at the first use. */
export function createIdentity(config: IdentityConfig, deps: IdentityDependencies): Identity {
  const { clock, logger, invalidation = createInvalidation() } = deps;
  const realms = realmsIn(config);
  const issuers = new Map<string, Issuer>(
    config.issuers.map((c) => {
      const onChange = (): void => invalidation.announce({ kind: 'keys', scope: { issuer: c.issuer } });
      return [c.issuer, { config: c, realms, keys: createKeySet(c.issuer, c.jwks, { ...deps, onChange }) }];
    }),
  );
  const realm = realms.length === 0 ? undefined : LOCAL_REALM;
  const apiKey = createApiKeys(config.api_keys, clock, realm);
  const apiKeyHeader = config.api_key_header.toLowerCase();
  const certificateOf = createCertificates(config.certificates, clock, realm);
  const revocations =
    config.revocations === undefined
      ? NO_REVOCATIONS
      : openRevocations(config.revocations, {
          clock,
          logger,
          onChange: () => invalidation.announce({ kind: 'revocations', scope: 'all' }),
        });
  const stored =
    config.revocations_in_store && deps.store !== undefined
      ? createStoredRevocations({ ...deps.store, invalidation, clock, logger })
      : null;
  const storedKeys =
    config.api_keys_in_store && deps.store !== undefined
      ? createStoredApiKeys({ ...deps.store, invalidation, clock, logger }, realm)
      : null;
  const inStore = [stored, storedKeys].filter((part) => part !== null);
  const memory = new LRUCache<string, Remembered>({ max: Math.max(config.remembered, 1) });
  const underway = new Map<string, Promise<Verified>>();
  let hits = 0;
  let misses = 0;
  const unsubscribe = invalidation.subscribe(({ kind, scope }) => {
    // Revocations are checked for every request, and nothing else changes what a token says.
    if (kind !== 'keys') return;
    const issuer = typeof scope === 'object' && 'issuer' in scope ? scope.issuer : null;
    for (const [digest, { authenticated }] of memory.entries())
      if (issuer === null || authenticated.issuer === issuer) memory.delete(digest);
    // A token that is sent from now on is not judged by a verification that began with the keys before.
    underway.clear();
  });

  function recall(digest: string): Remembered | null {
    const entry = memory.get(digest);
    if (!entry) return null;
    if (entry.authenticated.expires > clock.now().getTime() && entry.trustedUntil > millis(clock))
      return entry;
    memory.delete(digest);
    return null;
  }

  async function verify(token: string, digest: string): Promise<Verified> {
    try {
      const verified = await verifyToken(token, issuers, clock);
      const { authenticated, keys, generation } = verified;
      // The keys may have changed while the signature was checked: then the token is verified again when it is next sent.
      if (config.remembered > 0 && keys.generation() === generation)
        memory.set(digest, {
          authenticated,
          trustedUntil: keys.trustedUntil(),
        });
      return verified;
    } finally {
      underway.delete(digest);
    }
  }

  function bearer(token: string): Authenticated | Promise<Authenticated> {
    if (token.length > config.token_bytes)
      throw new SluiceError(
        'token_malformed',
        `The token is longer than ${config.token_bytes} bytes (identity.token_bytes).`,
      );
    const digest = digestOf(token);
    const known = recall(digest);
    if (known) {
      hits += 1;
      return known.authenticated;
    }
    misses += 1;
    let pending = underway.get(digest);
    if (!pending) {
      pending = verify(token, digest);
      underway.set(digest, pending);
    }
    return pending.then(({ authenticated }) => authenticated);
  }

  function check(authenticated: Authenticated, { certificate }: Peer): void | Promise<void> {
    // A connection is no safer than its certificate, whatever other credential is sent over it.
    if (certificate !== undefined) revocations.checkDigest(fingerprintOf(certificate));
    revocations.check(authenticated);
    return stored?.check(authenticated, certificate === undefined ? null : fingerprintOf(certificate));
  }

  function admitted(authenticated: Authenticated, peer: Peer): Authenticated | Promise<Authenticated> {
    const checked = check(authenticated, peer);
    return checked === undefined ? authenticated : checked.then(() => authenticated);
  }

  return {
    authenticate(headers, peer) {
      const { certificate } = peer;
      // Before a token is verified: who shows a revoked certificate is told of nothing else.
      if (certificate !== undefined) revocations.checkDigest(fingerprintOf(certificate));
      const authorization = one(headers, 'authorization');
      const key = takesApiKeys(config) ? one(headers, apiKeyHeader) : undefined;
      if (authorization !== undefined && key !== undefined)
        throw new SluiceError(
          'token_malformed',
          'The request has both an Authorization header and an API key. Send only one.',
        );
      if (authorization !== undefined) {
        const known = bearer(tokenOf(authorization));
        return known instanceof Promise ? known.then((k) => admitted(k, peer)) : admitted(known, peer);
      }
      if (key !== undefined) {
        const known = apiKey(key) ?? storedKeys?.find(key) ?? null;
        if (known === null) throw unknownKey();
        return known instanceof Promise ? known.then((k) => admitted(k, peer)) : admitted(known, peer);
      }
      const found = certificate && certificateOf(certificate);
      if (!found)
        throw new SluiceError(
          'token_missing',
          'The request has no credential of a kind that is configured. Send a bearer token.',
        );
      return admitted(found, peer);
    },
    recheck(authenticated, peer) {
      const key = authenticated.issuer.startsWith('api-key:')
        ? storedKeys?.recheck(authenticated)
        : undefined;
      return key === undefined ? check(authenticated, peer) : key.then(() => check(authenticated, peer));
    },
    async ready() {
      const all = await Promise.all([
        ...[...issuers.values()].map(({ keys }) => keys.ready()),
        ...inStore.map((part) => part.ready()),
      ]);
      return [revocations.ready(), ...all].find((r) => !r.ok) ?? { ok: true };
    },
    get remembered() {
      return { size: memory.size, hits, misses };
    },
    refresh() {
      for (const { keys } of issuers.values()) keys.refresh();
      revocations.refresh();
      for (const part of inStore) part.refresh();
    },
    async close() {
      unsubscribe();
      for (const { keys } of issuers.values()) keys.close();
      revocations.close();
      for (const part of inStore) part.close();
      memory.clear();
    },
  };
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return value;
  // It is unknown which of two values the upstream, or a proxy before Sluice, would use.
  throw new SluiceError('token_malformed', `The header ${name} is repeated.`);
}

function tokenOf(authorization: string): string {
  const token = BEARER.exec(authorization)?.[1];
  if (token !== undefined) return token;
  if (/^bearer(?: |$)/i.test(authorization))
    throw new SluiceError('token_malformed', 'The Authorization header must be "Bearer" and one token.');
  throw new SluiceError('token_missing', 'The Authorization header has a scheme other than Bearer.');
}
