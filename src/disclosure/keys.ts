/**
 * The key ring: secrets for `pseudonymize`, `tokenize` and data-subject digests, and public keys of recipients for `encrypt`. A use can have
 * several keys. The one with the latest `from` in the past is current and is used for new values; old values can use all of them. Keys are
 * never logged and never part of a message.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { startOf } from '../model/moment.ts';
import { type Clock, systemClock } from '../observability/clock.ts';
import type { RecipientKey, SecretUse, TreatmentKey, TreatmentKeys } from './treatments/treatment.ts';

/** bytes; the output length of SHA-256 (RFC 2104, section 3) */
const SHORTEST_SECRET = 32;
/** bits; NIST SP 800-57 part 1, until 2030 */
const SHORTEST_RSA = 2048;

export type { KeyConfig };
export type KeysConfig = { readonly [id: string]: KeyConfig };

export type KeyRing = TreatmentKeys;

export interface KeyRingOptions {
  readonly clock?: Clock;
}

interface Held {
  readonly id: string;
  readonly use: KeyConfig['use'];
  readonly recipient: string | null;
  /** milliseconds since the epoch */
  readonly from: number;
  readonly material: Uint8Array | KeyObject;
}

const invalid = (id: string, what: string): SluiceError =>
  new SluiceError('config_invalid', `keys.${id}: ${what}`);

function secretBytes(id: string, text: string): Uint8Array {
  const plain = text.trim();
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(plain)) throw invalid(id, 'secret: must be base64 or base64url');
  const bytes = Buffer.from(plain, 'base64');
  if (bytes.length < SHORTEST_SECRET)
    throw invalid(id, `secret: must have at least ${SHORTEST_SECRET} bytes, has ${bytes.length}`);
  return bytes;
}

function publicKey(id: string, text: string): KeyObject {
  const wanted =
    'secret: must be the recipient’s public key, as PEM or JWK (RSA from 2048 bits, P-256, P-384, P-521, X25519)';
  let key: KeyObject;
  const plain = text.trim();
  const pem = plain.startsWith('-----') ? plain : Buffer.from(plain, 'base64').toString('utf8').trim();
  try {
    if (plain.startsWith('{')) {
      const jwk: unknown = JSON.parse(plain);
      if (typeof jwk !== 'object' || jwk === null || 'd' in jwk || 'k' in jwk)
        throw new Error('not a public JWK');
      key = createPublicKey({ key: jwk as import('node:crypto').JsonWebKey, format: 'jwk' });
    } else {
      if (/PRIVATE KEY/.test(pem)) throw new Error('a private key');
      key = createPublicKey(pem);
    }
  } catch {
    // no cause: it may quote the key
    throw invalid(id, wanted);
  }
  const details = key.asymmetricKeyDetails;
  const fits =
    (key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= SHORTEST_RSA) ||
    (key.asymmetricKeyType === 'ec' &&
      ['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '')) ||
    key.asymmetricKeyType === 'x25519';
  if (!fits) throw invalid(id, wanted);
  return key;
}

function beginning(id: string, from: string | undefined): number {
  if (from === undefined) return Number.NEGATIVE_INFINITY;
  const at = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(from) ? startOf(from) : Number.NaN;
  if (Number.isNaN(at)) throw invalid(id, 'from: must be an RFC 3339 date or time, such as 2026-01-01');
  return at;
}

function hold(id: string, config: KeyConfig): Held {
  const forRecipient = config.use === 'encrypt';
  if (forRecipient && config.recipient === undefined)
    throw invalid(id, 'a key for encrypt names its recipient');
  if (!forRecipient && config.recipient !== undefined)
    throw invalid(id, 'recipient: only a key for encrypt has one');
  return {
    id,
    use: config.use,
    recipient: config.recipient ?? null,
    from: beginning(id, config.from),
    material: forRecipient ? publicKey(id, config.secret) : secretBytes(id, config.secret),
  };
}

/**
 * Loads all keys at the start, so that a missing one is reported then and not by a request.
 * @throws SluiceError `config_invalid` that names the key by id
 */
export function createKeyRing(config: KeysConfig, options: KeyRingOptions = {}): KeyRing {
  const clock = options.clock ?? systemClock;
  const held = Object.entries(config).map(([id, key]) => hold(id, key));

  function find(use: KeyConfig['use'], recipient: string | null, id: string | undefined): Held {
    const now = clock.now().getTime();
    const fitting = held.filter((key) => key.use === use && key.recipient === recipient);
    let found: Held | undefined;
    for (const key of fitting) {
      if (
        id !== undefined
          ? key.id === id && (recipient !== null || key.from <= now)
          : key.from <= now && (found === undefined || key.from >= found.from)
      )
        found = key;
    }
    if (found !== undefined) return found;
    const whose = recipient === null ? '' : ` of recipient "${recipient}"`;
    throw new SluiceError(
      'treatment_key_unknown',
      `no ${id === undefined ? 'current ' : ''}key for ${use}${whose}${id === undefined ? '' : ' has this id'}; add one under \`keys\` in sluice.yaml`,
    );
  }

  return {
    secret(use: SecretUse, id?: string): TreatmentKey {
      const key = find(use === 'data_subject' ? 'data_subjects' : use, null, id);
      return { id: key.id, bytes: key.material as Uint8Array };
    },
    recipient(recipient: string, id?: string): RecipientKey {
      const key = find('encrypt', recipient, id);
      return { id: key.id, key: key.material as KeyObject };
    },
  };
}
