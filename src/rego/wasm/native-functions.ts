/**
 * WebAssembly functions that `hosted.ts` adds to a module, written by hand. They compute what policies use so often that calling
 * the host each time would take longer than the rest of the evaluation; rare cases are left to the host. `../memory.ts`
 * describes the layout of values. (Longer than most files: the instructions, and the functions written with them.)
 */
import { INTEGER, TYPE } from '../memory.ts';
import { leb, signedLeb } from './format.ts';
import { OP, WASM_TYPE } from './instructions.ts';

/** encoded instructions */
export type Code = readonly number[];

const { i32: I32, none: VOID } = WASM_TYPE;

export const get = (local: number): Code => [OP.get, local];
const set = (local: number, value: Code): Code => [...value, OP.set, local];
export const number = (n: number): Code => [OP.const, ...signedLeb(BigInt(n))];
/** i32 at an address */
const word = (addr: Code, offset: number): Code => [...addr, OP.load, 2, offset];
const byte = (addr: Code, offset: number): Code => [...addr, OP.loadByte, 0, offset];
/** i64 at an address, which need not be a multiple of 8 */
const long = (addr: Code, offset: number): Code => [...addr, OP.loadLong, 0, offset];
const add = (a: Code, b: Code): Code => [...a, ...b, OP.add];
const subtract = (a: Code, b: Code): Code => [...a, ...b, OP.subtract];
const times = (n: number, a: Code): Code => [...a, ...number(n), OP.multiply];
const divided4 = (a: Code): Code => [...a, ...number(2), OP.shiftRight];
const store = (addr: Code, offset: number, value: Code): Code => [...addr, ...value, OP.store, 2, offset];
const times4 = (a: Code): Code => [...a, ...number(2), OP.shiftLeft];
const equal = (a: Code, b: Code): Code => [...a, ...b, OP.equal];
const differ = (a: Code, b: Code): Code => [...a, ...b, OP.differ];
const below = (a: Code, b: Code): Code => [...a, ...b, OP.below];
const above = (a: Code, b: Code): Code => [...a, ...b, OP.above];
const and = (a: Code, b: Code): Code => [...a, ...b, OP.and];
const or = (a: Code, b: Code): Code => [...a, ...b, OP.or];
const not = (a: Code): Code => [...a, OP.isZero];
const equalLongs = (a: Code, b: Code): Code => [...a, ...b, OP.equalLong];
const lessLongs = (a: Code, b: Code): Code => [...a, ...b, OP.signedBelowLong];
export const returned = (value: Code): Code => [...value, OP.return];
export const when = (condition: Code, then: Code): Code => [...condition, OP.if, VOID, ...then, OP.end];
const ifElse = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[...condition, OP.if, VOID, ...then],
  ...[OP.else, ...otherwise, OP.end],
];
/** `b` is only evaluated if `a` does not decide */
const both = (a: Code, b: Code): Code => [...a, OP.if, I32, ...b, OP.else, ...number(0), OP.end];
const either = (a: Code, b: Code): Code => [...a, OP.if, I32, ...number(1), OP.else, ...b, OP.end];
const loopWhile = (condition: Code, content: Code): Code => [
  ...[OP.block, VOID, OP.loop, VOID],
  ...[...condition, OP.isZero, OP.branchIf, 1],
  ...[...content, OP.branch, 0, OP.end, OP.end],
];
export const callOf = (index: number, ...args: readonly Code[]): Code => [
  ...args.flat(),
  ...[OP.call, ...leb(index)],
];
/** a type of i32 parameters with one i32 result */
export const functionType = (parameters: number): Code => [
  ...[WASM_TYPE.function, parameters, ...Array.from({ length: parameters }, () => I32)],
  ...[1, I32],
];
/** a function body with i32 locals */
export const body = (locals: number, ...code: readonly Code[]): Uint8Array =>
  Uint8Array.from([...(locals === 0 ? [0] : [1, locals, I32]), ...code.flat(), OP.end]);

const isString = (value: Code): Code =>
  or(equal(byte(value, 0), number(TYPE.string)), equal(byte(value, 0), number(TYPE.interned)));
const isNumber = (value: Code): Code => equal(byte(value, 0), number(TYPE.number));
/** a string, or an integer of 64 bits: what `lessFunction` compares */
const isPlain = (value: Code): Code =>
  either(isString(value), both(isNumber(value), equal(byte(value, 1), number(INTEGER))));
const lengthOf = (string: Code): Code => word(string, 4);
const bytesOf = (string: Code): Code => word(string, 8);

