/**
 * The key of a cached answer: exactly what the entrypoint can see of an input, and nothing else.
 *
 * Two inputs share a key if and only if all paths that are read hold the same JSON. The paths are a tree that is walked
 * beside the input; the text of each part says where it ends, so that two different inputs never run together. What is
 * below an object that is frozen to its leaves cannot change and is remembered with the object: for a subject that is
 * kept from request to request, its part of the key is one look-up.
 */
import { LRUCache } from 'lru-cache';
import { isObject } from '../../documents/yaml.ts';

export type KeyOf = (input: object, time: string) => string;

type Members = { readonly [key: string]: unknown };

/** Numbers of texts are never given twice, so forgetting one costs a miss and never a wrong hit. */
const KNOWN_TEXTS = 20_000;
const LONGEST_KNOWN = 64 * 1024;

const isDeepFrozen = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    // What JSON writes must be what is frozen: no accessors, no toJSON from a class.
    (Array.isArray(value) || isPlain(value)) &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every(
      (d) => 'value' in d && isDeepFrozen(d.value),
    ));

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

interface Step {
  readonly name: string;
  /** a name that every object inherits is looked for among its own members only */
  readonly inherited: boolean;
  whole: boolean;
  readonly below: Step[];
  readonly remembered: WeakMap<object, string>;
}

const step = (name: string): Step => ({
  name,
  inherited: name in Object.prototype,
  whole: false,
  below: [],
  remembered: new WeakMap(),
});

const treeOf = (paths: readonly (readonly string[])[]): Step => {
  const root = step('');
  for (const path of paths) {
    let at = root;
    for (const name of path) {
      let next = at.below.find((s) => s.name === name);
      if (next === undefined) {
        next = step(name);
        at.below.push(next);
      }
      at = next;
    }
    at.whole = true;
  }
  return root;
};

/** @param paths `null`: nothing is known of what is read, so the whole input is the key */
export const createProjection = (paths: readonly (readonly string[])[] | null): KeyOf => {
  const numbers = new LRUCache<string, string>({ max: KNOWN_TEXTS });
  let next = 0;

  const numbered = (value: object): string => {
    const text = JSON.stringify(value) ?? '';
    if (text.length > LONGEST_KNOWN) return `j${text.length}:${text}`;
    let number = numbers.get(text);
    if (number === undefined) {
      next += 1;
      number = `o${next};`;
      numbers.set(text, number);
    }
    return number;
  };

  const list = (value: readonly unknown[]): string => {
    let text = `[${value.length}:`;
    for (const item of value) {
      // in a list, JSON writes null for what it cannot write
      text +=
        typeof item === 'object' && item !== null && !Array.isArray(item)
          ? numbered(item)
          : part(item ?? null);
    }
    return text;
  };

  const part = (value: unknown): string => {
    switch (typeof value) {
      case 'string':
        return `s${value.length}:${value}`;
      case 'boolean':
        return value ? 't' : 'f';
      case 'number':
        return Number.isFinite(value) ? `n${value};` : 'z';
      case 'object':
        if (value === null) return 'z';
        return Array.isArray(value) && value.length <= 8 ? list(value) : numbered(value);
      default:
        return 'u';
    }
  };

  const walk = (value: unknown, at: Step): string => {
    if (typeof value !== 'object' || value === null) return at.whole ? part(value) : kind(value);
    const known = at.remembered.get(value);
    if (known !== undefined) return known;
    const text = at.whole ? part(value) : Array.isArray(value) ? kind(value) : members(value as Members, at);
    if (Object.isFrozen(value) && isDeepFrozen(value)) at.remembered.set(value, text);
    return text;
  };

  const members = (value: Members, at: Step): string => {
    let text = '{';
    for (const s of at.below)
      text += walk(s.inherited && !Object.hasOwn(value, s.name) ? undefined : value[s.name], s);
    return text;
  };

  const root = treeOf(paths ?? [[]]);
  if (root.whole) return (input, time) => part(withTime(input as Members, time));
  const context = root.below.find((s) => s.name === 'context');
  if (context === undefined || !(context.whole || context.below.some((s) => s.name === 'time')))
    return (input) => members(input as Members, root);
  // The time of the input is not what the policy sees: its step is.
  if (context.whole) return (input, time) => members(withTime(input as Members, time) as Members, root);
  root.below.splice(root.below.indexOf(context), 1);
  context.below.splice(
    context.below.findIndex((s) => s.name === 'time'),
    1,
  );
  return (input, time) =>
    `${time.length}:${time}${members(input as Members, root)}${walk((input as Members)['context'], context)}`;
};

/** where a path ends too early, and on what, is seen too */
const kind = (value: unknown): string =>
  value === null ? 'Z' : Array.isArray(value) ? 'A' : KINDS[typeof value]!;
const KINDS: { readonly [type: string]: string } = {
  string: 'S',
  number: 'N',
  boolean: 'B',
  undefined: 'U',
  function: 'U',
  symbol: 'U',
  bigint: 'I',
  object: 'O',
};

/** the input with the time of its step: what the policy is asked, and what the key is made of */
export const withTime = (input: Members, time: string): object => {
  const context = input['context'];
  return isObject(context) && context['time'] !== time ? { ...input, context: { ...context, time } } : input;
};
