/** The pieces around the records of an XML document. */
import { exactly } from '../shared/count.ts';
import { Deferred } from '../shared/deferred.ts';
import type { CountPiece, FramePiece, Output, Piece } from '../format.ts';
import type { Charset } from '../shared/charsets.ts';
import { type Element, encodeXml, type Span } from './tree.ts';

/** Bytes of the document that stay unmodified until the pieces are rendered. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly charset: Charset;
}

/** the cost of a piece in addition to its bytes */
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

/**
 * An element around the records that is written only if something in it is kept. Otherwise it is removed or, if the document needs it, written
 * in one spelling (`<items/>`), so that it does not reveal its content.
 */
export class Shell {
  readonly #outer: Shell | null;
  /** the part of its start tag that is not written yet */
  readonly #start: readonly FramePiece[];
  readonly #deferred = new Deferred();
  readonly #empty: FramePiece | null;
  #open = false;

  /**
   * @param start pieces of its start tag, written with the first kept piece in it
   * @param empty the end of the element if nothing in it is kept (the part before `start` is then written already); null: it is removed
   */
  constructor(outer: Shell | null, start: readonly FramePiece[], empty: FramePiece | null) {
    this.#outer = outer;
    this.#start = start;
    this.#empty = empty;
  }

  /** Wraps a piece within the element. */
  within(piece: Piece): Piece {
    if (piece.kind === 'count')
      return {
        kind: 'count',
        role: piece.role,
        path: piece.path,
        counted: piece.counted,
        value: piece.value,
        begin: (out) => {
          this.#begin(out);
          piece.begin(out);
        },
        render: (out, value) => piece.render(out, value),
      };
    if (piece.kind === 'frame')
      return {
        kind: 'frame',
        ...(piece.size === undefined ? {} : { size: piece.size }),
        render: (out) => piece.render(this.#within(out), this.#deferred),
      };
    return {
      kind: 'record',
      size: piece.size,
      scopes: piece.scopes,
      render: (out, rendering) => {
        if (rendering !== null) this.#begin(out);
        piece.render(rendering === null ? this.#within(out) : out, rendering);
      },
      group: (rendering) => piece.group(rendering),
    };
  }

  /** Wraps its end tag with the white space before it. */
  end(tag: FramePiece): FramePiece {
    return {
      kind: 'frame',
      render: (out, counter) => {
        if (this.#open) tag.render(out, counter);
        else if (this.#empty !== null) this.#empty.render(out, counter);
        else return;
        this.#deferred.flush(counter);
      },
    };
  }

  #begin(out: Output): void {
    if (this.#open) return;
    this.#open = true;
    if (this.#outer !== null) this.#outer.#begin(out);
    for (const piece of this.#start) piece.render(out, this.#deferred);
  }

  #within(out: Output): Output {
    return {
      bytes: (source, start, end) => {
        this.#begin(out);
        out.bytes(source, start, end);
      },
      text: (text) => {
        this.#begin(out);
        out.text(text);
      },
      json: (text) => {
        this.#begin(out);
        out.json(text);
      },
    };
  }
}

export const withheld = (path: string, because: string): FramePiece => ({
  kind: 'frame',
  render: (_, counter) => counter.withheld(path, because),
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

/** Whether an element is a count: only digits. */
export const isCount = (element: Element): boolean =>
  element.children === null &&
  element.attributes.length === 0 &&
  element.items.every((item) => item.kind === 'text') &&
  /^[ \t\r\n]*\d{1,18}[ \t\r\n]*$/.test(element.text);
