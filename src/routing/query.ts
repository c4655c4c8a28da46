/** Query strings and form bodies: names and values, decoded once; a name repeats only if the route allows it. */
import { SluiceError } from '../errors.ts';
import { type TextCodec, exactly, UTF8 } from './body/text.ts';
import { decode, encode } from './path.ts';

export type Parameters = readonly (readonly [name: string, value: string])[];

/** Printable ASCII except `#`. The query is rewritten in canonical form, so that later readers see no unusual encoding. */
const QUERY = /^[!"$-~]*$/;
const MAX_PARAMETERS = 200;
/** Rails, Laravel, Symfony, Express method-override: a POST that means DELETE. */
const OVERRIDE = /^_?(?:http)?_?method(?:_?override)?$/i;
const X_OVERRIDE = /^x[-_]http[-_]method(?:[-_]override)?$|^x[-_]method[-_]override$/i;

/**
 * @param codec charset of percent-encoded bytes
 * @param overrides names that may state a method, because the route has a condition on them
 * @throws SluiceError `request_malformed`, `method_override_refused`
 */
export function readQuery(
  query: string | null,
  what: 'query' | 'form' = 'query',
  codec: TextCodec = UTF8,
  overrides: ReadonlySet<string> = NONE,
): Parameters {
  if (query === null || query === '') return [];
  if (!QUERY.test(query)) throw malformed(what, 'has a character that must be percent-encoded');
  // A query is rewritten. A form is forwarded unchanged, and old readers treat ";" as "&".
  if (what === 'form' && query.includes(';')) throw malformed(what, 'has a ";" that must be percent-encoded');
  const pieces = query.split('&');
  if (pieces.length > MAX_PARAMETERS) throw malformed(what, `has more than ${MAX_PARAMETERS} parameters`);
  return pieces
    .filter((piece) => piece !== '')
    .map((piece) => {
      const at = piece.indexOf('=');
      const name = plain(at === -1 ? piece : piece.slice(0, at), what, codec);
      const value = plain(at === -1 ? '' : piece.slice(at + 1), what, codec);
      if (isOverride(name) && !overrides.has(name)) throw overridden(what);
      return [name, value] as const;
    });
}

const NONE: ReadonlySet<string> = new Set();

export const isOverride = (name: string): boolean =>
  (name.startsWith('_') && OVERRIDE.test(name)) || X_OVERRIDE.test(name);

/**
 * Laravel reads `_method` from a JSON body, too.
 * @throws SluiceError `method_override_refused`
 */
export function refuseOverrideMembers(body: unknown, allowed: ReadonlySet<string> = NONE): void {
  if (typeof body === 'object' && body !== null) refuseOverrideNames(Object.keys(body), allowed);
}

/** @throws SluiceError `method_override_refused` */
export function refuseOverrideNames(names: readonly string[], allowed: ReadonlySet<string>): void {
  if (names.some((name) => isOverride(name) && !allowed.has(name))) throw overridden('request’s body');
}

/** `+` is a space in both, as the WHATWG URL Standard reads application/x-www-form-urlencoded. */
function plain(raw: string, what: 'query' | 'form', codec: TextCodec): string {
  const spaced = raw.replaceAll('+', ' ');
  const text =
    codec !== UTF8 ? unescaped(spaced, codec) : raw.includes('%') || raw.includes('+') ? decode(spaced) : raw;
  if (text === null)
    throw malformed(what, `has percent-encoding that is not ${codec === UTF8 ? 'UTF-8' : codec.name}`);
  if (text.includes('\0')) throw malformed(what, 'has a NUL character');
  return text;
}

/** A character may consist of a percent-encoded byte and a letter: `%B3A` in GBK. */
function unescaped(raw: string, codec: TextCodec): string | null {
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return null;
  const bytes = raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return exactly(Buffer.from(bytes, 'latin1'), codec);
}

/** In the charset of the request. */
export const writeQuery = (parameters: Parameters, codec: TextCodec = UTF8): string => {
  const spell = codec === UTF8 ? encode : (text: string): string => escaped(text, codec);
  return parameters.length === 0 ? '' : `?${parameters.map(([n, v]) => `${spell(n)}=${spell(v)}`).join('&')}`;
};

/** RFC 3986 §2.3 unreserved */
const UNRESERVED = /^[A-Za-z0-9\-._~]*$/;

/** Encodes every byte of a non-ASCII character, including bytes that look like letters. */
const escaped = (text: string, codec: TextCodec): string =>
  [...text]
    .map((character) =>
      UNRESERVED.test(character)
        ? character
        : [...codec.encode(character)]
            .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
            .join(''),
    )
    .join('');

const malformed = (what: string, why: string): SluiceError =>
  new SluiceError(what === 'form' ? 'body_unreadable' : 'request_malformed', `The ${what} ${why}.`);

const overridden = (what: string): SluiceError =>
  new SluiceError(
    'method_override_refused',
    `The ${what} overrides the request's method. Send the request with the method that is meant.`,
  );

const OVERRIDE_HEADERS = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;

/** @throws SluiceError `method_override_refused` */
export function refuseOverrideHeaders(headers: Readonly<Record<string, unknown>>): void {
  for (const name of OVERRIDE_HEADERS)
    if (headers[name] !== undefined)
      throw new SluiceError(
        'method_override_refused',
        `The header ${name} overrides the request's method. Send the request with the method that is meant.`,
      );
}
