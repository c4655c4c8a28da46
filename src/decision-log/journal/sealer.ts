/**
 * Turns drafts into lines of version 2. It remembers which shared documents are in the segment, by the identity of frozen
 * objects first and then by content, and writes a document directly before the first record that refers to it.
 */
import type { DecisionRecord, DecisionRecordDraft, DisclosureSummary } from '../../model/record.ts';
import { canonical, normalize } from './canonical.ts';
import {
  alike,
  answerDocument,
  compact,
  type DocumentKind,
  type Documents,
  type Fields,
  fieldsDocument,
  fieldsWith,
} from './compact.ts';
import { newSalt, type Written, write } from './line.ts';
import { type LineBuffer, singleLine } from './pages.ts';
import type { KnownDocument } from './reader.ts';
import { isConstant } from './serialize.ts';

export interface Link {
  readonly origin: string;
  readonly seq: number;
  readonly prev_hash: string;
}

export interface Sealed {
  readonly record: DecisionRecord;
  /** the lines of new shared documents and of the record, a view of the page; valid until the page is reused */
  readonly bytes: Buffer;
  /** upper bound of the bytes of the complete record as a line (`completeLine`) */
  readonly atMost: number;
}

interface Entry {
  readonly ref: string;
  readonly size: number;
  readonly document: object;
}

interface KnownFields {
  readonly released: object;
  readonly byClass: object;
  readonly entry: Entry;
  readonly own: Fields;
}

/** Documents compared one by one before their text is used; most routes have one or two. */
const NEAR = 16;

/** Documents of one segment. */
class Table {
  readonly byText = new Map<string, Entry>();
  readonly near = new Map<string, Entry[]>();
  readonly subjects = new WeakMap<object, Entry>();
  readonly fields = new WeakMap<object, KnownFields>();
  readonly answers = new WeakMap<
    object,
    { readonly entry: Entry; readonly own: readonly [string, number] }
  >();
}

export class Sealer implements Documents {
  #table = new Table();
  /** bytes of the shared documents in the segment */
  #documentBytes = 0;
  /** undoes what the record in progress added to the table */
  #added: (() => void)[] = [];
  // state of the record in progress
  #lines: LineBuffer = singleLine();
  #link: Link = { origin: '', seq: 0, prev_hash: '' };
  #after: string | null = null;
  #end = 0;
  #size = 0;
  #fast = true;

  /** Bytes of the payloads of the segment's shared documents, without the rest of their lines. Readers keep the payloads in memory. */
  get documentBytes(): number {
    return this.#documentBytes;
  }

  /** The next record begins a segment. */
  reset(): void {
    this.#table = new Table();
    this.#documentBytes = 0;
    this.#added = [];
  }

  /** Adds a document that the segment has already. */
  restore({ kind, ref, document }: KnownDocument): void {
    if (document === null) return;
    const text = canonical(document);
    const entry = { ref, size: Buffer.byteLength(text), document };
    this.#table.byText.set(`${kind} ${text}`, entry);
    this.#documentBytes += entry.size;
  }

  /**
   * Writes the lines of a record.
   * @throws SluiceError `input_invalid` for what JSON cannot represent; nothing is written then
   */
  seal(draft: DecisionRecordDraft, link: Link, lines: LineBuffer = singleLine()): Sealed {
    const fast = this.#attempt(draft, link, lines, true);
    if (fast !== null) return fast;
    return this.#attempt(normalize(draft).value, link, lines, false)!;
  }

