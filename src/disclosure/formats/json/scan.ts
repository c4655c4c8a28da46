/**
 * The host of the scanner (`assembly/scan.ts`): one for the process, since neither a scan nor the writing of a record is ever interrupted. Its memory
 * holds the tables of one automaton, the bytes of one page with their index, and a record being written (`json-render.ts`). Longer than others:
 * who may move what in that memory is best seen in one place.
 */
import { SluiceError } from '../../../errors.ts';
import type { Matcher, StateId } from '../format.ts';
import { AMBIGUOUS, type JsonPage, NULL, STRIDE } from './entries.ts';
import { type Tables, tablesOf } from './tables.ts';
import { scalarAt, textAt } from './text.ts';
import { SCANNER } from './wasm.ts';

const FULL = -5;
/** a state was met that the tables do not have */
const STALE = -6;

const PAGE = 65_536;
const CELLS = 4096;
const NESTING = 8192;
/** the scanner's own stacks stand below the first page of tables */
const FRAMES = PAGE;
/** containers within containers that the stacks have room for */
export const DEEPEST = 32_768;
const TABLES = FRAMES + 16 * (DEEPEST + 1);

interface Exports {
  configure(
    cells: number,
    nesting: number,
    frames: number,
    marks: number,
    scopes: number,
    index: number,
    end: number,
  ): void;
  automaton(at: number): void;
  reset(): void;
  scan(
    base: number,
    from: number,
    to: number,
    state: number,
    around: number,
    limit: number,
    last: number,
  ): number;
  scanString(base: number, from: number, to: number, last: number): number;
  wasEscaped(): number;
  render(base: number, first: number, codes: number, to: number, limit: number): number;
}

/** Who answers the module while it writes a record. */
export interface Scribe {
  treat(program: number, entry: number, at: number): number;
  unknown(program: number, state: number, entry: number, element: number): void;
  scope(program: number, entry: number): number;
  flush(to: number): number;
}

/** read or written beyond the end of a region, sixteen bytes at a time */
const MARGIN = 64;
/** for treated values, besides twice the input */
const OUTPUT = 128 * 1024;

const align = (at: number) => (at + 15) & ~15;

/** compiled codes of programs beyond this many bytes are thrown away and begun anew */
const CODES = 1024 * 1024;

