/** HTTP messages between text in a case file and bytes on a connection. */
import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import iconv from 'iconv-lite';

const CODINGS: Readonly<Record<string, readonly [(b: Uint8Array) => Buffer, (b: Uint8Array) => Buffer]>> = {
  gzip: [gzipSync, gunzipSync],
  deflate: [deflateSync, inflateSync],
  br: [brotliCompressSync, brotliDecompressSync],
  zstd: [zstdCompressSync, zstdDecompressSync],
};

export const isCharset = (name: string): boolean => !NO_CHARSETS.has(name) && iconv.encodingExists(name);
/** encodings of iconv-lite that are no charsets */
const NO_CHARSETS = new Set(['base64', 'hex', 'binary']);

export interface Message {
  /** request or status line */
  readonly start: string;
  /** in order, names as they are spelled */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What the text says, with its options applied to the body. */
export function messageOf(text: string, options: readonly string[]): Message {
  const gap = text.indexOf('\n\n');
  const head = gap === -1 ? text : text.slice(0, gap);
  const [start = '', ...lines] = head.split('\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const body = gap === -1 ? '' : text.slice(gap + 2);
  return { start, headers, body: bytesOf(body, options, charsetNamed(headers)) };
}

export const headerIn = (headers: Message['headers'], name: string): string | undefined =>
  headers.find(([n]) => n.toLowerCase() === name)?.[1];

function charsetNamed(headers: Message['headers']): string | undefined {
  const named = /;\s*charset="?([\w-]+)/i.exec(headerIn(headers, 'content-type') ?? '')?.[1];
  return named !== undefined && isCharset(named) ? named : undefined;
}

function bytesOf(text: string, options: readonly string[], named: string | undefined): Buffer {
  if (options.includes('base64')) return Buffer.from(text, 'base64');
  let spelled = options.includes('final newline') ? `${text}\n` : text;
  if (options.includes('crlf')) spelled = spelled.replaceAll('\n', '\r\n');
  spelled = spelled.replaceAll('␍', '\r');
  const label = options.find((o) => isCharset(o)) ?? named ?? 'utf-8';
  let bytes: Buffer = iconv.encode(spelled.replaceAll('{BOM}', '\ufeff'), label);
  for (const option of options) if (CODINGS[option]) bytes = CODINGS[option][0](bytes);
  return bytes;
}

/** Bytes of a body as text, and the options that give these bytes again. */
export function bodyText(
  received: Buffer,
  headers: Message['headers'],
  /** charsets that the body may be in, besides the one that its Content-Type names */
  declared: readonly string[],
): { readonly text: string; readonly options: readonly string[] } {
  const options: string[] = [];
  let bytes = received;
  const coding = headerIn(headers, 'content-encoding');
  if (coding !== undefined && CODINGS[coding] && bytes.length > 0) {
    bytes = CODINGS[coding][1](bytes);
    options.push(coding);
  }
  const stated = charsetNamed(headers) ?? 'utf-8';
  const reads = (label: string): boolean =>
    iconv.encode(iconv.decode(bytes, label, { stripBOM: false }), label).equals(bytes);
  const label = [stated, ...declared.filter((o) => isCharset(o))].find(reads);
  if (label === undefined) return { text: bytes.toString('base64'), options: ['base64'] };
  if (label !== stated) options.push(label);
  let text = iconv.decode(bytes, label, { stripBOM: false }).replaceAll('\ufeff', '{BOM}');
  if (text.includes('\n') && !/(^|[^\r])\n/.test(text)) {
    text = text.replaceAll('\r\n', '\n');
    options.push('crlf');
  }
  text = text.replaceAll('\r', '␍');
  if (text.endsWith('\n')) {
    text = text.slice(0, -1);
    options.push('final newline');
  }
  return { text, options };
}
