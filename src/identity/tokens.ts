/** JSON Web Tokens (RFC 7519, RFC 8725) → what they prove. No message here has any part of a token in it. */
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { IssuerConfig } from './section.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Clock } from '../observability/clock.ts';
import { agentOf } from './agents.ts';
import { type Claims, claimAt, freeze, subjectOf } from './claims.ts';
import { digestsOfToken } from './digests.ts';
import type { KeySet } from './keys.ts';
import type { Authenticated } from './types.ts';

export interface Issuer {
  readonly config: IssuerConfig;
  readonly keys: KeySet;
  /** of all issuers */
  readonly realms: readonly string[];
}

export interface Verified {
  readonly authenticated: Authenticated;
  readonly keys: KeySet;
  /** of the keys it was verified with */
  readonly generation: number;
}

/** Keys that a token without a key id may fit: more are not tried, since each costs a verification that nobody has paid for with a credential. */
export const MAX_TRIES = 8;

/** @throws SluiceError `token_*`, `keys_unavailable` */
export async function verifyToken(
  token: string,
  issuers: ReadonlyMap<string, Issuer>,
  clock: Clock,
): Promise<Verified> {
  const { alg, iss } = peek(token);
  // RFC 8725 §3.1: "none" in any spelling is no algorithm.
  if (typeof alg === 'string' && /^none$/i.test(alg))
    throw new SluiceError('token_unsigned', 'The token is not signed.');
  if (!isCanonical(token)) throw malformed();
  const issuer = issuers.get(typeof iss === 'string' ? iss : '');
  if (!issuer)
    throw new SluiceError(
      'token_issuer_unknown',
      'The token is of an issuer that is not configured (identity.issuers).',
    );
  const { config, keys, realms } = issuer;
  if (!config.algorithms.includes(alg as (typeof config.algorithms)[number])) throw notAllowed();
  const options: JWTVerifyOptions = {
    algorithms: [...config.algorithms],
    issuer: config.issuer,
    audience: [...config.audience],
    clockTolerance: config.clock_tolerance / 1000,
    currentDate: clock.now(),
    requiredClaims: ['exp'],
    ...(config.typ === undefined ? {} : { typ: config.typ }),
    ...(config.max_token_age === undefined ? {} : { maxTokenAge: config.max_token_age / 1000 }),
  };
  const { claims, generation } = await verified(token, keys, options);
  // jose checks the age of a token only if `maxTokenAge` is set.
  if (
    typeof claims['iat'] === 'number' &&
    claims['iat'] * 1000 > clock.now().getTime() + config.clock_tolerance
  )
    throw notYet();
  for (const name of config.required_claims)
    if (claimAt(claims, name) === undefined)
      throw new SluiceError('token_claims_invalid', `The token lacks the claim "${name}" (required_claims).`);
  const agent = agentOf(claims, config, realms);
  return {
    keys,
    generation,
    authenticated: freeze({
      subject: subjectOf(claims, config, realms),
      ...(agent === null ? {} : { agent }),
      claims,
      digests: digestsOfToken(token, alg as string),
      issuer: config.issuer,
      expires: (claims['exp'] as number) * 1000 + config.clock_tolerance,
      purpose: config.purpose ?? null,
    }),
  };
}

/**
 * A token may be signed by a new key under a known id, or name no id: only the failed signature shows that the issuer has replaced the key.
 * So the keys are fetched once more, as for an unknown id.
 */
async function verified(
  token: string,
  keys: KeySet,
  options: JWTVerifyOptions,
): Promise<{ readonly claims: Claims; readonly generation: number }> {
  // Read the generation first: if the keys change meanwhile, the cached entry is out of date at once.
  const generation = keys.generation();
  try {
    return { claims: await verify(token, keys, options), generation };
  } catch (e) {
    const replaced = e instanceof errors.JWSSignatureVerificationFailed && (await keys.renew(generation));
    if (!replaced) throw translate(e);
  }
  const renewed = keys.generation();
  try {
    return { claims: await verify(token, keys, options), generation: renewed };
  } catch (e) {
    throw translate(e);
  }
}

/** RFC 7515 §2: base64url without padding. Decoders accept other encodings of the same bytes, whose digest no revocation list would contain. */
const isCanonical = (token: string): boolean => {
  const parts = token.split('.');
  return (
    parts.length === 3 && parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
  );
};

/** Read before verification, only to choose the issuer's keys. */
function peek(token: string): { alg: unknown; iss: unknown } {
  try {
    return { alg: decodeProtectedHeader(token).alg, iss: decodeJwt(token).iss };
  } catch {
    throw malformed();
  }
}

async function verify(token: string, keys: KeySet, options: JWTVerifyOptions): Promise<Claims> {
  try {
    return (await jwtVerify(token, keys.find, options)).payload;
  } catch (e) {
    if (!(e instanceof errors.JWKSMultipleMatchingKeys)) throw e;
    // The token names no key, and several are possible.
    let tries = 0;
    for await (const key of e as unknown as AsyncIterable<CryptoKey>) {
      if (++tries > MAX_TRIES) break;
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** jose's errors contain the token's payload, so none is kept as a cause. */
function translate(e: unknown): SluiceError {
  if (isSluiceError(e)) return e;
  if (e instanceof errors.JWTExpired) return new SluiceError('token_expired', 'The token has expired.');
  if (e instanceof errors.JWTClaimValidationFailed) return claimFailed(e.claim, e.reason);
  if (e instanceof errors.JWSSignatureVerificationFailed)
    return new SluiceError('token_signature_invalid', "The token's signature was not made by its issuer.");
  if (e instanceof errors.JOSEAlgNotAllowed) return notAllowed();
  if (e instanceof errors.JWKSNoMatchingKey)
    return new SluiceError(
      'token_key_unknown',
      'The token is signed with a key that its issuer does not publish.',
    );
  if (
    e instanceof errors.JWTInvalid ||
    e instanceof errors.JWSInvalid ||
    e instanceof errors.JOSENotSupported
  )
    return malformed();
  // The remaining errors concern unusable keys: too short, or of a wrong type.
  return new SluiceError('token_key_unknown', "The issuer's key for this token cannot be used.");
}

function claimFailed(claim: string, reason: string): SluiceError {
  if (claim === 'aud')
    return new SluiceError('token_audience_mismatch', 'The token is meant for another audience.');
  if (claim === 'iss') return new SluiceError('token_issuer_unknown', 'The token is of another issuer.');
  // Otherwise the claim is missing or not a number.
  if ((claim === 'nbf' || claim === 'iat') && reason === 'check_failed') return notYet();
  return new SluiceError('token_claims_invalid', `The token's "${claim}" is missing or has the wrong type.`);
}

const notYet = (): SluiceError =>
  new SluiceError(
    'token_not_yet_valid',
    'The token is not valid yet (nbf), or was issued in the future (iat).',
  );

const notAllowed = (): SluiceError =>
  new SluiceError(
    'token_algorithm_not_allowed',
    'The token is signed with an algorithm that its issuer is not configured for.',
  );

const malformed = (): SluiceError =>
  new SluiceError('token_malformed', 'The token is not a signed JSON Web Token that can be read.');
