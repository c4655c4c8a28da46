/**
 * From the upstream's headers and what the route says, to the format and charset that a body is read in. Nothing is
 * guessed from the content: a body that neither the upstream nor the route names is refused.
 */
import { SluiceError } from '../errors.ts';
import type { FormatName } from '../model/disclosure.ts';
import { charset as charsetNamed, isCharset } from './formats/shared/charsets.ts';
import { type Coding, parseContentEncoding } from './encodings.ts';
import { typesOf } from './formats/opaque/reader.ts';

export interface RouteResponse {
  readonly format: FormatName | null;
  readonly charset: string | null;
  /** those of the format */
  readonly options?: { readonly [name: string]: unknown };
}

export interface Media {
  readonly format: FormatName;
  /** lower case; empty where nobody says and the body itself may (a declaration, a byte order mark) */
  readonly charset: string;
  /** content codings in the order they were applied, e.g. `['gzip']` */
  readonly encodings: readonly Coding[];
  /** parameters of the Content-Type that the format needs to read the body */
  readonly parameters: { readonly boundary?: string };
  /** the Content-Type of the disclosed body */
  readonly contentType: string;
}

const FORMATS: Readonly<Record<string, FormatName>> = {
  'application/json': 'json',
  'text/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'text/csv': 'csv',
  'application/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/x-www-form-urlencoded': 'form',
  'multipart/form-data': 'multipart',
  'text/vcard': 'vcard',
  'text/x-vcard': 'vcard',
  'text/directory': 'vcard',
};

const NEVER_DATA = /^(application\/xhtml|image\/|audio\/|video\/|font\/)/;

/** formats whose body can name its charset */
const SELF_DESCRIBING: ReadonlySet<FormatName> = new Set(['xml', 'csv', 'tsv']);

const CONTENT_TYPES: Readonly<Record<Exclude<FormatName, 'whole'>, string>> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  xml: 'application/xml',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  form: 'application/x-www-form-urlencoded',
  multipart: 'multipart/form-data',
  vcard: 'text/vcard',
};

/** with a structured suffix, in use, and said by servers that were not asked for it */
const REGISTERED: ReadonlySet<string> = new Set([
  ...Object.keys(FORMATS),
  'application/hal+json',
  'application/vnd.api+json',
  'application/fhir+json',
  'application/ld+json',
  'application/geo+json',
  'application/scim+json',
  'application/problem+json',
  'application/atom+xml',
  'application/rss+xml',
  'application/soap+xml',
  'application/fhir+xml',
  'application/problem+xml',
]);

const names = (accept: string, type: string): boolean =>
  accept.split(',').some((item) => item.split(';')[0]?.trim().toLowerCase() === type);

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const one = (headers: Headers, name: string): string => {
  const value = headers[name];
  return typeof value === 'string' ? value : (value?.join(', ') ?? '');
};

/**
 * @param accept the caller's Accept field: a type of the upstream's own making is passed on if the caller has named it
 * @throws SluiceError `response_format_unsupported`, `response_charset_unknown`, `response_encoding_unsupported`
 */
export function mediaOf(
  headers: Headers,
  route: RouteResponse = { format: null, charset: null },
  accept?: string,
): Media {
  const [essence = '', ...parameters] = one(headers, 'content-type').split(';');
  const type = essence.trim().toLowerCase();
  const declared = formatOf(type);
  const format = route.format ?? declared;
  if (format === 'whole') return wholeMedia(headers, route, type, parameters);
  if (format === null || type.includes(','))
    throw new SluiceError(
      'response_format_unsupported',
      'The upstream answered in a format that Sluice cannot look into. Set response.format on the route if the upstream names it wrongly.',
    );
  // A page instead of data is an upstream's error or login page: a route's format does not make data of it. Only JSON cannot be mistaken
  // for one, and old systems (SuiteCRM, PHP at large) do say text/html of it.
  const page = type === 'text/html' ? format !== 'json' && format !== 'ndjson' : NEVER_DATA.test(type);
  if (declared === null && page)
    throw new SluiceError(
      'response_format_unsupported',
      `The upstream answered with a page or a picture. The route's response.format does not make ${format} of it.`,
    );
  const named = parameter(parameters, 'charset') || undefined;
  const charset = (route.charset ?? named ?? (SELF_DESCRIBING.has(format) ? '' : 'utf-8')).toLowerCase();
  // A label that nobody knows is refused here, before there is a body to wait for.
  if (charset !== '') charsetNamed(charset);
  const boundary = parameter(parameters, 'boundary');
  const encodings = parseContentEncoding(one(headers, 'content-encoding'));
  // A type is text of the upstream's, and could hold anything: a registered one is kept where it fits. So is one that the caller
  // has named itself. Other parameters are not passed on.
  const kept = declared === format && (REGISTERED.has(type) || (accept !== undefined && names(accept, type)));
  const base = kept ? type : CONTENT_TYPES[format];
  const contentType =
    (format === 'json' || format === 'ndjson') && /^(?:utf-?8|us-ascii)$/.test(charset)
      ? base
      : format === 'multipart'
        ? `${base}; boundary="${(boundary ?? '').replace(/["\\\r\n]/g, '')}"`
        : format === 'form' || (named === undefined && route.charset === null)
          ? base
          : `${base}; charset=${labelOf(charset)}`;
  return {
    format,
    charset,
    encodings,
    parameters: boundary === undefined || format !== 'multipart' ? {} : { boundary },
    contentType,
  };
}

/** A label is text of the upstream's: one that is more than a name is passed on as the name that we know it by. */
const labelOf = (label: string): string =>
  /^[a-z0-9]+(?:[._:-][a-z0-9]+)*$/.test(label) || !isCharset(label) ? label : charsetNamed(label).name;

/** A body that is not looked into is one of the types that the route names, or else an error or login page. */
function wholeMedia(
  headers: Headers,
  { charset: given, options = {} }: RouteResponse,
  type: string,
  parameters: readonly string[],
): Media {
  const types = typesOf(options);
  if (!types.includes(type))
    throw new SluiceError(
      'response_format_unsupported',
      `The upstream did not answer with one of the types that the route takes as a whole (${types.join(', ')}).`,
    );
  const charset = given ?? parameter(parameters, 'charset') ?? '';
  return {
    format: 'whole',
    charset,
    encodings: parseContentEncoding(one(headers, 'content-encoding')),
    parameters: {},
    contentType: isCharset(charset) ? `${type}; charset=${labelOf(charset)}` : type,
  };
}

function formatOf(type: string): FormatName | null {
  const known = FORMATS[type];
  if (known !== undefined) return known;
  if (type.endsWith('+json')) return 'json';
  if (type.endsWith('+xml') && type !== 'application/xhtml+xml' && type !== 'image/svg+xml') return 'xml';
  return null;
}

function parameter(parameters: readonly string[], name: string): string | undefined {
  for (const p of parameters) {
    const [key = '', ...value] = p.split('=');
    if (key.trim().toLowerCase() === name)
      return value
        .join('=')
        .trim()
        .replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}
