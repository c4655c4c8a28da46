/**
 * Reads lines of both versions in the order of a segment, and returns complete records. A record of version 2 refers to
 * shared documents earlier in the segment; a reader that starts later first calls `readShared` with the bytes before.
 */
import type { DecisionRecord, RecordProof } from '../../model/record.ts';
import { type ChainLink, inspect, type LineFault } from './chain.ts';
import { completeLine } from './copy.ts';
import type { DocumentKind, Payload } from './compact.ts';
import { expand, type Find } from './expand.ts';
import { isShared, type Parsed, SHORT_REF } from './line.ts';
import { readLines } from './lines.ts';

export type Read =
  | {
      readonly what: 'record';
      readonly link: ChainLink;
      readonly record: DecisionRecord;
      /** what its own line holds, and the shared documents that it refers to; null: version 1 */
      readonly parts: { readonly own: Payload; readonly find: Find } | null;
      /** the complete record as a line that can be verified on its own, without a newline */
      line(): string;
    }
  | {
      readonly what: 'document';
      readonly link: ChainLink;
      readonly ref: string;
      readonly isNew: boolean;
      /** its payload was removed */
      readonly isCut: boolean;
    }
  /** payload and salt of the record were removed (`isCut`), or of a shared document that it refers to */
  | { readonly what: 'removed'; readonly link: ChainLink; readonly isCut: boolean }
  /** the line is linked correctly, but its payload cannot be read */
  | {
      readonly what: 'unreadable';
      readonly link: ChainLink;
      readonly decision_id: string | null;
      readonly detail: string;
    }
  | { readonly what: 'fault'; readonly fault: LineFault; readonly record: Partial<DecisionRecord> | null };

export interface KnownDocument {
  readonly ref: string;
  readonly kind: DocumentKind;
  /** null: removed */
  readonly document: object | null;
}

interface Shared {
  readonly kind: DocumentKind;
  /** null: removed */
  readonly document: { readonly [member: string]: unknown } | null;
  readonly salt: string;
}

class Missing extends Error {}
class Removed extends Error {}

export class SegmentReader {
  /** by commitment */
  #shared = new Map<string, Shared>();
  /** by what earlier versions refer to them with */
  #short = new Map<string, Shared>();
  readonly #takesShort: boolean;

  /** @param takesShort false: a short reference does not say which document was meant, where the segment around it is not known */
  constructor({ takesShort = true }: { readonly takesShort?: boolean } = {}) {
    this.#takesShort = takesShort;
  }

  /** Forgets the shared documents: another segment begins. */
  begin(): void {
    this.#shared = new Map();
    this.#short = new Map();
  }

  /** number of shared documents read */
  get count(): number {
    return this.#shared.size;
  }

  /** The first `count` shared documents. */
  documents(count: number): readonly KnownDocument[] {
    return [...this.#shared].slice(0, count).map(([ref, { kind, document }]) => ({ ref, kind, document }));
  }

  /** @param bytes modified and restored, so it must not be shared */
  read(bytes: Buffer): Read {
    const inspected = inspect(bytes);
    if (!inspected.ok) return { what: 'fault', fault: inspected.fault, record: inspected.record };
    const { link } = inspected;
    if (inspected.version === 1)
      return { what: 'record', link, record: inspected.record, parts: null, line: () => bytes.toString() };
    const { parsed } = inspected;
    if (link.document !== null) {
      const ref = parsed.commitment;
      const short = ref.slice(0, SHORT_REF);
      const isNew = !this.#shared.has(ref);
      const document = parsed.payload as Shared['document'];
      const shared = { kind: link.document, document, salt: parsed.salt };
      if (isNew) this.#shared.set(ref, shared);
      if (!this.#short.has(short)) this.#short.set(short, shared);
      return { what: 'document', link, ref, isNew, isCut: document === null };
    }
    return parsed.payload === null ? { what: 'removed', link, isCut: true } : this.#record(link, parsed);
  }

  #record(link: ChainLink, parsed: Parsed): Read {
    const own = parsed.payload as Payload;
    const salts: { [kind in DocumentKind]?: string[] } = {};
    // `begin` replaces the maps, so the record stays readable.
    const [shared, short] = [this.#shared, this.#takesShort ? this.#short : null];
    const find = (kind: DocumentKind, ref: unknown) => {
      const found = typeof ref === 'string' ? (shared.get(ref) ?? short?.get(ref)) : undefined;
      if (found === undefined || found.kind !== kind)
        throw new Missing(`the shared document ${String(ref)} (${kind}) is not in this segment`);
      if (found.document === null) throw new Removed();
      return { document: found.document, salt: found.salt };
    };
    try {
      const draft = expand(own, (kind, ref) => {
        const { document, salt } = find(kind, ref);
        const list = salts[kind] ?? [];
        list.push(salt);
        salts[kind] = list;
        return document;
      });
      const { origin, seq, prev_hash, hash } = link;
      const record = { ...draft, origin, seq, prev_hash, hash };
      if (typeof record.decision_id !== 'string' || typeof record.timestamp !== 'string')
        throw new Missing('its payload is not a decision record');
      const proof: RecordProof = {
        ...(link.after === null ? {} : { after: link.after }),
        salt: parsed.salt,
        shared: salts,
      };
      const parts = { own, find: (kind: DocumentKind, ref: unknown) => find(kind, ref).document };
      return { what: 'record', link, record, parts, line: () => completeLine(record, proof) };
    } catch (e) {
      if (e instanceof Removed) return { what: 'removed', link, isCut: false };
      const detail = e instanceof Missing ? e.message : 'its payload is not a decision record';
      const { decision_id } = own;
      return {
        what: 'unreadable',
        link,
        decision_id: typeof decision_id === 'string' ? decision_id : null,
        detail,
      };
    }
  }

  /** Reads the shared documents of a segment before `until`, for a reader that starts there. */
  async readShared(path: string, until: number): Promise<void> {
    for await (const lines of readLines(path, 0, until))
      for (const { bytes, complete } of lines) if (complete && isShared(bytes)) this.read(bytes);
  }
}

/** True for a line whose payload was removed. */
export const isCut = (read: Read): read is Extract<Read, { readonly isCut: boolean }> =>
  'isCut' in read && read.isCut;