  /** Forgets the documents that the last record added: its lines are discarded. */
  undo(): void {
    for (const undo of this.#added) undo();
    this.#added = [];
  }

  #attempt(draft: DecisionRecordDraft, link: Link, lines: LineBuffer, fast: boolean): Sealed | null {
    this.#added = [];
    this.#lines = lines;
    this.#link = link;
    this.#after = null;
    this.#end = 0;
    this.#size = 0;
    this.#fast = fast;
    let written: Written | null = null;
    try {
      const payload = compact(draft, this);
      const header = {
        after: this.#after,
        document: null,
        origin: link.origin,
        prev: link.prev_hash,
        seq: link.seq,
      };
      written = write(lines, this.#end, header, payload, newSalt(), fast);
    } catch (e) {
      if (e !== UNSUPPORTED) throw e;
    } finally {
      if (written === null) this.undo();
    }
    if (written === null) return null;
    const { at, page } = lines;
    lines.endLine(at + written.end);
    return {
      record: { ...draft, origin: link.origin, seq: link.seq, prev_hash: link.prev_hash, hash: written.hash },
      bytes: page.subarray(at, at + written.end),
      // A text of the lines is in the record three times at most: an id of `data_subjects` may be that of the resource, also in the input.
      atMost: 3 * (this.#size + written.end - this.#end) + FIXED,
    };
  }

  access(document: { readonly [member: string]: unknown }, near: string): string {
    return this.#nearby('access', document, near).ref;
  }

  subject(subject: object): string {
    let entry = this.#table.subjects.get(subject);
    if (entry === undefined) {
      const { id } = subject as { readonly id?: unknown };
      entry = this.#nearby('subject', subject, typeof id === 'string' ? id : '');
      this.#remember(this.#table.subjects, subject, entry);
    } else this.#size += entry.size;
    return entry.ref;
  }

  fields(d: DisclosureSummary): Fields {
    const known = this.#table.fields.get(d.withheld);
    if (known !== undefined && known.released === d.released && known.byClass === d.by_class) {
      this.#size += known.entry.size;
      const { own } = known;
      return own[3] === d.records && own[4] === d.records_withheld
        ? own
        : [own[0], own[1], own[2], d.records, d.records_withheld];
    }
    const entry = this.#byText('fields', fieldsDocument(d));
    const own = fieldsWith(entry.ref, d);
    if (isConstant(d.released) && isConstant(d.by_class)) {
      // Frozen, so that the serializer keeps their JSON.
      Object.freeze(own[1]);
      Object.freeze(own[2]);
      Object.freeze(own);
      const { released, by_class: byClass } = d;
      this.#remember(this.#table.fields, d.withheld, { released, byClass, entry, own });
    }
    return own;
  }

  answer(state: Parameters<Documents['answer']>[0]): readonly [string, number] {
    const known = this.#table.answers.get(state);
    if (known !== undefined) {
      this.#size += known.entry.size;
      return known.own;
    }
    const entry = this.#byText('answer', answerDocument(state));
    const own = Object.freeze([entry.ref, state.count] as const);
    this.#remember(this.#table.answers, state, { entry, own });
    return own;
  }

  /** Objects that may change cannot be known by their identity. */
  #remember<T>(by: WeakMap<object, T>, object: object, value: T): void {
    if (!isConstant(object)) return;
    by.set(object, value);
    this.#added.push(() => by.delete(object));
  }

  #nearby(kind: DocumentKind, document: object, near: string): Entry {
    const name = `${kind} ${near}`;
    let list = this.#table.near.get(name);
    if (list !== undefined)
      for (let i = 0; i < list.length; i++) {
        const entry = list[i]!;
        if (!alike(document, entry.document)) continue;
        this.#size += entry.size;
        if (i > 0) {
          list[i] = list[i - 1]!;
          list[i - 1] = entry;
        }
        return entry;
      }
    const entry = this.#byText(kind, document);
    if (list === undefined) {
      list = [];
      this.#table.near.set(name, list);
    }
    if (list.length === NEAR) list.pop();
    list.push(entry);
    const { near: lists } = this.#table;
    this.#added.push(() => lists.delete(name));
    return entry;
  }

  #byText(kind: DocumentKind, document: object): Entry {
    const table = this.#table;
    const text = this.#text(document);
    const key = `${kind} ${text}`;
    let entry = table.byText.get(key);
    if (entry === undefined) {
      entry = this.#write(kind, document, text);
      const { size } = entry;
      table.byText.set(key, entry);
      this.#documentBytes += size;
      this.#added.push(() => {
        table.byText.delete(key);
        this.#documentBytes -= size;
      });
    }
    this.#size += entry.size;
    return entry;
  }

  #text(document: object): string {
    try {
      return canonical(document);
    } catch (e) {
      // Perhaps it can be written once it is normalized.
      throw this.#fast ? UNSUPPORTED : e;
    }
  }

  #write(kind: DocumentKind, document: object, text: string): Entry {
    const { origin, seq, prev_hash } = this.#link;
    const header = { after: null, document: kind, origin, prev: this.#after ?? prev_hash, seq };
    const written = write(this.#lines, this.#end, header, document, newSalt(), this.#fast);
    if (written === null) throw UNSUPPORTED;
    this.#after = written.hash;
    this.#end = written.end;
    return { ref: written.commitment, size: written.size, document: JSON.parse(text) as object };
  }
}

/** More than the names of the members that a complete record has. */
const FIXED = 2048;

const UNSUPPORTED = new Error('the serializer does not support a value');
