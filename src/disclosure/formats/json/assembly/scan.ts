/**
 * The strict JSON scanner (RFC 8259) in AssemblyScript: validates one value, follows the automaton of a catalog and writes the index
 * (`src/disclosure/formats/json/entries.ts` has the layout). Strings are read sixteen bytes at a time. UTF-8 is
 * checked by the host (`input.ts`). Build with `npm run build` in this folder; the result is committed as `src/disclosure/formats/json/wasm.ts`.
 *
 * Memory is laid out by the host (`../scan.ts`), which calls `configure` and `automaton`. The input is followed by 16 readable bytes.
 * This file is long because it is one state machine.
 */

// callbacks of the host for names with escapes, and for selectors
declare function hostStep(state: i32, from: i32, to: i32): i32;
declare function hostSelectKey(state: i32, from: i32, to: i32): i32;
declare function hostSelectBegin(state: i32): void;
/** @returns 0, or AMBIGUOUS if the object has the key already */
declare function hostSelectFound(key: i32, from: i32, to: i32, kind: i32): i32;
declare function hostSelect(): i32;
// callbacks of the host while a record is rendered
/**
 * Applies the treatment of a program to an entry's value, and writes the result at an address. If there is no room, the host first flushes the
 * output. @returns the end of the result, or 0: remove the value, or 1: write null
 */
declare function hostTreat(program: i32, entry: i32, at: usize): usize;
/** counts a value that is not in the catalog; the state is that of its container (-1: the record itself) */
declare function hostUnknown(program: i32, state: i32, entry: i32, element: i32): void;
/** @returns the codes of the program of the embedded resource at an entry, or 0: it is withheld, and has been counted */
declare function hostScope(program: i32, entry: i32): usize;
/** flushes the output up to an address. @returns the address of the next output */
declare function hostFlush(to: usize): usize;

const CLOSE: u32 = 0;
const STRING: u32 = 1;
const ESCAPED: u32 = 2;
const NUMBER: u32 = 3;
const TRUE: u32 = 4;
const FALSE: u32 = 5;
const NULL: u32 = 6;
const ARRAY: u32 = 7;
const OBJECT: u32 = 8;
const MIXED: u32 = 9;
const OPEN_OBJECT: u32 = 10;
const OPEN_ARRAY: u32 = 11;
const OPEN_SCOPE: u32 = 12;

const MORE: i32 = -1;
const MALFORMED: i32 = -2;
const TOO_DEEP: i32 = -3;
/** the index is full: the host enlarges it and scans again */
const FULL: i32 = -5;

// layout of a state
const STATE_SIZE: usize = 48;
const WALKS_OBJECT: u32 = 1;
const WALKS_ARRAY: u32 = 2;
const SCOPE: u32 = 4;
const MARKED: u32 = 8;
const SELECTS: u32 = 16;

let states: usize = 0;
let nesting: usize = 0;
let frames: usize = 0;
let index: usize = 0;
let indexEnd: usize = 0;
let marks: usize = 0;
let scopes: usize = 0;
/** address of the input's offset 0 */
let base: usize = 0;
let depthLimit: i32 = 0;

let entryAt: usize = 0;
let markAt: usize = 0;
let scopeAt: usize = 0;

let lim: usize = 0;
let final: bool = false;
let escaped: bool = false;
let depth: i32 = 0;
/** the reason why the last function returned 0 */
let code: i32 = 0;
let failedAt: usize = 0;
// results of `memberKey`
let keyState: i32 = 0;

export function configure(
  cellsAt: usize,
  nestingAt: usize,
  framesAt: usize,
  marksAt: usize,
  scopesAt: usize,
  indexAt: usize,
  indexTo: usize,
): void {
  cells = cellsAt;
  nesting = nestingAt;
  frames = framesAt;
  marks = marksAt;
  scopes = scopesAt;
  index = indexAt;
  indexEnd = indexTo;
  reset();
}

export function automaton(at: usize): void {
  states = at;
}

/** discards the entries */
export function reset(): void {
  entryAt = index;
  markAt = marks;
  scopeAt = scopes;
  report();
}

