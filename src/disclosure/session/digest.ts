/** Keyed digests of data-subject ids for the decision record, for callers without a decision log. The log's own digests are cached there. */
import { createHmac } from 'node:crypto';
import type { TreatmentKeys } from '../treatments/treatment.ts';

/** The digest of an id. The function throws SluiceError `treatment_key_unknown` if there is no key. */
export const digestBy =
  (keys: TreatmentKeys): ((id: string) => string) =>
  (id) => {
    const key = keys.secret('data_subject');
    return `hmac:${key.id}:${createHmac('sha256', key.bytes).update(id, 'utf8').digest('hex')}`;
  };
