/** Buffers the bytes of a part. A count that is not known yet leaves a placeholder, which is filled in before the part is released. */
import type { CountPiece, Output } from '../formats/format.ts';
import { writeJsonString, writeUtf8 } from '../formats/shared/utf8.ts';

const BLOCK = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);
/** a body that is expected to be longer gets a block of its own */
const FEW_BYTES = 8 * 1024;
/** below this many bytes a loop is faster than a native call */
const SHORT = 24;

/**
 * The unused rest of the last short body's block, since allocating a block for each short body costs more than writing it. One writer at a time owns
 * it. Bytes that were handed out are never overwritten.
 */
const spare: { block: Buffer; at: number } = { block: NO_BYTES, at: 0 };

export class Collected implements Output {
  /** bytes written since the last `take` */
  size = 0;
  #chunks: (Uint8Array | CountPiece)[] = [];
  #block: Buffer = NO_BYTES;
  #from = 0;
  #at = 0;
  #placeholders = 0;

  bytes(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= 0) return;
    if (this.#at + length > this.#block.length) this.#room(length);
    const block = this.#block;
    let at = this.#at;
    if (length < SHORT) for (let from = start; from < end; from++) block[at++] = source[from]!;
    else {
      if (source instanceof Buffer) source.copy(block, at, start, end);
      else block.set(source.subarray(start, end), at);
      at += length;
    }
    this.#at = at;
    this.size += length;
  }

  text(text: string): void {
    // at most three bytes for each UTF-16 code unit
    if (this.#at + text.length * 3 > this.#block.length) this.#room(text.length * 3);
    const from = this.#at;
    this.#at = writeUtf8(text, this.#block, from);
    this.size += this.#at - from;
  }

  json(text: string): void {
    const most = 6 * text.length + 2;
    if (this.#at + most > this.#block.length) this.#room(most);
    const from = this.#at;
    this.#at = writeJsonString(text, this.#block, from);
    this.size += this.#at - from;
  }

  /** Announces the size of the input; the output is about as long. */
  expect(bytes: number): void {
    if (this.#block !== NO_BYTES) return;
    const wanted = bytes + 256;
    if (wanted > FEW_BYTES) {
      this.#block = Buffer.allocUnsafeSlow(Math.min(BLOCK, wanted));
      return;
    }
    const { block, at } = spare;
    const fits = block.length - at >= wanted;
    this.#block = fits ? block : Buffer.allocUnsafeSlow(BLOCK);
    this.#from = fits ? at : 0;
    this.#at = this.#from;
    spare.block = NO_BYTES;
    spare.at = 0;
  }

  /** Ends the output: returns the rest of the block for the next body. */
  end(): void {
    if (this.#block.length === BLOCK) {
      spare.block = this.#block;
      spare.at = this.#at;
    }
    this.#block = NO_BYTES;
    this.#from = 0;
    this.#at = 0;
  }

  /** Adds a placeholder for a count. */
  placeholder(piece: CountPiece): void {
    this.#cut();
    this.#chunks.push(piece);
    this.#placeholders++;
  }

  get held(): boolean {
    return this.#placeholders > 0;
  }

  /** Fills the placeholders with what `value` returns. */
  fill(value: (piece: CountPiece) => 'keep' | number | null): void {
    if (this.#placeholders === 0) return;
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#placeholders = 0;
    for (const chunk of chunks) {
      if (chunk instanceof Uint8Array) this.#chunks.push(chunk);
      else {
        chunk.render(this, value(chunk));
        this.#cut();
      }
    }
  }

  /** Returns the chunks of this part and begins the next one. No placeholder may be open. */
  take(): Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks as Uint8Array[];
    this.#chunks = [];
    this.size = 0;
    return chunks;
  }

  #cut(): void {
    if (this.#at > this.#from) this.#chunks.push(this.#block.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }

  #room(length: number): void {
    this.#cut();
    this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK, length));
    this.#from = 0;
    this.#at = 0;
  }
}
