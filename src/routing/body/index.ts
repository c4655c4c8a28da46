/** Request bodies by the format that the route declares; the caller's Content-Type must agree, since the upstream may obey it. */
import { SluiceError } from '../../errors.ts';
import { parseForm } from './form.ts';
import { parseJson, unreadable } from './json.ts';
import { parseSoap, soapActions } from './soap.ts';
import { parseXmlRpc } from './xmlrpc.ts';

export type RequestFormat = 'json' | 'form' | 'xmlrpc' | 'soap';

const MEDIA: { readonly [F in RequestFormat]: RegExp } = {
  json: /^(?:application|text)\/(?:[\w.+-]+\+)?json(?:-rpc)?$/,
  form: /^application\/x-www-form-urlencoded$/,
  xmlrpc: /^(?:text|application)\/xml$/,
  soap: /^(?:text\/xml|application\/(?:soap\+)?xml)$/,
};

const SENT_AS: { readonly [F in RequestFormat]: string } = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  xmlrpc: 'text/xml',
  soap: 'text/xml or application/soap+xml',
};

/** Formats of one family may share a Content-Type. */
export const mediaFamily = (format: RequestFormat): 'json' | 'form' | 'xml' =>
  format === 'json' || format === 'form' ? format : 'xml';

export interface BodyHeaders {
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly soapAction: string | null;
}

export interface BodyRules {
  readonly format: RequestFormat;
  readonly depth: number;
  readonly repeatable: ReadonlySet<string>;
  /** SOAPActions that the route asks for itself */
  readonly actions: readonly string[];
}

/**
 * @returns undefined for an empty body
 * @throws SluiceError `body_unreadable`, `body_encoding_unsupported`, `method_override_refused`
 */
export function parseBody(
  bytes: Uint8Array,
  headers: BodyHeaders,
  { format, depth, repeatable, actions }: BodyRules,
): unknown {
  if (bytes.byteLength === 0) return undefined;
  if (headers.contentEncoding !== null && headers.contentEncoding.trim().toLowerCase() !== 'identity')
    throw new SluiceError('body_encoding_unsupported', "Send the request's body without Content-Encoding.");
  const [type = '', ...parameters] = (headers.contentType ?? '')
    .split(';')
    .map((p) => p.trim().toLowerCase());
  if (!MEDIA[format].test(type))
    throw unreadable(`has another Content-Type than its route's format, ${format} (${SENT_AS[format]})`);
  // Of two, or of one with blanks in it, readers differ in what they make.
  const charsets = parameters.filter((p) => /^charset[\s*]*=/.test(p));
  if (charsets.length > 1 || charsets.some((p) => !/^charset="?(?:utf-?8|us-ascii)"?$/.test(p)))
    throw unreadable('is in another charset than UTF-8');
  switch (format) {
    case 'json':
      return parseJson(bytes, depth);
    case 'form':
      return parseForm(bytes, repeatable);
    case 'xmlrpc':
      return parseXmlRpc(bytes, depth);
    case 'soap':
      return parseSoap(bytes, depth, soapActions(headers.soapAction, headers.contentType), actions);
  }
}
