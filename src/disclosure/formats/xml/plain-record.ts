/**
 * A record that stands in an index (`plain-index.ts`). The rules are those of `shared/tree.ts` for elements that hold a text or elements and
 * nothing else: `test/disclosure/formats/xml-index.test.ts` compares the two. Where the catalog selects by values, where the answer knows other
 * paths than the catalog, and for the key of a group, the tree of the record is built from its index.
 */
import { escapeToken } from '../../../model/pointer.ts';
import { UTF8 } from '../shared/charsets.ts';
import {
  type ChangedDocument,
  DISCLOSE,
  DROP,
  isUntouched,
  NULLIFY,
  type Output,
  type Program,
  type RecordPiece,
  type RecordScope,
  type Rendering,
  type Treated,
} from '../format.ts';
import { CLOSE, DECISION, END, NAME, NEXT, START, STRIDE, SCOPE, TAG_END } from './plain-index.ts';
import { type Place, type PlainSource, readIndex, scalarOf, SELECTS } from './plain-places.ts';
import { Splice, type XmlRecord } from './render.ts';
import { encodeXml } from './tree.ts';

const DROPPED = 0;
const KEPT = 1;
const NULLED = 2;
const WALKED = 3;
/** and the index of the treated value */
const TREATED = 4;

export class PlainRecord implements RecordPiece {
  readonly kind = 'record';
  readonly size: number;
  readonly scopes: readonly RecordScope[];
  readonly #source: PlainSource;
  /** first word of the record in the index */
  readonly #first: number;
  readonly #tree: () => XmlRecord;

  /** @param tree builds the same record as a tree @returns null: the catalog selects by a value, which only the tree does */
  static of(source: PlainSource, tree: () => XmlRecord): PlainRecord | null {
    const scopes = readIndex(source);
    return scopes === SELECTS ? null : new PlainRecord(source, scopes, tree);
  }

