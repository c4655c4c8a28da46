/**
 * The key of a cached answer: exactly the parts of an input that the entrypoint can read.
 *
 * Two inputs have the same key if and only if all paths that are read have the same JSON. The paths are a tree that is walked
 * together with the input. Each part of the key is self-delimiting, so that different inputs cannot have the same key. The part
 * for a deeply frozen object is remembered with the object: a subject that is reused across requests costs one look-up.
 */
import { LRUCache } from 'lru-cache';
import { isObject } from '../../documents/yaml.ts';

export type KeyOf = (input: object, time: string) => string;

type Members = { readonly [key: string]: unknown };

/** JSON texts are replaced by numbers in keys. A number is never reused, so an evicted text causes a miss and never a wrong hit. */
const NUMBERED_TEXTS = 20_000;
const MAX_NUMBERED_LENGTH = 64 * 1024;

const isDeepFrozen = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    // JSON must depend on frozen members only: no accessors, no class with toJSON.
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
  /** a name that objects inherit, e.g. `constructor`: only own members count */
  readonly inherited: boolean;
  whole: boolean;
  readonly below: Step[];
  readonly memo: WeakMap<object, string>;
}

const step = (name: string): Step => ({
  name,
  inherited: name in Object.prototype,
  whole: false,
  below: [],
  memo: new WeakMap(),
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

/** @param paths `null`: unknown, so the whole input is the key */
export const createProjection = (paths: readonly (readonly string[])[] | null): KeyOf => {
  const numbers = new LRUCache<string, string>({ max: NUMBERED_TEXTS });
  let next = 0;

  const numbered = (value: object): string => {
    const text = JSON.stringify(value) ?? '';
    if (text.length > MAX_NUMBERED_LENGTH) return `j${text.length}:${text}`;
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
      // JSON writes null for a list element that it cannot represent
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
    const known = at.memo.get(value);
    if (known !== undefined) return known;
    const text = at.whole ? part(value) : Array.isArray(value) ? kind(value) : members(value as Members, at);
    if (Object.isFrozen(value) && isDeepFrozen(value)) at.memo.set(value, text);
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
  // The policy reads the time's step, and not the time of the input.
  if (context.whole) return (input, time) => members(withTime(input as Members, time) as Members, root);
  root.below.splice(root.below.indexOf(context), 1);
  context.below.splice(
    context.below.findIndex((s) => s.name === 'time'),
    1,
  );
  return (input, time) =>
    `${time.length}:${time}${members(input as Members, root)}${walk((input as Members)['context'], context)}`;
};

/** the type of a value at which a path ends early, which is part of the key, too */
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

/** the input with the time rounded to its step, for the policy and for the key */
export const withTime = (input: Members, time: string): object => {
  const context = input['context'];
  return isObject(context) && context['time'] !== time ? { ...input, context: { ...context, time } } : input;
};
