/** `uri.*`, as Go's net/url reads a URI. */
import { isIPv6 } from 'node:net';
import { bytesOf, fieldsOf, type RegoValue } from '../values.ts';
import { percentDecode } from './encoding.ts';
import { fail, string } from './operands.ts';
import type { Family } from './types.ts';

export interface Uri {
  readonly scheme: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly raw_path: string;
  readonly raw_query: string;
  readonly fragment: string;
  /** the part after the scheme, if it does not start with a slash */
  readonly opaque: string;
  /** host and port as written */
  readonly host: string;
  readonly user: boolean;
}

/** characters that Go's URL.EscapedPath does not encode */
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

type Authority = Pick<Uri, 'hostname' | 'port' | 'host' | 'user'>;

const parseAuthority = (authority: string): Authority => {
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user))
      return fail('the user part has characters that are not allowed');
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
    return { hostname, port: rest.slice(1), host, user: at >= 0 };
  }
  const colon = host.lastIndexOf(':');
  const port = colon < 0 ? '' : host.slice(colon + 1);
  if (colon >= 0 && !/^\d*$/.test(port)) return fail('the port is not a number');
  const name = colon < 0 ? host : host.slice(0, colon);
  // Go lets only bytes beyond ASCII be percent-encoded in a host.
  for (const m of name.matchAll(/%(?!25)(..)/g))
    if (Number.parseInt(m[1] ?? '', 16) < 0x80) return fail('the host is encoded');
  if (/[\u0000-\u0020#/?@\\^`{|}[\]\u007f]/.test(name))
    return fail('the host has characters that are not allowed');
  return { hostname: percentDecode(name, false), port, host, user: at >= 0 };
};

/** Go's url.Parse, which is more lenient than RFC 3986. */
export const parseUri = (text: string): Uri => {
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
  const none = {
    scheme,
    hostname: '',
    port: '',
    path: '',
    raw_path: '',
    raw_query: rawQuery,
    fragment,
    opaque: '',
    host: '',
    user: false,
  };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...none, opaque: rest };
    if ((rest.split('/')[0] ?? '').includes(':')) return fail('a colon in the first segment of a path');
  }
  let authority: Authority = { hostname: '', port: '', host: '', user: false };
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    authority = parseAuthority(rest.slice(2, slash < 0 ? undefined : slash));
    rest = slash < 0 ? '' : rest.slice(slash);
  }
  const path = percentDecode(rest, false);
  return { ...none, ...authority, path, raw_path: rest === escapePath(path) ? path : rest };
};

const REPORTED = ['scheme', 'hostname', 'port', 'path', 'raw_path', 'raw_query', 'fragment'] as const;

const uriFields = (parsed: Uri): RegoValue =>
  fieldsOf(Object.fromEntries(REPORTED.filter((f) => parsed[f] !== '').map((f) => [f, parsed[f]])));

export const uri: Family = {
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