/** a condition on the arguments of a function under which the host is called */
export type Condition =
  | 'long numbers'
  | 'more than digits'
  | 'a set'
  | 'a set with null'
  | 'an empty list'
  | 'a line break or a pattern not quoted';

/** @param use indices of functions of the module */
export const condition = (
  of: Condition,
  arity: number,
  use: {
    readonly digits: number;
    readonly lineBreak: number;
    readonly unquoted: number;
    readonly iterate: number;
  },
): Code => {
  const [first, last] = [get(0), get(arity - 1)];
  switch (of) {
    case 'a set':
      return equal(byte(last, 0), number(TYPE.set));
    case 'a line break or a pattern not quoted':
      // Parentheses and $ of a pattern reach RE2 as they are, and an escape within a list as two characters.
      return either(
        both(isString(last), callOf(use.lineBreak, bytesOf(last), lengthOf(last))),
        both(isString(first), callOf(use.unquoted, bytesOf(first), lengthOf(first))),
      );
    case 'an empty list':
      return both(equal(byte(last, 0), number(TYPE.array)), not(word(last, 8)));
    case 'a set with null':
      // The module takes null for "no minimum yet". Null sorts first.
      return both(
        equal(byte(last, 0), number(TYPE.set)),
        equal(byte(callOf(use.iterate, last, number(0)), 0), number(TYPE.null)),
      );
    case 'more than digits':
      return not(both(isString(last), callOf(use.digits, bytesOf(last), lengthOf(last))));
    case 'long numbers':
      return Array.from({ length: arity }, (_, i) => isLong(get(i), use.digits)).reduce(either);
  }
};

/** a number that is neither a 64-bit integer nor text of up to 15 digits */
const isLong = (value: Code, digits: number): Code =>
  both(
    isNumber(value),
    both(differ(byte(value, 1), number(INTEGER)), not(callOf(digits, word(value, 8), word(value, 12)))),
  );

/** `(number) → number`, and -1 for every negative one, which means "all" and not "none" */
export const countFunction = (use: {
  readonly malloc: number;
  readonly free: number;
  /** `(number, address) → 0` after it has written the integer to the address */
  readonly read: number;
  /** `(i64) → number` */
  readonly make: number;
}): Uint8Array => {
  const [value, at] = [get(0), get(1)];
  const long0 = [OP.constLong, 0];
  const minus1 = [OP.constLong, ...signedLeb(-1n)];
  return body(
    1,
    when(not(isNumber(value)), returned(value)),
    set(1, callOf(use.malloc, number(8))),
    when(not(callOf(use.read, value, at)), [
      ...when(lessLongs(long(at, 0), long0), set(0, callOf(use.make, minus1))),
    ]),
    callOf(use.free, at),
    value,
  );
};

/** replaces an argument by the result of `countFunction` */
export const allOf = (arg: number, count: number): Code => set(arg, callOf(count, get(arg)));

/** Inserted in `opa_value_iter(node, previous)`: iterates over sets and objects of more than one element in order. */
export const orderedIteration = (next: number): Code => {
  const node = get(0);
  // object or set
  const collection = below(subtract(byte(node, 0), number(TYPE.object)), number(2));
  return when(
    both(node, both(collection, above(word(node, 12), number(1)))),
    returned(callOf(next, node, get(1))),
  );
};

/** `(a, b) → 1 if a < b`, for strings and 64-bit integers, in the interpreter's order */
export const lessFunction = (): Uint8Array => {
  const [a, b, at, to, end, shared] = [get(0), get(1), get(2), get(3), get(4), get(4)];
  return body(
    3,
    when(
      or(isNumber(a), isNumber(b)),
      returned(both(isNumber(a), either(not(isNumber(b)), lessLongs(long(a, 8), long(b, 8))))),
    ),
    set(2, bytesOf(a)),
    set(3, bytesOf(b)),
    // the shorter length, then the end of the common part
    set(4, [...lengthOf(a), ...lengthOf(b), ...below(lengthOf(a), lengthOf(b)), OP.select]),
    set(4, add(at, shared)),
    loopWhile(both(not(above(add(at, number(8)), end)), equalLongs(long(at, 0), long(to, 0))), [
      ...set(2, add(at, number(8))),
      ...set(3, add(to, number(8))),
    ]),
    loopWhile(below(at, end), [
      ...when(differ(byte(at, 0), byte(to, 0)), returned(below(byte(at, 0), byte(to, 0)))),
      ...set(2, add(at, number(1))),
      ...set(3, add(to, number(1))),
    ]),
    below(lengthOf(a), lengthOf(b)),
  );
};

