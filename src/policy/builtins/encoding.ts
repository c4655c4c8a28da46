/** `hex.*`, `base64url.*`, `urlquery.*`, `uri.*`: text codings, as Go's encoding/hex, encoding/base64 and net/url do them. */
import { isIPv6 } from 'node:net';
import { sorted } from '../order.ts';
import { bytesOf, fieldsOf, type RegoValue, stringOf } from '../values.ts';
import { fail, items, object, string } from './operands.ts';
import type { Family } from './types.ts';

const HEX = '0123456789abcdef';

/** Base64 with the padding that Go's StdEncoding wants; line breaks are passed over. */
export const base64 = (text: string): Uint8Array => {
  const plain = text.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
    return fail('not base64');
  return Buffer.from(plain, 'base64');
};

/** Base64url whose padding may be left out (RFC 7515, appendix C), as `base64url.decode` reads it. */
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

const percentDecode = (text: string, plusIsSpace: boolean): string => {
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
    if (part.includes(';')) return fail('a semicolon separates nothing in a query');
    const at = part.indexOf('=');
    const key = queryUnescape(at < 0 ? part : part.slice(0, at));
    const value = queryUnescape(at < 0 ? '' : part.slice(at + 1));
    const values = out.get(key);
    if (values === undefined) out.set(key, [value]);
    else values.push(value);
  }
  return new Map<RegoValue, RegoValue>(out);
};

interface Uri {
  readonly scheme: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly raw_path: string;
  readonly raw_query: string;
  readonly fragment: string;
}

/** characters that stand for themselves in an encoded path, as Go's URL.EscapedPath keeps them */
const PATH_CHARACTER = /[A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]]/;

const escapePath = (path: string): string => {
  let out = '';
  for (const byte of bytesOf(path)) {
    const ch = String.fromCharCode(byte);
    out +=
      PATH_CHARACTER.test(ch) && !/[!'()*[\]]/.test(ch)
        ? ch
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
};

const parseAuthority = (authority: string): { hostname: string; port: string } => {
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user))
      return fail('the user part has characters it may not have');
    percentDecode(user, false);
  }
  const host = authority.slice(at + 1);
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) return fail('the address lacks its closing bracket');
    const rest = host.slice(end + 1);
    if (!/^(?::\d*)?$/.test(rest)) return fail('the port is not a number');
    const inside = host.slice(1, end);
    const zone = inside.indexOf('%25');
    if (!isIPv6(zone < 0 ? inside : inside.slice(0, zone))) return fail('not an IPv6 address');
    const hostname = zone < 0 ? inside : inside.slice(0, zone) + percentDecode(inside.slice(zone), false);
    return { hostname, port: rest.slice(1) };
  }
  const colon = host.lastIndexOf(':');
  const port = colon < 0 ? '' : host.slice(colon + 1);
  if (colon >= 0 && !/^\d*$/.test(port)) return fail('the port is not a number');
  const name = colon < 0 ? host : host.slice(0, colon);
  // Go lets only bytes beyond ASCII be percent-encoded in a host.
  for (const m of name.matchAll(/%(?!25)(..)/g))
    if (Number.parseInt(m[1] ?? '', 16) < 0x80) return fail('the host is encoded');
  if (/[\u0000-\u0020#/?@\\^`{|}[\]\u007f]/.test(name))
    return fail('the host has characters it may not have');
  return { hostname: percentDecode(name, false), port };
};

/** Go's url.Parse (RFC 3986, read leniently). */
const parseUri = (text: string): Uri => {
  if (/[\u0000-\u001f\u007f]/.test(text)) return fail('control characters');
  const hash = text.indexOf('#');
  const fragment = hash < 0 ? '' : percentDecode(text.slice(hash + 1), false);
  let rest = hash < 0 ? text : text.slice(0, hash);
  let scheme = '';
  const colon = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(rest);
  if (colon !== null) {
    scheme = (colon[1] as string).toLowerCase();
    rest = rest.slice(colon[0].length);
  } else if (rest.startsWith(':')) return fail('the scheme is missing');
  const question = rest.indexOf('?');
  const rawQuery = question < 0 ? '' : rest.slice(question + 1);
  if (question >= 0) rest = rest.slice(0, question);
  const none = { scheme, hostname: '', port: '', path: '', raw_path: '', raw_query: rawQuery, fragment };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return none;
    if ((rest.split('/')[0] ?? '').includes(':')) return fail('a colon in the first segment of a path');
  }
  let authority: { hostname: string; port: string } = { hostname: '', port: '' };
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    authority = parseAuthority(rest.slice(2, slash < 0 ? undefined : slash));
    rest = slash < 0 ? '' : rest.slice(slash);
  }
  const path = percentDecode(rest, false);
  return { ...none, ...authority, path, raw_path: rest === escapePath(path) ? path : rest };
};

const uriFields = (uri: Uri): RegoValue =>
  fieldsOf(Object.fromEntries(Object.entries(uri).filter(([, value]) => value !== '')));

export const encoding: Family = {
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
  'uri.parse': ([v]) => uriFields(parseUri(string(v))),
  'uri.is_valid': ([v]) => {
    const text = string(v);
    if (text === '') return false;
    try {
      parseUri(text);
      return true;
    } catch {
      return false;
    }
  },
};