  private constructor(source: PlainSource, scopes: readonly RecordScope[], tree: () => XmlRecord) {
    this.#source = source;
    this.#first = source.index.first;
    this.#tree = tree;
    this.size = source.index.words[this.#first + END]! - source.lead;
    this.scopes = scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    if (rendering === null) return;
    if (rendering.matcher !== this.#source.places.matcher) {
      this.#tree().render(out, rendering);
      return;
    }
    // A treatment may write a document in a field, and so come here again.
    (renderer.isBusy ? new Renderer() : renderer).render(this.#source, this.#first, rendering, out);
  }

  group(rendering: Rendering): string {
    return this.#tree().group(rendering);
  }
}

const NO_WORDS = new Int32Array(0);

/** Decides and writes one record at a time. */
class Renderer {
  #source: PlainSource | null = null;
  #words = NO_WORDS;
  #first = 0;
  #rendering: Rendering | null = null;
  readonly #treated: Extract<Treated, { kind: 'string' | 'number' }>[] = [];
  /** words of the elements around the current one, within its scope */
  #around: number[] = [];

  get isBusy(): boolean {
    return this.#source !== null;
  }

  render(source: PlainSource, first: number, rendering: Rendering, out: Output): void {
    try {
      this.#renderRecord(source, first, rendering, out);
    } finally {
      // It lives as long as the process, and an index as long as its answer.
      this.#source = null;
      this.#rendering = null;
      this.#words = NO_WORDS;
      this.#treated.length = 0;
    }
  }

  #renderRecord(source: PlainSource, first: number, rendering: Rendering, out: Output): void {
    this.#source = source;
    this.#words = source.index.words;
    this.#first = first;
    this.#rendering = rendering;
    this.#around.length = 0;
    const program = rendering.program(0, 0);
    const root = this.#words[first + NAME]!;
    const decision = program === null ? DROPPED : this.#decide(0, source.places.begin(root), program);
    const splice = new Splice(out, UTF8, source.bytes, source.base, source.lead);
    // a record that is one dropped value is emptied, since a document needs its root
    this.#write(splice, 0, decision === DROPPED ? NULLED : decision);
    const end = this.#words[first + END]!;
    splice.skip(end, end);
  }

  /** Decides an element and those in it, and counts them. */
  #decide(row: number, place: Place, program: Program): number {
    const words = this.#words;
    const word = this.#first + row * STRIDE;
    const isText = words[word + NEXT] === row + 1;
    if (place.entry !== null) {
      if (isText) {
        program.counter.unknown(this.#pathTo(word));
        return DROPPED;
      }
      const scope = words[word + SCOPE]! - 1;
      const inside = scope < 0 ? null : this.#rendering!.program(scope, place.scope);
      if (inside === null) {
        program.counter.scopeWithheld(this.#pathTo(word)());
        return DROPPED;
      }
      const around = this.#around;
      this.#around = [];
      this.#members(row, place.entry, inside);
      this.#around = around;
      return WALKED;
    }
    if (isText || !place.inner) return this.#unit(word, place, program, isText);
    if (row > 0) this.#around.push(word);
    const kept = this.#members(row, place, program);
    if (row > 0) this.#around.pop();
    if (kept || row === 0) return WALKED;
    // the same as for one without members, since `<orders></orders>` would reveal that there are orders
    return place.field < 0 || program.action(place.field) === DROP ? DROPPED : NULLED;
  }

  /** @returns whether one of them is kept */
  #members(row: number, place: Place, program: Program): boolean {
    const words = this.#words;
    const { places } = this.#source!;
    const next = words[this.#first + row * STRIDE + NEXT]!;
    let kept = false;
    for (let child = row + 1; child < next; ) {
      const word = this.#first + child * STRIDE;
      const decision = this.#decide(child, places.step(place, words[word + NAME]!), program);
      words[word + DECISION] = decision;
      if (decision !== DROPPED) kept = true;
      child = words[word + NEXT]!;
    }
    return kept;
  }

  /** Decides a text, or an element that is treated as a unit. */
  #unit(word: number, place: Place, program: Program, isText: boolean): number {
    const field = isText ? place.textField : place.field;
    if (field < 0) {
      program.counter.unknown(this.#pathTo(word));
      return DROPPED;
    }
    const action = program.action(field);
    if (action === DROP || action === NULLIFY) {
      program.counter.withheld(field);
      return action === DROP ? DROPPED : NULLED;
    }
    if (!isText && !place.whole && (action === DISCLOSE || !program.elements(field))) {
      program.counter.notWhole(field);
      return DROPPED;
    }
    if (action === DISCLOSE) {
      program.counter.released(field);
      return KEPT;
    }
    const { bytes, base } = this.#source!;
    const words = this.#words;
    const value = isText
      ? scalarOf(bytes, base + words[word + TAG_END]!, base + words[word + CLOSE]!)
      : ({
          kind: 'container',
          text: bytes.toString('utf8', base + words[word + START]!, base + words[word + END]!),
        } as const);
    const treated = program.treat(isText ? place.text : place.id, value);
    if (treated === 'drop') return DROPPED;
    if (isUntouched(value, treated)) return KEPT;
    if (treated.kind === 'null') return NULLED;
    return TREATED + this.#treated.push(treated) - 1;
  }

  #pathTo(word: number): () => string {
    return () =>
      (word === this.#first ? [] : [...this.#around, word]).map((at) => `/${this.#token(at)}`).join('');
  }

  #token(word: number): string {
    return escapeToken(this.#source!.names.names[this.#words[word + NAME]!]![0]!);
  }

  #write(splice: Splice, row: number, decision: number): void {
    const words = this.#words;
    const first = this.#first;
    const word = first + row * STRIDE;
    const { bytes, base } = this.#source!;
    if (decision === KEPT) return;
    const tagEnd = words[word + TAG_END]!;
    const end = words[word + END]!;
    const isEmpty = tagEnd === end;
    if (decision === WALKED) {
      const next = words[word + NEXT]!;
      let before = tagEnd;
      for (let child = row + 1; child < next; ) {
        const at = first + child * STRIDE;
        const decided = words[at + DECISION]!;
        const after = words[at + END]!;
        // with the white space before it
        if (decided === DROPPED) splice.skip(before, after);
        else this.#write(splice, child, decided);
        before = after;
        child = words[at + NEXT]!;
      }
      return;
    }
    const rest = tagEnd - (isEmpty ? 2 : 1);
    if (decision === NULLED) {
      // one spelling, whatever the content was
      splice.skip(rest, end);
      splice.markup(EMPTY_END);
      return;
    }
    const treated = this.#treated[decision - TREATED]!;
    const document: ChangedDocument | undefined = treated.kind === 'string' ? treated.document : undefined;
    if (!isEmpty) splice.replace(tagEnd, words[word + CLOSE]!, treated.text, document);
    else {
      const start = base + words[word + START]! + 1;
      splice.skip(rest, end);
      splice.markup(
        Buffer.concat([
          Buffer.from('>'),
          encodeXml(UTF8, treated.text),
          Buffer.from('</'),
          bytes.subarray(start, base + rest),
          Buffer.from('>'),
        ]),
      );
    }
  }
}

const EMPTY_END = Buffer.from('/>');
/** One for the process. */
const renderer = new Renderer();
