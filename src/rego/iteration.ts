/**
 * Iteration over sets and objects in the memory of a module, in the order of OPA's interpreter: that of their elements or
 * keys. Values are read where they lie (`memory.ts`); only what is nested is decoded to be compared.
 */
import { elementsOf, INTEGER, isText, keysOf, TYPE } from './memory.ts';
import { compare } from './order.ts';
import type { RegoValue } from './values.ts';

const FEW = 16;

/** A loaded value is only taken for the one of before while what it consists of lies where it lay. */
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

  /**
   * @param read the value at an address, of any kind
   * @param fixed what lies below this address was loaded, and never changes
   */
  constructor(bytes: () => Buffer, read: (addr: number) => RegoValue, fixed: () => number) {
    this.#fixed = fixed;
    this.#bytes = bytes;
    this.#read = read;
  }

  /** to be called before each evaluation: addresses mean other values then */
  forget(): void {
    this.#cursors.clear();
  }

  /** @returns the element or key after `previous`, the first one after 0; 0 after the last one */
  next(node: number, previous: number): number {
    if (previous === 0) {
      const keys = this.#inOrder(node);
      this.#cursors.set(node, { keys, at: 0 });
      return keys[0] ?? 0;
    }
    let cursor = this.#cursors.get(node);
    if (cursor === undefined) {
      // The module began to iterate by itself, and then met a key that it leaves to the host.
      cursor = { keys: this.#inOrder(node), at: 0 };
      this.#cursors.set(node, cursor);
    }
    const { keys } = cursor;
    // Two iterations over the same value share a cursor.
    let at = keys[cursor.at] === previous ? cursor.at : keys.indexOf(previous);
    if (at < 0) at = keys.findIndex((key) => this.#compare(key, previous) === 0);
    if (at < 0) return 0;
    cursor.at = at + 1;
    return keys[at + 1] ?? 0;
  }

  #inOrder(node: number): readonly number[] {
    // Sorted anew unless loaded: memory is used again, and a set may have grown since.
    if (node >= this.#fixed()) return this.#sorted(keysOf(this.#bytes(), node));
    const bytes = this.#bytes();
    const [buckets, length] = [bytes.readUInt32LE(node + 4), bytes.readUInt32LE(node + 12)];
    const known = this.#loaded.get(node);
    if (known?.buckets === buckets && known.length === length) return known.keys;
    const keys = this.#sorted(keysOf(this.#bytes(), node));
    this.#loaded.set(node, { buckets, length, keys });
    return keys;
  }

  /** Sorts an array of pairs of a path and a value by their paths, in place. */
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
    return array;
  }

  #sorted(keys: number[]): number[] {
    const bytes = this.#bytes();
    if (!keys.every((key) => isText(bytes[key]))) return keys.sort((a, b) => this.#compare(a, b));
    // One character a byte: the order of these is the order of the bytes.
    const texts = keys.map((key) => latin1(bytes, key));
    // Most have few elements: inserting is the fastest way to sort them.
    if (keys.length <= FEW) {
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