/**
 * A value of up to `MAX_SORTED` elements is sorted here, by insertion. For a loaded value of more than `MAX_LOADED` elements the
 * host keeps the sorted list across evaluations. Measured (µs of one iteration over n strings; unsorted, sorted here, sorted by
 * the host, from the host's list): n = 8: 0.6, 0.6, 1.6, –; 32: 2.1, 2.7, 7.9, 1.8; 100: 5.8, 9.7, 21, 6; 300: 19, 43, 85, 15.
 */
const MAX_SORTED = 512;
const MAX_LOADED = 16;
/** number of slots of a hash table, by address of the value, that holds the sorted keys of values being iterated */
const SLOTS = 64;
/** offsets in a slot: the value, its sorted keys, position of the current iteration, end of the keys, capacity */
const SLOT = { value: 0, list: 4, at: 8, end: 12, capacity: 16, size: 32 } as const;

export interface Parts {
  /** indices of functions of the module */
  readonly malloc: number;
  readonly free: number;
  /** index of `aboveFunction` */
  readonly above: number;
  /** index of the first of the two `GLOBALS` */
  readonly globals: number;
}

/** two mutable globals, initially 0: address of the slots (0: none yet), and start of this evaluation's heap */
export const GLOBALS: readonly Code[] = Array.from({ length: 2 }, () => [I32, 1, ...number(0), OP.end]);

/** `(key, list, end) → address in the sorted list of the first greater key`, or `end`; binary search */
export const aboveFunction = (less: number): Uint8Array => {
  const [key, from, to, middle] = [get(0), get(1), get(2), get(3)];
  return body(
    1,
    loopWhile(below(from, to), [
      // the middle, at a multiple of 4
      ...set(3, add(from, times4([...subtract(to, from), ...number(3), OP.shiftRight]))),
      ...ifElse(callOf(less, key, word(middle, 0)), set(2, middle), set(1, add(middle, number(4)))),
    ]),
    from,
  );
};

/** `(node, slot) → 1` after it has filled the slot with the sorted keys; 0 if a key is neither a string nor an integer */
export const sortFunction = ({ malloc, free, above: insertion }: Parts): Uint8Array => {
  const [node, slot, bucket, lastBucket, element] = [get(0), get(1), get(2), get(3), get(4)];
  const [key, end, at, link, to] = [get(5), get(6), get(7), get(8), get(9)];
  const length = word(node, 12);
  return body(
    8,
    store(slot, SLOT.value, number(0)),
    when(below(word(slot, SLOT.capacity), length), [
      ...when(word(slot, SLOT.capacity), callOf(free, word(slot, SLOT.list))),
      ...store(slot, SLOT.capacity, number(0)),
      ...store(slot, SLOT.list, callOf(malloc, times4(length))),
      ...store(slot, SLOT.capacity, length),
    ]),
    set(6, word(slot, SLOT.list)),
    // offset of the next entry: an entry of an object holds a value, too
    set(8, [...number(8), ...number(4), ...equal(byte(node, 0), number(TYPE.object)), OP.select]),
    set(2, word(node, 4)),
    set(3, add(bucket, times4(word(node, 8)))),
    loopWhile(below(bucket, lastBucket), [
      ...set(4, word(bucket, 0)),
      ...loopWhile(element, [
        ...set(5, word(element, 0)),
        ...when(not(isPlain(key)), returned(number(0))),
        ...set(7, callOf(insertion, key, word(slot, SLOT.list), end)),
        ...set(9, end),
        ...loopWhile(above(to, at), [
          ...store(to, 0, word(subtract(to, number(4)), 0)),
          ...set(9, subtract(to, number(4))),
        ]),
        ...store(at, 0, key),
        ...set(6, add(end, number(4))),
        ...set(4, word(add(element, link), 0)),
      ]),
      ...set(2, add(bucket, number(4))),
    ]),
    store(slot, SLOT.value, node),
    store(slot, SLOT.end, end),
    number(1),
  );
};

/**
 * `(node, previous) → the next key` of a set or an object. The slot may have been taken by another value meanwhile, or moved
 * by an inner iteration over the same value. Then the keys are sorted again, and the next key is the first one greater than
 * `previous`.
 * @param host code that calls the host: for many keys, or for keys that are neither strings nor integers
 */
