/** Request bodies in the format that the route declares. The caller's Content-Type must agree, since the upstream may follow it. */
import type { Coding } from './coding.ts';
import { REQUEST_FORMAT_NAMES, type RequestFormat, requestFormat } from './formats.ts';
import type { TableOptions } from './table.ts';
import { type TextCodec, unreadable } from './text.ts';

export type { RequestFormat };

/** How paths of the parsed body are read. */
export interface BodyShape {
  /** pointer to the record, if the route does not state it */
  readonly record: string;
  readonly elements: boolean;
}

export const shapeOf = (format: RequestFormat): BodyShape => ({
  record: requestFormat(format).rows === true ? '/*' : '',
  elements: requestFormat(format).elements === true,
});

/** The format that a Content-Type belongs to, unless it is one of `mine`. */
export const typeOfAnother = (type: string, mine: RequestFormat): RequestFormat | null =>
  requestFormat(mine).types.test(type)
    ? null
    : (REQUEST_FORMAT_NAMES.find((format) => requestFormat(format).types.test(type)) ?? null);

/** True if both may have the same Content-Type. */
export function shareType(a: BodyRules, b: BodyRules): boolean {
  const [x, y] = [requestFormat(a.format), requestFormat(b.format)];
  if (a.format === b.format || (x.isXml === true && y.isXml === true)) return true;
  return a.types.some((t) => b.types.includes(t) || y.types.test(t)) || b.types.some((t) => x.types.test(t));
}

export interface BodyHeaders {
  readonly contentType: string | null;
  readonly soapAction: string | null;
}

export interface BodyRules {
  readonly format: RequestFormat;
  /** additional Content-Types besides those of the format */
  readonly types: readonly string[];
  /** label; null: UTF-8 */
  readonly charset: string | null;
  readonly codings: readonly Coding[];
  readonly repeatable: ReadonlySet<string>;
  /** names that the grammar of the form allows to repeat */
  readonly repeats: ((name: string) => boolean) | null;
  /** members that may name a method */
  readonly overrides: ReadonlySet<string>;
  /** SOAPActions in the route's own conditions */
  readonly actions: readonly string[];
  readonly table: TableOptions;
  /** prefix in paths → URI; null: all XML elements share one namespace, which paths do not name */
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
  const labelled = checkType(headers.contentType ?? '', rules, isCharset);
  return requestFormat(rules.format).parse({ bytes, headers, rules, depth, codec, labelled, isCharset });
}

/** @returns whether the Content-Type names the charset */
function checkType(
  contentType: string,
  { format, types }: BodyRules,
  isCharset: (label: string) => boolean,
): boolean {
  const [type = '', ...parameters] = contentType.split(';').map((p) => p.trim().toLowerCase());
  if (!requestFormat(format).types.test(type) && !types.includes(type))
    throw unreadable(
      `has another Content-Type than its route's format, ${format} (${[requestFormat(format).usualTypes, ...types].join(', ')})`,
    );
  // Readers disagree about several charsets, or one with blanks.
  const charsets = parameters.filter((p) => /^charset[\s*]*=/.test(p));
  const [label] = charsets.map((p) => /^charset="?([\w.:-]+)"?$/.exec(p)?.[1] ?? '');
  if (charsets.length > 1 || (label !== undefined && !isCharset(label)))
    throw unreadable("is in another charset than its route's (request.charset, or UTF-8)");
  return label !== undefined;
}
