/**
 * Determines the format and charset of a body from the upstream's headers and the route. Nothing is guessed from the content: a body whose
 * format neither of them names is refused.
 */
import { SluiceError } from '../errors.ts';
import type { FormatName, Layout, LayoutOf } from '../model/disclosure.ts';
import { charset as charsetNamed, isCharset } from './formats/shared/charsets.ts';
import { type Coding, parseContentEncoding } from './encodings.ts';
import type { Format, FormatMedia } from './formats/format.ts';
import { FORMATS } from './formats/formats.ts';

export interface RouteResponse {
  readonly format: FormatName | null;
  readonly charset: string | null;
  /** options of the format */
  readonly options?: { readonly [name: string]: unknown };
}

export interface Media {
  readonly format: FormatName;
  readonly layout: Layout;
  /** lower case; empty if only the body can state it (a declaration, a byte order mark) */
  readonly charset: string;
  /** content codings in the order they were applied, e.g. `['gzip']` */
  readonly encodings: readonly Coding[];
  /** parameters of the Content-Type that the format needs to read the body */
  readonly parameters: { readonly [name: string]: string };
  /** the Content-Type of the disclosed body */
  readonly contentType: string;
}

/** pages and pictures, which no route's format makes data of */
const NEVER_DATA = /^(application\/xhtml|image\/|audio\/|video\/|font\/)/;

const BY_NAME: ReadonlyMap<FormatName, Format> = new Map(FORMATS.map((format) => [format.name, format]));
const BY_TYPE: ReadonlyMap<string, Format> = new Map(
  FORMATS.flatMap((format) => format.media.types.map((type) => [type, format] as const)),
);

/**
 * Types that are passed on. A type is text that the upstream chose and could hold anything, so that only registered ones are, and those that the caller
 * has named itself.
 */
const REGISTERED: ReadonlySet<string> = new Set(
  FORMATS.flatMap(({ media }) => [...media.types, ...(media.suffix?.registered ?? [])]),
);

const names = (accept: string, type: string): boolean =>
  accept.split(',').some((item) => item.split(';')[0]?.trim().toLowerCase() === type);

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const one = (headers: Headers, name: string): string => {
  const value = headers[name];
  return typeof value === 'string' ? value : (value?.join(', ') ?? '');
};

/**
 * @param accept the caller's Accept field: an unregistered type of the upstream is passed on if the caller names it
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
  const format = route.format === null ? declared : (BY_NAME.get(route.format) ?? null);
  if (format?.media.typesOf !== undefined)
    return mediaOfTypes(headers, route, format, format.media.typesOf(route.options ?? {}), type, parameters);
  if (format === null || type.includes(','))
    throw new SluiceError(
      'response_format_unsupported',
      'The upstream answered in a format that Sluice cannot look into. Set response.format on the route if the upstream names it wrongly.',
    );
  const { media } = format;
  // An upstream answers with an error or login page in place of data. Old systems (SuiteCRM, PHP) label JSON as text/html.
  const page = type === 'text/html' ? media.html !== true : NEVER_DATA.test(type);
  if (declared === null && page)
    throw new SluiceError(
      'response_format_unsupported',
      `The upstream answered with an HTML page or an image, which cannot be read as the route's response.format, ${format.name}.`,
    );
  const named = parameter(parameters, 'charset') || undefined;
  const fallback = media.declaresCharset === true ? '' : 'utf-8';
  const charset = (route.charset ?? named ?? fallback).toLowerCase();
  // An unknown label is refused before the body is waited for.
  if (charset !== '') charsetNamed(charset);
  const kept = declared === format && (REGISTERED.has(type) || (accept !== undefined && names(accept, type)));
  const found: Record<string, string> = {};
  for (const name of media.parameters ?? []) {
    const value = parameter(parameters, name);
    if (value !== undefined) found[name] = value;
  }
  let contentType = kept ? type : media.types[0]!;
  for (const name of media.parameters ?? [])
    contentType += `; ${name}="${(found[name] ?? '').replace(/["\\\r\n]/g, '')}"`;
  if (statesCharset(media, charset, named !== undefined || route.charset !== null))
    contentType += `; charset=${labelOf(charset)}`;
  return {
    format: format.name,
    layout: format.layout,
    charset,
    encodings: parseContentEncoding(one(headers, 'content-encoding')),
    parameters: found,
    contentType,
  };
}

function statesCharset({ charsetParameter }: FormatMedia, charset: string, stated: boolean): boolean {
  if (charsetParameter === 'never' || !stated) return false;
  return charsetParameter === 'if_stated' || !/^(?:utf-?8|us-ascii)$/.test(charset);
}

/** A label is text that the upstream chose: unless it is a plain name, the canonical name is passed on. */
const labelOf = (label: string): string =>
  /^[a-z0-9]+(?:[._:-][a-z0-9]+)*$/.test(label) || !isCharset(label) ? label : charsetNamed(label).name;

/** The body must be of a type that the route names: another one is probably an error or login page. */
function mediaOfTypes(
  headers: Headers,
  { charset: given }: RouteResponse,
  { name, layout }: Format,
  types: readonly string[],
  type: string,
  parameters: readonly string[],
): Media {
  if (!types.includes(type))
    throw new SluiceError(
      'response_format_unsupported',
      `The upstream did not answer with one of the types that the route accepts (${types.join(', ')}).`,
    );
  const charset = given ?? parameter(parameters, 'charset') ?? '';
  return {
    format: name,
    layout,
    charset,
    encodings: parseContentEncoding(one(headers, 'content-encoding')),
    parameters: {},
    contentType: isCharset(charset) ? `${type}; charset=${labelOf(charset)}` : type,
  };
}

function formatOf(type: string): Format | null {
  const known = BY_TYPE.get(type);
  if (known !== undefined) return known;
  for (const format of FORMATS) {
    const { suffix } = format.media;
    if (suffix !== undefined && type.endsWith(suffix.name) && suffix.except?.includes(type) !== true)
      return format;
  }
  return null;
}

export const layoutOf: LayoutOf = (format) =>
  format === null ? null : (BY_NAME.get(format)?.layout ?? null);

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
