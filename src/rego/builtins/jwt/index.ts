/** `io.jwt.*`: JSON Web Tokens (RFC 7519) in JWS compact form (RFC 7515). */
import { createSecretKey } from 'node:crypto';
import { compareNumbers } from '../../order.ts';
import {
  bytesOf,
  isNumber,
  numberOf,
  numberText,
  parseJson,
  type RegoNumber,
  type RegoObject,
  type RegoValue,
} from '../../values.ts';
import { base64url } from '../encoding.ts';
import { marshal } from '../json/objects.ts';
import { fail, isLimit, object, string } from '../operands.ts';
import type { Builtin, EvaluationContext, Family } from '../types.ts';
import { ALGORITHMS, jwks, type Key, verificationKeys } from './keys.ts';
import { sign, verifies } from './signatures.ts';

interface Token {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  /** the bytes that are signed */
  readonly signed: Uint8Array;
}

const split = (text: string): Token => {
  const parts = text.split('.');
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return fail('a token has three parts');
  }
  return { header, payload, signature, signed: bytesOf(`${header}.${payload}`) };
};

const jsonObject = (bytes: Uint8Array): RegoObject => {
  try {
    return object(parseJson(Buffer.from(bytes).toString('utf8')));
  } catch (e) {
    if (isLimit(e)) throw e;
    return fail('not a JSON object');
  }
};

const headerOf = (token: Token): RegoObject => {
  const header = jsonObject(base64url(token.header));
  return header.has('enc') ? fail('the token is encrypted') : header;
};

const decode = (text: string): RegoValue[] => {
  const token = split(text);
  const header = headerOf(token);
  const payload = base64url(token.payload);
  const cty = header.get('cty');
  // A nested token may be in quotes.
  if (cty !== undefined && string(cty) === 'JWT') {
    return decode(
      Buffer.from(payload)
        .toString('utf8')
        .replace(/^["']+|(?<!["'])["']+$/g, ''),
    );
  }
  return [header, jsonObject(payload), Buffer.from(base64url(token.signature)).toString('hex')];
};

interface Header {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** the header has an algorithm and no unknown critical parameter */
  readonly valid: boolean;
}

const UNDERSTOOD = ['alg', 'kid', 'typ', 'cty', 'crit'];

const headerFields = (header: RegoObject): Header => {
  const text = (name: string): string => {
    const v = header.get(name);
    return v === undefined ? '' : string(v);
  };
  text('typ');
  const crit = header.get('crit');
  if (crit !== undefined && !(Array.isArray(crit) && typeof crit[0] === 'string'))
    return fail('crit must be a list of names');
  const critical = Array.isArray(crit)
    ? crit.slice(0, crit.findIndex((c) => typeof c !== 'string') >>> 0)
    : [];
  const alg = text('alg');
  const unknown = critical.some((name) => !UNDERSTOOD.includes(name as string) && header.has(name));
  return { alg, kid: text('kid'), cty: text('cty'), valid: alg !== '' && !unknown };
};

/** the keys to try: the one with the token's key id; if there is none, all whose algorithm is the token's or is not given */
const candidates = (keys: readonly Key[], kid: string, alg: string): readonly Key[] => {
  const named = kid === '' ? undefined : keys.find((k) => k.kid === kid);
  return named !== undefined ? [named] : keys.filter((k) => k.alg === '' || k.alg === alg);
};

const verify =
  (alg: string): Builtin =>
  ([token, key]) => {
    const t = split(string(token));
    const source = string(key);
    if (alg.startsWith('HS')) {
      return verifies(alg, createSecretKey(bytesOf(source)), t.signed, base64url(t.signature));
    }
    const keys = verificationKeys(source);
    const signature = base64url(t.signature);
    const header = headerFields(headerOf(t));
    return candidates(keys, header.kid, header.alg).some((k) => verifies(alg, k.key, t.signed, signature));
  };

interface Constraints {
  readonly keys: readonly Key[] | undefined;
  readonly secret: string;
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** nanoseconds */
  readonly time: number;
}

const KNOWN = ['cert', 'secret', 'alg', 'iss', 'aud', 'time'];

