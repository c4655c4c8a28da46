/**
 * `multipart/form-data` (RFC 7578) as `{ name: value }`. A file is `{ "@filename": …, "#text": … }`. A part whose type is JSON is
 * parsed as JSON, since its upstream parses it, too.
 */
import { BOUNDARY, type PartPlace, partPlaces } from '../../model/multipart.ts';
import { refuseOverrideNames } from '../query.ts';
import { gathered } from './form.ts';
import { parseJson } from './json.ts';
import { type TextCodec, textOf, UTF8, unreadable } from './text.ts';

const MAX_PARTS = 200;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/;
/** types that an upstream may parse and Sluice does not */
const STRUCTURED =
  /^(?:multipart|message)\/|[/+]xml$|^application\/x-www-form-urlencoded$|csv$|ndjson$|yaml$/;
const DISPOSITION =
  /^form-data[ \t]*;[ \t]*name="([^"\\\r\n\0]*)"(?:[ \t]*;[ \t]*filename="([^"\\\r\n\0]*)")?[ \t]*$/i;
const TYPE = /^([!#$&^_.+0-9a-z-]+\/[!#$&^_.+0-9a-z-]+)(?:[ \t]*;[ \t]*charset="?([0-9a-z_.:-]+)"?)?[ \t]*$/;

export interface MultipartRules {
  readonly codec: TextCodec;
  readonly depth: number;
  readonly repeatable: ReadonlySet<string>;
  readonly overrides: ReadonlySet<string>;
  readonly isCharset: (label: string) => boolean;
}

/** @throws SluiceError `body_unreadable`, `method_override_refused` */
export function parseMultipart(bytes: Uint8Array, contentType: string, rules: MultipartRules): unknown {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const places = partPlaces(body, boundaryOf(contentType), MAX_PARTS, unreadable);
  const parts = places.parts.map((place) => partOf(body, place));
  refuseOverrideNames(
    parts.map(({ name }) => name),
    rules.overrides,
  );
  return gathered(
    parts.map((part) => [part.name, contentOf(part, rules)] as const),
    rules.repeatable,
  );
}

function boundaryOf(contentType: string): string {
  const found = [...contentType.matchAll(/;[ \t]*boundary[ \t]*(\*?)=[ \t]*(?:"([^"\\]*)"|([^\s;"]+))/gi)];
  const [, extended, quoted, bare] = found[0] ?? [];
  const boundary = quoted ?? bare ?? '';
  if (found.length !== 1 || extended !== '' || !BOUNDARY.test(boundary))
    throw unreadable('names no boundary in its Content-Type, or one that readers read differently');
  return boundary;
}

interface Part {
  readonly name: string;
  readonly filename: string | null;
  readonly type: string | null;
  readonly charset: string | null;
  readonly content: Buffer;
}

function partOf(body: Buffer, place: PartPlace): Part {
  const headers = new Map<string, string>();
  for (const line of body.toString('latin1', place.headers, place.content - 4).split('\r\n')) {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === '' || /[\r\n\0]/.test(value) || headers.has(key))
      throw unreadable('has a part with an invalid, folded or repeated header');
    if (!['content-disposition', 'content-type', 'content-length'].includes(key))
      throw unreadable('has a part with a header that forms do not have (RFC 7578 §4.8)');
    headers.set(key, value);
  }
  const [, rawName, filename] = DISPOSITION.exec(headers.get('content-disposition') ?? '') ?? [];
  if (rawName === undefined || rawName === '_charset_')
    throw unreadable('has a part whose Content-Disposition readers could read differently');
  const given = headers.get('content-type');
  const [, type, charset] = TYPE.exec((given ?? '').toLowerCase()) ?? [];
  if (given !== undefined && type === undefined)
    throw unreadable('has a part with a Content-Type that readers could read differently');
  const decoded = (raw: string): string => textOf(Buffer.from(raw, 'latin1'), UTF8);
  return {
    name: decoded(rawName),
    filename: filename === undefined ? null : decoded(filename),
    type: type ?? null,
    charset: charset ?? null,
    content: body.subarray(place.content, place.end),
  };
}

function contentOf({ filename, type, charset, content }: Part, rules: MultipartRules): unknown {
  if (type !== null && STRUCTURED.test(type)) throw unreadable('has a part of a type that is not inspected');
  if (charset !== null && !rules.isCharset(charset))
    throw unreadable('has a part in another charset than its route');
  const value =
    type !== null && JSON_TYPE.test(type)
      ? parseJson(textOf(content, UTF8), rules.depth, rules.overrides)
      : filename === null
        ? textOf(content, rules.codec)
        : // bytes that may not be text: one character for each byte, so that masked text in them is found
          (UTF8.decode(content) ?? content.toString('latin1'));
  return filename === null ? value : { '@filename': filename, '#text': value };
}
