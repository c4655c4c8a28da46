/**
 * The scanner in plain TypeScript: what `assembly/scan.ts` must agree with, entry for entry, and what it is measured against. Longer than
 * others: it is one state machine, kept together.
 */
import type { Matcher, StateId } from '../../src/disclosure/formats/format.ts';
import {
  AMBIGUOUS,
  ARRAY,
  CLOSE,
  ESCAPED,
  FALSE,
  MALFORMED,
  MIXED,
  MORE,
  NULL,
  NUMBER,
  OBJECT,
  OPEN_ARRAY,
  OPEN_OBJECT,
  OPEN_SCOPE,
  STRIDE,
  STRING,
  TOO_DEEP,
  TRUE,
} from '../../src/disclosure/formats/json/entries.ts';
import { bufferOf, textAt } from '../../src/disclosure/formats/json/text.ts';

export class PlainScanner {
  entries = new Int32Array(1024 * STRIDE);
  marks = new Int32Array(16);
  scopes = new Int32Array(16);
  /** number of entries, marks and scopes of the last scan */
  entryCount = 0;
  markCount = 0;
  scopeCount = 0;
  /** where the last scan failed */
  errorAt = 0;
  #b: Buffer = Buffer.alloc(0);
  #end = 0;
  #final = false;
  #depth = 0;
  #escaped = false;
  /** the value skipped last has an object in it, or is one */
  #braced = false;
  #limit: number;
  #m: Matcher;
  #nesting: Uint8Array;

  constructor(limit: number) {
    this.#limit = limit;
    this.#m = undefined as never;
    this.#nesting = new Uint8Array(limit + 1);
  }

  /**
   * Scans the value that begins at `at` (no white space before it).
   * @param depth containers around it
   * @param final nothing follows `end`: what is incomplete is malformed
   * @returns where it ends, or MORE, MALFORMED, TOO_DEEP, AMBIGUOUS
   */
  scan(
    source: Uint8Array,
    at: number,
    end: number,
    matcher: Matcher,
    state: StateId,
    depth: number,
    final: boolean,
  ): number {
    this.#b = bufferOf(source);
    this.#end = end;
    this.#final = final;
    this.#m = matcher;
    this.#depth = depth;
    this.entryCount = 0;
    this.markCount = 0;
    this.scopeCount = 0;
    return this.#value(at, at, state, false);
  }

  /** a copy of the last scan's index */
  keep() {
    return {
      entries: this.entries.slice(0, this.entryCount * STRIDE),
      marks: this.marks.slice(0, this.markCount),
      scopes: this.scopes.slice(0, this.scopeCount),
    };
  }

  /** Skips (and validates) white space and one string; where it ends. For the keys around the records. */
  string(source: Uint8Array, at: number, end: number, final: boolean): number {
    this.#b = bufferOf(source);
    this.#end = end;
    this.#final = final;
    return this.#string(at);
  }

  get escaped(): boolean {
    return this.#escaped;
  }

  #bad(at: number): number {
    if (at >= this.#end && !this.#final) return MORE;
    this.errorAt = at;
    return MALFORMED;
  }

