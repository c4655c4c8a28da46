/** An issuer with real keys, and an identity stage that trusts it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { parseConfig } from '../../src/config/index.ts';
import type { IdentityConfig } from '../../src/identity/section.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { isSluiceError } from '../../src/errors.ts';
import { createIdentity, type Identity } from '../../src/identity/index.ts';
import type { Clock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';

export const ISSUER = 'https://idp.example.com';
export const AUDIENCE = 'sluice';
export const NOW = Date.parse('2026-11-22T08:00:00Z');

export class SettableClock implements Clock {
  time = NOW;
  /** milliseconds by which somebody has set it */
  set = 0;
  now(): Date {
    return new Date(this.time + this.set);
  }
  micros(): number {
    return this.time * 1000;
  }
}

export interface TestKey {
  readonly jwk: JWK;
  readonly sign: (
    payload?: Record<string, unknown>,
    header?: Partial<JWTHeaderParameters>,
  ) => Promise<string>;
  readonly privateKey: CryptoKey;
}

export async function newKey(kid: string | null = 'k1', alg = 'ES256'): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), alg, ...(kid === null ? {} : { kid }) };
  return {
    jwk,
    privateKey: privateKey as CryptoKey,
    sign: (payload = {}, header = {}) =>
      new SignJWT(claims(payload))
        .setProtectedHeader({ alg, ...(kid === null ? {} : { kid }), ...header })
        .sign(privateKey),
  };
}

/** Claims of a valid token; undefined takes one out. */
export const claims = (payload: Record<string, unknown> = {}): JWTPayload =>
  Object.fromEntries(
    Object.entries({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'u-17',
      iat: NOW / 1000 - 10,
      exp: NOW / 1000 + 600,
      ...payload,
    }).filter(([, v]) => v !== undefined),
  );

/** The section `identity` as `loadConfig` would give it, from YAML in JSON's spelling. */
export function identityConfig(identity: unknown): IdentityConfig {
  const text = JSON.stringify({
    version: 1,
    listen: { tls: { cert: 'c', key: 'k', client_ca: 'ca' } },
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity,
    policy: { dir: '.' },
    consent: { file: 'consents.yaml' },
    routes: [{ match: 'GET /', upstream: 'crm', resource: 'x', action: 'read' }],
  });
  return parseConfig(text, 'sluice.yaml', {}).config.identity;
}

export const issuerOf = (keys: readonly JWK[], more: object = {}): object => ({
  issuer: ISSUER,
  audience: AUDIENCE,
  jwks: { keys },
  algorithms: ['ES256'],
  ...more,
});

export function identityWith(identity: unknown, clock: Clock = new SettableClock()): Identity {
  return createIdentity(identityConfig(identity), { clock, logger: silentLogger });
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
export const NOBODY = { ip: '127.0.0.1' };

/** The code that a credential is refused with, or `accepted`; fails if the refusal shows any of the secret. */
export async function verdict(
  identity: Identity,
  headers: Parameters<Identity['authenticate']>[0],
): Promise<ErrorCode | 'accepted'> {
  try {
    await identity.authenticate(headers, NOBODY);
    return 'accepted';
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    const secret = String(headers['authorization'] ?? '').replace(/^Bearer /, '');
    const told = `${e.message} ${JSON.stringify(e)} ${String(e.cause)} ${e.stack}`;
    for (const piece of secret.split('.').filter((p) => p.length > 12))
      if (told.includes(piece)) throw new Error('the refusal quotes the token');
    return e.code;
  }
}

/** A key server whose answer can be changed; counts what it is asked. */
export async function keyServer(): Promise<{
  readonly url: string;
  readonly answer: {
    status: number;
    body: string;
    headers: Record<string, string>;
    /** never answers */
    silent: boolean;
    /** answers once this is resolved */
    after: Promise<unknown> | null;
  };
  readonly asked: () => number;
  readonly close: () => Promise<void>;
}> {
  const answer = {
    status: 200,
    body: '{"keys":[]}',
    headers: {} as Record<string, string>,
    silent: false,
    after: null as Promise<unknown> | null,
  };
  let asked = 0;
  const server: Server = createServer(async (_req, res) => {
    asked += 1;
    if (answer.silent) return;
    await answer.after;
    res.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    answer,
    asked: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
