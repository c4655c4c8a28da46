/**
 * Replaces `JSON.parse` of this process or thread where V8 misreads names. Each entry point imports it before everything else, since a
 * package may take hold of `JSON.parse` when it is loaded.
 *
 * The fault: V8 keeps the names of earlier objects as hidden classes. It compares an expected name with the characters of the text before
 * their escapes are decoded, over the length of the decoded name. After `{"a":1,"\\u":2}` (or the object literal `{ a: 1, '\\u': 2 }`), the
 * second name of `{"a":1,"\u0069d":2}` is read as `\u`, although it is `id`. So whoever sends one text can hide a member of another one: a
 * claim of a token, a condition of a policy, a field that is written.
 *
 * Found in Node.js 24.0.0 and 24.21.0 (V8 13.6.233), 25.0.0 (14.1.146), 26.0.0 and 26.10.0 (14.6.202.34-node.34). Not in Node.js 20.20.2
 * (11.3.244) and 26.12.1 (14.6.202.34-node.40). Only what misreads is replaced.
 *
 * The mend: V8 reads no name that is spelled with a backslash. What else it reads is compared character by character.
 */
import { closingQuote, isName } from './model/json-text.ts';

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
type Parse = (text: string, reviver?: Reviver) => unknown;
const native = JSON.parse as Parse;

/** The names are used nowhere else: what V8 remembers of them does no harm. */
function misreads(): boolean {
  const earlier = native(String.raw`{"self-test of json-parse":0,"\\u":0}`) as object;
  const later = native(String.raw`{"self-test of json-parse":0,"\u0069d":0}`) as object;
  return Object.keys(earlier).length !== 2 || !Object.hasOwn(later, 'id');
}

/**
 * Whether V8 could read a name that is spelled with a backslash. In valid JSON every backslash is in a string, and the search goes on behind
 * that string. V8 refuses an invalid text at the first backslash outside of strings at the latest.
 */
function hasEscapedName(text: string): boolean {
  for (let i = text.indexOf('\\'); i !== -1; ) {
    const end = closingQuote(text, i - 1) + 1;
    if (isName(text, end)) return true;
    i = text.indexOf('\\', end);
  }
  return false;
}

interface Name {
  readonly start: number;
  /** behind the closing quotation mark */
  readonly end: number;
  readonly name: string;
}

/** The names of the text that are spelled with a backslash, up to the first one that is invalid. */
function escapedNames(text: string): readonly Name[] {
  const names: Name[] = [];
  const last = text.lastIndexOf('\\');
  for (let i = 0; i < last; i++) {
    if (text.charCodeAt(i) !== 0x22) continue;
    const start = i;
    // As `closingQuote`, but it also sees whether there is a backslash.
    let isEscaped = false;
    for (i++; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 0x22) break;
      if (c !== 0x5c) continue;
      isEscaped = true;
      i++;
    }
    const end = i + 1;
    if (!isEscaped || !isName(text, end)) continue;
    try {
      names.push({ start, end, name: native(text.slice(start, end)) as string });
    } catch {
      // V8 reads no further than to this name.
      break;
    }
  }
  return names;
}

/** Names that are spelled with a backslash, however they are written. */
const NEEDS_BACKSLASH = /["\\\u0000-\u001f]/;

function respelled(text: string, names: readonly Name[], spell: (name: Name) => string): string {
  let out = '';
  let from = 0;
  for (const name of names) {
    out += text.slice(from, name.start) + spell(name);
    from = name.end;
  }
  return out + text.slice(from);
}

/** Throws what V8 says of an invalid text, with the position in this text. Quoted names have `/` for a backslash. */
function refuseInvalid(text: string, names: readonly Name[]): void {
  native(
    respelled(text, names, ({ start, end }) =>
      text.slice(start, end).replace(/\\(.)/g, (_, c: string) => (c === '"' || c === '\\' ? '//' : `/${c}`)),
    ),
  );
}

/** A value as it was parsed; `source` of a scalar, `members` of an object or array. */
interface Parsed {
  readonly value: unknown;
  readonly source?: string;
  readonly members?: Map<string, Parsed>;
}

function define(object: object, name: string, value: unknown): void {
  Reflect.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

const SCALAR = /[^\s,\]}]+/y;

/** Builds the value of a valid text member by member: of a text with names that need a backslash. Not recursive, as V8 is not. */
function built(text: string): Parsed {
  const open: Array<{ name: string; readonly value: object; readonly members: Map<string, Parsed> }> = [];
  let root: Parsed | undefined;
  const add = (parsed: Parsed): void => {
    const container = open.at(-1);
    if (container === undefined) {
      root = parsed;
      return;
    }
    const { value, members } = container;
    const name = Array.isArray(value) ? String(value.length) : container.name;
    if (Array.isArray(value)) value.push(parsed.value);
    else if (name in value) define(value, name, parsed.value);
    else (value as Record<string, unknown>)[name] = parsed.value;
    members.set(name, parsed);
  };
  for (let at = 0; at < text.length; ) {
    const c = text[at]!;
    if (c === '{' || c === '[') open.push({ name: '', value: c === '{' ? {} : [], members: new Map() });
    else if (c === '}' || c === ']') add(open.pop()!);
    else if (c > ' ' && c !== ',' && c !== ':') {
      SCALAR.lastIndex = at;
      const end = c === '"' ? closingQuote(text, at) + 1 : at + SCALAR.exec(text)![0].length;
      const source = text.slice(at, end);
      const value = native(source);
      if (c === '"' && isName(text, end)) open.at(-1)!.name = value as string;
      else add({ value, source });
      at = end;
      continue;
    }
    at++;
  }
  return root!;
}

/** InternalizeJSONProperty of ECMAScript. @param parsed undefined: another value has taken its place */
function revive(holder: object, key: string, reviver: Reviver, parsed: Parsed | undefined): unknown {
  const value = (holder as Record<string, unknown>)[key];
  const same = parsed !== undefined && Object.is(value, parsed.value) ? parsed : undefined;
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
    const revived = (name: string): void => {
      const result = revive(value, name, reviver, same?.members?.get(name));
      if (result === undefined) Reflect.deleteProperty(value, name);
      else define(value, name, result);
    };
    if (Array.isArray(value)) for (let i = 0, { length } = value; i < length; i++) revived(String(i));
    else for (const name of Object.keys(value)) revived(name);
  }
  return Reflect.apply(reviver, holder, [
    key,
    value,
    same?.source === undefined ? {} : { source: same.source },
  ]);
}

/** A method, so that it cannot be constructed, as the one that it replaces. */
const mended = {
  parse(text: string, reviver?: Reviver): unknown {
    const source = typeof text === 'string' ? text : `${text as unknown}`;
    if (!hasEscapedName(source)) return native(source, reviver);
    const names = escapedNames(source);
    if (names.length === 0) return native(source, reviver);
    if (names.some(({ name }) => NEEDS_BACKSLASH.test(name))) {
      refuseInvalid(source, names);
      const parsed = built(source);
      return typeof reviver === 'function' ? revive({ '': parsed.value }, '', reviver, parsed) : parsed.value;
    }
    try {
      return native(
        respelled(source, names, ({ name }) => `"${name}"`),
        reviver,
      );
    } catch (error) {
      refuseInvalid(source, names);
      throw error;
    }
  },
};

if (misreads())
  Object.defineProperty(JSON, 'parse', { value: mended.parse, writable: true, configurable: true });
