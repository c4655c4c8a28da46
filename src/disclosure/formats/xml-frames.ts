/** What stands around the records of an XML document, as pieces. */
import { exactly } from './count.ts';
import type { CountPiece, FramePiece } from './format.ts';
import type { Charset } from '../charsets.ts';
import { type Element, encodeXml, type Span } from './xml-tree.ts';

/** Bytes of the document that stay valid: pieces are rendered later. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly charset: Charset;
}

/** what a piece costs besides its bytes */
const FRAME = 256;

export const copy = ({ bytes, base }: Source, start: number, end: number): FramePiece => ({
  kind: 'frame',
  size: Math.max(FRAME, end - start),
  render: (out) => out.bytes(bytes, base + start, base + end),
});

export const literal = (charset: Charset, text: string): FramePiece => {
  const bytes = charset.encode(text);
  return { kind: 'frame', render: (out) => out.bytes(bytes, 0, bytes.length) };
};

export const withheld = (path: string, because: string): FramePiece => ({
  kind: 'frame',
  render: (_, account) => account.withheld(path, because),
});

/** A number in the envelope, in an element's content or an attribute's value. */
export const count = (
  source: Source,
  role: CountPiece['role'],
  path: string,
  { text, before, value, after }: { text: string; before: Span; value: Span; after: Span },
): CountPiece => ({
  kind: 'count',
  role,
  path,
  value: exactly(text),
  begin: (out) => out.bytes(source.bytes, source.base + before.start, source.base + before.end),
  render(out, number) {
    if (number === 'keep') out.bytes(source.bytes, source.base + value.start, source.base + value.end);
    else if (number !== null) {
      const digits = encodeXml(source.charset, String(number));
      out.bytes(digits, 0, digits.length);
    }
    out.bytes(source.bytes, source.base + after.start, source.base + after.end);
  },
});

/** a count is a number and nothing else: anything else might be anything */
export const isCount = (element: Element): boolean =>
  element.children === null &&
  element.attributes.length === 0 &&
  element.items.every((item) => item.kind === 'text') &&
  /^[ \t\r\n]*\d{1,18}[ \t\r\n]*$/.test(element.text);
