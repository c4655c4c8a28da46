/**
 * Canonical JSON of decision records, quickly: written in one pass, with the text of what cannot change (a caller, the
 * account of a usual answer, labels) remembered from one record to the next. What has no plain spelling is left to
 * `canonical.ts`, which is slower and leaves nothing out; both write the same (held by a property test).
 */

/** Deeper is left to `canonical.ts`, which refuses it. */
const MAX_DEPTH = 90;
const LONGEST_REMEMBERED = 64 * 1024;
const KEYS = 1024;

/** Printable ASCII without what JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** by frozen object; nothing that a frozen object holds can change */
const remembered = new WeakMap<object, string>();
const keys = new Map<string, string>();

/** true once something was met that has no plain spelling; reset by each call of `spell` */
let awkward = false;

/** The canonical JSON of a value, or null: ask `arrange`. */
export function spell(value: unknown): string | null {
  awkward = false;
  const json = spelled(value, 0);
  return awkward ? null : json;
}

function spelled(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return 'null';
    case 'number':
      if (!Number.isFinite(value)) awkward = true;
      // ECMAScript's own spelling, as RFC 8785 §3.2.2.3 asks; -0 is 0
      return `${value}`;
    case 'object':
      if (value === null) return 'null';
      return Object.isFrozen(value) ? recalled(value, depth) : composed(value, depth);
    default:
      awkward = true;
      return '';
  }
}

function recalled(value: object, depth: number): string {
  const known = remembered.get(value);
  if (known !== undefined) return known;
  const text = composed(value, depth);
  // Through bytes and back: one flat string, where concatenation leaves a tree that every record would have to walk.
  if (!awkward && text.length <= LONGEST_REMEMBERED && isConstant(value))
    remembered.set(value, Buffer.from(text).toString());
  return text;
}

function composed(value: object, depth: number): string {
  if (depth > MAX_DEPTH) {
    awkward = true;
    return '';
  }
  let text = '';
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) text += (i === 0 ? '' : ',') + spelled(value[i], depth + 1);
    return `[${text}]`;
  }
  const object = value as { readonly [key: string]: unknown };
  if (typeof object['toJSON'] === 'function') {
    awkward = true;
    return '';
  }
  const names = Object.keys(object);
  // The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks.
  if (!inOrder(names)) names.sort();
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const member = object[name];
    if (member === undefined) continue;
    text += (text === '' ? '' : ',') + keyOf(name) + spelled(member, depth + 1);
  }
  return `{${text}}`;
}

function inOrder(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if (names[i]! < names[i - 1]!) return false;
  return true;
}

function keyOf(name: string): string {
  const known = keys.get(name);
  if (known !== undefined) return known;
  const text = `${quoted(name)}:`;
  if (keys.size < KEYS && name.length <= 64) keys.set(name, text);
  return text;
}

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const json = JSON.stringify(text);
  // perhaps a lone surrogate
  if (json.includes('\\ud')) awkward = true;
  return json;
}

/** Frozen down to its leaves, and made of data alone: no accessors. */
export const isConstant = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (Object.isFrozen(value) &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every((d) => 'value' in d && isConstant(d.value)));
