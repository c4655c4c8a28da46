/**
 * `multipart/form-data` (RFC 7578) as `{ name: value }`. A file is `{ "@filename": …, "#text": … }`; a part that says that it is JSON is read
 * as JSON, since its upstream will. Boundaries are read strictly (RFC 2046 §5.1.1): whoever finds another boundary finds other parts.
 */
import { refuseOverrideNames } from '../query.ts';
import { gathered } from './form.ts';
import { parseJson } from './json.ts';
import { type TextCodec, textOf, UTF8, unreadable } from './text.ts';

const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;
const MAX_PARTS = 200;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/;
/** what an upstream may take apart, and we do not */
const STRUCTURED =
  /^(?:multipart|message)\/|[/+]xml$|^application\/x-www-form-urlencoded$|csv$|ndjson$|yaml$/;
const DISPOSITION =
  /^form-data[ \t]*;[ \t]*name="([^"\\\r\n\0]*)"(?:[ \t]*;[ \t]*filename="([^"\\\r\n\0]*)")?[ \t]*$/i;
const TYPE = /^([!#$&^_.+0-9a-z-]+\/[!#$&^_.+0-9a-z-]+)[ \t]*(?:;[ \t]*charset="?([0-9a-z_.:-]+)"?)?[ \t]*$/;

export interface MultipartRules {
  readonly codec: TextCodec;
  readonly depth: number;
  readonly repeatable: ReadonlySet<string>;
  readonly overrides: ReadonlySet<string>;
  readonly isCharset: (label: string) => boolean;
}

/** @throws SluiceError `body_unreadable`, `method_override_refused` */
export function parseMultipart(bytes: Uint8Array, contentType: string, rules: MultipartRules): unknown {
  const parts = partsOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), boundaryOf(contentType));
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
    throw unreadable('names no boundary in its Content-Type, or not one that everybody reads alike');
  return boundary;
}

interface Part {
  readonly name: string;
  readonly filename: string | null;
  readonly type: string | null;
  readonly charset: string | null;
  readonly content: Buffer;
}

function partsOf(body: Buffer, boundary: string): readonly Part[] {
  const dashes = `--${boundary}`;
  if (!body.subarray(0, dashes.length).equals(Buffer.from(dashes, 'latin1')))
    throw unreadable('does not begin with its boundary');
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    const line = at + dashes.length;
    const after = body.toString('latin1', line, line + 2);
    if (after === '--') {
      const rest = body.toString('latin1', line + 2, line + 5);
      if (rest !== '' && rest !== '\r\n') throw unreadable('goes on behind its last boundary');
      return parts;
    }
    if (after !== '\r\n') throw unreadable('has a line that only begins like its boundary');
    if (parts.length === MAX_PARTS) throw unreadable(`has more than ${MAX_PARTS} parts`);
    const next = body.indexOf(`\r\n${dashes}`, line, 'latin1');
    if (next < 0) throw unreadable('is cut short');
    // Some readers take a boundary behind any line end for one.
    const inner = body.subarray(line + 2, next);
    if (inner.includes(`\n${dashes}`, 0, 'latin1') || inner.includes(`\r${dashes}`, 0, 'latin1'))
      throw unreadable('has a boundary behind a line end other than CRLF');
    parts.push(partOf(body.subarray(line, next + 2)));
    at = next + 2;
  }
}

/** @param part from the line end of its delimiter to that before the next one */
function partOf(part: Buffer): Part {
  const blank = part.indexOf('\r\n\r\n', 0, 'latin1');
  // the empty line may be the one that the next boundary begins with: a part without content
  if (blank < 0 || blank + 4 > part.length - 2)
    throw unreadable('has a part without the empty line behind its headers');
  const headers = new Map<string, string>();
  for (const line of part.toString('latin1', 2, blank).split('\r\n')) {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === '' || /[\r\n\0]/.test(value) || headers.has(key))
      throw unreadable('has a part with a header that is none, folded, or there twice');
    if (!['content-disposition', 'content-type', 'content-length'].includes(key))
      throw unreadable('has a part with a header that a form has not (RFC 7578 §4.8)');
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
    content: part.subarray(blank + 4, part.length - 2),
  };
}

function contentOf({ filename, type, charset, content }: Part, rules: MultipartRules): unknown {
  if (type !== null && STRUCTURED.test(type))
    throw unreadable('has a part of a type that is not looked into');
  if (charset !== null && !rules.isCharset(charset))
    throw unreadable('has a part in another charset than its route');
  const value =
    type !== null && JSON_TYPE.test(type)
      ? parseJson(textOf(content, UTF8), rules.depth, rules.overrides)
      : filename === null
        ? textOf(content, rules.codec)
        : // bytes that may be no text: one character each, so that a value that was masked as text is seen
          (UTF8.decode(content) ?? content.toString('latin1'));
  return filename === null ? value : { '@filename': filename, '#text': value };
}