/** where the host reads the counts of entries, marks and scopes, and where the last scan failed */
let cells: usize = 0;

function report(): void {
  store<u32>(cells, <u32>((entryAt - index) >> 4));
  store<u32>(cells, <u32>((markAt - marks) >> 2), 4);
  store<u32>(cells, <u32>((scopeAt - scopes) >> 2), 8);
}

function bad(p: usize): usize {
  code = p >= lim && !final ? MORE : MALFORMED;
  failedAt = p;
  return 0;
}

function white(from: usize): usize {
  let p = from;
  while (p < lim) {
    const c = load<u8>(p);
    if (c > 0x20) return p;
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return p;
    p++;
  }
  return p;
}

function isHex(c: u32): bool {
  return c - 0x30 < 10 || (c | 0x20) - 0x61 < 6;
}

/** from after the opening quote to after the closing one */
function str(from: usize): usize {
  let p = from;
  escaped = false;
  const quote = i8x16.splat(0x22);
  const slash = i8x16.splat(0x5c);
  const control = i8x16.splat(0x1f);
  while (true) {
    const v = v128.load(p);
    const special = i8x16.bitmask(
      v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, slash)), i8x16.eq(i8x16.min_u(v, control), v)),
    );
    if (special === 0) {
      p += 16;
      if (p >= lim) return bad(lim);
      continue;
    }
    p += ctz(special);
    if (p >= lim) return bad(lim);
    const c: u32 = load<u8>(p);
    if (c === 0x22) return p + 1;
    if (c !== 0x5c) return bad(p);
    escaped = true;
    if (p + 1 >= lim) return bad(lim);
    const e: u32 = load<u8>(p + 1);
    if (e === 0x75) {
      for (let h = p + 2; h < p + 6; h++) if (h >= lim || !isHex(load<u8>(h))) return bad(h);
      p += 6;
    } else if (
      e === 0x22 ||
      e === 0x5c ||
      e === 0x2f ||
      e === 0x62 ||
      e === 0x66 ||
      e === 0x6e ||
      e === 0x72 ||
      e === 0x74
    ) {
      p += 2;
    } else return bad(p + 1);
    if (p >= lim) return bad(lim);
  }
}

function digits(from: usize): usize {
  let p = from;
  while (p < lim && <u32>load<u8>(p) - 0x30 < 10) p++;
  return p;
}

function num(from: usize): usize {
  let p = from;
  if (load<u8>(p) === 0x2d) p++;
  if (p >= lim) return bad(p);
  if (load<u8>(p) === 0x30) p++;
  else {
    const d = digits(p);
    if (d === p) return bad(p);
    p = d;
  }
  if (p < lim && load<u8>(p) === 0x2e) {
    const d = digits(p + 1);
    if (d === p + 1) return bad(d);
    p = d;
  }
  if (p < lim && (load<u8>(p) | 0x20) === 0x65) {
    p++;
    if (p < lim && (load<u8>(p) === 0x2b || load<u8>(p) === 0x2d)) p++;
    const d = digits(p);
    if (d === p) return bad(p);
    p = d;
  }
  // a number is complete only if another character follows
  if (p >= lim && !final) return bad(p);
  return p;
}

/** the rest of true, false, null: `word` little-endian, `length` bytes of it */
function word(p: usize, wanted: u32, length: usize): usize {
  for (let n: usize = 0; n < length; n++) {
    if (p + n >= lim || <u32>load<u8>(p + n) !== ((wanted >> ((<u32>n) << 3)) & 0xff)) return bad(p + n);
  }
  return p + length;
}

/** a scalar; its kind is returned in `kind` */
let kind: u32 = 0;
function scalar(p: usize, c: u32): usize {
  if (c === 0x22) {
    const q = str(p + 1);
    kind = escaped ? ESCAPED : STRING;
    return q;
  }
  if (c - 0x30 < 10 || c === 0x2d) {
    kind = NUMBER;
    return num(p);
  }
  if (c === 0x74) {
    kind = TRUE;
    return word(p, 0x65757274, 4);
  }
  if (c === 0x66) {
    kind = FALSE;
    const q = word(p, 0x736c6166, 4);
    if (q === 0) return 0;
    return word(q, 0x65, 1);
  }
  if (c === 0x6e) {
    kind = NULL;
    return word(p, 0x6c6c756e, 4);
  }
  return bad(p);
}

