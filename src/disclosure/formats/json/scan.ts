/**
 * The host of the WebAssembly scanner (`assembly/scan.ts`). There is one for the process, since neither a scan nor the rendering of a record is ever
 * interrupted. Its memory has the tables of one matcher, the bytes and the index of one page, and the output of a render (`render.ts`). Longer
 * than most: the layout of the memory is in one place.
 */
import { SluiceError } from '../../../errors.ts';
import type { Matcher, StateId } from '../format.ts';
import { AMBIGUOUS, type JsonPage, NULL, STRIDE } from './entries.ts';
import { type Tables, tablesOf } from './tables.ts';
import { scalarAt, textAt } from './text.ts';
import { SCANNER } from './wasm.ts';

const FULL = -5;
/** the automaton reached a state that is not in the tables */
const STALE = -6;

const PAGE = 65_536;
const CELLS = 4096;
const NESTING = 8192;
/** the stacks of the scanner, below the tables */
const FRAMES = PAGE;
/** nesting of containers that the stacks have room for */
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

/** The callbacks of the module while it renders a record. */
export interface Scribe {
  treat(program: number, entry: number, at: number): number;
  unknown(program: number, state: number, entry: number, element: number): void;
  scope(program: number, entry: number): number;
  flush(to: number): number;
}

/** the module reads and writes up to 16 bytes beyond the end of a region */
const MARGIN = 64;
/** room for treated values, in addition to twice the input */
const OUTPUT = 128 * 1024;

const align = (at: number) => (at + 15) & ~15;

/** limit for the loaded codes of programs, in bytes; beyond it all are discarded */
const CODES = 1024 * 1024;

class Scanner {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #wasm: Exports;
  /** a view of the memory; replaced when the memory grows */
  bytes = Buffer.alloc(0);
  #words = new Int32Array(0);
  scribe: Scribe | null = null;
  // capacities and addresses of the regions
  #tablesSize = 64 * 1024;
  #inputSize = 512 * 1024;
  #capacity = 16 * 1024;
  #input = 0;
  #marks = 0;
  #scopes = 0;
  #index = 0;
  /** start and end of the output region */
  output = 0;
  outputEnd = 0;
  #codesAt = 0;
  #codesEnd = 0;
  readonly #codes = new Map<Uint8Array, number>();
  #loaded: Tables | null = null;
  readonly #tables = new WeakMap<Matcher, Tables>();
  // the source of the current scan
  #matcher: Matcher | null = null;
  #source: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #page: JsonPage | null = null;
  // the current selection
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

  /** Loads the bytes of a source for scanning, at the same offsets. The entries go to a new page. */
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

  /** Loads a page into memory for rendering. */
  bring(page: JsonPage): void {
    if (this.#page === page) return;
    const { entries } = page;
    if (entries === null)
      throw new SluiceError('internal', 'the index of a record was released before the record was rendered');
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

  /** The entries of a page, in memory or copied. */
  entriesOf(page: JsonPage): Int32Array {
    if (page.entries === null && this.#page === page) this.#copy(page);
    return page.entries ?? NO_WORDS;
  }

  /** Renders the record at an entry of the page in memory. @returns the end of the output */
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

  /** Loads the codes of a program and returns their address; the word before them is `number`. */
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

  /** Discards loaded codes if they exceed the limit. */
  tidy(): void {
    if (this.#codesEnd - this.#codesAt < CODES) return;
    this.#codes.clear();
    this.#codesEnd = this.#codesAt;
  }

  /**
   * Scans the value that begins at `at` (no white space before it).
   * @param depth number of containers around it
   * @param final the body ends at `end`, so that an incomplete value is malformed
   * @returns the end of the value, or MORE, MALFORMED, TOO_DEEP, AMBIGUOUS
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
        // the entries of the page must be kept, so that the value goes to a new page
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

  /** The end of the string that begins at `at`, or MORE, MALFORMED. */
  string(at: number, end: number, final: boolean): number {
    return this.#wasm.scanString(this.#base, at, end, final ? 1 : 0);
  }

  get escaped(): boolean {
    return this.#wasm.wasEscaped() === 1;
  }

  /** the page of the last scan */
  get page(): JsonPage {
    return this.#page!;
  }
  /** the first entry, mark and scope of the last scan */
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

  /** word `slot` of an entry of the page in memory */
  word(entry: number, slot: number): number {
    return this.#words[(this.#index >> 2) + entry * STRIDE + slot]!;
  }
  mark(n: number): number {
    return this.#words[(this.#marks >> 2) + n]!;
  }
  scope(n: number): number {
    return this.#words[(this.#scopes >> 2) + n]!;
  }

  /** Ends the page: no more entries are added. */
  take(): void {
    if (this.#page !== null) this.#page.count = this.entryCount;
  }

  /** Releases a page whose records are rendered. */
  release(page: JsonPage): void {
    page.done = true;
    if (this.#page === page) {
      this.#page = null;
      this.#source = NO_BYTES;
    }
    page.entries = null;
  }

  /** Copies the entries of the page in memory before they are overwritten. */
  #evict(): void {
    const page = this.#page;
    if (page === null || page.done || page.entries !== null) return;
    this.#copy(page);
  }

  #copy(page: JsonPage): void {
    if (page.count === 0) page.count = this.entryCount;
    const words = page.count * STRIDE;
    const from = this.#index >> 2;
    page.entries = new Int32Array(words);
    page.entries.set(this.#words.subarray(from, from + words));
  }

  get #base(): number {
    return this.#input - this.#from;
  }

  /** Arranges the regions, grows the memory, and loads the source again. */
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

  /** bytes of the output region that must stay free for source bytes when a treated value is written */
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
    // the complete source needs no view
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

let scanner: Scanner | null = null;

/** The scanner of the process, created for the first JSON body. */
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
