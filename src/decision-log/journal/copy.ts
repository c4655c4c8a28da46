/**
 * A complete record as a line, for the index, sinks and exports. It can be verified on its own. A record of version 1 is its
 * line in the journal. A record of version 2 has a member `proof` with the salts: whoever makes the payload and the shared
 * documents again from the record gets the commitments, and from them the hash.
 */
import type {
  DecisionRecord,
  DecisionRecordDraft,
  DisclosureSummary,
  RecordProof,
} from '../../model/record.ts';
import { canonical, normalize } from './canonical.ts';
import {
  answerDocument,
  compact,
  type DocumentKind,
  type Documents,
  fieldsDocument,
  fieldsWith,
} from './compact.ts';
import { commitmentOf, hashOf, SHORT_REF } from './line.ts';

export function completeLine({ hash, ...record }: DecisionRecord, proof: RecordProof): string {
  return `${canonical({ ...record, proof }).slice(0, -1)},"hash":"${hash}"}`;
}

/** Bytes that sealing adds to a draft: origin, seq, two hashes, and the proof without the salts of answers. */
export const SEAL_BYTES = 640;
/** bytes of a salt in the proof */
export const SALT_BYTES = 35;

/** Upper bound of the bytes that a draft has as a complete line, a few hundred bytes more than it has. */
export const lineBytes = (draft: DecisionRecordDraft): number =>
  Buffer.byteLength(normalize(draft).json) +
  SEAL_BYTES +
  SALT_BYTES * (draft.disclosure?.answers?.length ?? 0);

/** Bytes that the ids of its data subjects take at least: of what may make a record too long, the most. */
export function leastBytes({ disclosure }: DecisionRecordDraft): number {
  let bytes = 0;
  // quotes and a comma
  for (const id of disclosure?.data_subjects ?? []) bytes += id.length + 3;
  return bytes;
}

/** The record in such a line of version 2; null if it is not one, or was altered. */
export function readCopy(line: string): DecisionRecord | null {
  try {
    const { hash, proof, ...record } = JSON.parse(line) as DecisionRecord & { readonly proof: RecordProof };
    if (completeLine({ hash, ...record }, proof) !== line) return null;
    const { origin, seq, prev_hash, ...draft } = record;
    const header = { after: proof.after ?? null, document: null, origin, prev: prev_hash, seq };
    const isSealed = (digits: number): boolean => {
      const payload = compact(draft as DecisionRecordDraft, new Recomputed(proof, digits));
      return hashOf(header, commitmentOf(payload, proof.salt)) === hash;
    };
    return isSealed(REF) || isSealed(SHORT_REF) ? { ...record, hash } : null;
  } catch {
    return null;
  }
}

/** digits of a reference */
const REF = 64;

/** The references of shared documents with known salts. */
class Recomputed implements Documents {
  readonly #salts: Map<string, string[]>;
  readonly #digits: number;

  constructor({ shared }: RecordProof, digits: number) {
    this.#digits = digits;
    this.#salts = new Map(Object.entries(shared).map(([kind, salts]) => [kind, [...salts]]));
  }

  #ref(kind: DocumentKind, document: object): string {
    return commitmentOf(document, this.#salts.get(kind)?.shift() ?? '').slice(0, this.#digits);
  }

  access = (document: object): string => this.#ref('access', document);
  subject = (subject: object): string => this.#ref('subject', subject);
  fields = (d: DisclosureSummary) => fieldsWith(this.#ref('fields', fieldsDocument(d)), d);
  answer: Documents['answer'] = (state) => [this.#ref('answer', answerDocument(state)), state.count];
}