/** reads a key and its colon in an object without fields. @returns the offset of the value */
function key(from: usize): usize {
  if (from >= lim || load<u8>(from) !== 0x22) return bad(from);
  let p = str(from + 1);
  if (p === 0) return 0;
  p = white(p);
  if (p >= lim || load<u8>(p) !== 0x3a) return bad(p);
  return white(p + 1);
}

/** bitwise OR of all opening brackets that `skip` has read */
let brackets: u32 = 0;
/** a bit that is set in `{` and not in `[` */
const BRACE: u32 = 0x20;

/** validates a value without entries for its members */
function skip(from: usize): usize {
  let p = from;
  brackets = 0;
  const floor = depth;
  let at = floor;
  while (true) {
    if (p >= lim) return bad(p);
    const c: u32 = load<u8>(p);
    if (c === 0x7b || c === 0x5b) {
      if (++at > depthLimit) {
        failedAt = p;
        code = TOO_DEEP;
        return 0;
      }
      store<u8>(nesting + at, <u8>c);
      brackets |= c;
      p = white(p + 1);
      if (p >= lim) return bad(p);
      if (<u32>load<u8>(p) !== c + 2) {
        if (c === 0x5b) continue;
        p = key(p);
        if (p === 0) return 0;
        continue;
      }
      p++;
      at--;
    } else {
      p = scalar(p, c);
      if (p === 0) return 0;
    }
    while (at > floor) {
      p = white(p);
      if (p >= lim) return bad(p);
      const d: u32 = load<u8>(p);
      const open: u32 = load<u8>(nesting + at);
      if (d === 0x2c) {
        p = white(p + 1);
        if (open === 0x7b) {
          p = key(p);
          if (p === 0) return 0;
        }
        break;
      }
      if (d !== open + 2) return bad(p);
      at--;
      p++;
    }
    if (at === floor) return p;
  }
  return 0;
}

/**
 * Looks a name up: slots of 24 bytes (first eight bytes of the name, its length, outcome, address of its bytes, and the slot that was
 * found after this one the last time). Names that need an escape in JSON have no slot.
 * @returns the slot, or 0
 */
function lookup(table: usize, mask: u32, from: usize, to: usize): usize {
  const length = <u32>(to - from);
  let x = load<u64>(from);
  let y: u64 = 0;
  if (length < 8) x &= ((<u64>1) << ((<u64>length) << 3)) - 1;
  // similar names often have the same beginning: the last eight bytes distinguish them
  else y = load<u64>(to - 8);
  let slot = (<u32>((x * 0x9e3779b97f4a7c15 + y * 0xc2b2ae3d27d4eb4f) >> 40) + length * 31) & mask;
  while (true) {
    const s = table + <usize>slot * 24;
    const stored = load<u32>(s, 8);
    if (stored === 0xffffffff) return 0;
    if (stored === length && load<u64>(s) === x) {
      if (length <= 8 || memory_equal(from + 8, <usize>load<u32>(s, 16) + 8, length - 8)) return s;
    }
    slot = (slot + 1) & mask;
  }
}

/** true if the name of a slot and its closing quote are at `from` */
function stands(slot: usize, from: usize): bool {
  const length = load<u32>(slot, 8);
  if (from + length >= lim) return false;
  const name = <usize>load<u32>(slot, 16);
  const same = i8x16.bitmask(i8x16.eq(v128.load(from), v128.load(name)));
  if (length < 16) return (~same & ((2 << <i32>length) - 1)) === 0;
  return same === 0xffff && memory_equal(from + 16, name + 16, length - 15);
}

function memory_equal(a: usize, b: usize, length: u32): bool {
  let n: u32 = 0;
  while (n + 8 <= length) {
    if (load<u64>(a + n) !== load<u64>(b + n)) return false;
    n += 8;
  }
  while (n < length) {
    if (load<u8>(a + n) !== load<u8>(b + n)) return false;
    n++;
  }
  return true;
}

