/**
 * Data subjects in the log are keyed HMACs: whoever reads the log sees that two decisions were about the same
 * customer, not about whom; whoever holds the key can ask for one.
 */
import { createHmac, createSecretKey, hash } from 'node:crypto';

export interface DataSubjectHasher {
  /** `hmac:<key id>:<hex>`; what is one already stays as it is */
  (id: string): string;
  /** first 8 hex digits of the key's SHA-256: tells keys apart when one was exchanged */
  readonly kid: string;
}

const HASHED = /^hmac:[0-9a-f]{8}:[0-9a-f]{64}$/;

export const isHashed = (id: string): boolean => id.startsWith('hmac:') && HASHED.test(id);

/** A record names one id several times. More would only fill memory: an export names every data subject once. */
const RECENT = 256;
const LONGEST_RECENT = 256;

export function dataSubjectHasher(key: Buffer): DataSubjectHasher {
  const kid = hash('sha256', key, 'hex').slice(0, 8);
  const prefix = `hmac:${kid}:`;
  // given bytes, Node makes a key object of them in every call
  const secret = createSecretKey(key);
  const recent = new Map<string, string>();
  const hasher = (id: string): string => {
    if (isHashed(id)) return id;
    let hashed = recent.get(id);
    if (hashed === undefined) {
      hashed = prefix + createHmac('sha256', secret).update(id, 'utf8').digest('hex');
      if (recent.size >= RECENT) recent.clear();
      if (id.length <= LONGEST_RECENT) recent.set(id, hashed);
    }
    return hashed;
  };
  return Object.assign(hasher, { kid });
}
