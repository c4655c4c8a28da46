/** Request bodies by the format that the route declares; the caller's Content-Type must agree, since the upstream may obey it. */
import type { RouteConfig } from '../section.ts';
import type { Coding } from './coding.ts';
import { parseForm } from './form.ts';
import { parseJson, parseNdjson } from './json.ts';
import { parseMultipart } from './multipart.ts';
import { parseSoap, soapActions } from './soap.ts';
import { parseTable, type TableOptions } from './table.ts';
import { type TextCodec, textOf, UTF8, unreadable } from './text.ts';
import { parsePlainXml, type XmlText } from './xml.ts';
import { parseVcard } from './vcard.ts';
import { parseXmlRpc } from './xmlrpc.ts';

export type RequestFormat = RouteConfig['request']['format'];

const MEDIA: { readonly [F in RequestFormat]: RegExp } = {
  json: /^(?:application|text)\/(?:[\w.+-]+\+)?json(?:-rpc)?$/,
  ndjson: /^application\/(?:(?:x-)?ndjson|jsonl|x-jsonlines)$/,
  form: /^application\/x-www-form-urlencoded$/,
  multipart: /^multipart\/form-data$/,
  csv: /^(?:(?:text|application)\/csv|text\/tab-separated-values)$/,
  xml: /^(?:application|text)\/(?:[\w.+-]+\+)?xml$/,
  vcard: /^text\/(?:(?:x-)?vcard|directory)$/,
  xmlrpc: /^(?:text|application)\/xml$/,
  soap: /^(?:text\/xml|application\/(?:soap\+)?xml)$/,
};

const SENT_AS: { readonly [F in RequestFormat]: string } = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  form: 'application/x-www-form-urlencoded',
  multipart: 'multipart/form-data',
  csv: 'text/csv',
  xml: 'application/xml',
  vcard: 'text/vcard',
  xmlrpc: 'text/xml',
  soap: 'text/xml or application/soap+xml',
};

const XML: ReadonlySet<RequestFormat> = new Set(['xml', 'xmlrpc', 'soap']);
/** formats whose repeated names are lists that need no step, and whose text beside attributes is `#text` */
const ELEMENTS: ReadonlySet<RequestFormat> = new Set(['xml', 'soap', 'multipart']);
/** formats that are a list of records */
const ROWS: ReadonlySet<RequestFormat> = new Set(['ndjson', 'csv']);

/** How the parsed body is to be walked. */
export interface BodyShape {
  /** where the record stands, if the route does not say it */
  readonly record: string;
  readonly elements: boolean;
}

export const shapeOf = (format: RequestFormat): BodyShape => ({
  record: ROWS.has(format) ? '/*' : '',
  elements: ELEMENTS.has(format),
});

/** The format that a Content-Type belongs to, where it is not a type of `mine`. */
export const typeOfAnother = (type: string, mine: RequestFormat): RequestFormat | null =>
  MEDIA[mine].test(type)
    ? null
    : ((Object.keys(MEDIA) as RequestFormat[]).find((format) => MEDIA[format].test(type)) ?? null);

/** Can one Content-Type be that of both? */
export function shareType(a: BodyRules, b: BodyRules): boolean {
  if (a.format === b.format || (XML.has(a.format) && XML.has(b.format))) return true;
  return (
    a.types.some((t) => b.types.includes(t) || MEDIA[b.format].test(t)) ||
    b.types.some((t) => MEDIA[a.format].test(t))
  );
}

export interface BodyHeaders {
  readonly contentType: string | null;
  readonly soapAction: string | null;
}

export interface BodyRules {
  readonly format: RequestFormat;
  /** Content-Types that it may have besides those of its format */
  readonly types: readonly string[];
  /** label; null: UTF-8 */
  readonly charset: string | null;
  readonly codings: readonly Coding[];
  readonly repeatable: ReadonlySet<string>;
  /** names that a language of the form lets stand more than once */
  readonly repeats: ((name: string) => boolean) | null;
  /** members that may name a method */
  readonly overrides: ReadonlySet<string>;
  /** SOAPActions that the route asks for itself */
  readonly actions: readonly string[];
  readonly table: TableOptions;
  /** prefix in paths → URI; null: all elements of XML are of one namespace, which paths do not name */
  readonly namespaces: Readonly<Record<string, string>> | null;
}

/**
 * @param codecOf charsets by label
 * @returns undefined for an empty body
 * @throws SluiceError `body_unreadable`, `method_override_refused`
 */
export function parseBody(
  bytes: Uint8Array,
  headers: BodyHeaders,
  rules: BodyRules,
  depth: number,
  codec: TextCodec,
  isCharset: (label: string) => boolean,
): unknown {
  if (bytes.byteLength === 0) return undefined;
  const { format, overrides, repeatable } = rules;
  const told = checkType(headers.contentType ?? '', rules, isCharset);
  if (format === 'multipart')
    return parseMultipart(bytes, headers.contentType ?? '', {
      codec,
      depth,
      repeatable,
      overrides,
      isCharset,
    });
  if (format === 'vcard') return parseVcard(bytes);
  const text = textOf(bytes, codec);
  const xml: XmlText = { text, isCharset, told: told || codec === UTF8 };
  switch (format) {
    case 'json':
      return parseJson(text, depth, overrides);
    case 'ndjson':
      return parseNdjson(text, depth, overrides);
    case 'form':
      return parseForm(text, codec, repeatable, overrides, rules.repeats);
    case 'csv':
      return parseTable(text, rules.table);
    case 'xml':
      return parsePlainXml(xml, depth, rules.namespaces);
    case 'xmlrpc':
      return parseXmlRpc(xml, depth);
    case 'soap':
      return parseSoap(xml, depth, soapActions(headers.soapAction, headers.contentType), rules.actions);
  }
}

/** @returns whether the Content-Type names the charset */
function checkType(
  contentType: string,
  { format, types }: BodyRules,
  isCharset: (label: string) => boolean,
): boolean {
  const [type = '', ...parameters] = contentType.split(';').map((p) => p.trim().toLowerCase());
  if (!MEDIA[format].test(type) && !types.includes(type))
    throw unreadable(
      `has another Content-Type than its route's format, ${format} (${[SENT_AS[format], ...types].join(', ')})`,
    );
  // Of two, or of one with blanks in it, readers differ in what they make.
  const charsets = parameters.filter((p) => /^charset[\s*]*=/.test(p));
  const [label] = charsets.map((p) => /^charset="?([\w.:-]+)"?$/.exec(p)?.[1] ?? '');
  if (charsets.length > 1 || (label !== undefined && !isCharset(label)))
    throw unreadable("is in another charset than its route's (request.charset, or UTF-8)");
  return label !== undefined;
}