/**
 * Reads a key of an object with fields, and stores the state of its value in `keyState`. Records of a list usually have their names in the same
 * order, so the name that followed the last time is compared first.
 * @param frame of the object; its slot 12 has the name found before
 */
function memberKey(from: usize, state: i32, frame: usize): usize {
  if (from >= lim || load<u8>(from) !== 0x22) return bad(from);
  const record = states + <usize>state * STATE_SIZE;
  const before = <usize>load<u32>(frame, 12);
  const guess = before === 0 ? record + 40 : before + 20;
  const guessed = <usize>load<u32>(guess);
  let p: usize;
  if (guessed !== 0 && stands(guessed, from + 1)) {
    p = from + 2 + load<u32>(guessed, 8);
    keyState = load<i32>(guessed, 12);
    store<u32>(frame, <u32>guessed, 12);
  } else {
    p = str(from + 1);
    if (p === 0) return 0;
    if (escaped) {
      keyState = hostStep(state, <i32>(from - base), <i32>(p - base));
      if (keyState < 0) {
        code = keyState;
        return 0;
      }
    } else {
      const slot = lookup(load<u32>(record, 12), load<u32>(record, 16), from + 1, p - 1);
      if (slot !== 0) {
        keyState = load<i32>(slot, 12);
        store<u32>(guess, <u32>slot);
        store<u32>(frame, <u32>slot, 12);
      } else keyState = load<i32>(record, 4);
    }
  }
  if (p < lim && load<u8>(p) === 0x3a) {
    p++;
    return p < lim && load<u8>(p) > 0x20 ? p : white(p);
  }
  p = white(p);
  if (p >= lim || load<u8>(p) !== 0x3a) return bad(p);
  return white(p + 1);
}

function itemState(state: i32, position: u32): i32 {
  const record = states + <usize>state * STATE_SIZE;
  if (position < load<u32>(record, 24)) {
    const known = load<i32>(<usize>load<u32>(record, 20) + ((<usize>position) << 2));
    if (known >= 0) return known;
  }
  return load<i32>(record, 8);
}

/** resolves the selectors of a state for the object at `from`; negative: a code */
function select(from: usize, state: i32): i32 {
  const record = states + <usize>state * STATE_SIZE;
  const table = <usize>load<u32>(record, 32);
  const mask = load<u32>(record, 36);
  hostSelectBegin(state);
  let p = white(from + 1);
  if (p >= lim || load<u8>(p) !== 0x7d) {
    while (true) {
      if (p >= lim || load<u8>(p) !== 0x22) {
        bad(p);
        return code;
      }
      const name = p;
      p = str(p + 1);
      if (p === 0) return code;
      let wanted: i32 = -1;
      if (escaped) wanted = hostSelectKey(state, <i32>(name - base), <i32>(p - base));
      else {
        const slot = lookup(table, mask, name + 1, p - 1);
        if (slot !== 0) wanted = load<i32>(slot, 12);
      }
      p = white(p);
      if (p >= lim || load<u8>(p) !== 0x3a) {
        bad(p);
        return code;
      }
      const value = white(p + 1);
      if (value >= lim) {
        bad(value);
        return code;
      }
      p = skip(value);
      if (p === 0) return code;
      if (wanted >= 0) {
        const c: u32 = load<u8>(value);
        const what: u32 = c === 0x7b ? OBJECT : c === 0x5b ? ARRAY : kind;
        const answer = hostSelectFound(wanted, <i32>(value - base), <i32>(p - base), <i32>what);
        if (answer < 0) {
          failedAt = name;
          return answer;
        }
      }
      p = white(p);
      if (p >= lim) {
        bad(p);
        return code;
      }
      const d: u32 = load<u8>(p);
      if (d === 0x7d) break;
      if (d !== 0x2c) {
        bad(p);
        return code;
      }
      p = white(p + 1);
    }
  }
  return hostSelect();
}

/**
 * Scans the value at offset `from` and appends its entries.
 * @returns the offset of its end, or an error code; after an error the appended entries are removed
 */
