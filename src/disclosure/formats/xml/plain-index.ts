/**
 * Indexes records whose tokens have one interpretation only (`plain.ts`): elements without prefix and attributes that hold either a text or
 * elements. An element is a row of numbers in one array for all records that are not rendered yet, so that a record leaves no objects to the
 * garbage collector. Everything else is left to saxes and the tree: the scan stops before it and changes nothing.
 */
import { isSameName, NAME_CLASSES, TEXT_CLASSES, TEXT_LETTER, TEXT_LINE, TEXT_OTHER } from './plain.ts';

/** A row: its slots. Positions are relative to the reader's origin, rows to the first of the record. */
export const NAME = 0;
export const START = 1;
/** end of the start tag */
export const TAG_END = 2;
/** start of the end tag; `TAG_END` for `<name/>` */
export const CLOSE = 3;
export const END = 4;
/** the row after the last descendant */
export const NEXT = 5;
/** 1 + index of the scope that begins here (`plain-record.ts`) */
export const SCOPE = 6;
/** what is done with it while the record is rendered (`plain-record.ts`) */
export const DECISION = 7;
export const STRIDE = 8;

/** distinct names; a record with more is left to the tree */
export const MOST_NAMES = 2048;

const LT = 0x3c;
const GT = 0x3e;
const SLASH = 0x2f;
const AMP = 0x26;
const INITIAL = 512 * STRIDE;
/** bytes of a tag; a longer one is left to the lexer, which continues an incomplete token where it stopped */
const LONGEST_TAG = 256;

/** The names of elements in one default namespace, numbered. */
export class PlainNames {
  readonly space: string;
  readonly spelled: string[] = [];
  /** as paths have them, in the form that trees have */
  readonly names: (readonly string[])[] = [];
  /** by name, the one that followed it last time */
  readonly #after: number[] = [];
  readonly #byHash = new Map<number, number>();
  readonly #naming: (local: string, uri: string) => string;

  constructor(space: string, naming: (local: string, uri: string) => string) {
    this.space = space;
    this.#naming = naming;
  }

  /** @param before the name in front of it */
  numberOf(bytes: Buffer, start: number, end: number, before: number): number {
    const guess = this.#after[before]!;
    if (guess >= 0 && isSameName(bytes, start, end, this.spelled[guess]!)) return guess;
    let hash = 0;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) & 0x3fffffff;
    let found = this.#byHash.get(hash);
    if (found === undefined || !isSameName(bytes, start, end, this.spelled[found]!)) {
      const name = bytes.toString('latin1', start, end);
      found = this.spelled.push(name) - 1;
      this.names.push([this.#naming(name, this.space)]);
      this.#after.push(-1);
      this.#byHash.set(hash, found);
    }
    if (before >= 0) this.#after[before] = found;
    return found;
  }
}

/** whether a record is complete, incomplete, or not plain from `at` on */
export type Scanned = 'complete' | 'incomplete' | 'other';

export class PlainIndex {
  words = new Int32Array(INITIAL);
  /** of the record that is scanned: its first word, its rows, and how far it is scanned */
  first = 0;
  rows = 0;
  at = 0;
  /** line ends in it */
  lines = 0;
  readonly #open: number[] = [];
  #names: PlainNames | null = null;
  #deepest = 0;
  #most = 0;
  /** start of the text that is not complete yet, or -1 */
  #text = -1;
  #letters = false;
  #textLines = 0;
  /** the last token was the start tag of the innermost element */
  #fresh = false;

  /** @param limits levels below the record, and rows */
  begin(names: PlainNames, start: number, tagEnd: number, name: number, deepest: number, most: number): void {
    this.#names = names;
    this.#deepest = deepest;
    this.#most = most;
    this.first += this.rows * STRIDE;
    this.rows = 0;
    this.at = tagEnd;
    this.lines = 0;
    this.#open.length = 0;
    this.#text = -1;
    this.#open.push(this.#row(name, start, tagEnd));
    this.#fresh = true;
  }

  /** The open elements within the record, from the outer to the inner, as rows. */
  get inside(): readonly number[] {
    return this.#open.slice(1);
  }

