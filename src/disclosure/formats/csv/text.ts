/** What a cell of a table says, and how a text is spelled as one: the dialect's quotes and escapes, the body's charset. */
import { type Charset, UTF8 } from '../shared/charsets.ts';
import type { Dialect } from './lexer.ts';
import type { Output } from '../format.ts';

/** below this many bytes putting characters together is faster than a native call */
const FEW_BYTES = 12;

/**
 * Text of `bytes` from `start` to before `end`; null where they are not of the charset. Of a charset that keeps ASCII where it is (all but
 * UTF-16 do) cells of nothing else need no decoder.
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

/** A text of nothing but UTF-8's three-byte characters from U+1000 to U+CFFF, as Chinese names are; null for any other. */
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

/** Spells texts as cells of a table, each to be read as the same text again. */
export class Speller {
  readonly #charset: Charset;
  readonly #utf8: boolean;
  readonly #quote: string | null;
  readonly #separator: string;
  readonly #back: string | null;
  /** ASCII: 1 for what cannot stand in a cell without quotes */
  readonly #special = new Uint8Array(0x80);

  constructor({ separator, quote, escape: back }: Dialect, charset: Charset) {
    this.#charset = charset;
    this.#utf8 = charset === UTF8;
    this.#quote = quote === null ? null : String.fromCharCode(quote);
    this.#separator = String.fromCharCode(separator);
    this.#back = back === null ? null : String.fromCharCode(back);
    for (const special of [separator, quote, back, 10, 13]) if (special !== null) this.#special[special] = 1;
  }

  /** Writes a text in the body's charset, quoted where the original was or where it has to be. */
  write(out: Output, text: string, quoted: boolean): void {
    const spelled = quoted || !this.#isPlain(text) ? this.#spell(text, quoted) : text;
    if (this.#utf8) {
      out.text(spelled);
      return;
    }
    const bytes = this.#charset.encode(spelled);
    out.bytes(bytes, 0, bytes.length);
  }

  /** nothing of it has to be quoted or escaped, in any dialect */
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
      // without quotes a line end cannot be written, nor a separator that has no escape
      return slashed.replaceAll(sep, slash === null ? ' ' : slash + sep).replace(/[\r\n]+/g, ' ');
    }
    const needed = quoted || text.includes(sep) || text.includes(mark) || /[\r\n]|^\s|\s$/.test(text);
    return needed ? mark + slashed.replaceAll(mark, (slash ?? mark) + mark) + mark : slashed;
  }
}

/** white space, for all that is known here: ASCII's and whatever is beyond Latin-1 and below the ideographs */
const mayBeBlank = (unit: number): boolean =>
  unit <= 0x20 || (unit >= 0x80 && unit <= 0xa0) || (unit >= 0x1680 && unit < 0x3400) || unit >= 0xfe00;

/** A text as it stands between quotes, where one of them is written as two. */
export const single = (text: string, mark: string): string =>
  text.includes(mark) ? text.replaceAll(mark + mark, mark) : text;

/** MySQL's and PostgreSQL's escapes; before anything else the backslash just goes. */
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
