/**
 * RFC 8785 canonical JSON: what the hash of a decision record is taken over. Equal, byte for byte, to the package
 * `canonicalize` (held by a property test), several times faster: RFC 8785 spells strings and numbers as ECMAScript's
 * own `JSON.stringify` does, so that only the order of members is left to see to. An object whose members already
 * stand in order, all the way down, is given to `JSON.stringify` whole.
 */
import { SluiceError } from '../../errors.ts';

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
 * The same value with members in canonical order and strings well formed (a lone surrogate reads U+FFFD), and its
 * canonical JSON. Names of fields come from upstreams, and a strange one must not keep a record from being written.
 * One pass: what is in order already is taken as it is, the rest is copied in order.
 */
export function arrange<T>(value: T): { readonly value: T; readonly json: string } {
  const state: Pass = { awkward: false };
  const ordered = tidy(value, 0, state) as T;
  if (!state.awkward) {
    const json = JSON.stringify(ordered);
    // A lone surrogate is spelt as an escape, which is sooner looked for here than in every string before.
    if (!json.includes('\\ud')) return { value: ordered, json };
  }
  const sound = wellFormed(ordered) as T;
  return { value: sound, json: careful(sound, 0) };
}

interface Pass {
  /** something is in it that `JSON.stringify` would not spell canonically, or not at all */
  awkward: boolean;
}

function tidy(value: unknown, depth: number, pass: Pass): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value;
    case 'number':
      if (!Number.isFinite(value)) pass.awkward = true;
      return value;
    case 'object':
      break;
    default:
      pass.awkward = true;
      return value;
  }
  if (value === null) return null;
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return tidyArray(value, depth, pass);
  const from = value as { readonly [key: string]: unknown };
  if (typeof from['toJSON'] === 'function') return tidy(from['toJSON'](), depth + 1, pass);
  const keys = Object.keys(from);
  if (!inOrder(keys)) return sortedCopy(from, keys.sort(), depth, pass);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const member = from[key];
    const tidied = tidy(member, depth + 1, pass);
    if (tidied !== member) return copyFrom(from, keys, i, tidied, depth, pass);
  }
  return value;
}

function tidyArray(items: readonly unknown[], depth: number, pass: Pass): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let i = 0; i < items.length; i++) {
    const tidied = tidy(items[i], depth + 1, pass);
    if (tidied === items[i]) continue;
    copy ??= [...items];
    copy[i] = tidied;
  }
  return copy ?? items;
}

function inOrder(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (keys[i]! < keys[i - 1]!) return false;
  return true;
}

/** A copy in which every string is; depth was seen to before. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  const to: Members = {};
  for (const [key, member] of Object.entries(value)) set(to, key.toWellFormed(), wellFormed(member));
  return to;
}

interface Members {
  [key: string]: unknown;
}

function sortedCopy(from: Members, keys: readonly string[], depth: number, pass: Pass): Members {
  const to: Members = {};
  for (const key of keys) put(to, key, tidy(from[key], depth + 1, pass), pass);
  return to;
}

/** The members before `changed` are tidy as they are, `changed` is given, those after it are still to be seen to. */
function copyFrom(
  from: Members,
  keys: readonly string[],
  changed: number,
  tidied: unknown,
  depth: number,
  pass: Pass,
): Members {
  const to: Members = {};
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const member = from[key];
    put(to, key, i < changed ? member : i === changed ? tidied : tidy(member, depth + 1, pass), pass);
  }
  return to;
}

function put(to: Members, key: string, member: unknown, pass: Pass): void {
  // A number's digits as a key come first, whatever the order of insertion.
  const first = key.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) pass.awkward = true;
  set(to, key, member);
}

/** Assignment to `__proto__` would set the prototype and lose the member. */
function set(to: Members, key: string, member: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(to, key, { value: member, enumerable: true, configurable: true, writable: true });
  else to[key] = member;
}

const refused = (what: string): SluiceError =>
  new SluiceError('input_invalid', `A decision record cannot hold ${what}; JSON has no form for it.`);

const tooDeep = (): SluiceError =>
  new SluiceError('input_invalid', `A decision record may be nested ${MAX_DEPTH} levels deep at most.`);
