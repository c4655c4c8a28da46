/**
 * Reads lines of both versions in the order of a segment, and returns complete records. A record of version 2 refers to
 * shared documents earlier in the segment; a reader that starts later first calls `readShared` with the bytes before.
 */
import type { DecisionRecord, RecordProof } from '../../model/record.ts';
import { type ChainLink, type Expected, inspect, type LineFault } from './chain.ts';
import { completeLine } from './copy.ts';
import type { DocumentKind, Members, Payload } from './compact.ts';
import { expand, isExpandable, type Shared as SharedOf, sharedBy } from './expand.ts';
import { isShared, type Parsed, SHORT_REF } from './line.ts';
import { readLines } from './lines.ts';
import {
  mayBeDocument,
  skim,
  skimDocument,
  type FindDocument,
  type Skimmed,
  type SkimmedDocument,
} from './skim.ts';

export type Read =
  | {
      readonly what: 'record';
      readonly link: ChainLink;
      /** made when it is asked for, which costs more than to read the line */
      readonly record: DecisionRecord;
      /** what its own line holds, and the shared documents that it refers to; null: the line holds the entire record */
      readonly parts: { readonly own: Payload; readonly text: string; readonly shared: SharedOf } | null;
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
  readonly document: Members | null;
  readonly salt: string;
}

/** A document that is parsed when it is looked at: most are only referred to. */
class Unparsed implements Shared {
  readonly kind: DocumentKind;
  readonly salt: string;
  #document: Members | string;

  constructor({ kind, salt, json }: SkimmedDocument) {
    this.kind = kind;
    this.salt = salt;
    this.#document = json;
  }

  get document(): Members {
    if (typeof this.#document === 'string') this.#document = JSON.parse(this.#document) as Members;
    return this.#document;
  }
}

class Missing extends Error {}
class Removed extends Error {}

type ReadRecord = Extract<Read, { readonly what: 'record' }>;
type FindShared = (kind: DocumentKind, ref: unknown) => Shared & { readonly document: Members };

/** A record of version 2, which is made when it is asked for. */
function recordIn(link: ChainLink, parsed: Parsed, parts: ReadRecord['parts'], find: FindShared): ReadRecord {
  let made: { readonly record: DecisionRecord; readonly salts: RecordProof['shared'] } | null = null;
  const make = () => {
    const salts: { [kind in DocumentKind]?: string[] } = {};
    const draft = expand(parsed.payload as Payload, (kind, ref) => {
      const { document, salt } = find(kind, ref);
      const list = salts[kind] ?? [];
      list.push(salt);
      salts[kind] = list;
      return document;
    });
    const { origin, seq, prev_hash, hash } = link;
    return { record: { ...draft, origin, seq, prev_hash, hash }, salts };
  };
  return {
    what: 'record',
    link,
    parts,
    get record() {
      made ??= make();
      return made.record;
    },
    line: () => {
      made ??= make();
      const { record, salts } = made;
      const after = link.after === null ? {} : { after: link.after };
      return completeLine(record, { ...after, salt: parsed.salt, shared: salts });
    },
  };
}

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
      const isNew = !this.#shared.has(ref);
      const document = parsed.payload as Shared['document'];
      if (isNew) this.#add(ref, { kind: link.document, document, salt: parsed.salt });
      return { what: 'document', link, ref, isNew, isCut: document === null };
    }
    return parsed.payload === null ? { what: 'removed', link, isCut: true } : this.#record(link, parsed);
  }

  #record(link: ChainLink, parsed: Parsed): Read {
    const own = parsed.payload as Payload;
    // `begin` replaces the maps, so the record stays readable.
    const [known, short] = [this.#shared, this.#takesShort ? this.#short : null];
    const find: FindShared = (kind, ref) => {
      const found = typeof ref === 'string' ? (known.get(ref) ?? short?.get(ref)) : undefined;
      if (found === undefined || found.kind !== kind)
        throw new Missing(`the shared document ${String(ref)} (${kind}) is not in this segment`);
      if (found.document === null) throw new Removed();
      return found as Shared & { readonly document: Members };
    };
    try {
      const shared = sharedBy(own, (kind, ref) => find(kind, ref).document);
      const read = recordIn(link, parsed, shared === null ? null : { own, text: parsed.text, shared }, find);
      if ((shared === null || !isExpandable(own, shared)) && !isNamed(read.record))
        throw new Missing('its payload is not a decision record');
      return read;
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

  /** Checks the next record of a chain, and makes nothing of it; null: `read` is to look at the line. @param bytes as for `read` */
  skim(bytes: Buffer, origin: string, next: Expected): Skimmed | null {
    return skim(bytes, origin, next, this.#find);
  }

  /** The same for a shared document that is new in its segment: it is known then. Its hash. */
  skimDocument(bytes: Buffer, origin: string, next: Expected): string | null {
    if (!mayBeDocument(bytes)) return null;
    const skimmed = skimDocument(bytes, origin, next);
    if (skimmed === null || this.#shared.has(skimmed.ref)) return null;
    this.#add(skimmed.ref, new Unparsed(skimmed));
    return skimmed.hash;
  }

  #add(ref: string, shared: Shared): void {
    const short = ref.slice(0, SHORT_REF);
    this.#shared.set(ref, shared);
    if (!this.#short.has(short)) this.#short.set(short, shared);
  }

  readonly #find: FindDocument = (kind, ref) => {
    const found = this.#shared.get(ref);
    if (found?.kind !== kind) return undefined;
    return found instanceof Unparsed || found.document !== null ? found : undefined;
  };

  /** Reads the shared documents of a segment before `until`, for a reader that starts there. */
  async readShared(path: string, until: number): Promise<void> {
    for await (const lines of readLines(path, 0, until))
      for (const { bytes, complete } of lines) if (complete && isShared(bytes)) this.read(bytes);
  }
}

const isNamed = ({ decision_id, timestamp }: DecisionRecord): boolean =>
  typeof decision_id === 'string' && typeof timestamp === 'string';

/** True for a line whose payload was removed. */
export const isCut = (read: Read): read is Extract<Read, { readonly isCut: boolean }> =>
  'isCut' in read && read.isCut;
