/** API keys → Subject. Only digests are stored, so a reader of the configuration cannot use the keys. */
import { hash } from 'node:crypto';
import type { IdentityConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { startOf } from '../model/moment.ts';
import type { Clock } from '../observability/clock.ts';
import { configuredAgent } from './agents.ts';
import { configuredSubject, NO_CLAIMS } from './claims.ts';
import type { Authenticated } from './types.ts';

export const MAX_LENGTH = 512;

export const unknownKey = (): SluiceError =>
  new SluiceError('token_key_unknown', 'The API key is not known.');
export const expiredKey = (): SluiceError => new SluiceError('token_expired', 'The API key has expired.');

/** Null: no such key is configured. @throws SluiceError `token_expired` */
export function createApiKeys(
  keys: IdentityConfig['api_keys'],
  clock: Clock,
  realm: string | undefined,
): (key: string) => Authenticated | null {
  // The lookup uses the digest, so its duration reveals nothing about a key.
  const known = new Map(
    keys.map(({ id, sha256, expires, subject }): [string, Authenticated] => [
      sha256,
      Object.freeze({
        subject: configuredSubject(subject, [], realm),
        ...configuredAgent(subject, `api-key:${id}`, realm),
        claims: NO_CLAIMS,
        digests: [sha256],
        issuer: `api-key:${id}`,
        expires: expires === undefined ? Number.POSITIVE_INFINITY : startOf(expires),
        purpose: subject.purpose ?? null,
      }),
    ]),
  );
  return (key) => {
    const found = key.length > MAX_LENGTH ? undefined : known.get(hash('sha256', key, 'hex'));
    if (!found) return null;
    if (!(found.expires > clock.now().getTime())) throw expiredKey();
    return found;
  };
}
