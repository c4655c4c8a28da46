/** The formats of request bodies, one entry each: Content-Types, structure and parser. The configuration's enum is derived from this table. */
import type { BodyHeaders, BodyRules } from './index.ts';
import { parseForm } from './form.ts';
import { parseJson, parseNdjson } from './json.ts';
import { parseMultipart } from './multipart.ts';
import { parseSoap, soapActions } from './soap.ts';
import { parseTable } from './table.ts';
import { type TextCodec, textOf, UTF8 } from './text.ts';
import { parseVcard } from './vcard.ts';
import { parsePlainXml, type XmlText } from './xml.ts';
import { parseXmlRpc } from './xmlrpc.ts';

/** A request body with everything that its parser may use. */
export interface RequestBody {
  readonly bytes: Uint8Array;
  readonly headers: BodyHeaders;
  readonly rules: BodyRules;
  readonly depth: number;
  readonly codec: TextCodec;
  /** the Content-Type has a charset */
  readonly labelled: boolean;
  readonly isCharset: (label: string) => boolean;
}

interface RequestFormatDeclaration {
  /** matches the Content-Types of the format */
  readonly types: RegExp;
  /** the usual Content-Types, for messages */
  readonly usualTypes: string;
  /** the body is a list of records */
  readonly rows?: true;
  /** repeated names are lists without a step in a path, and `#text` is the text of an element */
  readonly elements?: true;
  /** one Content-Type can be that of any format with this flag */
  readonly isXml?: true;
  /** @throws SluiceError `body_unreadable`, `method_override_refused` */
  parse(body: RequestBody): unknown;
}

const xmlText = ({ bytes, codec, labelled, isCharset }: RequestBody): XmlText => ({
  text: textOf(bytes, codec),
  isCharset,
  charsetKnown: labelled || codec === UTF8,
});

const REQUEST_FORMATS = {
  json: {
    types: /^(?:application|text)\/(?:[\w.+-]+\+)?json(?:-rpc)?$/,
    usualTypes: 'application/json',
    parse: ({ bytes, codec, depth, rules }) => parseJson(textOf(bytes, codec), depth, rules.overrides),
  },
  ndjson: {
    types: /^application\/(?:(?:x-)?ndjson|jsonl|x-jsonlines)$/,
    usualTypes: 'application/x-ndjson',
    rows: true,
    parse: ({ bytes, codec, depth, rules }) => parseNdjson(textOf(bytes, codec), depth, rules.overrides),
  },
  form: {
    types: /^application\/x-www-form-urlencoded$/,
    usualTypes: 'application/x-www-form-urlencoded',
    parse: ({ bytes, codec, rules: { repeatable, overrides, repeats } }) =>
      parseForm(textOf(bytes, codec), codec, repeatable, overrides, repeats),
  },
  multipart: {
    types: /^multipart\/form-data$/,
    usualTypes: 'multipart/form-data',
    elements: true,
    parse: ({ bytes, headers, codec, depth, rules: { repeatable, overrides }, isCharset }) =>
      parseMultipart(bytes, headers.contentType ?? '', { codec, depth, repeatable, overrides, isCharset }),
  },
  csv: {
    types: /^(?:(?:text|application)\/csv|text\/tab-separated-values)$/,
    usualTypes: 'text/csv',
    rows: true,
    parse: ({ bytes, codec, rules }) => parseTable(textOf(bytes, codec), rules.table),
  },
  xml: {
    types: /^(?:application|text)\/(?:[\w.+-]+\+)?xml$/,
    usualTypes: 'application/xml',
    elements: true,
    isXml: true,
    parse: (body) => parsePlainXml(xmlText(body), body.depth, body.rules.namespaces),
  },
  vcard: {
    types: /^text\/(?:(?:x-)?vcard|directory)$/,
    usualTypes: 'text/vcard',
    parse: ({ bytes }) => parseVcard(bytes),
  },
  xmlrpc: {
    types: /^(?:text|application)\/xml$/,
    usualTypes: 'text/xml',
    isXml: true,
    parse: (body) => parseXmlRpc(xmlText(body), body.depth),
  },
  soap: {
    types: /^(?:text\/xml|application\/(?:soap\+)?xml)$/,
    usualTypes: 'text/xml or application/soap+xml',
    elements: true,
    isXml: true,
    parse: (body) =>
      parseSoap(
        xmlText(body),
        body.depth,
        soapActions(body.headers.soapAction, body.headers.contentType),
        body.rules.actions,
      ),
  },
} as const satisfies Readonly<Record<string, RequestFormatDeclaration>>;

export type RequestFormat = keyof typeof REQUEST_FORMATS;

export const REQUEST_FORMAT_NAMES = Object.keys(REQUEST_FORMATS) as readonly RequestFormat[];

export const requestFormat = (name: RequestFormat): RequestFormatDeclaration => REQUEST_FORMATS[name];
