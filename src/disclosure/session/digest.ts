/** Keyed digests of data-subject ids for the decision record: an auditor who holds the key can search for one person. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { TreatmentKeys } from '../treatments/treatment.ts';

const KEPT = 50_000;

export class DigestCache {
  readonly #keys: TreatmentKeys;
  readonly #known = new LRUCache<string, string>({ max: KEPT });
  /** given bytes, Node makes a key object of them in every call: six times the time of the digest itself */
  readonly #secrets = new WeakMap<Uint8Array, KeyObject>();

  constructor(keys: TreatmentKeys) {
    this.#keys = keys;
  }

  /** @throws SluiceError `treatment_key_unknown` */
  of(id: string): string {
    const key = this.#keys.secret('data_subject');
    const name = `${key.id}:${id}`;
    let digest = this.#known.get(name);
    if (digest === undefined) {
      digest = `hmac:${key.id}:${createHmac('sha256', this.#secret(key.bytes)).update(id, 'utf8').digest('hex')}`;
      this.#known.set(name, digest);
    }
    return digest;
  }

  #secret(bytes: Uint8Array): KeyObject {
    let secret = this.#secrets.get(bytes);
    if (secret === undefined) {
      secret = createSecretKey(bytes);
      this.#secrets.set(bytes, secret);
    }
    return secret;
  }
}