const constraintsOf = (o: RegoObject, context: EvaluationContext): Constraints => {
  for (const name of o.keys()) if (!KNOWN.includes(string(name))) return fail('unknown constraint');
  const text = (name: string): string => {
    const v = o.get(name);
    return v === undefined ? '' : string(v);
  };
  const cert = o.get('cert');
  const at = o.get('time');
  const time =
    at === undefined
      ? Number(context.nowNs)
      : isNumber(at)
        ? Number(numberText(at))
        : fail('time must be a number');
  if (!(time >= 0) || !Number.isFinite(time)) return fail('time must not be negative');
  const keys = cert === undefined ? undefined : verificationKeys(string(cert));
  const secret = text('secret');
  if ((keys === undefined) === (secret === '')) return fail('exactly one of cert and secret is required');
  return { keys, secret, alg: text('alg'), iss: text('iss'), aud: text('aud'), time };
};

const signatureHolds = (c: Constraints, header: Header, token: Token): boolean => {
  if (!ALGORITHMS.has(header.alg)) return false;
  const signature = base64url(token.signature);
  const keys: readonly Key[] =
    c.keys === undefined
      ? [{ key: createSecretKey(bytesOf(c.secret)), alg: '', kid: '' }]
      : candidates(c.keys, header.kid, header.alg);
  return keys.some((k) => verifies(header.alg, k.key, token.signed, signature));
};

const audienceFits = (aud: RegoValue, wanted: string): boolean =>
  typeof aud === 'string' ? aud === wanted : Array.isArray(aud) && aud.includes(wanted);

/** checks the claims registered in RFC 7519, 4.1 */
const claimsHold = (payload: RegoObject, c: Constraints): boolean => {
  if (c.iss !== '') {
    const iss = payload.get('iss');
    if (iss === undefined || string(iss) !== c.iss) return false;
  }
  const aud = payload.get('aud');
  if (aud === undefined ? c.aud !== '' : !audienceFits(aud, c.aud)) return false;
  const now: RegoNumber = numberOf(String(c.time / 1e9));
  const when = (name: string): RegoNumber | undefined => {
    const v = payload.get(name);
    return v === undefined || isNumber(v) ? v : fail(`${name} must be a number`);
  };
  const exp = when('exp');
  if (exp !== undefined && compareNumbers(now, exp) >= 0) return false;
  const nbf = when('nbf');
  return nbf === undefined || compareNumbers(now, nbf) >= 0;
};

const NESTED = 16;

const decodeVerify = (text: string, o: RegoObject, context: EvaluationContext): RegoValue => {
  const refused: RegoValue = [false, new Map(), new Map()];
  const constraints = constraintsOf(o, context);
  let inner = text;
  for (let depth = 0; depth < NESTED; depth++) {
    const token = split(inner);
    const decoded = headerOf(token);
    const header = headerFields(decoded);
    if (!header.valid || (constraints.alg !== '' && constraints.alg !== header.alg)) return refused;
    if (!signatureHolds(constraints, header, token)) return refused;
    const bytes = base64url(token.payload);
    if (header.cty.toUpperCase() === 'JWT') {
      inner = Buffer.from(bytes).toString('utf8');
      continue;
    }
    const payload = jsonObject(bytes);
    return claimsHold(payload, constraints) ? [true, decoded, payload] : refused;
  }
  return fail('tokens are nested too deep');
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const encodeSign = (header: string, payload: string, jwk: string): string => {
  const [key] = jwks(jwk);
  if (key === undefined) return fail('no key');
  const fields = jsonObject(bytesOf(header));
  const alg = string(fields.get('alg'));
  if (!ALGORITHMS.has(alg)) return fail('unknown algorithm');
  const typ = fields.get('typ');
  if ((typeof typ !== 'string' || typ === 'JWT') && !isJson(payload)) return fail('the payload is not JSON');
  const base64 = (text: string): string => Buffer.from(bytesOf(text)).toString('base64url');
  const signed = `${base64(header)}.${base64(payload)}`;
  return `${signed}.${sign(alg, key.key, bytesOf(signed)).toString('base64url')}`;
};

export const jwt: Family = {
  'io.jwt.decode': ([token]) => decode(string(token)),
  'io.jwt.decode_verify': ([token, constraints], context) =>
    decodeVerify(string(token), object(constraints), context),
  'io.jwt.encode_sign': ([header, payload, key]) =>
    encodeSign(marshal(object(header)), marshal(object(payload)), marshal(object(key))),
  'io.jwt.encode_sign_raw': ([header, payload, key]) =>
    encodeSign(string(header), string(payload), string(key)),
  ...Object.fromEntries(
    [...ALGORITHMS].map((alg) => [`io.jwt.verify_${alg.toLowerCase()}`, verify(alg)] as const),
  ),
};
