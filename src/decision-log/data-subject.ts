/**
 * Data subjects in the log are keyed HMACs: whoever reads the log sees that two decisions were about the same
 * customer, not about whom; whoever holds the key can ask for one.
 */
import { createHmac, createSecretKey, hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export interface DataSubjectHasher {
  /** `hmac:<key id>:<hex>`; what is one already stays as it is */
  (id: string): string;
  /** first 8 hex digits of the key's SHA-256: tells keys apart when one was exchanged */
  readonly kid: string;
}

const HASHED = /^hmac:[0-9a-f]{8}:[0-9a-f]{64}$/;

export const isHashed = (id: string): boolean => HASHED.test(id);

export function dataSubjectHasher(key: Buffer): DataSubjectHasher {
  const kid = hash('sha256', key, 'hex').slice(0, 8);
  const known = new LRUCache<string, string>({ max: 10_000 });
  // given bytes, Node makes a key object of them in every call: six times the time of the digest itself
  const secret = createSecretKey(key);
  const hasher = (id: string): string => {
    if (HASHED.test(id)) return id;
    let hashed = known.get(id);
    if (hashed === undefined) {
      hashed = `hmac:${kid}:${createHmac('sha256', secret).update(id).digest('hex')}`;
      known.set(id, hashed);
    }
    return hashed;
  };
  return Object.assign(hasher, { kid });
}