  #white(at: number): number {
    const b = this.#b;
    const end = this.#end;
    let i = at;
    while (i < end) {
      const c = b[i]!;
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
      i++;
    }
    return i;
  }

  #push(kind: number, state: StateId, member: number, start: number, end: number): number {
    const n = this.entryCount++;
    let entries = this.entries;
    if ((n + 1) * STRIDE > entries.length) {
      entries = new Int32Array(entries.length * 2);
      entries.set(this.entries);
      this.entries = entries;
    }
    const o = n * STRIDE;
    entries[o] = (state << 8) | kind;
    entries[o + 1] = member;
    entries[o + 2] = start;
    entries[o + 3] = end;
    return n;
  }

  #mark(entry: number): void {
    if (this.markCount === this.marks.length) this.marks = grown(this.marks);
    this.marks[this.markCount++] = entry;
  }

  /** a value that the automaton may look into */
  #value(at: number, member: number, from: StateId, listed: boolean): number {
    const c = this.#b[at];
    const m = this.#m;
    if (at >= this.#end) return this.#bad(at);
    let state = from;
    if (c === 0x7b) {
      if (m.selectors(state)) {
        const resolved = this.#select(at, state);
        if (resolved < 0) return resolved;
        state = resolved;
      }
      const scope = m.scope(state);
      if (scope >= 0) {
        const n = this.#push(OPEN_SCOPE, state, member, at, 0);
        if (this.scopeCount === this.scopes.length) this.scopes = grown(this.scopes);
        this.scopes[this.scopeCount++] = n;
        return this.#object(at, m.entry(scope), n);
      }
      if (m.inner(state) || m.marked(state))
        return this.#object(at, state, this.#push(OPEN_OBJECT, state, member, at, 0));
    } else if (c === 0x5b) {
      if (m.scope(state) >= 0 ? !listed : m.inner(state) || m.marked(state))
        return this.#array(at, state, this.#push(OPEN_ARRAY, state, member, at, 0));
    }
    const end = this.#skip(at);
    if (end < 0) return end;
    const kind =
      c === 0x22
        ? this.#escaped
          ? ESCAPED
          : STRING
        : c === 0x7b
          ? OBJECT
          : c === 0x5b
            ? this.#braced
              ? MIXED
              : ARRAY
            : c === 0x74
              ? TRUE
              : c === 0x66
                ? FALSE
                : c === 0x6e
                  ? NULL
                  : NUMBER;
    const n = this.#push(kind, state, member, at, end);
    if (kind <= NULL && m.marks(state).length > 0) this.#mark(n);
    return end;
  }

  #enter(at: number): number {
    if (++this.#depth > this.#limit) {
      this.errorAt = at;
      return TOO_DEEP;
    }
    return 0;
  }

  #leave(open: number, end: number): number {
    this.#depth--;
    const o = open * STRIDE;
    const close = this.#push(CLOSE, 0, end - 1, end - 1, end);
    this.entries[o + 3] = close;
    return end;
  }

  #object(at: number, state: StateId, open: number): number {
    const deep = this.#enter(at);
    if (deep < 0) return deep;
    const b = this.#b;
    let i = this.#white(at + 1);
    if (b[i] === 0x7d && i < this.#end) return this.#leave(open, i + 1);
    while (true) {
      if (i >= this.#end || b[i] !== 0x22) return this.#bad(i);
      const key = i;
      i = this.#string(i);
      if (i < 0) return i;
      const next = this.#m.step(state, textAt(b, key, i, this.#escaped));
      i = this.#white(i);
      if (i >= this.#end || b[i] !== 0x3a) return this.#bad(i);
      i = this.#value(this.#white(i + 1), key, next, false);
      if (i < 0) return i;
      i = this.#white(i);
      if (i >= this.#end) return this.#bad(i);
      if (b[i] === 0x7d) return this.#leave(open, i + 1);
      if (b[i] !== 0x2c) return this.#bad(i);
      i = this.#white(i + 1);
    }
  }

  #array(at: number, state: StateId, open: number): number {
    const deep = this.#enter(at);
    if (deep < 0) return deep;
    const b = this.#b;
    const listed = this.#m.scope(state) >= 0;
    let i = this.#white(at + 1);
    if (b[i] === 0x5d && i < this.#end) return this.#leave(open, i + 1);
    for (let index = 0; ; index++) {
      i = this.#value(i, i, listed ? state : this.#m.item(state, index), listed);
      if (i < 0) return i;
      i = this.#white(i);
      if (i >= this.#end) return this.#bad(i);
      if (b[i] === 0x5d) return this.#leave(open, i + 1);
      if (b[i] !== 0x2c) return this.#bad(i);
      i = this.#white(i + 1);
    }
  }

  /** looks through an object for the members that selectors ask for, before its members are entered */
  #select(at: number, state: StateId): number {
    const b = this.#b;
    const members = new Map<string, string | null>();
    const wanted = this.#m.selectorKeys(state);
    let i = this.#white(at + 1);
    if (b[i] !== 0x7d || i >= this.#end) {
      while (true) {
        if (i >= this.#end || b[i] !== 0x22) return this.#bad(i);
        const key = i;
        i = this.#string(i);
        if (i < 0) return i;
        const name = textAt(b, key, i, this.#escaped);
        i = this.#white(i);
        if (i >= this.#end || b[i] !== 0x3a) return this.#bad(i);
        const value = this.#white(i + 1);
        i = this.#skip(value);
        if (i < 0) return i;
        if (wanted.includes(name)) {
          if (members.has(name)) {
            this.errorAt = key;
            return AMBIGUOUS;
          }
          const c = b[value]!;
          if (c === 0x22) members.set(name, textAt(b, value, i, this.#escaped));
          else members.set(name, c === 0x7b || c === 0x5b ? null : b.toString('latin1', value, i));
        }
        i = this.#white(i);
        if (i >= this.#end) return this.#bad(i);
        if (b[i] === 0x7d) break;
        if (b[i] !== 0x2c) return this.#bad(i);
        i = this.#white(i + 1);
      }
    }
    return this.#m.select(state, (key) => members.get(key) ?? undefined);
  }

  /** validates a value that nothing looks into */
  #skip(at: number): number {
    const b = this.#b;
    const end = this.#end;
    const nesting = this.#nesting;
    const floor = this.#depth;
    let depth = floor;
    let i = at;
    this.#braced = false;
    while (true) {
      // a value is due at i
      if (i >= end) return this.#bad(i);
      const c = b[i]!;
      if (c === 0x7b || c === 0x5b) {
        if (++depth > this.#limit) {
          this.errorAt = i;
          return TOO_DEEP;
        }
        nesting[depth] = c;
        if (c === 0x7b) this.#braced = true;
        i = this.#white(i + 1);
        if (i >= end) return this.#bad(i);
        if (b[i] !== c + 2) {
          if (c === 0x5b) continue;
          i = this.#key(i);
          if (i < 0) return i;
          continue;
        }
        i++;
        depth--;
      } else {
        if (c === 0x22) i = this.#string(i);
        else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) i = this.#number(i);
        else i = this.#literal(i, c);
        if (i < 0) return i;
      }
      // a value ended at i
      while (depth > floor) {
        i = this.#white(i);
        if (i >= end) return this.#bad(i);
        const d = b[i]!;
        if (d === 0x2c) {
          i = this.#white(i + 1);
          if (nesting[depth] === 0x7b) {
            i = this.#key(i);
            if (i < 0) return i;
          }
          break;
        }
        if (d !== nesting[depth]! + 2) return this.#bad(i);
        depth--;
        i++;
      }
      if (depth === floor) return i;
    }
  }

  /** a key and its colon; where the value begins */
  #key(at: number): number {
    if (at >= this.#end || this.#b[at] !== 0x22) return this.#bad(at);
    let i = this.#string(at);
    if (i < 0) return i;
    i = this.#white(i);
    if (i >= this.#end || this.#b[i] !== 0x3a) return this.#bad(i);
    return this.#white(i + 1);
  }

  #string(at: number): number {
    const b = this.#b;
    const end = this.#end;
    let escaped = false;
    let i = at + 1;
    while (i < end) {
      const c = b[i]!;
      if (c === 0x22) {
        this.#escaped = escaped;
        return i + 1;
      }
      if (c === 0x5c) {
        escaped = true;
        if (i + 1 >= end) return this.#bad(end);
        const e = b[i + 1]!;
        if (e === 0x75) {
          for (let n = i + 2; n < i + 6; n++) if (n >= end || !isHex(b[n]!)) return this.#bad(n);
          i += 6;
        } else if (isEscape(e)) i += 2;
        else return this.#bad(i + 1);
      } else if (c < 0x20) return this.#bad(i);
      else i++;
    }
    return this.#bad(end);
  }

  #number(at: number): number {
    const b = this.#b;
    let i = at;
    if (b[i] === 0x2d) i++;
    if (i >= this.#end) return this.#bad(i);
    if (b[i] === 0x30) i++;
    else {
      const digits = this.#digits(i);
      if (digits === i) return this.#bad(i);
      i = digits;
    }
    if (i < this.#end && b[i] === 0x2e) {
      const digits = this.#digits(i + 1);
      if (digits === i + 1) return this.#bad(digits);
      i = digits;
    }
    if (i < this.#end && (b[i]! | 0x20) === 0x65) {
      i++;
      if (i < this.#end && (b[i] === 0x2b || b[i] === 0x2d)) i++;
      const digits = this.#digits(i);
      if (digits === i) return this.#bad(i);
      i = digits;
    }
    // a number is over only when something else follows
    if (i >= this.#end && !this.#final) return MORE;
    return i;
  }

  #digits(at: number): number {
    const b = this.#b;
    let i = at;
    while (i < this.#end && b[i]! >= 0x30 && b[i]! <= 0x39) i++;
    return i;
  }

  #literal(at: number, c: number): number {
    const word = c === 0x74 ? 'true' : c === 0x66 ? 'false' : c === 0x6e ? 'null' : null;
    if (word === null) return this.#bad(at);
    for (let n = 0; n < word.length; n++) {
      if (at + n >= this.#end || this.#b[at + n] !== word.charCodeAt(n)) return this.#bad(at + n);
    }
    return at + word.length;
  }
}

const isHex = (c: number) => (c >= 0x30 && c <= 0x39) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
const isEscape = (c: number) =>
  c === 0x22 ||
  c === 0x5c ||
  c === 0x2f ||
  c === 0x62 ||
  c === 0x66 ||
  c === 0x6e ||
  c === 0x72 ||
  c === 0x74;

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(array.length * 2);
  more.set(array);
  return more;
}
