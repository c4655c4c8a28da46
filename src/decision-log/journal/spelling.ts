/**
 * Canonical JSON of decision records, quickly: written in one pass to where it will be hashed and sent from, without a string in
 * between, and with the bytes of what cannot change (a caller, the account of a usual answer, labels) remembered from one
 * record to the next. What has no plain spelling is left to `canonical.ts`, which is slower and leaves nothing out; both
 * write the same (held by a property test).
 */
import type { Lines } from './pages.ts';

/** Deeper is left to `canonical.ts`, which refuses it. */
const MAX_DEPTH = 90;
const LONGEST_REMEMBERED = 64 * 1024;
const KEYS = 1024;
const LONGEST_KEY = 64;
/** Characters up to which a loop of our own writes sooner than a call out of JavaScript. */
const SHORT = 80;

/** Printable ASCII without what JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;
const isPlain = (c: number): boolean => c >= 0x20 && c <= 0x7e && c !== QUOTE && c !== BACKSLASH;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** by frozen object; nothing that a frozen object holds can change */
const remembered = new WeakMap<object, Uint8Array>();
/** `"name":` */
const keys = new Map<string, string>();

class Speller {
  awkward = false;
  readonly #lines: Lines;
  #page: Buffer;
  /** in the page, where the line begins */
  #from: number;
  /** bytes of the line so far */
  #length = 0;

  constructor(lines: Lines) {
    this.#lines = lines;
    this.#page = lines.page;
    this.#from = lines.at;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns where the next `bytes` bytes may be written */
  #room(bytes: number): number {
    if (this.#from + this.#length + bytes > this.#page.length) {
      this.#lines.room(this.#length, bytes);
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
        if (!Number.isFinite(value)) this.awkward = true;
        // ECMAScript's own spelling, as RFC 8785 §3.2.2.3 asks; -0 is 0
        this.#ascii(`${value}`);
        break;
      case 'object':
        if (value === null) this.#ascii('null');
        else if (Object.isFrozen(value)) this.#recalled(value, depth);
        else this.#composed(value, depth);
        break;
      default:
        this.awkward = true;
    }
  }

  #recalled(value: object, depth: number): void {
    const known = remembered.get(value);
    if (known !== undefined) {
      this.#page.set(known, this.#room(known.length));
      this.#length += known.length;
      return;
    }
    const before = this.#length;
    this.#composed(value, depth);
    const size = this.#length - before;
    if (this.awkward || size > LONGEST_REMEMBERED || !isConstant(value)) return;
    const from = this.#from + before;
    remembered.set(value, Uint8Array.prototype.slice.call(this.#page, from, from + size));
  }

  #composed(value: object, depth: number): void {
    if (depth > MAX_DEPTH) {
      this.awkward = true;
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
      this.awkward = true;
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

  /** text of ASCII alone */
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
    if (json.includes('\\ud')) this.awkward = true;
    const bytes = Buffer.byteLength(json);
    this.#page.write(json, this.#room(bytes), 'utf8');
    this.#length += bytes;
  }
}

/**
 * Writes the canonical JSON of a value where the next line begins.
 * @returns how many bytes it takes, or null: ask `arrange`
 */
export function spell(value: unknown, lines: Lines): number | null {
  const speller = new Speller(lines);
  speller.value(value, 0);
  return speller.awkward ? null : speller.length;
}

function inOrder(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if (names[i]! < names[i - 1]!) return false;
  return true;
}

/** Frozen down to its leaves, and made of data alone: no accessors. */
export const isConstant = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every((d) => 'value' in d && isConstant(d.value)));
