/**
 * The log names a data subject by a keyed HMAC of its id. A reader sees that two decisions concern the same customer,
 * but not which one. Only the holder of the key can search for a customer.
 */
import { hash } from 'node:crypto';
import { hmacSha256 } from './hmac.ts';

export interface DataSubjectHasher {
  /** `hmac:<key id>:<hex>`; a value in this form is returned unchanged */
  (id: string): string;
  /** first 8 hex digits of the key's SHA-256; they tell keys apart after a key rotation */
  readonly kid: string;
}

const HASHED = /^hmac:[0-9a-f]{8}:[0-9a-f]{64}$/;

export const isHashed = (id: string): boolean => id.startsWith('hmac:') && HASHED.test(id);

/** A record repeats the same id several times. A larger cache would not pay: an export names each data subject once. */
const RECENT = 256;
const LONGEST_RECENT = 256;

export function dataSubjectHasher(key: Buffer): DataSubjectHasher {
  const kid = hash('sha256', key, 'hex').slice(0, 8);
  const prefix = `hmac:${kid}:`;
  const hmac = hmacSha256(key);
  const recent = new Map<string, string>();
  const hasher = (id: string): string => {
    if (isHashed(id)) return id;
    let hashed = recent.get(id);
    if (hashed === undefined) {
      hashed = prefix + hmac(id);
      if (recent.size >= RECENT) recent.clear();
      if (id.length <= LONGEST_RECENT) recent.set(id, hashed);
    }
    return hashed;
  };
  return Object.assign(hasher, { kid });
}
