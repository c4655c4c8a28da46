/**
 * Chunked request bodies in the plain form of RFC 9112 §7.1: without chunk extensions and trailer fields. Servers have disagreed about where
 * an extension ends (a bare CR or LF in it), and a server that disagrees with Sluice would see another request.
 *
 * Node's parser accepts extensions and does not show them, so this comes before it (`framing.ts`).
 */

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

/** The framing of one body: `done` after its last byte, `bad` for good after bytes that are not in the plain form. */
export class ChunkFraming {
  #state: number = SIZE;
  #size = 0;
  #digits = 0;

  get done(): boolean {
    return this.#state === DONE;
  }

  get bad(): boolean {
    return this.#state === BAD;
  }

  /** @returns the index where it stopped: at the end of the bytes, after the body, or (`bad`) after the byte that is not in the plain form */
  push(bytes: Uint8Array, start = 0): number {
    let i = start;
    while (i < bytes.length && this.#state < DONE) {
      if (this.#state === DATA) {
        const taken = Math.min(this.#size, bytes.length - i);
        this.#size -= taken;
        i += taken;
        if (this.#size === 0) this.#state = DATA_CR;
      } else this.#state = this.#next(bytes[i++]!);
    }
    return i;
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
