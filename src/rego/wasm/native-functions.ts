/**
 * WebAssembly functions that a rewrite adds to a module, written by hand: what the default policy asks for so often that
 * a call of the host each time would cost more than the rest of the evaluation. Each leaves to the host what is rare.
 * `memory.ts` says how values lie in memory. (Longer than most: the instructions and what is written with them, in one place.)
 */
import { INTEGER, TYPE } from '../memory.ts';
import { leb, signedLeb } from './format.ts';

export type Code = readonly number[];

const I32 = 0x7f;
const VOID = 0x40;

export const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
export const number = (n: number): Code => [0x41, ...signedLeb(BigInt(n))];
const word = (addr: Code, offset: number): Code => [...addr, 0x28, 2, offset];
const byte = (addr: Code, offset: number): Code => [...addr, 0x2d, 0, offset];
/** eight bytes at an address that need not be a multiple of eight */
const long = (addr: Code, offset: number): Code => [...addr, 0x29, 0, offset];
const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
const subtract = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
const times = (n: number, a: Code): Code => [...a, ...number(n), 0x6c];
const divided4 = (a: Code): Code => [...a, ...number(2), 0x76];
const store = (addr: Code, offset: number, value: Code): Code => [...addr, ...value, 0x36, 2, offset];
const times4 = (a: Code): Code => [...a, ...number(2), 0x74];
const equal = (a: Code, b: Code): Code => [...a, ...b, 0x46];
const differ = (a: Code, b: Code): Code => [...a, ...b, 0x47];
const below = (a: Code, b: Code): Code => [...a, ...b, 0x49];
const above = (a: Code, b: Code): Code => [...a, ...b, 0x4b];
const and = (a: Code, b: Code): Code => [...a, ...b, 0x71];
const or = (a: Code, b: Code): Code => [...a, ...b, 0x72];
const not = (a: Code): Code => [...a, 0x45];
const equalLongs = (a: Code, b: Code): Code => [...a, ...b, 0x51];
const lessLongs = (a: Code, b: Code): Code => [...a, ...b, 0x53];
export const returned = (value: Code): Code => [...value, 0x0f];
export const when = (condition: Code, then: Code): Code => [...condition, 0x04, VOID, ...then, 0x0b];
const ifElse = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[...condition, 0x04, VOID, ...then],
  ...[0x05, ...otherwise, 0x0b],
];
/** both are only asked as far as is needed */
const both = (a: Code, b: Code): Code => [...a, 0x04, I32, ...b, 0x05, ...number(0), 0x0b];
const either = (a: Code, b: Code): Code => [...a, 0x04, I32, ...number(1), 0x05, ...b, 0x0b];
const loopWhile = (condition: Code, turn: Code): Code => [
  ...[0x02, VOID, 0x03, VOID],
  ...[...condition, 0x45, 0x0d, 1],
  ...[...turn, 0x0c, 0, 0x0b, 0x0b],
];
export const callOf = (index: number, ...args: readonly Code[]): Code => [
  ...args.flat(),
  ...[0x10, ...leb(index)],
];
/** of so many numbers, with one as result */
export const functionType = (parameters: number): Code => [
  ...[0x60, parameters, ...Array.from({ length: parameters }, () => I32)],
  ...[1, I32],
];
export const body = (locals: number, ...code: readonly Code[]): Uint8Array =>
  Uint8Array.from([...(locals === 0 ? [0] : [1, locals, I32]), ...code.flat(), 0x0b]);

const isString = (value: Code): Code =>
  or(equal(byte(value, 0), number(TYPE.string)), equal(byte(value, 0), number(TYPE.interned)));
const isNumber = (value: Code): Code => equal(byte(value, 0), number(TYPE.number));
/** what `lessFunction` compares */
const isPlain = (value: Code): Code =>
  either(isString(value), both(isNumber(value), equal(byte(value, 1), number(INTEGER))));
const lengthOf = (string: Code): Code => word(string, 4);
const bytesOf = (string: Code): Code => word(string, 8);

/** of arguments, under which the host is asked */
export type Condition =
  | 'long numbers'
  | 'more than digits'
  | 'a set'
  | 'a set with null'
  | 'an empty list'
  | 'a line break or a pattern not quoted';

