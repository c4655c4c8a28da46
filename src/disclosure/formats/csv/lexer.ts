/**
 * Finds the rows and cells of CSV and TSV (RFC 4180 and common variants) as offsets into the received bytes, so that disclosed cells are
 * released byte for byte. csv-parse returns no offsets; the tests compare this lexer with it.
 *
 * If readers of CSV disagree where a cell ends, the body is refused: text after a closing quote, a quote without an end, a separator that may be
 * part of a character. A quote within an unquoted cell is an ordinary character.
 */
import { SluiceError } from '../../../errors.ts';
import { type Charset, codeAt, unitOf } from '../shared/charsets.ts';
import { InputBuffer } from '../shared/input-buffer.ts';

export interface Dialect {
  /** ASCII codes */
  readonly separator: number;
  /** null: quotes mean nothing */
  readonly quote: number | null;
  /** the escape character; null: only a doubled quote is an escape */
  readonly escape: number | null;
}

export interface LexerLimits {
  readonly record_bytes: number;
}

/** The cells of one row end at `ends[first] … ends[first + count - 1]`; there is one separator between two cells. */
export interface Row {
  readonly bytes: Buffer;
  readonly start: number;
  /** past the line end */
  readonly end: number;
  readonly ends: Int32Array;
  readonly first: number;
  readonly count: number;
}

/** the limit of Excel */
export const MAX_COLUMNS = 16_384;
const CR = 13;
const LF = 10;
const ARENA = 16 * 1024;

type State = 'start' | 'plain' | 'quoted' | 'closed' | 'cr';
/** returns the next special character at or after `i`; if there is none, the bitwise complement of where to continue */
type Seek = (bytes: Uint8Array, i: number, final: boolean) => number;

export class CsvLexer {
  readonly #dialect: Dialect;
  readonly #charset: Charset;
  readonly #limits: LexerLimits;
  readonly #unit: 1 | 2;
  readonly #code: (bytes: Uint8Array, i: number) => number;
  readonly #plain: Seek;
  readonly #quoted: Seek;
  readonly #input = new InputBuffer();
  /** the separator could be part of a character: every row must be decoded to check the charset */
  readonly #proven: boolean;
  #state: State = 'start';
  #at = 0;
  #start = 0;
  #ends = new Int32Array(ARENA);
  #first = 0;
  #count = 0;
  #rows = 0;

  constructor(dialect: Dialect, charset: Charset, limits: LexerLimits) {
    this.#dialect = dialect;
    this.#charset = charset;
    this.#limits = limits;
    this.#unit = unitOf(charset);
    this.#code = codeAt(charset);
    const specials = [dialect.separator, ...(dialect.quote === null ? [] : [dialect.quote])];
    if (dialect.escape !== null) specials.push(dialect.escape);
    this.#plain = seeker(charset, [...specials.filter((s) => s !== dialect.quote), CR, LF]);
    this.#quoted = seeker(charset, [...specials.filter((s) => s !== dialect.separator)]);
    this.#proven = this.#unit === 1 && !specials.every(standsForItself);
  }

