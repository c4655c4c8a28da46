/**
 * Finds the tokens of an XML document in its bytes. saxes interprets them: every token is also passed to saxes, which must report exactly that
 * token (`parser.ts`), so that a document which the two tokenize differently is refused.
 */
import { SluiceError } from '../../../errors.ts';
import { type Charset, codeAt, unitOf } from '../shared/charsets.ts';
import { InputBuffer } from '../shared/input-buffer.ts';

export type TokenKind = 'text' | 'start' | 'empty' | 'end' | 'cdata' | 'comment' | 'instruction';

export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
}

const LT = 0x3c;
const GT = 0x3e;
const QUOT = 0x22;
const APOS = 0x27;
const CDATA = '![CDATA[';

export class XmlLexer {
  readonly input = new InputBuffer();
  /** the tokens before this offset were returned */
  at = 0;
  readonly #charset: Charset;
  readonly #unit: 1 | 2;
  readonly #code: (bytes: Uint8Array, i: number) => number;
  /** how far an incomplete token was scanned, and its open quote */
  #scanned = 0;
  #quote = 0;
  /** an offset in it at which a character begins */
  #begins = 0;

  constructor(charset: Charset) {
    this.#charset = charset;
    this.#unit = unitOf(charset);
    this.#code = codeAt(charset);
  }

  /** Appends a chunk and discards the bytes before `keep`. @returns by how much positions have decreased */
  append(chunk: Uint8Array, keep: number): number {
    const moved = this.input.append(chunk, keep);
    this.at -= moved;
    this.#scanned -= moved;
    this.#begins -= moved;
    return moved;
  }

  /** The next complete token, or null if more bytes are needed. @throws SluiceError `response_malformed` for a DOCTYPE */
  next(final: boolean): Token | null {
    const { bytes } = this.input;
    const start = this.at;
    if (start + this.#unit > bytes.length) {
      if (final && start < bytes.length) throw malformed('ends within a character');
      return null;
    }
    if (this.#code(bytes, start) !== LT) return this.#text(start, final);
    const head = this.#ascii(start + this.#unit, CDATA.length);
    if (head.startsWith('?')) return this.#until('instruction', start, 2, '?');
    if (head.startsWith('/')) return this.#until('end', start, 2, '');
    if (!head.startsWith('!')) return head === '' ? null : this.#tag(start);
    if (head.startsWith('!--')) return this.#until('comment', start, 4, '--');
    if (head === CDATA) return this.#until('cdata', start, 9, ']]');
    if (CDATA.startsWith(head) || '!--'.startsWith(head)) return null;
    // Without a DOCTYPE there are only the five predefined entities: no entity expansion, no external files or requests.
    throw malformed('has a document type declaration (DOCTYPE), which is not accepted');
  }

  #token(kind: TokenKind, start: number, end: number): Token {
    this.at = end;
    this.#scanned = end;
    this.#quote = 0;
    return { kind, start, end };
  }