export function scan(baseAt: usize, from: i32, to: i32, start: i32, around: i32, limit: i32, last: i32): i32 {
  const entries = entryAt;
  const marked = markAt;
  const scoped = scopeAt;
  base = baseAt;
  lim = base + to;
  final = last !== 0;
  depth = around;
  depthLimit = limit;
  const end = walk(base + from, start);
  if (end !== 0) {
    report();
    return <i32>(end - base);
  }
  entryAt = entries;
  markAt = marked;
  scopeAt = scoped;
  report();
  store<i32>(cells, <i32>(failedAt - base), 12);
  return code;
}

/** validates one string with its quotes: for the keys around the records */
export function scanString(baseAt: usize, from: i32, to: i32, last: i32): i32 {
  base = baseAt;
  lim = base + to;
  final = last !== 0;
  const p = str(base + from + 1);
  store<i32>(cells, <i32>(failedAt - base), 12);
  return p === 0 ? code : <i32>(p - base);
}

export function wasEscaped(): i32 {
  return escaped ? 1 : 0;
}

function walk(from: usize, start: i32): usize {
  let p = from;
  let state = start;
  let member = p;
  let frame = frames;
  let listed = false;
  while (true) {
    // a value is expected at p
    if (p >= lim) return bad(p);
    const c: u32 = load<u8>(p);
    let record = states + <usize>state * STATE_SIZE;
    let flags = load<u32>(record);
    // a value takes at most two entries, for which room is reserved
    if (entryAt + 64 > indexEnd) {
      code = FULL;
      return 0;
    }
    let opened = false;
    if (c === 0x7b) {
      if ((flags & SELECTS) !== 0) {
        const settled = select(p, state);
        if (settled < 0) {
          code = settled;
          return 0;
        }
        state = settled;
        record = states + <usize>state * STATE_SIZE;
        flags = load<u32>(record);
      }
      opened = (flags & (WALKS_OBJECT | SCOPE)) !== 0;
    } else if (c === 0x5b) {
      opened = (flags & SCOPE) !== 0 ? !listed : (flags & WALKS_ARRAY) !== 0;
    }
    if (opened) {
      if (++depth > depthLimit) {
        failedAt = p;
        code = TOO_DEEP;
        return 0;
      }
      const entry = <u32>((entryAt - index) >> 4);
      const scope = (flags & SCOPE) !== 0;
      const what = c === 0x5b ? OPEN_ARRAY : scope ? OPEN_SCOPE : OPEN_OBJECT;
      store<u32>(entryAt, ((<u32>state) << 8) | what);
      store<i32>(entryAt, <i32>(member - base), 4);
      store<i32>(entryAt, <i32>(p - base), 8);
      entryAt += 16;
      if (what === OPEN_SCOPE) {
        store<u32>(scopeAt, entry);
        scopeAt += 4;
        state = load<i32>(record, 28);
      }
      p = white(p + 1);
      if (p >= lim) return bad(p);
      store<u32>(frame, entry);
      store<i32>(frame, state, 4);
      store<u32>(frame, c, 8);
      store<u32>(frame, c === 0x5b && scope ? 0x80000000 : 0, 12);
      frame += 16;
      if (<u32>load<u8>(p) !== c + 2) {
        member = p;
        if (c === 0x7b) {
          p = memberKey(p, state, frame - 16);
          if (p === 0) return 0;
          state = keyState;
          listed = false;
        } else {
          listed = scope;
          if (!scope) state = itemState(state, 0);
        }
        continue;
      }
      // empty: closed below
    } else {
      const at = p;
      if (c === 0x7b || c === 0x5b) {
        p = skip(p);
        if (p === 0) return 0;
        kind = c === 0x7b ? OBJECT : (brackets & BRACE) !== 0 ? MIXED : ARRAY;
      } else {
        p = scalar(p, c);
        if (p === 0) return 0;
        if ((flags & MARKED) !== 0) {
          store<u32>(markAt, <u32>((entryAt - index) >> 4));
          markAt += 4;
        }
      }
      store<u32>(entryAt, ((<u32>state) << 8) | kind);
      store<i32>(entryAt, <i32>(member - base), 4);
      store<i32>(entryAt, <i32>(at - base), 8);
      store<i32>(entryAt, <i32>(p - base), 12);
      entryAt += 16;
    }
    // a value ended at p (or an empty container is about to)
    while (true) {
      if (frame === frames) return p;
      p = white(p);
      if (p >= lim) return bad(p);
      const d: u32 = load<u8>(p);
      const open = load<u32>(frame - 16, 8);
      if (d === 0x2c) {
        p = white(p + 1);
        member = p;
        state = load<i32>(frame - 16, 4);
        if (open === 0x7b) {
          p = memberKey(p, state, frame - 16);
          if (p === 0) return 0;
          state = keyState;
          listed = false;
        } else {
          const position = load<u32>(frame - 16, 12);
          listed = (position & 0x80000000) !== 0;
          if (!listed) {
            store<u32>(frame - 16, position + 1, 12);
            state = itemState(state, position + 1);
          }
        }
        break;
      }
      if (d !== open + 2) return bad(p);
      p++;
      frame -= 16;
      depth--;
      const opener = index + ((<usize>load<u32>(frame)) << 4);
      store<u32>(opener, <u32>((entryAt - index) >> 4), 12);
      store<u32>(entryAt, CLOSE);
      store<i32>(entryAt, <i32>(p - 1 - base), 4);
      store<i32>(entryAt, <i32>(p - 1 - base), 8);
      store<i32>(entryAt, <i32>(p - base), 12);
      entryAt += 16;
      if (entryAt + 64 > indexEnd) {
        code = FULL;
        return 0;
      }
    }
  }
}

