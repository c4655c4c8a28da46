/**
 * The encoding of an XML document (XML 1.0 appendix F, RFC 7303 §3): its byte order mark, the label of the upstream or the route, and its
 * declaration, in this order. If two of them differ, the document is refused, since the client could use either. If the label is the
 * route's, the declaration is ignored: it may be outdated.
 */
import { SluiceError } from '../../../errors.ts';
import { byteOrderMark, type Charset, charset, charsetOf, UTF8 } from '../shared/charsets.ts';

/** maximum length of a declaration */
const DECLARATION = 1024;
const ENCODING =
  /^<\?xml[ \t\r\n][^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\1/;

/**
 * @param certain the label is the route's
 * @returns null while the declaration is incomplete
 * @throws SluiceError `response_charset_unknown`
 */
export function xmlCharset(
  label: string | null,
  head: Uint8Array,
  final: boolean,
  certain = false,
): { readonly charset: Charset; readonly mark: number } | null {
  if (head.length < 4 && !final) return null;
  const mark = byteOrderMark(head);
  const wide = mark === null ? sniffed(head) : mark.name.startsWith('utf-16') ? mark.name : null;
  const declaration = certain ? null : declared(head.subarray(mark?.length ?? 0), wide);
  if (declaration === undefined && head.length < DECLARATION && !final) return null;

  // `UTF-16` does not state the byte order: the mark or the first character does
  const named = (name: string): Charset => {
    if (!/^utf-?16$/i.test(name)) return charset(name);
    if (wide !== null) return charset(wide);
    throw new SluiceError(
      'response_charset_unknown',
      'The XML document is labelled UTF-16 but does not begin with it. Set response.charset on the route.',
    );
  };
  const said = [
    ...(mark === null ? [] : [charset(mark.name)]),
    ...(mark === null && wide !== null ? [charset(wide)] : []),
    ...(label === null ? [] : [/^utf-?16$/i.test(label) ? named(label) : charsetOf(label, head).charset]),
    ...(declaration ? [named(declaration)] : []),
  ];
  const [first = UTF8] = said;
  for (const other of said)
    if (other !== first && !(isGbk(first) && isGbk(other)))
      throw new SluiceError(
        'response_charset_unknown',
        `The XML document has two charsets, ${first.name} and ${other.name} (byte order mark, Content-Type or route, declaration). Make them agree, or set response.charset on the route.`,
      );
  return { charset: first, mark: mark?.length ?? 0 };
}

const isGbk = (c: Charset): boolean => c.name === 'gbk' || c.name === 'gb2312';

function sniffed(head: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (head[0] === 0x3c && head[1] === 0) return 'utf-16le';
  if (head[0] === 0 && head[1] === 0x3c) return 'utf-16be';
  return null;
}

/** the declared name; null: none is declared; undefined: the declaration has not ended */
function declared(head: Uint8Array, wide: string | null): string | null | undefined {
  const start = head.subarray(0, DECLARATION);
  const text =
    wide === null
      ? Buffer.from(start).toString('latin1')
      : (charset(wide).decode(start.subarray(0, start.length & ~1)) ?? '');
  if (!'<?xml'.startsWith(text.slice(0, 5))) return null;
  if (!text.includes('?>')) return undefined;
  return ENCODING.exec(text.slice(0, text.indexOf('?>')))?.[2] ?? null;
}