class Scanner {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #wasm: Exports;
  /** the memory; another object after it has grown */
  bytes = Buffer.alloc(0);
  #words = new Int32Array(0);
  scribe: Scribe | null = null;
  // capacities, and where the regions begin
  #tablesSize = 64 * 1024;
  #inputSize = 512 * 1024;
  #capacity = 16 * 1024;
  #input = 0;
  #marks = 0;
  #scopes = 0;
  #index = 0;
  /** where a record is written, and the end of that */
  output = 0;
  outputEnd = 0;
  #codesAt = 0;
  #codesEnd = 0;
  readonly #codes = new Map<Uint8Array, number>();
  #loaded: Tables | null = null;
  readonly #tables = new WeakMap<Matcher, Tables>();
  // the source of the scan at work
  #matcher: Matcher | null = null;
  #source: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #page: JsonPage | null = null;
  // the selection at work
  #selecting: StateId = 0;
  #selected = new Map<number, string | null>();

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(SCANNER, 'base64'));
    const instance = new WebAssembly.Instance(module, {
      env: { memory: this.#memory },
      scan: {
        hostStep: (state: number, from: number, to: number) =>
          this.#checked(this.#matcher!.step(state, this.#text(from, to))),
        hostSelectKey: (state: number, from: number, to: number) =>
          this.#matcher!.selectorKeys(state).indexOf(this.#text(from, to)),
        hostSelectBegin: (state: number) => {
          this.#selecting = state;
          this.#selected = new Map();
        },
        hostSelectFound: (key: number, from: number, to: number, kind: number) =>
          this.#found(key, from, to, kind),
        hostSelect: () => this.#select(),
        hostTreat: (program: number, entry: number, at: number) => this.scribe!.treat(program, entry, at),
        hostUnknown: (program: number, state: number, entry: number, element: number) =>
          this.scribe!.unknown(program, state, entry, element),
        hostScope: (program: number, entry: number) => this.scribe!.scope(program, entry),
        hostFlush: (to: number) => this.scribe!.flush(to),
      },
    });
    this.#wasm = instance.exports as unknown as Exports;
    this.#layout();
  }

  /** Makes the bytes of a source ready to be scanned, at the offsets they have there; what is found goes to a new page. */
  begin(matcher: Matcher, source: Buffer, from: number, to: number): JsonPage {
    this.#evict();
    this.#matcher = matcher;
    this.#source = source;
    this.#from = from;
    this.#to = to;
    this.#page = { source, from, to, count: 0, entries: null, done: false };
    if (to - from > this.#inputSize) {
      this.#inputSize = align((to - from) * 2);
      this.#layout();
    } else this.#load();
    return this.#page;
  }

  /** Brings a page (back) into memory, to be written from. */
  bring(page: JsonPage): void {
    if (this.#page === page) return;
    const { entries } = page;
    if (entries === null)
      throw new SluiceError('internal', 'the index of a record is gone before the record is written');
    this.#evict();
    this.#page = page;
    this.#source = page.source;
    this.#from = page.from;
    this.#to = page.to;
    page.source.copy(this.bytes, this.#input, page.from, page.to);
    this.#words.set(
      page.count * STRIDE === entries.length ? entries : entries.subarray(0, page.count * STRIDE),
      this.#index >> 2,
    );
  }

  /** The entries of a page, wherever they are. */
  entriesOf(page: JsonPage): Int32Array {
    if (page.entries === null && this.#page === page) this.#copy(page);
    return page.entries ?? NO_WORDS;
  }

  /** Writes the record at an entry of the page in memory. @returns the end of the output */
  render(first: number, codes: number): number {
    return this.#wasm.render(this.#base, first, codes, this.output, this.outputEnd);
  }

  /** the log of the last `render`, word by word */
  get logged(): number {
    return this.#words[(CELLS >> 2) + 4]!;
  }
  log(n: number): number {
    return this.#words[(this.#marks >> 2) + n]!;
  }

  /** The address of a program's codes; the word before them is `number`. */
  codes(codes: Uint8Array, number: number): number {
    let at = this.#codes.get(codes);
    if (at === undefined) {
      at = this.#codesEnd + 16;
      const end = align(at + codes.length);
      this.#grow(end);
      this.bytes.set(codes, at);
      this.#codesEnd = end;
      this.#codes.set(codes, at);
    }
    this.#words[(at - 4) >> 2] = number;
    return at;
  }

  /** makes room for the codes of a record that is about to be written */
  tidy(): void {
    if (this.#codesEnd - this.#codesAt < CODES) return;
    this.#codes.clear();
    this.#codesEnd = this.#codesAt;
  }

  /**
   * Scans the value that begins at `at` (no white space before it).
   * @param depth containers around it
   * @param final nothing follows `end`: what is incomplete is malformed
   * @returns where it ends, or MORE, MALFORMED, TOO_DEEP, AMBIGUOUS
   */
  scan(at: number, end: number, state: StateId, depth: number, limit: number, final: boolean): number {
    while (true) {
      const cells = CELLS >> 2;
      const words = this.#words;
      const first = words[cells]!;
      this.firstMark = words[cells + 1]!;
      this.firstScope = words[cells + 2]!;
      const result = this.#wasm.scan(this.#base, at, end, state, depth, limit, final ? 1 : 0);
      if (result === STALE) this.#tables.delete(this.#matcher!);
      else if (result !== FULL) {
        this.firstEntry = first;
        return result;
      }
      if (first > 0) {
        // what the page has so far must not be lost: the value goes to a page of its own
        this.#evict();
        this.#page = {
          source: this.#source,
          from: this.#from,
          to: this.#to,
          count: 0,
          entries: null,
          done: false,
        };
      } else if (result === FULL) this.#capacity *= 2;
      this.#layout();
    }
  }

  /** Where the string that begins at `at` ends, or MORE, MALFORMED. */
  string(at: number, end: number, final: boolean): number {
    return this.#wasm.scanString(this.#base, at, end, final ? 1 : 0);
  }

  get escaped(): boolean {
    return this.#wasm.wasEscaped() === 1;
  }

  /** the page that the last scan's entries will be in */
  get page(): JsonPage {
    return this.#page!;
  }
  /** where the last scan's entries, marks and scopes begin */
  firstEntry = 0;
  firstMark = 0;
  firstScope = 0;

  get entryCount(): number {
    return this.#words[CELLS >> 2]!;
  }
  get markCount(): number {
    return this.#words[(CELLS >> 2) + 1]!;
  }
  get scopeCount(): number {
    return this.#words[(CELLS >> 2) + 2]!;
  }
  get errorAt(): number {
    return this.#words[(CELLS >> 2) + 3]!;
  }

  /** word `slot` of an entry, while its page is not taken */
  word(entry: number, slot: number): number {
    return this.#words[(this.#index >> 2) + entry * STRIDE + slot]!;
  }
  mark(n: number): number {
    return this.#words[(this.#marks >> 2) + n]!;
  }
  scope(n: number): number {
    return this.#words[(this.#scopes >> 2) + n]!;
  }

  /** The run is over: no more entries come to the page. */
  take(): void {
    if (this.#page !== null) this.#page.count = this.entryCount;
  }

  /** The records of a page are rendered: its room is free. */
  release(page: JsonPage): void {
    page.done = true;
    if (this.#page === page) {
      this.#page = null;
      this.#source = NO_BYTES;
    }
    if (page.entries !== null) giveBack(page.entries);
    page.entries = null;
  }

  /** what is in memory is about to be overwritten */
  #evict(): void {
    const page = this.#page;
    if (page === null || page.done || page.entries !== null) return;
    this.#copy(page);
  }

  #copy(page: JsonPage): void {
    if (page.count === 0) page.count = this.entryCount;
    const words = page.count * STRIDE;
    const from = this.#index >> 2;
    page.entries = roomFor(words);
    page.entries.set(this.#words.subarray(from, from + words));
  }

  get #base(): number {
    return this.#input - this.#from;
  }

  /** (re)places the regions, grows the memory, and loads what was loaded */
  #layout(): void {
    const matcher = this.#matcher;
    if (matcher !== null) {
      const size = this.#tablesFor(matcher).bytes.length;
      if (size > this.#tablesSize) this.#tablesSize = align(size * 2);
    }
    this.#input = align(TABLES + this.#tablesSize);
    this.#marks = align(this.#input + this.#inputSize + MARGIN);
    this.#scopes = this.#marks + 4 * this.#capacity;
    this.#index = align(this.#scopes + 4 * this.#capacity + 16);
    const end = this.#index + 16 * this.#capacity;
    this.output = align(end + MARGIN);
    this.outputEnd = this.output + 2 * this.#inputSize + OUTPUT;
    this.#codesAt = align(this.outputEnd + MARGIN);
    this.#codesEnd = this.#codesAt;
    this.#codes.clear();
    this.#grow(this.#codesAt);
    this.#wasm.configure(CELLS, NESTING, FRAMES, this.#marks, this.#scopes, this.#index, end);
    this.#loaded = null;
    if (matcher !== null) this.#load();
  }

  /** bytes that a treated value may take, at most, before what was written is handed on */
  get slack(): number {
    return this.#inputSize + MARGIN;
  }

  #grow(end: number): void {
    const pages = Math.ceil((end + MARGIN) / PAGE) - this.#memory.buffer.byteLength / PAGE;
    if (pages > 0) this.#memory.grow(pages);
    if (this.bytes.buffer === this.#memory.buffer) return;
    this.bytes = Buffer.from(this.#memory.buffer);
    this.#words = new Int32Array(this.#memory.buffer);
  }

  #load(): void {
    const tables = this.#tablesFor(this.#matcher!);
    if (tables.bytes.length > this.#tablesSize) {
      this.#layout();
      return;
    }
    if (this.#loaded !== tables) {
      this.bytes.set(tables.bytes, TABLES);
      for (const at of tables.relocations) this.#words[(TABLES + at) >> 2]! += TABLES;
      this.#wasm.automaton(TABLES);
      this.#loaded = tables;
    }
    // a copy of all of it needs no view on a part of it
    if (this.#from === 0 && this.#to === this.#source.length) this.bytes.set(this.#source, this.#input);
    else this.#source.copy(this.bytes, this.#input, this.#from, this.#to);
    this.#wasm.reset();
  }

  #tablesFor(matcher: Matcher): Tables {
    let tables = this.#tables.get(matcher);
    if (tables === undefined) {
      tables = tablesOf(matcher);
      this.#tables.set(matcher, tables);
    }
    return tables;
  }

  #text(from: number, to: number): string {
    return textAt(this.#source, from, to, true);
  }

  #checked(state: StateId): number {
    return state < this.#loaded!.states ? state : STALE;
  }

  #found(key: number, from: number, to: number, kind: number): number {
    if (this.#selected.has(key)) return AMBIGUOUS;
    this.#selected.set(key, kind > NULL ? null : scalarAt(this.#source, kind, from, to).text);
    return 0;
  }

  #select(): number {
    const matcher = this.#matcher!;
    const keys = matcher.selectorKeys(this.#selecting);
    const selected = this.#selected;
    return this.#checked(
      matcher.select(this.#selecting, (key) => selected.get(keys.indexOf(key)) ?? undefined),
    );
  }
}

const NO_WORDS = new Int32Array(0);
const NO_BYTES = Buffer.alloc(0);

/** Room for indexes, used again and again: a typed array lives outside the heap, which costs more than filling it. */
const ROOMS: { readonly words: number; readonly most: number; readonly free: Int32Array[] }[] = [
  { words: 2048, most: 64, free: [] },
  { words: 64 * 1024, most: 8, free: [] },
];

function roomFor(words: number): Int32Array {
  for (const size of ROOMS) if (words <= size.words) return size.free.pop() ?? new Int32Array(size.words);
  return new Int32Array(words);
}

function giveBack(room: Int32Array): void {
  for (const { words, most, free } of ROOMS) if (room.length === words && free.length < most) free.push(room);
}

let scanner: Scanner | null = null;

/** the process's scanner, made when the first JSON body comes */
export function jsonScanner(): Scanner {
  if (scanner === null) {
    if (!WebAssembly.validate(Buffer.from(SCANNER, 'base64')))
      throw new SluiceError(
        'internal',
        'this machine cannot run the JSON scanner: it needs WebAssembly with SIMD',
      );
    scanner = new Scanner();
  }
  return scanner;
}

export type JsonScanner = Scanner;
