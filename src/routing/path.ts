/**
 * Parses the request target (RFC 9112 §3.2, RFC 3986 §3.3). Whatever two servers are known to read differently is rejected,
 * not repaired: the decision must concern what the upstream serves.
 */
import { SluiceError } from '../errors.ts';

export interface Target {
  /** decoded segments: `/a/b%20c` → `['a', 'b c']`, `/a/` → `['a', '']` */
  readonly segments: readonly string[];
  /** as received, without `?`; null when there is none */
  readonly query: string | null;
}

/** RFC 3986 pchar and `/`, without `;`: path parameters are stripped by some servers and kept by others. */
const PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*$/;
const ORIGIN = /^https?:\/\/([^/?#]+)/i;

/** @throws SluiceError `path_not_canonical` */
export function readTarget(target: string, host: string | null, limit: number): Target {
  if (target.length > limit) throw refuse(`is longer than ${limit} bytes (limits.target)`);
  const relative = originForm(target, host);
  const mark = relative.indexOf('?');
  const path = mark === -1 ? relative : relative.slice(0, mark);
  if (!PATH.test(path)) throw refuse('has a ";", or a character that RFC 3986 does not allow in a path');
  if (path.includes('//')) throw refuse('has an empty segment (//)');
  const segments = path.slice(1).split('/').map(decodeSegment);
  return { segments, query: mark === -1 ? null : relative.slice(mark + 1) };
}

/** A proxy's clients may send the absolute form (RFC 9112 §3.2.2): only for the host they are talking to. */
function originForm(target: string, host: string | null): string {
  if (target.startsWith('/')) return target;
  const authority = ORIGIN.exec(target);
  if (!authority || host === null || authority[1]!.toLowerCase() !== host.toLowerCase())
    throw refuse('is neither a path nor a URL of this host');
  const rest = target.slice(authority[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function decodeSegment(raw: string): string {
  if (!raw.includes('%') && !raw.startsWith('.')) return raw;
  const text = decode(raw);
  if (text === null) throw refuse('has percent-encoded bytes that are not valid UTF-8');
  if (/[/\\;\p{Cc}]/u.test(text))
    throw refuse('has an encoded slash, backslash, semicolon or control character');
  // A second decoding by the upstream would change it.
  if (/%[0-9A-Fa-f]{2}/.test(text)) throw refuse('is percent-encoded twice');
  // A server that normalizes turns compatibility forms (fullwidth solidus, one dot leader …) into separators and dots.
  const plain = text.normalize('NFKC');
  if (plain !== text && /[/\\;%]/.test(plain))
    throw refuse('has a character whose Unicode normalization (NFKC) contains a separator');
  if (/^[.\s]+$/.test(plain)) throw refuse('has a dot segment');
  return text;
}

/** Percent-decodes once, as strict UTF-8; null if it is invalid. */
export function decode(raw: string): string | null {
  try {
    return decodeURIComponent(raw);
  } catch {
    return null;
  }
}

/** The canonical form of a query name or value (RFC 3986 §2.3: unreserved characters are not encoded). */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The canonical form of a path: delimiters that RFC 3986 allows in a segment are kept, since encoding would change their meaning. */
export const writePath = (segments: readonly string[]): string =>
  `/${segments.map((s) => encodeURIComponent(s).replace(/%(?:24|26|2C|3A|3D|40)/g, decodeURIComponent)).join('/')}`;

const refuse = (what: string): SluiceError =>
  new SluiceError('path_not_canonical', `The request target ${what}. Send it in its canonical form.`);
