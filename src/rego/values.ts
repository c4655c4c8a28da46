/**
 * Rego values in JavaScript, and the text in which they are passed to and from WebAssembly without loss: OPA's value text
 * (`opa_value_dump`/`opa_value_parse`), which is JSON plus set literals (`{1,2}`, `set()`) and object keys of any type.
 *
 * A number is a JavaScript number only if `String` of it is the text it was written as; any other number keeps its text
 * (`NumberText`). A string may contain bytes that are not UTF-8, since Rego strings are Go strings: each such byte is
 * represented as a lone low surrogate U+DC80…U+DCFF, which valid text cannot contain.
 */

/** A number whose text a JavaScript number would not keep: `1.0`, `12345678901234567890`, `1e400`. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type RegoNumber = number | NumberText;
export type RegoObject = Map<RegoValue, RegoValue>;
export type RegoSet = Set<RegoValue>;
export type RegoValue = null | boolean | string | RegoNumber | RegoValue[] | RegoObject | RegoSet;

export const isNumber = (v: RegoValue): v is RegoNumber => typeof v === 'number' || v instanceof NumberText;

export const numberText = (n: RegoNumber): string => (typeof n === 'number' ? String(n) : n.text);

export const numberOf = (text: string): RegoNumber => {
  const n = Number(text);
  return String(n) === text ? n : new NumberText(text);
};

const utf8 = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** length of the valid UTF-8 sequence at `i` (Unicode 15, table 3-7); 0 if there is none */
const sequenceLength = (bytes: Uint8Array, i: number): number => {
  const a = bytes[i] ?? 0;
  if (a < 0x80) return 1;
  const width = a >= 0xc2 && a <= 0xdf ? 2 : a >= 0xe0 && a <= 0xef ? 3 : a >= 0xf0 && a <= 0xf4 ? 4 : 0;
  if (width === 0 || i + width > bytes.length) return 0;
  const b = bytes[i + 1] ?? 0;
  const low = a === 0xe0 ? 0xa0 : a === 0xf0 ? 0x90 : 0x80;
  const high = a === 0xed ? 0x9f : a === 0xf4 ? 0x8f : 0xbf;
  if (b < low || b > high) return 0;
  for (let k = 2; k < width; k++) if (((bytes[i + k] ?? 0) & 0xc0) !== 0x80) return 0;
  return width;
};

/** Bytes → string, without loss. */
export const stringOf = (bytes: Uint8Array): string => {
  try {
    return strict.decode(bytes);
  } catch {
    let out = '';
    let start = 0;
    for (let i = 0; i < bytes.length; ) {
      const n = sequenceLength(bytes, i);
      if (n > 0) {
        i += n;
        continue;
      }
      out += strict.decode(bytes.subarray(start, i)) + String.fromCharCode(0xdc00 + (bytes[i] ?? 0));
      i += 1;
      start = i;
    }
    return out + strict.decode(bytes.subarray(start));
  }
};

const RAW = /[\udc80-\udcff]/;

/** String → bytes, the inverse of `stringOf`. */
export const bytesOf = (s: string): Uint8Array => {
  if (s.isWellFormed()) return utf8.encode(s);
  const out: number[] = [];
  for (const ch of s) {
    const c = ch.charCodeAt(0);
    if (ch.length === 1 && c >= 0xdc80 && c <= 0xdcff) out.push(c - 0xdc00);
    else out.push(...utf8.encode(ch));
  }
  return Uint8Array.from(out);
};

/** true if the string holds bytes that are not UTF-8 */
export const isRaw = (s: string): boolean => !s.isWellFormed() && RAW.test(s);

/** an object with these members */
export const fieldsOf = (fields: { readonly [key: string]: RegoValue }): RegoObject =>
  new Map<RegoValue, RegoValue>(Object.entries(fields));