// ---- rendering a record ----

// a state's code under a program: `Program.codes`
const DROPS: u32 = 0;
const DISCLOSES: u32 = 1;
const NULLIFIES: u32 = 2;
const TREATS: u32 = 3;
const ACTION: u32 = 7;
const INNER: u32 = 8;
const EMBEDS: u32 = 16;
const POSITIONAL: u32 = 32;
const WHOLE: u32 = 64;

// a container that is being written: codes of its program, its state, flags, and the end of the previous member
const KEPT: u32 = 1;
const ELEMENTS: u32 = 2;
const ALIGNED: u32 = 4;

const KEEP: u32 = 0;
const GO: u32 = 1;
const NULLED: u32 = 2;
const ENTER: u32 = 3;

let out: usize = 0;
/** the states of what was disclosed, dropped or nullified, a negative word before those of another program */
let logAt: usize = 0;

function log(word: u32): void {
  store<u32>(logAt, word);
  logAt += 4;
}

/** whether a container is or contains an object; the entries of an open container follow up to its CLOSE */
function holdsObject(what: u32, entry: usize, closer: usize): bool {
  if (what !== OPEN_ARRAY) return what > ARRAY;
  for (let e = entry + 16; e < closer; e += 16) {
    const inside = load<u32>(e) & 0xff;
    if (inside > ARRAY && inside !== OPEN_ARRAY) return true;
  }
  return false;
}

/** copies source bytes to the output; reads and writes up to 15 bytes beyond, where there is always room */
function move(from: usize, to: usize): void {
  if (to <= from) return;
  const length = to - from;
  if (length > 512) memory.copy(out, from, length);
  else {
    let d = out;
    for (let p = from; p < to; p += 16) {
      v128.store(d, v128.load(p));
      d += 16;
    }
  }
  out += length;
}

/**
 * Writes the record whose first entry is given. Disclosed bytes are copied in the longest possible runs; other values are removed with their comma,
 * or replaced. Codes are addressed by state; the word before them is the number of their program. The output between `to` and `limit` always has
 * room for all input that is not written yet: before a replacement that is longer than its value and would use that room, the output is flushed.
 * @returns the end of the output; the fourth cell has the number of logged words
 */