export const nextFunction = (parts: Parts, sort: number, host: Code): Uint8Array => {
  const [node, previous, slot, at] = [get(0), get(1), get(2), get(3)];
  const slots: Code = [OP.getGlobal, ...leb(parts.globals)];
  const heap: Code = [OP.getGlobal, ...leb(parts.globals + 1)];
  return body(
    2,
    when(above(word(node, 12), number(MAX_LOADED)), [
      ...when(either(below(node, heap), above(word(node, 12), number(MAX_SORTED))), returned(host)),
    ]),
    when(not(slots), [
      ...callOf(parts.malloc, number(SLOTS * SLOT.size)),
      ...[OP.tee, 3, OP.setGlobal, ...leb(parts.globals)],
      ...set(2, add(at, number(SLOTS * SLOT.size))),
      ...loopWhile(below(at, slot), [
        ...store(at, SLOT.value, number(0)),
        ...store(at, SLOT.capacity, number(0)),
        ...set(3, add(at, number(SLOT.size))),
      ]),
    ]),
    // addresses are multiples of 4
    set(2, add(slots, times(SLOT.size, and(divided4(node), number(SLOTS - 1))))),
    when(both(previous, equal(word(slot, SLOT.value), node)), [
      ...set(3, word(slot, SLOT.at)),
      ...when(equal(word(at, 0), previous), [
        ...set(3, add(at, number(4))),
        ...when(equal(at, word(slot, SLOT.end)), returned(number(0))),
        ...store(slot, SLOT.at, at),
        ...returned(word(at, 0)),
      ]),
    ]),
    when(both(previous, not(isPlain(previous))), returned(host)),
    when(not(callOf(sort, node, slot)), returned(host)),
    set(3, word(slot, SLOT.list)),
    when(previous, [
      ...set(3, callOf(parts.above, previous, at, word(slot, SLOT.end))),
      ...when(equal(at, word(slot, SLOT.end)), returned(number(0))),
    ]),
    store(slot, SLOT.at, at),
    word(at, 0),
  );
};

/**
 * `(node, key) → member`, for a step below `data`: if there is none, and the node is a loaded object and the key a number, or the node
 * a loaded list and the key a string, the member at the key that the interpreter's store has instead.
 * @param stored code that calls the host for this key
 */
export const dataMemberFunction = (
  { globals }: Pick<Parts, 'globals'>,
  member: number,
  stored: Code,
): Uint8Array => {
  const [node, key, found] = [get(0), get(1), get(2)];
  const isOther = either(
    both(equal(byte(node, 0), number(TYPE.object)), isNumber(key)),
    both(equal(byte(node, 0), number(TYPE.array)), isString(key)),
  );
  return body(
    1,
    set(2, callOf(member, node, key)),
    when(found, returned(found)),
    when(both(below(node, [OP.getGlobal, ...leb(globals + 1)]), isOther), [
      ...set(1, stored),
      ...when(key, returned(callOf(member, node, key))),
    ]),
    number(0),
  );
};

/**
 * `(walked, wanted) → 0 if they are equal`, for a part of a result of `walk` and a value that it was asked for
 * @param noIndex code that calls the host for two equal values
 */
export const compareWalkedFunction = (compare: number, noIndex: Code): Uint8Array => {
  const [walked, wanted, order] = [get(0), get(1), get(2)];
  return body(
    1,
    set(2, callOf(compare, walked, wanted)),
    ifElse(either(order, isPlain(wanted)), returned(order), returned(noIndex)),
    number(0),
  );
};

/** Inserted in `opa_heap_ptr_set(address)`: the slots and their lists are freed with the heap. */
export const forgetSlots = ({ globals }: Pick<Parts, 'globals'>): Code => [
  ...[...number(0), OP.setGlobal, ...leb(globals)],
  ...[...get(0), OP.setGlobal, ...leb(globals + 1)],
];

/** `(address, length) → 1 if the text contains one of these ASCII characters` */
export const holdsFunction = (characters: string): Uint8Array => {
  const [at, length, end] = [get(0), get(1), get(2)];
  return body(
    1,
    set(2, add(at, length)),
    loopWhile(below(at, end), [
      ...when(
        [...characters].map((c) => equal(byte(at, 0), number(c.charCodeAt(0)))).reduce(or),
        returned(number(1)),
      ),
      ...set(0, add(at, number(1))),
    ]),
    number(0),
  );
};

/** `(address, length) → 1 if the text is 1 to 15 digits` without a leading zero */
export const digitsFunction = (): Uint8Array => {
  const [at, length, end] = [get(0), get(1), get(2)];
  const isDigit = below(subtract(byte(at, 0), number(0x30)), number(10));
  return body(
    1,
    when(not(below(subtract(length, number(1)), number(15))), returned(number(0))),
    set(2, add(at, length)),
    // a number with leading zeros keeps its text
    when(and(equal(byte(at, 0), number(0x30)), above(length, number(1))), returned(number(0))),
    loopWhile(below(at, end), [...when(not(isDigit), returned(number(0))), ...set(0, add(at, number(1)))]),
    number(1),
  );
};
