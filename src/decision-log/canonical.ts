/**
 * RFC 8785 canonical JSON: what the hash of a decision record is taken over. Equal, byte for byte, to the package
 * `canonicalize` (held by a property test), several times faster: RFC 8785 spells strings and numbers as ECMAScript's
 * own `JSON.stringify` does, so that only the order of members is left to see to. An object whose members already
 * stand in order, all the way down, is given to `JSON.stringify` whole.
 */
import { SluiceError } from '../errors.ts';

/** Deeper than any record is; a guard against endless recursion. */
const MAX_DEPTH = 100;

/**
 * @throws SluiceError `input_invalid` for what JSON has no word for: NaN, infinities, lone surrogates, functions,
 *   bigints, more than 100 levels.
 */
export function canonical(value: unknown): string {
  return isOrdered(value, 0) ? (JSON.stringify(value) ?? 'null') : careful(value, 0);
}

/**
 * True only if `JSON.stringify` is sure to give the canonical form: it writes members in the order of `Object.keys`,
 * which puts integer-like keys first by number (`2` before `10`), so the order is looked at, never assumed.
 */
function isOrdered(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) {
    for (const item of value) if (!isOrdered(item, depth + 1)) return false;
    return true;
  }
  const object = value as { readonly [key: string]: unknown };
  if (typeof object['toJSON'] === 'function') return false;
  const keys = Object.keys(object);
  let before = '';
  for (const key of keys) {
    if (key < before || !key.isWellFormed() || !isOrdered(object[key], depth + 1)) return false;
    before = key;
  }
  return true;
}

function careful(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return 'null';
    case 'number':
      if (!Number.isFinite(value)) throw refused('a number that is not finite');
      return JSON.stringify(value);
    case 'object':
      break;
    default:
      throw refused(`a ${typeof value}`);
  }
  if (value === null) return 'null';
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return `[${value.map((item) => careful(item, depth + 1)).join(',')}]`;
  const object = value as { readonly [key: string]: unknown };
  if (typeof object['toJSON'] === 'function') return careful(object['toJSON'](), depth + 1);
  const members: string[] = [];
  // The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks.
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member !== undefined) members.push(`${text(key)}:${careful(member, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function text(value: string): string {
  if (!value.isWellFormed()) throw refused('a string with a lone surrogate');
  return JSON.stringify(value);
}

/**
 * The same value with members in canonical order and strings well formed (a lone surrogate reads U+FFFD): names of
 * fields come from upstreams, and a strange one must not keep a record from being written. What is in order already
 * is returned as it is.
 */
export function arranged<T>(value: T): T {
  return isOrdered(value, 0) ? value : (rearranged(value, 0) as T);
}

function rearranged(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return value.map((item) => rearranged(item, depth + 1));
  const from = value as { readonly [key: string]: unknown };
  if (typeof from['toJSON'] === 'function') return rearranged(from['toJSON'](), depth + 1);
  const to: { [key: string]: unknown } = {};
  for (const key of inOrder(Object.keys(from))) {
    const name = key.isWellFormed() ? key : key.toWellFormed();
    const member = rearranged(from[key], depth + 1);
    // Assignment to `__proto__` would set the prototype and lose the member.
    if (name === '__proto__')
      Object.defineProperty(to, name, {
        value: member,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else to[name] = member;
  }
  return to;
}

function inOrder(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) {
    if (keys[i]! < keys[i - 1]!) return keys.sort();
  }
  return keys;
}

const refused = (what: string): SluiceError =>
  new SluiceError('input_invalid', `A decision record cannot hold ${what}; JSON has no form for it.`);

const tooDeep = (): SluiceError =>
  new SluiceError('input_invalid', `A decision record may be nested ${MAX_DEPTH} levels deep at most.`);