/** @param use functions of the module */
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
      // OPA takes null for "none yet". It is the first in order.
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

/** neither held as an integer, nor written as one of few digits */
const isLong = (value: Code, digits: number): Code =>
  both(
    isNumber(value),
    both(differ(byte(value, 1), number(INTEGER)), not(callOf(digits, word(value, 8), word(value, 12)))),
  );

/** `(number) → number`, or -1 if it is negative: all there are, and not none */
export const countFunction = (use: {
  readonly malloc: number;
  readonly free: number;
  /** `(number, address) → 0` once the integer is at the address */
  readonly read: number;
  /** a number from 64 bits */
  readonly make: number;
}): Uint8Array => {
  const [value, at] = [get(0), get(1)];
  const long0 = [0x42, 0];
  const minus1 = [0x42, 0x7f];
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

/** an argument becomes what `countFunction` makes of it */
export const allOf = (arg: number, count: number): Code => set(arg, callOf(count, get(arg)));

/** in front of `opa_value_iter(node, previous)`: sets and objects of more than one element go in order */
export const orderedIteration = (next: number): Code => {
  const node = get(0);
  // object or set
  const collection = below(subtract(byte(node, 0), number(TYPE.object)), number(2));
  return when(
    both(node, both(collection, above(word(node, 12), number(1)))),
    returned(callOf(next, node, get(1))),
  );
};

/** `(a, b) → 1 if a < b`, of strings and integers of 64 bits in the interpreter's order */
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
    // the shorter length, then where the first string ends or the second one would
    set(4, [...lengthOf(a), ...lengthOf(b), ...below(lengthOf(a), lengthOf(b)), 0x1b]),
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
 * Elements of a value up to which it is sorted here, by inserting. Of a loaded value with more than a few, the host keeps
 * the sorted list from one evaluation to the next. Measured (µs of one iteration over n strings; unsorted, sorted here, by
 * the host, from the host's list): n = 8: 0.6, 0.6, 1.6, –; 32: 2.1, 2.7, 7.9, 1.8; 100: 5.8, 9.7, 21, 6; 300: 19, 43, 85, 15.
 */
const MOST = 512;
const MOST_LOADED = 16;
/** Sorted lists of what is iterated now: one for each of so many places, to which the addresses of values are spread. */
const PLACES = 64;
/** words of a place: the value, its list, where in the list an iteration is, where the list ends, how many fit */
const PLACE = { value: 0, list: 4, at: 8, end: 12, capacity: 16, size: 32 } as const;

export interface Parts {
  /** functions that the module has */
  readonly malloc: number;
  readonly free: number;
  /** what `aboveFunction` made */
  readonly above: number;
  /** the first of two globals, `GLOBALS` */
  readonly globals: number;
}

/** mutable, 0 at first: the address of the places, where there are any; where the heap of this evaluation begins */
export const GLOBALS: readonly Code[] = Array.from({ length: 2 }, () => [I32, 1, ...number(0), 0x0b]);

/** `(key, list, end) → address in the sorted list of the first key above this one`, or `end` */
export const aboveFunction = (less: number): Uint8Array => {
  const [key, from, to, middle] = [get(0), get(1), get(2), get(3)];
  return body(
    1,
    loopWhile(below(from, to), [
      // half of the words between them, from the first one
      ...set(3, add(from, times4([...subtract(to, from), ...number(3), 0x76]))),
      ...ifElse(callOf(less, key, word(middle, 0)), set(2, middle), set(1, add(middle, number(4)))),
    ]),
    from,
  );
};

/** `(node, place) → 1 once the place holds the sorted keys`, 0 if one of them is neither a string nor an integer */
export const sortFunction = ({ malloc, free, above: insertion }: Parts): Uint8Array => {
  const [node, place, bucket, lastBucket, element] = [get(0), get(1), get(2), get(3), get(4)];
  const [key, end, at, link, to] = [get(5), get(6), get(7), get(8), get(9)];
  const length = word(node, 12);
  return body(
    8,
    store(place, PLACE.value, number(0)),
    when(below(word(place, PLACE.capacity), length), [
      ...when(word(place, PLACE.capacity), callOf(free, word(place, PLACE.list))),
      ...store(place, PLACE.capacity, number(0)),
      ...store(place, PLACE.list, callOf(malloc, times4(length))),
      ...store(place, PLACE.capacity, length),
    ]),
    set(6, word(place, PLACE.list)),
    // an element of an object has a value between its key and the next element
    set(8, [...number(8), ...number(4), ...equal(byte(node, 0), number(TYPE.object)), 0x1b]),
    set(2, word(node, 4)),
    set(3, add(bucket, times4(word(node, 8)))),
    loopWhile(below(bucket, lastBucket), [
      ...set(4, word(bucket, 0)),
      ...loopWhile(element, [
        ...set(5, word(element, 0)),
        ...when(not(isPlain(key)), returned(number(0))),
        ...set(7, callOf(insertion, key, word(place, PLACE.list), end)),
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
    store(place, PLACE.value, node),
    store(place, PLACE.end, end),
    number(1),
  );
};

/**
 * `(node, previous) → the next key` of a set or an object. The place of a value may have been taken by another one
 * meanwhile, or by an inner iteration over the same value: then its keys are sorted again, and the first one above
 * `previous` is the next.
 * @param host what answers where there are many keys, or others than strings and integers
 */
export const nextFunction = (parts: Parts, sort: number, host: Code): Uint8Array => {
  const [node, previous, place, at] = [get(0), get(1), get(2), get(3)];
  const places: Code = [0x23, ...leb(parts.globals)];
  const heap: Code = [0x23, ...leb(parts.globals + 1)];
  return body(
    2,
    when(above(word(node, 12), number(MOST_LOADED)), [
      ...when(either(below(node, heap), above(word(node, 12), number(MOST))), returned(host)),
    ]),
    when(not(places), [
      ...callOf(parts.malloc, number(PLACES * PLACE.size)),
      ...[0x22, 3, 0x24, ...leb(parts.globals)],
      ...set(2, add(at, number(PLACES * PLACE.size))),
      ...loopWhile(below(at, place), [
        ...store(at, PLACE.value, number(0)),
        ...store(at, PLACE.capacity, number(0)),
        ...set(3, add(at, number(PLACE.size))),
      ]),
    ]),
    // what is made in an evaluation begins at a multiple of 4
    set(2, add(places, times(PLACE.size, and(divided4(node), number(PLACES - 1))))),
    when(both(previous, equal(word(place, PLACE.value), node)), [
      ...set(3, word(place, PLACE.at)),
      ...when(equal(word(at, 0), previous), [
        ...set(3, add(at, number(4))),
        ...when(equal(at, word(place, PLACE.end)), returned(number(0))),
        ...store(place, PLACE.at, at),
        ...returned(word(at, 0)),
      ]),
    ]),
    when(both(previous, not(isPlain(previous))), returned(host)),
    when(not(callOf(sort, node, place)), returned(host)),
    set(3, word(place, PLACE.list)),
    when(previous, [
      ...set(3, callOf(parts.above, previous, at, word(place, PLACE.end))),
      ...when(equal(at, word(place, PLACE.end)), returned(number(0))),
    ]),
    store(place, PLACE.at, at),
    word(at, 0),
  );
};

/** in front of `opa_heap_ptr_set(address)`: the places and their lists are given back with the heap */
export const forgetPlaces = ({ globals }: Pick<Parts, 'globals'>): Code => [
  ...[...number(0), 0x24, ...leb(globals)],
  ...[...get(0), 0x24, ...leb(globals + 1)],
];

/** `(address, length) → 1 if one of these characters of ASCII is there` */
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

/** `(address, length) → 1 if there are up to 15 digits`, written as a number is in JSON */
export const digitsFunction = (): Uint8Array => {
  const [at, length, end] = [get(0), get(1), get(2)];
  const isDigit = below(subtract(byte(at, 0), number(0x30)), number(10));
  return body(
    1,
    when(not(below(subtract(length, number(1)), number(15))), returned(number(0))),
    set(2, add(at, length)),
    // 007 is a number that keeps its spelling
    when(and(equal(byte(at, 0), number(0x30)), above(length, number(1))), returned(number(0))),
    loopWhile(below(at, end), [...when(not(isDigit), returned(number(0))), ...set(0, add(at, number(1)))]),
    number(1),
  );
};