  #text(start: number, final: boolean): Token | null {
    const end = this.#find(Math.max(this.#scanned, start), LT);
    if (end >= 0) return this.#token('text', start, end);
    return final ? this.#token('text', start, this.input.bytes.length) : null;
  }

  /** A token that ends with `tail` and `>`, at least `skip` units after its start. */
  #until(kind: TokenKind, start: number, skip: number, tail: string): Token | null {
    const { bytes } = this.input;
    const unit = this.#unit;
    const first = start + skip * unit;
    for (let from = Math.max(this.#scanned, first); ; ) {
      const at = this.#find(from, GT);
      if (at < 0) return null;
      const tailed = at - tail.length * unit;
      if (tailed >= first && this.#ascii(tailed, tail.length) === tail && this.#aligned(first, tailed))
        return this.#token(kind, start, at + unit);
      from = at + unit;
      this.#scanned = from;
      if (from > bytes.length) return null;
    }
  }

  #tag(start: number): Token | null {
    const { bytes } = this.input;
    const unit = this.#unit;
    const code = this.#code;
    let quote = this.#quote;
    for (let i = Math.max(this.#scanned, start + unit); i + unit <= bytes.length; i += unit) {
      const c = code(bytes, i);
      if (quote !== 0) {
        if (c === quote) quote = 0;
      } else if (c === QUOT || c === APOS) quote = c;
      else if (c === GT) {
        const empty = code(bytes, i - unit) === 0x2f;
        return this.#token(empty ? 'empty' : 'start', start, i + unit);
      } else if (c === LT) throw malformed('has a "<" within a tag');
      this.#scanned = i + unit;
      this.#quote = quote;
    }
    return null;
  }

  /** Searches for a byte. `<`, `>` and quotes are never part of a multibyte character. */
  #find(from: number, wanted: number): number {
    const { bytes } = this.input;
    if (this.#unit === 1) {
      const at = bytes.indexOf(wanted, from);
      this.#scanned = at < 0 ? bytes.length : at;
      return at;
    }
    let i = from;
    for (; i + 2 <= bytes.length; i += 2) if (this.#code(bytes, i) === wanted) return i;
    this.#scanned = i;
    return -1;
  }

  /** Whether a character begins at `at`: in two-byte charsets `]` may be the second byte of one. */
  #aligned(from: number, at: number): boolean {
    if (this.#charset.layout !== 'multibyte') return true;
    const { bytes } = this.input;
    // continues where the last check ended, so that a token is scanned once
    let i = Math.max(from, this.#begins);
    while (i < at) i += Math.max(1, this.#charset.width(bytes, i));
    this.#begins = i;
    return i === at;
  }

  /** Up to `units` characters from `i`, for comparison with ASCII texts. */
  #ascii(i: number, units: number): string {
    const { bytes } = this.input;
    let text = '';
    for (let k = 0; k < units && i + (k + 1) * this.#unit <= bytes.length; k++)
      text += String.fromCharCode(Math.min(this.#code(bytes, i + k * this.#unit), 0xffff));
    return text;
  }
}

/** One attribute of a start tag, as byte offsets from the start of the tag. */
export interface AttributeSpan {
  /** start of the white space before the name */
  readonly start: number;
  readonly name: readonly [number, number];
  /** without the quotes */
  readonly value: readonly [number, number];
  readonly end: number;
}

export interface TagSpans {
  readonly name: readonly [number, number];
  readonly attributes: readonly AttributeSpan[];
  /** start of the white space and `>` or `/>` at the end */
  readonly rest: number;
}

const TAG_NAME = /^<[^ \t\r\n/>]+/;
const ATTRIBUTE = /([ \t\r\n]+)([^ \t\r\n=]+)([ \t\r\n]*=[ \t\r\n]*)("[^"]*"|'[^']*')/y;
const NO_ATTRIBUTES: readonly AttributeSpan[] = [];
const REST = /^[ \t\r\n]*\/?>$/;

/**
 * Splits a tag that saxes has accepted.
 * @param attributed false: it has no attributes
 * @throws SluiceError `response_malformed`
 */
export function spansOf(charset: Charset, tag: Uint8Array, attributed: boolean): TagSpans {
  const unit = unitOf(charset);
  if (!attributed && unit === 1) return bareSpans(tag);
  // unit for unit: the delimiters are ASCII and never part of a multibyte character
  const view =
    unit === 1
      ? Buffer.from(tag.buffer, tag.byteOffset, tag.length).toString('latin1')
      : (charset.decode(tag) ?? '');
  const name = TAG_NAME.exec(view)?.[0].length ?? 0;
  const attributes: AttributeSpan[] = [];
  let at = name;
  ATTRIBUTE.lastIndex = at;
  for (let m = ATTRIBUTE.exec(view); m !== null; m = ATTRIBUTE.exec(view)) {
    const named = at + m[1]!.length;
    const equals = named + m[2]!.length;
    const value = equals + m[3]!.length;
    const end = value + m[4]!.length;
    attributes.push({
      start: at * unit,
      name: [named * unit, equals * unit],
      value: [(value + 1) * unit, (end - 1) * unit],
      end: end * unit,
    });
    at = end;
  }
  if (name < 2 || !REST.test(view.slice(at))) throw malformed('has a tag whose attributes are ambiguous');
  return { name: [unit, name * unit], attributes, rest: at * unit };
}

/** `<name>`, `<name />` */
function bareSpans(tag: Uint8Array): TagSpans {
  let end = 1;
  for (; end < tag.length; end++) {
    const c = tag[end]!;
    if (c === GT || c === 0x2f || c === 0x20 || (c >= 9 && c <= 13)) break;
  }
  return { name: [1, end], attributes: NO_ATTRIBUTES, rest: end };
}

/** @param place of the fault, for the log */
export const malformed = (what: string, place?: string): SluiceError =>
  new SluiceError('response_malformed', {
    message: `The XML document ${what}.`,
    ...(place === undefined ? {} : { place }),
  });
