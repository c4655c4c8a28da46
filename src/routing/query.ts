/** Query strings and form bodies: names and values, decoded once, none twice unless the route says so. */
import { SluiceError } from '../errors.ts';
import { decode, encode } from './path.ts';

export type Parameters = readonly (readonly [name: string, value: string])[];

/** Printable ASCII but `#`. It is written anew before it is forwarded, so that no reader after us sees odd spellings. */
const QUERY = /^[!"$-~]*$/;
const MAX_PARAMETERS = 200;
/** Rails, Laravel, Symfony, Express method-override: a POST that means DELETE. */
const OVERRIDE = /^_?(?:http)?_?method(?:_?override)?$/i;
const X_OVERRIDE = /^x[-_]http[-_]method(?:[-_]override)?$|^x[-_]method[-_]override$/i;

/** @throws SluiceError `request_malformed`, `method_override_refused` */
export function readQuery(query: string | null, what: 'query' | 'form' = 'query'): Parameters {
  if (query === null || query === '') return [];
  if (!QUERY.test(query)) throw malformed(what, 'has a character that must be percent-encoded');
  // A query is written anew; a form is forwarded as it stands, and old readers take ";" for "&".
  if (what === 'form' && query.includes(';')) throw malformed(what, 'has a ";" that must be percent-encoded');
  const pieces = query.split('&');
  if (pieces.length > MAX_PARAMETERS) throw malformed(what, `has more than ${MAX_PARAMETERS} parameters`);
  return pieces
    .filter((piece) => piece !== '')
    .map((piece) => {
      const at = piece.indexOf('=');
      const name = plain(at === -1 ? piece : piece.slice(0, at), what);
      const value = plain(at === -1 ? '' : piece.slice(at + 1), what);
      if (overrides(name)) throw overridden(what);
      return [name, value] as const;
    });
}

const overrides = (name: string): boolean =>
  (name.startsWith('_') && OVERRIDE.test(name)) || X_OVERRIDE.test(name);

/**
 * Laravel takes `_method` from a JSON body too.
 * @throws SluiceError `method_override_refused`
 */
export function refuseOverrideMembers(body: unknown): void {
  if (typeof body === 'object' && body !== null && Object.keys(body).some(overrides))
    throw overridden('request’s body');
}

/** `+` is a space in both, as the WHATWG URL Standard reads application/x-www-form-urlencoded. */
function plain(raw: string, what: 'query' | 'form'): string {
  const text = raw.includes('%') || raw.includes('+') ? decode(raw.replaceAll('+', ' ')) : raw;
  if (text === null) throw malformed(what, 'has percent-encoding that is not UTF-8');
  if (text.includes('\0')) throw malformed(what, 'has a NUL character');
  return text;
}

export const writeQuery = (parameters: Parameters): string =>
  parameters.length === 0 ? '' : `?${parameters.map(([n, v]) => `${encode(n)}=${encode(v)}`).join('&')}`;

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