const ESCAPED = /["\\\u0000-\u001f]/;

const quote = (s: string): string => {
  const well = s.isWellFormed() ? s : s.toWellFormed();
  return ESCAPED.test(well) ? JSON.stringify(well) : `"${well}"`;
};

/** Writes value text. */
export const encode = (v: RegoValue): string => {
  switch (typeof v) {
    case 'string':
      return quote(v);
    case 'number':
      return String(v);
    case 'boolean':
      return v ? 'true' : 'false';
    default:
  }
  if (v === null) return 'null';
  if (v instanceof NumberText) return v.text;
  if (Array.isArray(v)) {
    let out = '';
    for (const item of v) out += (out === '' ? '' : ',') + encode(item);
    return `[${out}]`;
  }
  if (v instanceof Map) {
    let out = '';
    for (const [key, item] of v) out += `${out === '' ? '' : ','}${encode(key)}:${encode(item)}`;
    return `{${out}}`;
  }
  if (v.size === 0) return 'set()';
  let out = '';
  for (const item of v) out += (out === '' ? '' : ',') + encode(item);
  return `{${out}}`;
};

const NUMBER = /-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?/y;

/** Reads value text. @throws SyntaxError if the text is malformed */
export const decode = (text: string): RegoValue => {
  let at = 0;

  const fail = (): never => {
    throw new SyntaxError(`value text is malformed at offset ${at}`);
  };
  const space = (): void => {
    for (;;) {
      const c = text.charCodeAt(at);
      if (c === 32 || c === 10 || c === 13 || c === 9) at += 1;
      else return;
    }
  };
  const take = (ch: string): boolean => {
    space();
    if (text[at] !== ch) return false;
    at += 1;
    return true;
  };
  const word = (w: string): void => {
    if (!text.startsWith(w, at)) fail();
    at += w.length;
  };
  const string = (): string => {
    const start = at;
    at += 1;
    for (;;) {
      const c = text.charCodeAt(at);
      if (c === 34) break;
      if (Number.isNaN(c)) fail();
      if (c === 92) {
        for (at += 2; text.charCodeAt(at) !== 34; at += text.charCodeAt(at) === 92 ? 2 : 1)
          if (at >= text.length) fail();
        at += 1;
        return JSON.parse(text.slice(start, at)) as string;
      }
      at += 1;
    }
    at += 1;
    return text.slice(start + 1, at - 1);
  };
  const list = (close: string): RegoValue[] => {
    const out: RegoValue[] = [];
    if (take(close)) return out;
    do out.push(value());
    while (take(','));
    if (!take(close)) fail();
    return out;
  };
  const braces = (): RegoValue => {
    if (take('}')) return new Map();
    const first = value();
    if (!take(':')) {
      const set = new Set([first]);
      while (take(',')) set.add(value());
      if (!take('}')) fail();
      return set;
    }
    const object: RegoObject = new Map([[first, value()]]);
    while (take(',')) {
      const key = value();
      if (!take(':')) fail();
      object.set(key, value());
    }
    if (!take('}')) fail();
    return object;
  };
  const value = (): RegoValue => {
    space();
    switch (text[at]) {
      case '"':
        return string();
      case '[':
        at += 1;
        return list(']');
      case '{':
        at += 1;
        return braces();
      case 't':
        word('true');
        return true;
      case 'f':
        word('false');
        return false;
      case 'n':
        word('null');
        return null;
      case 's':
        word('set(');
        if (!take(')')) fail();
        return new Set();
      default: {
        NUMBER.lastIndex = at;
        const m = NUMBER.exec(text);
        if (m === null) return fail();
        at += m[0].length;
        return numberOf(m[0]);
      }
    }
  };

  const out = value();
  space();
  if (at !== text.length) fail();
  return out;
};

/** any escape; group 1: an escaped surrogate pair, group 2: half a pair */
const ESCAPE = /\\(?:u(?:([dD][89abAB]..\\u[dD][c-fC-F]..)|([dD][89a-fA-F]..))|[^u]|u)/g;
/** Replaces an escape of half a surrogate pair by U+FFFD, as Go reads it. OPA's WebAssembly parser would abort. */
export const wellFormed = (json: string): string =>
  json.includes('\\u')
    ? json.replace(ESCAPE, (all, _pair, lone) => (lone === undefined ? all : '\\ufffd'))
    : json;

/** JSON text → value, without loss. @throws SyntaxError */
export const parseJson = (text: string): RegoValue => {
  // Value text is a superset of JSON: refuse sets and keys that are not strings.
  JSON.parse(text);
  return decode(wellFormed(text.toWellFormed()));
};
