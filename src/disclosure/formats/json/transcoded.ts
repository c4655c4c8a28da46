/**
 * JSON in charsets other than UTF-8. The scanner supports only UTF-8, so that the input is transcoded to UTF-8 and the output back. Both are
 * exact: bytes that the charset would not encode again are refused, so that disclosed values stay byte for byte the same. Characters are
 * delimited by the widths of the charset, so that a second byte 0x5C (GBK, Big5, Shift_JIS) is never a backslash.
 */
import { isAscii } from 'node:buffer';
import { SluiceError } from '../../../errors.ts';
import { type Charset, charset as charsetNamed, charsetOf, MARK_LENGTH } from '../shared/charsets.ts';
import type {
  BodyReader,
  CountPiece,
  FormatSetup,
  FramePiece,
  Output,
  Piece,
  RecordPiece,
  Rendering,
} from '../format.ts';

const NO_BYTES = Buffer.alloc(0);
const UTF8 = 'utf-8';
/** charsets that the scanner reads without transcoding */
const PLAIN: ReadonlySet<string> = new Set([UTF8, 'us-ascii']);

/**
 * Opens a reader for the charset of a body.
 * @param open creates the reader for UTF-8
 * @throws SluiceError `response_charset_unknown`
 */
export function inItsCharset(setup: FormatSetup, open: (setup: FormatSetup) => BodyReader): BodyReader {
  const { charset: label } = setup;
  if (label === '' || label === UTF8) return open(setup);
  // for `utf-16` the byte order mark states the order
  if (!/^utf-?16$/i.test(label) && PLAIN.has(charsetNamed(label).name)) return open(setup);
  return new TranscodedReader(setup, open({ ...setup, charset: UTF8 }));
}

class TranscodedReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #inner: BodyReader;
  #charset: Charset | null = null;
  #encoder: Encoder | null = null;
  /** bytes of an incomplete character, or of the start of the body */
  #rest: Buffer = NO_BYTES;
  /** checks whether the body is UTF-8; null: it is not, or need not be checked */
  #utf8: InstanceType<typeof TextDecoder> | null;

  constructor(setup: FormatSetup, inner: BodyReader) {
    this.#setup = setup;
    this.#inner = inner;
    this.#utf8 = setup.charsetCertain === true ? null : new TextDecoder(UTF8, { fatal: true });
  }

  push(chunk: Uint8Array): readonly Piece[] {
    return this.#take(chunk, false);
  }

  end(): readonly Piece[] {
    const pieces = this.#take(NO_BYTES, true);
    if (this.#rest.length > 0) throw notOfCharset(this.#charset!);
    return [...pieces, ...this.#wrapped(this.#inner.end())];
  }

  settled(): void {
    this.#inner.settled?.();
  }

  #take(chunk: Uint8Array, final: boolean): readonly Piece[] {
    let bytes = this.#rest.length === 0 ? view(chunk) : Buffer.concat([this.#rest, chunk]);
    const pieces: Piece[] = [];
    if (this.#charset === null) {
      if (bytes.length < MARK_LENGTH && !final) {
        this.#rest = Buffer.from(bytes);
        return pieces;
      }
      const { charset, mark } = charsetOf(this.#setup.charset, bytes);
      this.#charset = charset;
      this.#encoder = new Encoder(charset);
      if (charset.layout.startsWith('utf16')) this.#utf8 = null;
      // kept, since it may be the only indication of the byte order
      if (mark > 0) pieces.push(copied(bytes.subarray(0, mark)));
      bytes = bytes.subarray(mark);
      this.#mayBeUtf8(bytes);
    } else this.#mayBeUtf8(chunk);
    const end = wholeCharacters(this.#charset, bytes);
    this.#rest = Buffer.from(bytes.subarray(end));
    if (end === 0) return pieces;
    const text = this.#charset.decode(bytes.subarray(0, end));
    // bytes that are not reproduced by encoding cannot be kept exactly
    if (text === null || !this.#charset.encode(text).equals(bytes.subarray(0, end)))
      throw notOfCharset(this.#charset);
    return [...pieces, ...this.#wrapped(this.#inner.push(Buffer.from(text, 'utf8')))];
  }

  /**
   * Refuses a body that is valid UTF-8 although it is labelled otherwise: most readers of JSON ignore the label (RFC 8259 §8.1, §11 "no charset
   * parameter is defined") and would read other texts than Sluice did.
   */
  #mayBeUtf8(chunk: Uint8Array): void {
    if (this.#utf8 === null || isAscii(chunk)) return;
    try {
      this.#utf8.decode(chunk, { stream: true });
    } catch {
      this.#utf8 = null;
      return;
    }
    throw new SluiceError(
      'response_charset_unknown',
      'The answer is labelled with another charset than UTF-8, but its bytes are UTF-8. Set response.charset on the route to the real charset.',
    );
  }

  #wrapped(pieces: readonly Piece[]): Piece[] {
    const encoder = this.#encoder!;
    return pieces.map((piece) =>
      piece.kind === 'record'
        ? new TranscodedRecord(piece, encoder)
        : piece.kind === 'frame'
          ? frame(piece, encoder)
          : count(piece, encoder),
    );
  }
}

/** The end of the last complete character. @throws SluiceError `response_malformed` for an invalid one */
function wholeCharacters(charset: Charset, bytes: Buffer): number {
  const units = charset.layout.startsWith('utf16');
  let at = 0;
  while (at < bytes.length) {
    if (!units && bytes[at]! < 0x80) {
      at++;
      continue;
    }
    const width = charset.width(bytes, at);
    if (width === 0) return at;
    if (width < 0) throw notOfCharset(charset);
    at += width;
  }
  return at;
}

const notOfCharset = ({ name }: Charset): SluiceError =>
  new SluiceError(
    'response_malformed',
    `The answer is labelled ${name} and has bytes that are invalid in it, or are not the ones that it encodes to.`,
  );

class TranscodedRecord implements RecordPiece {
  readonly kind = 'record';
  readonly #inner: RecordPiece;
  readonly #encoder: Encoder;

  constructor(inner: RecordPiece, encoder: Encoder) {
    this.#inner = inner;
    this.#encoder = encoder;
  }

  get size(): number {
    return this.#inner.size;
  }

  get scopes(): RecordPiece['scopes'] {
    return this.#inner.scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    this.#encoder.write(out, (to) => this.#inner.render(to, rendering));
  }

  group(rendering: Rendering): string {
    return this.#inner.group(rendering);
  }
}

const frame = (inner: FramePiece, encoder: Encoder): FramePiece => ({
  ...inner,
  render: (out, counter) => encoder.write(out, (to) => inner.render(to, counter)),
});

const count = (inner: CountPiece, encoder: Encoder): CountPiece => ({
  kind: 'count',
  role: inner.role,
  path: inner.path,
  counted: inner.counted,
  value: inner.value,
  begin: (out) => encoder.write(out, (to) => inner.begin(to)),
  render: (out, value) => encoder.write(out, (to) => inner.render(to, value)),
});

const copied = (bytes: Buffer): FramePiece => ({
  kind: 'frame',
  render: (out) => out.bytes(bytes, 0, bytes.length),
});

/** Transcodes the output from UTF-8 to the charset. An incomplete character is kept until the rest is written. */
class Encoder implements Output {
  readonly #charset: Charset;
  /** ASCII is the same in both */
  readonly #ascii: boolean;
  #out: Output | null = null;
  #rest: Buffer = NO_BYTES;

  constructor(charset: Charset) {
    this.#charset = charset;
    this.#ascii = !charset.layout.startsWith('utf16');
  }

  write(out: Output, render: (to: Output) => void): void {
    this.#out = out;
    render(this);
    this.#out = null;
    if (this.#rest.length > 0) throw new SluiceError('internal', 'a text was cut within a character');
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    const given = view(source).subarray(start, end);
    if (this.#ascii && this.#rest.length === 0 && isAscii(given)) {
      this.#out!.bytes(source, start, end);
      return;
    }
    const bytes = this.#rest.length === 0 ? given : Buffer.concat([this.#rest, given]);
    const complete = bytes.length - cutOff(bytes);
    this.#rest = Buffer.from(bytes.subarray(complete));
    if (complete > 0) this.text(bytes.toString('utf8', 0, complete));
  }

  text(text: string): void {
    // characters beyond ASCII occur only in strings, where one that the charset lacks can be escaped
    const bytes = this.#charset.encode(text, escaped);
    this.#out!.bytes(bytes, 0, bytes.length);
  }

  json(text: string): void {
    this.text(JSON.stringify(text));
  }
}

const escaped = (character: string): string =>
  [...Array(character.length).keys()]
    .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');

/** The number of bytes of an incomplete UTF-8 character at the end. */
function cutOff(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? back : 0;
    }
  }
  return 0;
}

const view = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
