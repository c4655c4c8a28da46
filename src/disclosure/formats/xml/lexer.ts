/**
 * Where the tokens of an XML document begin and end in its own bytes. What they mean is saxes's business: every token is also
 * given to saxes, which must report exactly that token and nothing else (`xml-reader.ts`), so a document that the two would cut
 * differently is refused.
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
  /** everything before has been handed out */
  at = 0;
  readonly #charset: Charset;
  readonly #unit: 1 | 2;
  readonly #code: (bytes: Uint8Array, i: number) => number;
  /** how far an unfinished token has been looked through, and the quote that is open in it */
  #scanned = 0;
  #quote = 0;
  /** in it, a place at which a character is known to begin */
  #begins = 0;

  constructor(charset: Charset) {
    this.#charset = charset;
    this.#unit = unitOf(charset);
    this.#code = codeAt(charset);
  }

  /** @returns by how much positions have moved down; what stands before `keep` is forgotten */
  append(chunk: Uint8Array, keep: number): number {
    const moved = this.input.append(chunk, keep);
    this.at -= moved;
    this.#scanned -= moved;
    this.#begins -= moved;
    return moved;
  }

  /** The next whole token, or null until more bytes arrive. @throws SluiceError `response_malformed` for a DOCTYPE */
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
    // Without a DOCTYPE there are no entities but the five of XML: no bombs, no files, no servers asked.
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

  /** up to a `>` that `tail` stands before, `skip` units or more behind the start */
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

  /** `<` `>` and quotes are never half of a character (`csv-lexer.ts`), so bytes may be searched for them. */
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

  /** `]` is half of a character in the two-byte charsets: is there a character's beginning at `at`? */
  #aligned(from: number, at: number): boolean {
    if (this.#charset.layout !== 'multibyte') return true;
    const { bytes } = this.input;
    // from where the last such question ended: a token full of them is walked through once
    let i = Math.max(from, this.#begins);
    while (i < at) i += Math.max(1, this.#charset.width(bytes, i));
    this.#begins = i;
    return i === at;
  }

  /** up to `units` characters from `i`; what is not ASCII ends them with a character that nothing begins with */
  #ascii(i: number, units: number): string {
    const { bytes } = this.input;
    let text = '';
    for (let k = 0; k < units && i + (k + 1) * this.#unit <= bytes.length; k++)
      text += String.fromCharCode(Math.min(this.#code(bytes, i + k * this.#unit), 0xffff));
    return text;
  }
}

/** One attribute of a start tag, as offsets from the tag's beginning in bytes. */
export interface AttributeSpan {
  /** of the white space before the name */
  readonly start: number;
  readonly name: readonly [number, number];
  /** without the quotes */
  readonly value: readonly [number, number];
  readonly end: number;
}

export interface TagSpans {
  readonly name: readonly [number, number];
  readonly attributes: readonly AttributeSpan[];
  /** of the white space and `>` or `/>` that end it */
  readonly rest: number;
}

const TAG_NAME = /^<[^ \t\r\n/>]+/;
const ATTRIBUTE = /([ \t\r\n]+)([^ \t\r\n=]+)([ \t\r\n]*=[ \t\r\n]*)("[^"]*"|'[^']*')/y;
const NO_ATTRIBUTES: readonly AttributeSpan[] = [];
const REST = /^[ \t\r\n]*\/?>$/;

/**
 * Cuts a tag that saxes has found well-formed.
 * @param attributed false: it is known to have no attributes
 * @throws SluiceError `response_malformed`
 */
export function spansOf(charset: Charset, tag: Uint8Array, attributed: boolean): TagSpans {
  const unit = unitOf(charset);
  if (!attributed && unit === 1) return bareSpans(tag);
  // Byte for byte (or unit for unit): what is looked for here is ASCII, and never half of a character.
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
  if (name < 2 || !REST.test(view.slice(at)))
    throw malformed('has a tag whose attributes cannot be told apart');
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
