/**
 * RFC 8785 canonical JSON, the input of a record's hash. The output equals that of the package `canonicalize` byte for byte
 * (a property test compares them), but is produced several times faster. RFC 8785 writes strings and numbers as
 * `JSON.stringify` does, so only the order of members differs. A value whose members are already in order at every level
 * goes straight to `JSON.stringify`.
 */
import { SluiceError } from '../../errors.ts';

/** No record is nested this deep; the limit stops endless recursion. */
const MAX_DEPTH = 100;

/**
 * @throws SluiceError `input_invalid` for what JSON cannot represent: NaN, infinities, lone surrogates, functions,
 *   bigints, more than 100 levels.
 */
export function canonical(value: unknown): string {
  return isOrdered(value, 0) ? (JSON.stringify(value) ?? 'null') : serializeSorted(value, 0);
}

/**
 * True only if `JSON.stringify` returns the canonical form. It writes members in the order of `Object.keys`, which puts
 * integer-like keys first, by number (`2` before `10`), so the order must be checked.
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

function serializeSorted(value: unknown, depth: number): string {
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
  if (Array.isArray(value)) return `[${value.map((item) => serializeSorted(item, depth + 1)).join(',')}]`;
  const object = value as { readonly [key: string]: unknown };
  if (typeof object['toJSON'] === 'function') return serializeSorted(object['toJSON'](), depth + 1);
  const members: string[] = [];
  // The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks.
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member !== undefined) members.push(`${text(key)}:${serializeSorted(member, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function text(value: string): string {
  if (!value.isWellFormed()) throw refused('a string with a lone surrogate');
  return JSON.stringify(value);
}

/**
 * Returns the value with members in canonical order and well-formed strings (a lone surrogate becomes U+FFFD), and its
 * canonical JSON. Field names come from upstreams, and an unusual name must not prevent a record from being written.
 * It takes one pass: objects that are in order are used as they are, others are copied.
 */
export function normalize<T>(value: T): { readonly value: T; readonly json: string } {
  const state: Pass = { unsupported: false };
  const ordered = normalizeValue(value, 0, state) as T;
  if (!state.unsupported) {
    const json = JSON.stringify(ordered);
    // `JSON.stringify` escapes a lone surrogate. One search in the output is faster than a check of every string.
    if (!json.includes('\\ud')) return { value: ordered, json };
  }
  const sound = wellFormed(ordered) as T;
  return { value: sound, json: serializeSorted(sound, 0) };
}

interface Pass {
  /** the value holds something that `JSON.stringify` would not write canonically, or not at all */
  unsupported: boolean;
}

function normalizeValue(value: unknown, depth: number, pass: Pass): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value;
    case 'number':
      if (!Number.isFinite(value)) pass.unsupported = true;
      return value;
    case 'object':
      break;
    default:
      pass.unsupported = true;
      return value;
  }
  if (value === null) return null;
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return normalizeArray(value, depth, pass);
  const from = value as { readonly [key: string]: unknown };
  if (typeof from['toJSON'] === 'function') return normalizeValue(from['toJSON'](), depth + 1, pass);
  const keys = Object.keys(from);
  if (!inOrder(keys)) return sortedCopy(from, keys.sort(), depth, pass);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const member = from[key];
    const normalized = normalizeValue(member, depth + 1, pass);
    if (normalized !== member) return copyFrom(from, keys, i, normalized, depth, pass);
  }
  return value;
}

function normalizeArray(items: readonly unknown[], depth: number, pass: Pass): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let i = 0; i < items.length; i++) {
    const normalized = normalizeValue(items[i], depth + 1, pass);
    if (normalized === items[i]) continue;
    copy ??= [...items];
    copy[i] = normalized;
  }
  return copy ?? items;
}

function inOrder(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (keys[i]! < keys[i - 1]!) return false;
  return true;
}

/** A copy with well-formed strings; the depth has been checked before. */
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
  for (const key of keys) put(to, key, normalizeValue(from[key], depth + 1, pass), pass);
  return to;
}

/** Members before index `changed` are normalized already, the one at `changed` is given, and those after it are normalized here. */
function copyFrom(
  from: Members,
  keys: readonly string[],
  changed: number,
  normalized: unknown,
  depth: number,
  pass: Pass,
): Members {
  const to: Members = {};
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const member = from[key];
    put(
      to,
      key,
      i < changed ? member : i === changed ? normalized : normalizeValue(member, depth + 1, pass),
      pass,
    );
  }
  return to;
}

function put(to: Members, key: string, member: unknown, pass: Pass): void {
  // Integer-like keys come first in an object, whatever the order of insertion.
  const first = key.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) pass.unsupported = true;
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
