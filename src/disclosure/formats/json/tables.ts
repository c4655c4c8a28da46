/**
 * Encodes a matcher for the scanner (`assembly/scan.ts`): 48 bytes for each state, hash tables of names, tables of positions. Encoded once for
 * each matcher, and again if a selector leads to a new state.
 */
import { SluiceError } from '../../../errors.ts';
import type { Matcher } from '../format.ts';

const STATE_SIZE = 48;
const SLOT_SIZE = 24;
const WALKS_OBJECT = 1;
const WALKS_ARRAY = 2;
const SCOPE = 4;
const MARKED = 8;
const SELECTS = 16;
/** positions are looked up in a table of at most 256 KiB for each state */
const MAX_POSITION = 65_535;

export interface Tables {
  /** addresses within are relative to its start */
  readonly bytes: Uint8Array;
  /** offsets of the addresses, which must be made absolute */
  readonly relocations: Uint32Array;
  /** number of states */
  readonly states: number;
}

export function tablesOf(matcher: Matcher): Tables {
  const states = matcher.transitions();
  const writer = new Writer(states.length * STATE_SIZE);
  for (const state of states) {
    const at = state.id * STATE_SIZE;
    const walks = state.inner || state.marked;
    const flags =
      (walks ? WALKS_OBJECT | WALKS_ARRAY : 0) |
      (state.embeds >= 0 ? SCOPE : 0) |
      (state.marks.length > 0 ? MARKED : 0) |
      (state.conditions.length > 0 ? SELECTS : 0);
    writer.word(at, flags);
    writer.word(at + 4, state.otherName);
    writer.word(at + 8, state.otherItem);
    writer.names(at + 12, state.names);
    writer.positions(at + 20, state.positions);
    writer.word(at + 28, state.embeds >= 0 ? matcher.entry(state.embeds) : 0);
    writer.names(at + 32, new Map(matcher.selectorKeys(state.id).map((key, n) => [key, n])));
  }
  return { ...writer.done(), states: states.length };
}

class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #end: number;
  readonly #relocations: number[] = [];

  constructor(size: number) {
    this.#end = size;
    this.#bytes = new Uint8Array(Math.max(1024, size * 4));
    this.#view = new DataView(this.#bytes.buffer);
  }

  word(at: number, value: number): void {
    this.#view.setInt32(at, value, true);
  }

  /** address and mask of a hash table at `at`; see `lookup` in the scanner */
  names(at: number, all: ReadonlyMap<string, number>): void {
    // a name that needs escapes is compared after decoding, never byte for byte
    const names = new Map([...all].filter(([name]) => JSON.stringify(name).length === name.length + 2));
    let slots = 1;
    while (slots < names.size * 2) slots *= 2;
    const table = this.#room(slots * SLOT_SIZE);
    for (let n = 0; n < slots; n++) this.#view.setUint32(table + n * SLOT_SIZE + 8, 0xffffffff, true);
    for (const [name, outcome] of names) {
      const key = Buffer.from(name, 'utf8');
      // as spelled in a document, with the closing quote; the scanner reads 16 bytes at a time
      const copy = this.#room(key.length + 16);
      this.#bytes.set(key, copy);
      const prefix = this.#view.getBigUint64(copy, true);
      const last = key.length < 8 ? 0n : this.#view.getBigUint64(copy + key.length - 8, true);
      const mixed = BigInt.asUintN(64, prefix * 0x9e3779b97f4a7c15n + last * 0xc2b2ae3d27d4eb4fn);
      let slot = (Number(mixed >> 40n) + key.length * 31) & (slots - 1);
      this.#bytes[copy + key.length] = 0x22;
      while (this.#view.getUint32(table + slot * SLOT_SIZE + 8, true) !== 0xffffffff)
        slot = (slot + 1) & (slots - 1);
      const s = table + slot * SLOT_SIZE;
      this.#view.setBigUint64(s, prefix, true);
      this.#view.setUint32(s + 8, key.length, true);
      this.#view.setInt32(s + 12, outcome, true);
      this.#pointer(s + 16, copy);
    }
    this.#pointer(at, table);
    this.word(at + 4, slots - 1);
  }

  positions(at: number, positions: ReadonlyMap<string, number>): void {
    const numbers = [...positions].filter(([position]) => /^(0|[1-9]\d*)$/.test(position));
    if (numbers.length === 0) return;
    const count = Math.max(...numbers.map(([position]) => Number(position))) + 1;
    if (count > MAX_POSITION) {
      throw new SluiceError('catalog_invalid', `A catalog path has a position beyond ${MAX_POSITION}.`);
    }
    const table = this.#room(count * 4);
    for (let n = 0; n < count; n++) this.word(table + n * 4, -1);
    for (const [position, outcome] of numbers) this.word(table + Number(position) * 4, outcome);
    this.#pointer(at, table);
    this.word(at + 4, count);
  }

  done(): { bytes: Uint8Array; relocations: Uint32Array } {
    return { bytes: this.#bytes.slice(0, this.#end), relocations: Uint32Array.from(this.#relocations) };
  }

  #pointer(at: number, to: number): void {
    this.word(at, to);
    this.#relocations.push(at);
  }

  #room(size: number): number {
    const at = (this.#end + 7) & ~7;
    this.#end = at + size;
    if (this.#end + 8 > this.#bytes.length) {
      const grown = new Uint8Array((this.#end + 8) * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