export function render(baseAt: usize, first: i32, codesAt: usize, to: usize, limit: usize): usize {
  base = baseAt;
  out = to;
  logAt = marks;
  let e = index + (<usize>first << 4);
  const opened = (load<u32>(e) & 0xff) >= OPEN_OBJECT;
  const last = opened ? index + (<usize>load<u32>(e, 12) << 4) : e;
  const end = base + load<u32>(last, 12);
  let copied = base + load<u32>(e, 8);
  let codes = codesAt;
  let program = load<i32>(codes - 4);
  let frame = frames;
  let flags: u32 = 0;
  let before: usize = 0;
  let state: i32 = -1;
  log(0x80000000 | program);
  while (e <= last) {
    const tag = load<u32>(e);
    const what = tag & 0xff;
    if (what === CLOSE) {
      frame -= 16;
      const outer = <usize>load<u32>(frame);
      if (outer !== codes) {
        codes = outer;
        program = load<i32>(codes - 4);
        log(0x80000000 | program);
      }
      state = load<i32>(frame, 4);
      flags = load<u32>(frame, 8) | KEPT;
      before = base + load<u32>(e, 12);
      e += 16;
      continue;
    }
    const own = <i32>(tag >> 8);
    const code: u32 = load<u8>(codes + own);
    const opens = what >= OPEN_OBJECT;
    const link = load<u32>(e, 12);
    if ((code & (ACTION | INNER | EMBEDS)) === DISCLOSES && what <= ARRAY) {
      log(own);
      flags |= KEPT;
      before = base + link;
      e += 16;
      continue;
    }
    const value = base + load<u32>(e, 8);
    const closer = index + (<usize>link << 4);
    const close = base + (opens ? load<u32>(closer, 12) : link);
    const entry = <i32>((e - index) >> 4);
    let outcome: u32 = GO;
    let inside = codes;
    if ((code & EMBEDS) !== 0) {
      if (what === OPEN_SCOPE) {
        inside = hostScope(program, entry);
        outcome = inside === 0 ? GO : ENTER;
      } else if (what === OPEN_ARRAY) outcome = ENTER;
      else hostUnknown(program, state, entry, flags & ELEMENTS);
    } else if (opens && (code & INNER) !== 0) outcome = ENTER;
    else {
      const action = code & ACTION;
      const uncovered = action === DISCLOSES && (code & WHOLE) === 0 && holdsObject(what, e, closer);
      if (action === TREATS || uncovered) {
        const undo = out;
        move(copied, value);
        const treated = hostTreat(program, entry, out);
        if (treated > 1) {
          out = treated;
          copied = close;
          outcome = KEEP;
        } else {
          out = undo;
          outcome = treated === 0 ? GO : NULLED;
        }
      } else if (action === DISCLOSES || action === DROPS || action === NULLIFIES) {
        log(own);
        outcome = action === DISCLOSES ? KEEP : action === DROPS ? GO : NULLED;
      } else if (frame !== frames || what !== NULL) {
        // a null record contains nothing
        hostUnknown(program, state, entry, flags & ELEMENTS);
      }
    }
    if (outcome === ENTER) {
      store<u32>(frame, <u32>codes);
      store<i32>(frame, state, 4);
      store<u32>(frame, flags, 8);
      frame += 16;
      state = own;
      flags = 0;
      if (what === OPEN_ARRAY)
        flags = (code & EMBEDS) === 0 && (code & POSITIONAL) !== 0 ? ELEMENTS | ALIGNED : ELEMENTS;
      if (inside !== codes) {
        codes = inside;
        program = load<i32>(codes - 4);
        log(0x80000000 | program);
      }
      before = value + 1;
      e += 16;
      continue;
    }
    if (outcome === GO && ((flags & ALIGNED) !== 0 || frame === frames)) outcome = what === NULL ? KEEP : NULLED;
    const next = opens ? closer + 16 : e + 16;
    if (outcome === GO) {
      if ((flags & KEPT) !== 0) {
        move(copied, before);
        copied = close;
      } else {
        move(copied, base + load<u32>(e, 4));
        copied = (load<u32>(next) & 0xff) === CLOSE ? close : base + load<u32>(next, 4);
      }
    } else {
      flags |= KEPT;
      if (outcome === NULLED) {
        move(copied, value);
        if (out + 4 + (end - close) > limit) out = hostFlush(out);
        store<u32>(out, 0x6c6c756e);
        out += 4;
        copied = close;
      }
    }
    before = close;
    e = next;
  }
  move(copied, end);
  store<u32>(cells, <u32>((logAt - marks) >> 2), 16);
  return out;
}
