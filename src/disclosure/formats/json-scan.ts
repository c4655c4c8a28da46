/**
 * The host of the scanner (`assembly/scan.ts`): one for the process, since a scan is never interrupted. Its memory holds the tables of one automaton,
 * the bytes being scanned and the index that grows; nothing in it outlives `take`.
 */
import { SluiceError } from '../../errors.ts';
import type { Automaton } from '../automaton.ts';
import type { StateId } from './format.ts';
import { AMBIGUOUS, type JsonPage, OBJECT, STRIDE } from './json-index.ts';
import { type Tables, tablesOf } from './json-tables.ts';
import { scalarAt, textAt } from './json-text.ts';
import { SCANNER } from './json-wasm.ts';

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
}

const align = (at: number) => (at + 15) & ~15;

class Scanner {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #wasm: Exports;
  #bytes = Buffer.alloc(0);
  #words = new Int32Array(0);
  // capacities, and where the regions begin
  #tablesSize = 64 * 1024;
  #inputSize = 512 * 1024;
  #capacity = 16 * 1024;
  #input = 0;
  #marks = 0;
  #scopes = 0;
  #index = 0;
  #loaded: Tables | null = null;
  readonly #tables = new WeakMap<Automaton, Tables>();
  // the source of the scan at work
  #automaton: Automaton | null = null;
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
          this.#checked(this.#automaton!.step(state, this.#text(from, to))),
        hostSelectKey: (state: number, from: number, to: number) =>
          this.#automaton!.selectorKeys(state).indexOf(this.#text(from, to)),
        hostSelectBegin: (state: number) => {
          this.#selecting = state;
          this.#selected = new Map();
        },
        hostSelectFound: (key: number, from: number, to: number, kind: number) =>
          this.#found(key, from, to, kind),
        hostSelect: () => this.#select(),
      },
    });
    this.#wasm = instance.exports as unknown as Exports;
    this.#layout();
  }

  /** Makes the bytes of a source ready to be scanned, at the offsets they have there; what is found goes to a new page. */
  begin(automaton: Automaton, source: Buffer, from: number, to: number): JsonPage {
    this.#automaton = automaton;
    this.#source = source;
    this.#from = from;
    this.#to = to;
    this.#page = { entries: NO_WORDS };
    if (to - from + 16 > this.#inputSize) {
      this.#inputSize = align((to - from) * 2);
      this.#layout();
    } else this.#load();
    return this.#page;
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
      if (result === STALE) this.#tables.delete(this.#automaton!);
      else if (result !== FULL) {
        this.firstEntry = first;
        return result;
      }
      if (first > 0) {
        // what the page has so far must not be lost: the value goes to a page of its own
        this.take();
        this.#page = { entries: NO_WORDS };
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

  /** Copies the entries to their page; the next ones begin a new one. */
  take(): void {
    const count = this.entryCount;
    if (this.#page === null || count === 0) return;
    const from = this.#index >> 2;
    const entries = roomFor(count * STRIDE);
    entries.set(this.#words.subarray(from, from + count * STRIDE));
    this.#page.entries = entries;
    this.#page = null;
    this.#wasm.reset();
  }

  get #base(): number {
    return this.#input - this.#from;
  }

  /** (re)places the regions, grows the memory, and loads what was loaded */
  #layout(): void {
    const automaton = this.#automaton;
    if (automaton !== null) {
      const size = this.#tablesFor(automaton).bytes.length;
      if (size > this.#tablesSize) this.#tablesSize = align(size * 2);
    }
    this.#input = align(TABLES + this.#tablesSize);
    this.#marks = align(this.#input + this.#inputSize + 16);
    this.#scopes = this.#marks + 4 * this.#capacity;
    this.#index = align(this.#scopes + 4 * this.#capacity);
    const end = this.#index + 16 * this.#capacity;
    const pages = Math.ceil(end / PAGE) - this.#memory.buffer.byteLength / PAGE;
    if (pages > 0) this.#memory.grow(pages);
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.#words = new Int32Array(this.#memory.buffer);
    this.#wasm.configure(CELLS, NESTING, FRAMES, this.#marks, this.#scopes, this.#index, end);
    this.#loaded = null;
    if (automaton !== null) this.#load();
  }

  #load(): void {
    const tables = this.#tablesFor(this.#automaton!);
    if (tables.bytes.length > this.#tablesSize) {
      this.#layout();
      return;
    }
    if (this.#loaded !== tables) {
      this.#bytes.set(tables.bytes, TABLES);
      for (const at of tables.relocations) this.#words[(TABLES + at) >> 2]! += TABLES;
      this.#wasm.automaton(TABLES);
      this.#loaded = tables;
    }
    this.#source.copy(this.#bytes, this.#input, this.#from, this.#to);
    this.#wasm.reset();
  }

  #tablesFor(automaton: Automaton): Tables {
    let tables = this.#tables.get(automaton);
    if (tables === undefined) {
      tables = tablesOf(automaton);
      this.#tables.set(automaton, tables);
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
    this.#selected.set(key, kind >= OBJECT ? null : scalarAt(this.#source, kind, from, to).text);
    return 0;
  }

  #select(): number {
    const automaton = this.#automaton!;
    const keys = automaton.selectorKeys(this.#selecting);
    const selected = this.#selected;
    return this.#checked(
      automaton.select(this.#selecting, (key) => selected.get(keys.indexOf(key)) ?? undefined),
    );
  }
}

const NO_WORDS = new Int32Array(0);

/** Room for indexes, used again and again: a typed array lives outside the heap, which costs more than filling it. */
const ROOMS: { readonly words: number; readonly most: number; readonly free: Int32Array[] }[] = [
  { words: 2048, most: 64, free: [] },
  { words: 64 * 1024, most: 8, free: [] },
];

function roomFor(words: number): Int32Array {
  for (const size of ROOMS) if (words <= size.words) return size.free.pop() ?? new Int32Array(size.words);
  return new Int32Array(words);
}

/** The records of a page are rendered: its room is free. */
export function release(page: JsonPage): void {
  const room = page.entries;
  page.entries = NO_WORDS;
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