  /** Adds bytes and passes on the rows that are complete. */
  push(chunk: Uint8Array, row: (row: Row) => void): void {
    const moved = this.#input.append(asBuffer(chunk), this.#start);
    if (moved > 0) {
      this.#at -= moved;
      this.#start -= moved;
      // only cells of the incomplete row: complete rows keep their own offsets
      for (let k = 0; k < this.#count; k++) this.#ends[this.#first + k]! -= moved;
    }
    this.#lex(false, row);
    if (this.#input.bytes.length - this.#start > this.#limits.record_bytes) this.#tooLarge();
  }

  /** @throws SluiceError `response_malformed` for a body that ends within a quoted cell or a character */
  end(row: (row: Row) => void): void {
    this.#lex(true, row);
    const length = this.#input.bytes.length;
    if (this.#state === 'quoted') this.#fault('ends within a quoted cell');
    if (this.#at !== length) this.#fault('ends within a character');
    if (this.#state === 'cr') this.#emit(row);
    else if (this.#state !== 'start' || this.#count > 0) {
      this.#close(length);
      this.#emit(row);
    }
  }

  #lex(final: boolean, row: (row: Row) => void): void {
    const { bytes } = this.#input;
    const { separator, quote, escape: back } = this.#dialect;
    const unit = this.#unit;
    const code = this.#code;
    let i = this.#at;
    for (;;) {
      if (this.#state === 'plain') {
        const at = this.#plain(bytes, i, final);
        if (at < 0) {
          i = ~at;
          break;
        }
        const c = code(bytes, at);
        if (c === back) {
          const next = this.#escaped(bytes, at + unit, final);
          if (next < 0) {
            i = at;
            break;
          }
          i = next;
          continue;
        }
        this.#close(at);
        i = this.#after(at + unit, c, row);
      } else if (i + unit > bytes.length) {
        break;
      } else if (this.#state === 'start') {
        if (quote !== null && code(bytes, i) === quote) {
          this.#state = 'quoted';
          i += unit;
        } else this.#state = 'plain';
      } else if (this.#state === 'quoted') {
        const at = this.#quoted(bytes, i, final);
        if (at < 0) {
          i = ~at;
          break;
        }
        if (code(bytes, at) === quote) {
          this.#state = 'closed';
          i = at + unit;
          continue;
        }
        const next = this.#escaped(bytes, at + unit, final);
        if (next < 0) {
          i = at;
          break;
        }
        i = next;
      } else if (this.#state === 'closed') {
        const c = code(bytes, i);
        if (c === quote) {
          this.#state = 'quoted';
          i += unit;
        } else if (c === separator || c === CR || c === LF) {
          this.#close(i);
          i = this.#after(i + unit, c, row);
        } else this.#fault('has text after a closing quote');
      } else {
        if (code(bytes, i) === LF) i += unit;
        this.#at = i;
        this.#emit(row);
      }
    }
    this.#at = i;
  }

  /** Handles the separator or the first character of a line end, which ends at `i`. */
  #after(i: number, c: number, row: (row: Row) => void): number {
    if (c === this.#dialect.separator) this.#state = 'start';
    else if (c === CR) this.#state = 'cr';
    else {
      this.#at = i;
      this.#emit(row);
    }
    return i;
  }

  /** the end of the character after a backslash; negative if it has not arrived */
  #escaped(bytes: Uint8Array, i: number, final: boolean): number {
    if (i + this.#unit > bytes.length) {
      if (final) this.#fault('ends with a backslash');
      return -1;
    }
    if (this.#charset.layout !== 'multibyte') return i + this.#unit;
    const width = this.#charset.width(bytes, i);
    if (width === 0 && !final) return -1;
    return i + Math.max(width, 1);
  }

  #close(end: number): void {
    if (this.#count === MAX_COLUMNS) this.#fault(`has more than ${MAX_COLUMNS} columns`);
    if (this.#first + this.#count === this.#ends.length) this.#renew();
    this.#ends[this.#first + this.#count++] = end;
  }

  /** Allocates a new arena for offsets; complete rows keep the old one. */
  #renew(): void {
    const next = new Int32Array(Math.max(ARENA, 2 * this.#count));
    next.set(this.#ends.subarray(this.#first, this.#first + this.#count), 0);
    this.#ends = next;
    this.#first = 0;
  }

  #emit(row: (row: Row) => void): void {
    // both chunks and slabs are Buffers
    const bytes = this.#input.bytes as Buffer;
    const start = this.#start;
    const end = this.#at;
    if (end - start > this.#limits.record_bytes) this.#tooLarge();
    this.#rows += 1;
    if (this.#proven && this.#charset.decode(bytes.subarray(start, end)) === null)
      this.#fault(`is not ${this.#charset.name} throughout, and its separator could be part of a character`);
    row({ bytes, start, end, ends: this.#ends, first: this.#first, count: this.#count });
    this.#first += this.#count;
    this.#count = 0;
    this.#start = end;
    this.#state = 'start';
  }

  #fault(what: string): never {
    throw new SluiceError('response_malformed', {
      message: `A line of the table ${what}.`,
      place: `line ${this.#rows + 1}`,
    });
  }

  #tooLarge(): never {
    throw new SluiceError('record_too_large', {
      message: `A line of the table exceeds ${this.#limits.record_bytes} bytes. Check the option quote of the route.`,
      place: `line ${this.#rows + 1}`,
    });
  }
}

const asBuffer = (chunk: Uint8Array): Buffer =>
  chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);

/**
 * In GB18030, Big5, Shift_JIS and EUC-KR no second byte is below 0x40, except the digits of GB18030: `,` `;` `"`, tab and line ends are never
 * part of a character, not even after a truncated one. `|`, `~`, `^` and the backslash may be.
 */
const standsForItself = (special: number): boolean => special < 0x40;

function seeker(charset: Charset, specials: readonly number[]): Seek {
  const special = new Uint8Array(256);
  for (const s of specials) special[s] = 1;
  if (charset.layout === 'octets' || (charset.layout === 'multibyte' && specials.every(standsForItself))) {
    const [only] = specials;
    if (specials.length === 1 && only !== undefined)
      return (bytes, i) => {
        const at = bytes.indexOf(only, i);
        return at < 0 ? ~bytes.length : at;
      };
    return (bytes, i) => {
      const end = bytes.length;
      let at = i;
      while (at < end && special[bytes[at]!] === 0) at++;
      return at < end ? at : ~end;
    };
  }
  if (charset.layout === 'multibyte') return multibyteSeeker(charset, special);
  const code = codeAt(charset);
  return (bytes, i) => {
    let at = i;
    for (; at + 2 <= bytes.length; at += 2) {
      const c = code(bytes, at);
      if (c < 0x80 && special[c] === 1) return at;
    }
    return ~at;
  };
}

function multibyteSeeker(charset: Charset, special: Uint8Array): Seek {
  return (bytes, i, final) => {
    const end = bytes.length;
    let at = i;
    while (at < end) {
      const c = bytes[at]!;
      if (c < 0x80) {
        if (special[c] === 1) return at;
        at++;
        continue;
      }
      const width = charset.width(bytes, at);
      if (width === 0 && !final) return ~at;
      at += Math.max(width, 1); // an invalid character is found when the row is decoded
    }
    return ~at;
  };
}
