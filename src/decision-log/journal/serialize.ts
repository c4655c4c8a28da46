/**
 * Fast serialization of records to canonical JSON. It writes bytes in one pass to the buffer that is hashed and sent, without
 * an intermediate string. The bytes of frozen objects (a caller, the disclosure of a frequent response, labels) are memoized.
 * It returns null for values it does not support; `canonical.ts` serializes those, more slowly. A property test checks that
 * both write the same bytes.
 */
import type { LineBuffer } from './pages.ts';

/** `canonical.ts` rejects deeper values. */
const MAX_DEPTH = 90;
const MAX_MEMO_BYTES = 64 * 1024;
const KEYS = 1024;
const LONGEST_KEY = 64;
/** Up to this many characters a loop in JavaScript is faster than a call of a native method. */
const SHORT = 80;

/** Printable ASCII except characters that JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;
const isPlain = (c: number): boolean => c >= 0x20 && c <= 0x7e && c !== QUOTE && c !== BACKSLASH;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** bytes by deeply frozen object */
const memo = new WeakMap<object, Uint8Array>();
/** `"name":` */
const keys = new Map<string, string>();

class Serializer {
  unsupported = false;
  readonly #lines: LineBuffer;
  #page: Buffer;
  /** offset in the page at which the line begins */
  #from: number;
  /** bytes of the line so far */
  #length: number;

  constructor(lines: LineBuffer, start: number) {
    this.#lines = lines;
    this.#length = start;
    this.#page = lines.page;
    this.#from = lines.at;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns the offset for the next `bytes` bytes */
  #room(bytes: number): number {
    if (this.#from + this.#length + bytes > this.#page.length) {
      this.#lines.reserve(this.#length, bytes);
      this.#page = this.#lines.page;
      this.#from = this.#lines.at;
    }
    return this.#from + this.#length;
  }

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        this.#string(value);
        break;
      case 'boolean':
        this.#ascii(value ? 'true' : 'false');
        break;
      case 'undefined':
        this.#ascii('null');
        break;
      case 'number':
        if (!Number.isFinite(value)) this.unsupported = true;
        // RFC 8785 §3.2.2.3 uses the ECMAScript form of numbers; -0 is 0.
        this.#ascii(`${value}`);
        break;
      case 'object':
        if (value === null) this.#ascii('null');
        else if (Object.isFrozen(value)) this.#memoized(value, depth);
        else this.#members(value, depth);
        break;
      default:
        this.unsupported = true;
    }
  }

  #memoized(value: object, depth: number): void {
    const known = memo.get(value);
    if (known !== undefined) {
      // `#room` may replace `#page`.
      const at = this.#room(known.length);
      this.#page.set(known, at);
      this.#length += known.length;
      return;
    }
    const before = this.#length;
    this.#members(value, depth);
    const size = this.#length - before;
    if (this.unsupported || size > MAX_MEMO_BYTES || !isConstant(value)) return;
    const from = this.#from + before;
    memo.set(value, Uint8Array.prototype.slice.call(this.#page, from, from + size));
  }

  #members(value: object, depth: number): void {
    if (depth > MAX_DEPTH) {
      this.unsupported = true;
      return;
    }
    if (Array.isArray(value)) {
      this.#byte(0x5b);
      for (let i = 0; i < value.length; i++) {
        if (i > 0) this.#byte(0x2c);
        this.value(value[i], depth + 1);
      }
      this.#byte(0x5d);
      return;
    }
    const object = value as { readonly [key: string]: unknown };
    if (typeof object['toJSON'] === 'function') {
      this.unsupported = true;
      return;
    }
    const names = Object.keys(object);
    // The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks.
    if (!inOrder(names)) names.sort();
    this.#byte(0x7b);
    let first = true;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const member = object[name];
      if (member === undefined) continue;
      if (first) first = false;
      else this.#byte(0x2c);
      this.#key(name);
      this.value(member, depth + 1);
    }
    this.#byte(0x7d);
  }

  #key(name: string): void {
    const known = keys.get(name);
    if (known !== undefined) {
      this.#ascii(known);
      return;
    }
    this.#string(name);
    this.#byte(0x3a);
    if (keys.size < KEYS && name.length <= LONGEST_KEY && PLAIN.test(name)) keys.set(name, `"${name}":`);
  }

  #byte(byte: number): void {
    const at = this.#room(1);
    this.#page[at] = byte;
    this.#length += 1;
  }

  /** @param text ASCII only */
  #ascii(text: string): void {
    const at = this.#room(text.length);
    const page = this.#page;
    for (let i = 0; i < text.length; i++) page[at + i] = text.charCodeAt(i);
    this.#length += text.length;
  }

  #string(text: string): void {
    const { length } = text;
    if (length <= SHORT) {
      const at = this.#room(length + 2);
      const page = this.#page;
      page[at] = QUOTE;
      let i = 0;
      for (; i < length; i++) {
        const c = text.charCodeAt(i);
        if (!isPlain(c)) break;
        page[at + 1 + i] = c;
      }
      if (i === length) {
        page[at + 1 + i] = QUOTE;
        this.#length += length + 2;
        return;
      }
    } else if (PLAIN.test(text)) {
      const at = this.#room(length + 2);
      this.#page[at] = QUOTE;
      this.#page.write(text, at + 1, 'latin1');
      this.#page[at + 1 + length] = QUOTE;
      this.#length += length + 2;
      return;
    }
    const json = JSON.stringify(text);
    // perhaps a lone surrogate
    if (json.includes('\\ud')) this.unsupported = true;
    const bytes = Buffer.byteLength(json);
    const at = this.#room(bytes);
    this.#page.write(json, at, 'utf8');
    this.#length += bytes;
  }
}

/**
 * Writes the canonical JSON of a value, `start` bytes after the start of the current line.
 * @returns the offset behind it, or null if the value is not supported: use `normalize` then
 */
export function serialize(value: unknown, lines: LineBuffer, start: number): number | null {
  const serializer = new Serializer(lines, start);
  serializer.value(value, 0);
  return serializer.unsupported ? null : serializer.length;
}

function inOrder(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if (names[i]! < names[i - 1]!) return false;
  return true;
}

/** True if the value is frozen at every level and has no accessors. */
export const isConstant = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every((d) => 'value' in d && isConstant(d.value)));
