/**
 * Iterates over sets and objects in the memory of a module in the order of OPA's interpreter: sorted by element or key.
 * Strings, integers and arrays are compared in memory (`memory.ts`); other values are decoded first.
 */
import { elementsOf, INTEGER, isText, keysOf, plainAt, TYPE } from './memory.ts';
import { compare } from './order.ts';
import { NumberText, type RegoValue } from './values.ts';

/** up to this many keys, insertion sort is the fastest */
const SMALL = 16;

/** The sorted keys of a loaded value. They are reused while its table of buckets and its length are the same. */
interface Loaded {
  readonly buckets: number;
  readonly length: number;
  readonly keys: readonly number[];
}

interface Cursor {
  readonly keys: readonly number[];
  at: number;
}

export class Iteration {
  readonly #bytes: () => Buffer;
  readonly #read: (addr: number) => RegoValue;
  readonly #fixed: () => number;
  readonly #cursors = new Map<number, Cursor>();
  readonly #loaded = new Map<number, Loaded>();
  /** results of `walk` whose indices are not in `#indexes` yet */
  #walks: number[] = [];
  /** the numbers in paths of `walk` that are indices of arrays */
  readonly #indexes = new Set<number>();

  /**
   * @param bytes the module's memory
   * @param read reads the value at an address, of any type
   * @param fixed values below this address were loaded with the data and never change
   */
  constructor(bytes: () => Buffer, read: (addr: number) => RegoValue, fixed: () => number) {
    this.#fixed = fixed;
    this.#bytes = bytes;
    this.#read = read;
  }

  /** Call before each evaluation, in which the same addresses hold other values. */
  forget(): void {
    this.#cursors.clear();
    this.#walks = [];
    this.#indexes.clear();
  }

