/** `hex.*`, `base64url.*`, `urlquery.*`: text encodings as in Go's encoding/hex, encoding/base64 and net/url. */
import { sorted } from '../order.ts';
import { bytesOf, type RegoValue, stringOf } from '../values.ts';
import { fail, items, object, string } from './operands.ts';
import type { Family } from './types.ts';

const HEX = '0123456789abcdef';

/** Base64 with padding, as Go's StdEncoding; line breaks are ignored. */
export const base64 = (text: string): Uint8Array => {
  const plain = text.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
    return fail('not base64');
  return Buffer.from(plain, 'base64');
};

/** Base64url with or without padding (RFC 7515, appendix C), as `base64url.decode` reads it. */
export const base64url = (text: string): Uint8Array => {
  const padded = text.endsWith('=') ? text : text.padEnd(Math.ceil(text.length / 4) * 4, '=');
  const plain = padded.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$/.test(plain))
    return fail('not base64url');
  return Buffer.from(plain, 'base64url');
};

const UNRESERVED = /[A-Za-z0-9\-_.~]/;

/** application/x-www-form-urlencoded, as Go's url.QueryEscape: a space is `+`. */
export const queryEscape = (text: string): string => {
  let out = '';
  for (const byte of bytesOf(text)) {
    const ch = String.fromCharCode(byte);
    if (UNRESERVED.test(ch)) out += ch;
    else out += ch === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
};

export const percentDecode = (text: string, plusIsSpace: boolean): string => {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return fail('a percent sign without two hexadecimal digits');
  const source = bytesOf(plusIsSpace ? text.replaceAll('+', ' ') : text);
  const out: number[] = [];
  for (let i = 0; i < source.length; i++) {
    if (source[i] !== 0x25) {
      out.push(source[i] as number);
      continue;
    }
    out.push(Number.parseInt(String.fromCharCode(source[i + 1] as number, source[i + 2] as number), 16));
    i += 2;
  }
  return stringOf(Uint8Array.from(out));
};

const queryUnescape = (text: string): string => percentDecode(text, true);

const encodeObject = (v: RegoValue | undefined): string => {
  const pairs = new Map<string, string[]>();
  for (const [key, value] of object(v)) {
    pairs.set(
      string(key),
      typeof value === 'string' ? [value] : (value instanceof Set ? sorted(value) : items(value)).map(string),
    );
  }
  // Go sorts by key, byte by byte.
  const keys = [...pairs.keys()].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)));
  return keys
    .flatMap((k) => (pairs.get(k) ?? []).map((value) => `${queryEscape(k)}=${queryEscape(value)}`))
    .join('&');
};

const decodeObject = (text: string): RegoValue => {
  const out = new Map<string, RegoValue[]>();
  for (const part of text.split('&')) {
    if (part === '') continue;
    if (part.includes(';')) return fail('a query may not contain a semicolon');
    const at = part.indexOf('=');
    const key = queryUnescape(at < 0 ? part : part.slice(0, at));
    const value = queryUnescape(at < 0 ? '' : part.slice(at + 1));
    const values = out.get(key);
    if (values === undefined) out.set(key, [value]);
    else values.push(value);
  }
  return new Map<RegoValue, RegoValue>(out);
};

export const encoding: Family = {
  'base64.is_valid': ([v]) => {
    if (typeof v !== 'string') return false;
    try {
      base64(v);
      return true;
    } catch {
      return false;
    }
  },
  'base64.decode': ([v]) => stringOf(base64(string(v))),
  'base64url.decode': ([v]) => stringOf(base64url(string(v))),
  'base64url.encode_no_pad': ([v]) => Buffer.from(bytesOf(string(v))).toString('base64url'),
  'hex.encode': ([v]) => Buffer.from(bytesOf(string(v))).toString('hex'),
  'hex.decode': ([v]) => {
    const text = string(v).toLowerCase();
    if (text.length % 2 === 1 || [...text].some((c) => !HEX.includes(c))) return fail('not hexadecimal');
    return stringOf(Buffer.from(text, 'hex'));
  },
  'urlquery.encode': ([v]) => queryEscape(string(v)),
  'urlquery.decode': ([v]) => queryUnescape(string(v)),
  'urlquery.encode_object': ([v]) => encodeObject(v),
  'urlquery.decode_object': ([v]) => decodeObject(string(v)),
};
