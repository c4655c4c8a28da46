/** Decodes and encodes the text of cells: the quotes and escapes of the dialect, and the charset of the body. */
import { type Charset, UTF8 } from '../shared/charsets.ts';
import type { Dialect } from './lexer.ts';
import type { Output } from '../format.ts';

/** below this many bytes a loop is faster than a native call */
const FEW_BYTES = 12;

/**
 * The text of `bytes` from `start` to `end`; null if they are not in the charset. All charsets but UTF-16 contain ASCII, so that cells of ASCII
 * need no decoder.
 */
export function textOf(charset: Charset, bytes: Buffer, start: number, end: number): string | null {
  if (charset.layout === 'utf16le' || charset.layout === 'utf16be')
    return charset.decode(bytes.subarray(start, end));
  if (!isAscii(bytes, start, end)) {
    const few = charset === UTF8 && end - start <= FEW_BYTES ? fewIdeographs(bytes, start, end) : null;
    return few ?? charset.decode(bytes.subarray(start, end));
  }
  if (end - start >= FEW_BYTES) return bytes.toString('latin1', start, end);
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  let seen = 0;
  for (let i = start; i < end; i++) seen |= bytes[i]!;
  return seen < 0x80;
}

/** The text of bytes that are only three-byte UTF-8 characters from U+1000 to U+CFFF, such as Chinese names; null for others. */
function fewIdeographs(bytes: Buffer, start: number, end: number): string | null {
  let text = '';
  for (let i = start; i < end; i += 3) {
    if (i + 3 > end) return null;
    const a = bytes[i]!;
    const b = bytes[i + 1]!;
    const c = bytes[i + 2]!;
    if (a < 0xe1 || a > 0xec || (b & 0xc0) !== 0x80 || (c & 0xc0) !== 0x80) return null;
    text += String.fromCharCode(((a & 0x0f) << 12) | ((b & 0x3f) << 6) | (c & 0x3f));
  }
  return text;
}

/** Writes texts as cells, so that they are read as the same text. */
export class Speller {
  readonly #charset: Charset;
  readonly #utf8: boolean;
  readonly #quote: string | null;
  readonly #separator: string;
  readonly #back: string | null;
  /** by ASCII code, 1: the character needs quotes */
  readonly #special = new Uint8Array(0x80);

  constructor({ separator, quote, escape: back }: Dialect, charset: Charset) {
    this.#charset = charset;
    this.#utf8 = charset === UTF8;
    this.#quote = quote === null ? null : String.fromCharCode(quote);
    this.#separator = String.fromCharCode(separator);
    this.#back = back === null ? null : String.fromCharCode(back);
    for (const special of [separator, quote, back, 10, 13]) if (special !== null) this.#special[special] = 1;
  }

  /** Writes a text in the charset of the body, quoted if the original was or if necessary. */
  write(out: Output, text: string, quoted: boolean): void {
    const spelled = quoted || !this.#isPlain(text) ? this.#spell(text, quoted) : text;
    if (this.#utf8) {
      out.text(spelled);
      return;
    }
    const bytes = this.#charset.encode(spelled);
    out.bytes(bytes, 0, bytes.length);
  }

  /** whether the text needs no quotes and no escapes */
  #isPlain(text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80 && this.#special[unit] === 1) return false;
    }
    return !mayBeBlank(text.charCodeAt(0)) && !mayBeBlank(text.charCodeAt(text.length - 1));
  }

  #spell(text: string, quoted: boolean): string {
    const [mark, sep, slash] = [this.#quote, this.#separator, this.#back];
    const slashed = slash === null ? text : text.replaceAll(slash, slash + slash);
    if (mark === null) {
      // without quotes, a line end cannot be written, nor a separator without an escape
      return slashed.replaceAll(sep, slash === null ? ' ' : slash + sep).replace(/[\r\n]+/g, ' ');
    }
    const needed = quoted || text.includes(sep) || text.includes(mark) || /[\r\n]|^\s|\s$/.test(text);
    return needed ? mark + slashed.replaceAll(mark, (slash ?? mark) + mark) + mark : slashed;
  }
}

/** possibly white space: a superset that is fast to check */
const mayBeBlank = (unit: number): boolean =>
  unit <= 0x20 || (unit >= 0x80 && unit <= 0xa0) || (unit >= 0x1680 && unit < 0x3400) || unit >= 0xfe00;

/** Resolves doubled quotes within a quoted text. */
export const single = (text: string, mark: string): string =>
  text.includes(mark) ? text.replaceAll(mark + mark, mark) : text;

/** Resolves the escapes of MySQL and PostgreSQL; before other characters the backslash is removed. */
export const unescaped = (text: string, back: string): string => {
  if (!text.includes(back)) return text;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== back) out += c;
    else {
      const next = text[++i] ?? '';
      out += { n: '\n', r: '\r', t: '\t', 0: '\0', b: '\b' }[next] ?? next;
    }
  }
  return out;
};
