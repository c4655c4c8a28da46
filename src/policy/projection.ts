/**
 * The key of a cached answer: exactly what the entrypoint can see of an input, and nothing else.
 *
 * Two inputs share a key if and only if all paths that are read hold the same JSON. Objects and lists are numbered by
 * their JSON text; one that is frozen to its leaves cannot change, so its number is remembered with it and a repeated
 * request compares a handful of integers.
 */
import { LRUCache } from 'lru-cache';
import { isObject } from './document.ts';

export type KeyOf = (input: object, time: string) => string;

/** Numbers are never given twice, so forgetting one costs a miss and never a wrong hit. */
const KNOWN_TEXTS = 20_000;
const LONGEST_KNOWN = 64 * 1024;

const isDeepFrozen = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    // What JSON writes must be what is frozen: no accessors, no toJSON.
    (Object.getPrototypeOf(value) === Object.prototype ||
      Object.getPrototypeOf(value) === null ||
      Array.isArray(value)) &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every(
      (d) => 'value' in d && isDeepFrozen(d.value),
    ));

/** @param paths `null`: nothing is known of what is read, so the whole input is the key */
export const createProjection = (paths: readonly (readonly string[])[] | null): KeyOf => {
  const numbers = new LRUCache<string, string>({ max: KNOWN_TEXTS });
  const remembered = new WeakMap<object, string>();
  let next = 0;

  const composite = (value: object): string => {
    const known = remembered.get(value);
    if (known !== undefined) return known;
    const text = JSON.stringify(value) ?? '';
    if (text.length > LONGEST_KNOWN) return `j${text.length}:${text}`;
    let number = numbers.get(text);
    if (number === undefined) {
      next += 1;
      number = `o${next};`;
      numbers.set(text, number);
    }
    if (isDeepFrozen(value)) remembered.set(value, number);
    return number;
  };

  const part = (value: unknown): string => {
    switch (typeof value) {
      case 'string':
        return `s${value.length}:${value}`;
      case 'boolean':
        return value ? 't' : 'f';
      case 'number':
        // as JSON.stringify has it, -0 and the numbers it has no spelling for included
        return Number.isFinite(value) ? `n${value};` : 'z';
      case 'object':
        return value === null ? 'z' : composite(value);
      default:
        return 'u;';
    }
  };

  if (paths === null || paths.some((p) => p.length === 0))
    return (input, time) => part(withTime(input as Members, time));

  const readers = paths.map((path): KeyOf => {
    const [first, second] = path;
    if (first === 'context' && path.length === 2 && second === 'time') return (_input, time) => part(time);
    if (first === 'context' && path.length === 1)
      return (input, time) => part((withTime(input as Members, time) as Members)['context']);
    const depth = path.length;
    return (input) => {
      let value: unknown = input;
      for (let i = 0; i < depth; i++) {
        // where the path ends, and on what, is seen too
        if (!isObject(value)) return `u${i}${kind(value)};`;
        value = Object.hasOwn(value, path[i]!) ? value[path[i]!] : undefined;
        if (value === undefined) return `u${i};`;
      }
      return part(value);
    };
  });
  return (input, time) => {
    let key = '';
    for (let i = 0; i < readers.length; i++) key += readers[i]!(input, time);
    return key;
  };
};

const kind = (value: unknown): string =>
  value === null ? 'z' : Array.isArray(value) ? 'a' : (typeof value)[0]!;

type Members = { readonly [key: string]: unknown };

/** the input with the time of its step: what the policy is asked, and what the key is made of */
export const withTime = (input: Members, time: string): object => {
  const context = input['context'];
  return isObject(context) && context['time'] !== time ? { ...input, context: { ...context, time } } : input;
};
