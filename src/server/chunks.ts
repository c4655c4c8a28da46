/**
 * Chunked request bodies, held to the plainest form of RFC 9112 §7.1: no chunk extensions, no trailer fields. Servers have disagreed
 * about where an extension ends (a bare CR or LF in it), and whoever disagrees with us about that sees another request than we do.
 *
 * Node's parser takes extensions and does not show them. So the raw bytes are looked at beside it, of chunked requests only: all
 * others stay on the parser's fast path, where bytes never pass through JavaScript.
 */
import type { Socket } from 'node:net';

const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const LAST_CR = 5;
const LAST_LF = 6;
const DONE = 7;
const BAD = 8;

/** eight digits are 4 GiB: more than any limit on a body */
const MAX_DIGITS = 8;
const CR = 13;
const LF = 10;

/** Follows the framing of one body. `done` after its last byte, `bad` for good once something is not in the plain form. */
export class ChunkFraming {
  #state: number = SIZE;
  #size = 0;
  #digits = 0;

  get done(): boolean {
    return this.#state === DONE;
  }

  /** @returns false when the framing is not in the plain form */
  push(bytes: Uint8Array, start = 0): boolean {
    let i = start;
    while (i < bytes.length && this.#state < DONE) {
      if (this.#state === DATA) {
        const taken = Math.min(this.#size, bytes.length - i);
        this.#size -= taken;
        i += taken;
        if (this.#size === 0) this.#state = DATA_CR;
      } else this.#state = this.#next(bytes[i++]!);
    }
    return this.#state !== BAD;
  }

  #next(byte: number): number {
    switch (this.#state) {
      case SIZE:
        return this.#sizeLine(byte);
      case SIZE_LF:
        this.#digits = 0;
        return byte === LF ? (this.#size === 0 ? LAST_CR : DATA) : BAD;
      case DATA_CR:
        return byte === CR ? DATA_LF : BAD;
      case DATA_LF:
        return byte === LF ? SIZE : BAD;
      case LAST_CR:
        return byte === CR ? LAST_LF : BAD;
      default:
        return byte === LF ? DONE : BAD;
    }
  }

  #sizeLine(byte: number): number {
    if (byte === CR) return this.#digits > 0 ? SIZE_LF : BAD;
    const digit = hexadecimal(byte);
    if (digit < 0 || ++this.#digits > MAX_DIGITS) return BAD;
    this.#size = this.#size * 16 + digit;
    return SIZE;
  }
}

function hexadecimal(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Watches the body of the request whose head the parser has just read; to be called while it still stands in that read.
 * @param refuse called at most once, before the body can have been read to its end
 */
export function watchChunks(socket: Socket, refuse: () => void): void {
  const read = currentRead(socket);
  const start = read === null ? -1 : bodyStart(read);
  const framing = new ChunkFraming();
  if (read === null || start === -1 || !framing.push(read, start)) {
    refuse();
    return;
  }
  if (framing.done) return;
  // A listener takes the connection off the parser's fast path: from here on it gets each read after the parser has.
  const onData = (bytes: Uint8Array): void => {
    const plain = framing.push(bytes);
    if (!plain || framing.done) socket.off('data', onData);
    if (!plain) refuse();
  };
  socket.on('data', onData);
}

/** What the parser is reading at the moment. Node does not document it: without it, chunked bodies are refused. */
function currentRead(socket: Socket): Uint8Array | null {
  const { parser } = socket as Socket & { parser?: { getCurrentBuffer?: () => Uint8Array | undefined } };
  return parser?.getCurrentBuffer?.() ?? null;
}

const BLANK_LINE = Buffer.from('\r\n\r\n');
/**
 * What a read begins with if the end of a head (of its last line, and the blank one) was torn apart between two reads. Were the first of
 * them a blank line and what follows it the body's beginning, that would be no chunk's size, and the parser refuses it.
 */
const TORN = ['\r\n\r\n', '\n\r\n', '\r\n', '\n'].map((t) => Buffer.from(t));
/** a line that can only be a header field (RFC 9110 §5.1) */
const FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:/;

/** Where the body begins in a read with the end of one head, and nothing before that head; -1 if nobody can say. */
function bodyStart(read: Uint8Array): number {
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
  const torn = TORN.find((t) => bytes.subarray(0, t.length).equals(t));
  if (torn && !FIELD.test(bytes.toString('latin1', torn.length, torn.length + 256))) return torn.length;
  const blank = bytes.indexOf(BLANK_LINE);
  return blank === -1 ? -1 : blank + BLANK_LINE.length;
}