  /** Takes back a text that is not complete, and the record, whose rows are gone with the next `begin`. @returns where it stops */
  abandon(): number {
    if (this.#text >= 0) this.at = this.#text;
    this.#text = -1;
    return this.at;
  }

  /** Forgets the last record. */
  drop(): void {
    this.rows = 0;
  }

  /** All records but the one that is scanned are rendered. @param open a record is scanned */
  reset(open: boolean): void {
    if (open) this.words.copyWithin(0, this.first, this.first + this.rows * STRIDE);
    else this.rows = 0;
    this.first = 0;
  }

  #row(name: number, start: number, tagEnd: number): number {
    const row = this.rows++;
    const word = this.first + row * STRIDE;
    if (word + STRIDE > this.words.length) {
      const larger = new Int32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    const { words } = this;
    words[word + NAME] = name;
    words[word + START] = start;
    words[word + TAG_END] = tagEnd;
    words[word + CLOSE] = tagEnd;
    words[word + END] = tagEnd;
    words[word + NEXT] = row + 1;
    words[word + SCOPE] = 0;
    return row;
  }

  /** Continues at `at`. @param base the reader's origin in the bytes, which are valid UTF-8 or are checked afterwards */
  scan(bytes: Buffer, base: number): Scanned {
    const { length } = bytes;
    const names = this.#names!;
    let at = base + this.at;
    for (;;) {
      // a text, or the space between two tags
      let c = at < length ? bytes[at]! : -1;
      if (c !== LT) {
        if (this.#text < 0) {
          this.#text = at - base;
          this.#letters = false;
          this.#textLines = 0;
        }
        let letters = this.#letters;
        for (; at < length; at++) {
          c = bytes[at]!;
          const found = TEXT_CLASSES[c]!;
          if (found === TEXT_LETTER) letters = true;
          else if (found === TEXT_LINE) this.#textLines++;
          else if (found === TEXT_OTHER) {
            if (c === LT) break;
            const width = c === AMP ? referenceAt(bytes, at) : c === 0xef ? characterAt(bytes, at) : -1;
            if (width < 0) return this.#stop(base + this.#text, base);
            // the rest comes with the next bytes
            if (width === 0) break;
            letters = true;
            at += width - 1;
          }
        }
        this.#letters = letters;
        this.at = at - base;
        if (at >= length || c !== LT) return 'incomplete';
      }
      if (at + 2 >= length) return 'incomplete';
      const text = this.#text >= 0 && this.#letters;
      const from = this.#text >= 0 ? base + this.#text : at;
      if (bytes[at + 1] === SLASH) {
        const row = this.#open[this.#open.length - 1]!;
        const word = this.first + row * STRIDE;
        const { words } = this;
        // the start tag and the end tag have the same name
        const named = base + words[word + START]! + 1;
        const size = base + words[word + TAG_END]! - 1 - named;
        const end = at + 3 + size;
        if (end > length) return 'incomplete';
        if (bytes[end - 1] !== GT || (text && !this.#fresh)) return this.#stop(from, base);
        for (let k = 0; k < size; k++)
          if (bytes[named + k] !== bytes[at + 2 + k]) return this.#stop(from, base);
        words[word + CLOSE] = at - base;
        words[word + END] = end - base;
        words[word + NEXT] = this.rows;
        this.#open.pop();
        at = end;
        this.#fresh = false;
        if (this.#text >= 0) this.lines += this.#textLines;
        if (this.#open.length === 0) {
          this.#text = -1;
          this.at = at - base;
          return 'complete';
        }
      } else {
        let end = at + 1;
        while (end < length && NAME_CLASSES[bytes[end]!] !== 0) end++;
        // room for "/>"
        if (end + 1 >= length) {
          if (end - at > LONGEST_TAG) return this.#stop(from, base);
          return 'incomplete';
        }
        const close = bytes[end]!;
        const empty = close === SLASH && bytes[end + 1] === GT;
        const starts = (NAME_CLASSES[bytes[at + 1]!]! & 1) !== 0;
        if (
          !starts ||
          (close !== GT && !empty) ||
          text ||
          this.rows >= this.#most ||
          names.spelled.length >= MOST_NAMES ||
          (!empty && this.#open.length > this.#deepest)
        )
          return this.#stop(from, base);
        const before = this.words[this.first + (this.rows - 1) * STRIDE + NAME]!;
        const name = names.numberOf(bytes, at + 1, end, before);
        const tagEnd = empty ? end + 2 : end + 1;
        const row = this.#row(name, at - base, tagEnd - base);
        if (!empty) this.#open.push(row);
        this.#fresh = !empty;
        if (this.#text >= 0) this.lines += this.#textLines;
        at = tagEnd;
      }
      this.#text = -1;
      this.at = at - base;
    }
  }

  /** Stops before a token, or before the text in front of it. */
  #stop(at: number, base: number): 'other' {
    this.at = at - base;
    return 'other';
  }
}

const REFERENCES = ['amp;', 'lt;', 'gt;', 'quot;', 'apos;'].map((name) => Buffer.from(name));

/** The length of a reference to a predefined entity; 0: it is incomplete; -1: it is none. */
function referenceAt(bytes: Buffer, at: number): number {
  for (const name of REFERENCES) {
    let k = 0;
    while (k < name.length && at + 1 + k < bytes.length && bytes[at + 1 + k] === name[k]) k++;
    if (k === name.length) return k + 1;
    if (at + 1 + k >= bytes.length) return 0;
  }
  return -1;
}

/** The length of a character that begins with 0xEF; 0: it is incomplete; -1: U+FFFE, U+FFFF or invalid. */
function characterAt(bytes: Buffer, at: number): number {
  if (at + 2 >= bytes.length) return 0;
  const second = bytes[at + 1]!;
  const third = bytes[at + 2]!;
  return second < 0x80 || third < 0x80 || (second === 0xbf && third >= 0xbe) ? -1 : 3;
}
