/**
 * Security Event Tokens (RFC 8417) of transmitters that are configured: an identity provider says that a session was revoked (OpenID CAEP 1.0) or an account
 * disabled (OpenID RISC 1.0). No message here has any part of a token in it.
 */
import { decodeJwt, errors, jwtVerify } from 'jose';
import { SluiceError } from '../errors.ts';
import type { SecurityEvent, SecurityEvents } from '../model/security-event.ts';
import { createKeySet, type KeyDependencies } from './keys.ts';
import type { SecurityEventsConfig } from './section.ts';

/** of the event types that take access away → whether of older credentials only */
const REVOKING: Readonly<Record<string, 'older' | 'all'>> = {
  'https://schemas.openid.net/secevent/caep/event-type/session-revoked': 'older',
  'https://schemas.openid.net/secevent/caep/event-type/credential-change': 'older',
  'https://schemas.openid.net/secevent/risc/event-type/credential-compromise': 'older',
  'https://schemas.openid.net/secevent/risc/event-type/account-disabled': 'all',
  'https://schemas.openid.net/secevent/risc/event-type/account-purged': 'all',
};

const MOST_BYTES = 64 * 1024;

export function createSecurityEvents(
  config: SecurityEventsConfig,
  deps: Omit<KeyDependencies, 'onChange'>,
): SecurityEvents {
  const transmitters = new Map(
    config.map((one) => [one.issuer, { config: one, keys: createKeySet(one.issuer, one.jwks, deps) }]),
  );
  return {
    async verify(token) {
      const issuer = token.length <= MOST_BYTES ? issuerOf(token) : null;
      const transmitter = issuer === null ? undefined : transmitters.get(issuer);
      if (transmitter === undefined)
        throw new SluiceError(
          'token_issuer_unknown',
          'The event is of a transmitter that is not configured (identity.security_events).',
        );
      const { config: one, keys } = transmitter;
      const claims = await verified(token, keys.find, {
        algorithms: [...one.algorithms],
        issuer: one.issuer,
        audience: [...one.audience],
        // RFC 8417 §2.3: other kinds of tokens of the same issuer are no events.
        typ: 'secevent+jwt',
        requiredClaims: ['iat', 'jti', 'events'],
        currentDate: deps.clock.now(),
      });
      return eventOf(claims, one);
    },
    close() {
      for (const { keys } of transmitters.values()) keys.close();
    },
  };
}

/** Read before verification, only to choose the transmitter's keys. */
function issuerOf(token: string): string | null {
  try {
    return decodeJwt(token).iss ?? null;
  } catch {
    throw invalid('it is no signed JSON Web Token');
  }
}

async function verified(
  token: string,
  find: ReturnType<typeof createKeySet>['find'],
  options: Parameters<typeof jwtVerify>[2],
): Promise<Record<string, unknown>> {
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (e) {
    if (e instanceof SluiceError) throw e;
    if (e instanceof errors.JWSSignatureVerificationFailed)
      throw new SluiceError(
        'token_signature_invalid',
        "The event's signature was not made by its transmitter.",
      );
    if (e instanceof errors.JWKSNoMatchingKey)
      throw new SluiceError(
        'token_key_unknown',
        'The event is signed with a key that its transmitter does not publish.',
      );
    if (e instanceof errors.JOSEAlgNotAllowed)
      throw new SluiceError(
        'token_algorithm_not_allowed',
        'The event is signed with an algorithm that is not configured.',
      );
    if (e instanceof errors.JWTClaimValidationFailed) {
      if (e.claim === 'aud')
        throw new SluiceError('token_audience_mismatch', 'The event is meant for another receiver.');
      throw invalid(`its "${e.claim}" is missing or is not as expected`);
    }
    throw invalid('it cannot be read');
  }
}

function eventOf(
  claims: Record<string, unknown>,
  { issuer, subjects_of }: SecurityEventsConfig[number],
): SecurityEvent {
  const { jti, iat, toe, sub_id, events } = claims;
  if (!isKept(jti)) throw invalid(`its "jti" is no text of 1 to ${LONGEST} characters`);
  // OpenID Shared Signals Framework 1.0: one event a token.
  const [[uri, about] = [null, null], ...more] = isObject(events) ? Object.entries(events) : [];
  if (uri === null || more.length > 0) throw invalid('it has none or several events');
  if (!isKept(uri)) throw invalid(`the name of its event is no text of 1 to ${LONGEST} characters`);
  const type = uri.split('/').at(-1) ?? uri;
  const how = Object.hasOwn(REVOKING, uri) ? REVOKING[uri] : undefined;
  if (how === undefined) return { transmitter: issuer, id: jti, type, revokes: null };
  const details = isObject(about) ? about : {};
  const named = subjectIn(sub_id ?? details['subject']);
  // A transmitter speaks of its own users, and of those of the issuers that are configured for it.
  if (named.issuer !== null && named.issuer !== issuer && !subjects_of.includes(named.issuer))
    throw invalid(
      'its subject is a user of an issuer that this transmitter does not speak for (subjects_of)',
    );
  const at = [details['event_timestamp'], toe, iat].find((t) => typeof t === 'number') as number | undefined;
  if (at === undefined) throw invalid('it does not say when');
  // Until the end of that second: a token of the same second may be older. Early drafts have milliseconds.
  const before = at > 1e11 ? Math.ceil(at) : (Math.floor(at) + 1) * 1_000;
  if (!Number.isSafeInteger(before)) throw invalid('its time is none');
  return {
    transmitter: issuer,
    id: jti,
    type,
    revokes: {
      subject: named.subject,
      issuer: named.issuer ?? subjects_of[0] ?? issuer,
      issued_before: how === 'all' ? null : before,
    },
  };
}

/** RFC 9493 subject identifiers: the formats that can name a subject of Sluice. */
function subjectIn(value: unknown): { readonly subject: string; readonly issuer: string | null } {
  const text = (v: unknown): v is string => typeof v === 'string' && v !== '';
  if (isObject(value)) {
    const { format, iss, sub, id, email, user } = value;
    if (format === 'iss_sub' && text(iss) && text(sub)) return { subject: sub, issuer: iss };
    if (format === 'opaque' && text(id)) return { subject: id, issuer: null };
    if (format === 'email' && text(email)) return { subject: email, issuer: null };
    if ((format === 'complex' || format === undefined) && isObject(user)) return subjectIn(user);
  }
  throw invalid('its subject is not named by iss_sub, opaque, email, or a complex subject with such a user');
}

const LONGEST = 512;

/** A text that the store and the decision record keep as it is. */
const isKept = (value: unknown): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  value.length <= LONGEST &&
  !value.includes('\0') &&
  value.isWellFormed();

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (why: string): SluiceError =>
  new SluiceError('security_event_invalid', `The security event is not accepted: ${why}.`);