  /** @returns the element or key that follows `previous`; the first one if `previous` is 0; 0 after the last one */
  next(node: number, previous: number): number {
    if (previous === 0) {
      const keys = this.#inOrder(node);
      this.#cursors.set(node, { keys, at: 0 });
      return keys[0] ?? 0;
    }
    let cursor = this.#cursors.get(node);
    if (cursor === undefined) {
      // The module started the iteration itself, and then met a key that it does not sort.
      cursor = { keys: this.#inOrder(node), at: 0 };
      this.#cursors.set(node, cursor);
    }
    const { keys } = cursor;
    // Two iterations over the same value share a cursor, so it may be at another key.
    let at = keys[cursor.at] === previous ? cursor.at : keys.indexOf(previous);
    if (at < 0) at = keys.findIndex((key) => this.#compare(key, previous) === 0);
    if (at < 0) return 0;
    cursor.at = at + 1;
    return keys[at + 1] ?? 0;
  }

  #inOrder(node: number): readonly number[] {
    // Only the keys of loaded values are kept: other memory is reused, and a set may have grown.
    if (node >= this.#fixed()) return this.#sorted(keysOf(this.#bytes(), node));
    const bytes = this.#bytes();
    const [buckets, length] = [bytes.readUInt32LE(node + 4), bytes.readUInt32LE(node + 12)];
    const known = this.#loaded.get(node);
    if (known?.buckets === buckets && known.length === length) return known.keys;
    const keys = this.#sorted(keysOf(this.#bytes(), node));
    this.#loaded.set(node, { buckets, length, keys });
    return keys;
  }

  /** Sorts the result of `walk`, an array of [path, value], by path, in place. */
  arrange(array: number): number {
    if (array === 0) return 0;
    const bytes = this.#bytes();
    const elements = bytes.readUInt32LE(array + 4);
    const length = bytes.readUInt32LE(array + 8);
    const pairs = Array.from({ length }, (_, i) => {
      const pair = bytes.readUInt32LE(elements + 8 * i + 4);
      return { pair, path: elementsOf(bytes, bytes.readUInt32LE(bytes.readUInt32LE(pair + 4) + 4)) };
    });
    pairs.sort((a, b) => this.#compareLists(a.path, b.path));
    const after = this.#bytes();
    for (const [i, { pair }] of pairs.entries()) after.writeUInt32LE(pair, elements + 8 * i + 4);
    this.#walks.push(array);
    return array;
  }

  /**
   * Whether `wanted` has a number for an index that is not spelled as an integer (`0.0`, `0e0`): the interpreter finds no element by it.
   * @param walked a part of a result of `walk` that equals `wanted`: an element of a path, a path, or a path and its value
   */
  noIndex(walked: number, wanted: number, depth = 2): boolean {
    const bytes = this.#bytes();
    if (bytes[walked] === TYPE.array)
      return (
        depth > 0 &&
        elementsOf(bytes, walked).some((w, i) => this.noIndex(w, elementsOf(bytes, wanted)[i]!, depth - 1))
      );
    if (bytes[wanted] !== TYPE.number || bytes[wanted + 1] === INTEGER) return false;
    const spelled = plainAt(bytes, wanted);
    if (!(spelled instanceof NumberText) || /^[+-]?\d+$/.test(spelled.text)) return false;
    for (const walk of this.#walks) this.#addIndexes(walk);
    this.#walks = [];
    return this.#indexes.has(walked);
  }

  #addIndexes(walk: number): void {
    const bytes = this.#bytes();
    /** the values on the way to the current one, by depth */
    const way: number[] = [];
    for (const pair of elementsOf(bytes, walk)) {
      const [path, value] = elementsOf(bytes, pair) as [number, number];
      const steps = elementsOf(bytes, path);
      const step = steps.at(-1);
      if (step !== undefined && bytes[way[steps.length - 1]!] === TYPE.array) this.#indexes.add(step);
      way[steps.length] = value;
    }
  }

  #sorted(keys: number[]): number[] {
    const bytes = this.#bytes();
    if (!keys.every((key) => isText(bytes[key]))) return keys.sort((a, b) => this.#compare(a, b));
    // Read as Latin-1, one character a byte, so that their order is that of the bytes.
    const texts = keys.map((key) => latin1(bytes, key));
    if (keys.length <= SMALL) {
      for (let i = 1; i < keys.length; i++) {
        const [key, text] = [keys[i]!, texts[i]!];
        let at = i;
        for (; at > 0 && texts[at - 1]! > text; at--) {
          keys[at] = keys[at - 1]!;
          texts[at] = texts[at - 1]!;
        }
        keys[at] = key;
        texts[at] = text;
      }
      return keys;
    }
    const places = keys.map((_, i) => i);
    places.sort((a, b) => (texts[a]! < texts[b]! ? -1 : texts[a]! > texts[b]! ? 1 : 0));
    return places.map((i) => keys[i]!);
  }

  #compare(a: number, b: number): number {
    if (a === b) return 0;
    const bytes = this.#bytes();
    const [x, y] = [bytes[a], bytes[b]];
    if (isText(x) && isText(y)) {
      const [s, t] = [latin1(bytes, a), latin1(bytes, b)];
      return s < t ? -1 : s > t ? 1 : 0;
    }
    if (x === TYPE.number && y === TYPE.number && bytes[a + 1] === INTEGER && bytes[b + 1] === INTEGER) {
      const [m, n] = [bytes.readBigInt64LE(a + 8), bytes.readBigInt64LE(b + 8)];
      return m < n ? -1 : m > n ? 1 : 0;
    }
    if (x === TYPE.array && y === TYPE.array)
      return this.#compareLists(elementsOf(bytes, a), elementsOf(bytes, b));
    return compare(this.#read(a), this.#read(b));
  }

  #compareLists(a: readonly number[], b: readonly number[]): number {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const c = this.#compare(a[i]!, b[i]!);
      if (c !== 0) return c;
    }
    return a.length - b.length;
  }
}

const latin1 = (bytes: Buffer, addr: number): string => {
  const at = bytes.readUInt32LE(addr + 8);
  return bytes.toString('latin1', at, at + bytes.readUInt32LE(addr + 4));
};
