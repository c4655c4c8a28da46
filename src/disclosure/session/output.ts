/** The bytes of a part while it is written. Counts that are not known yet leave a hole that is filled before the part may leave. */
import type { CountPiece, Output } from '../formats/format.ts';
import { writeJsonString, writeUtf8 } from '../formats/shared/utf8.ts';

const BLOCK = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);
/** a body that is expected to be longer has a block of its own */
const FEW_BYTES = 8 * 1024;
/** below this many bytes a loop is faster than a native call */
const SHORT = 24;

/**
 * What the last short body left of its block: most bodies are short, and a block for each would cost more than writing it. Who takes it owns it
 * until it is given back; bytes that were handed out are never written again.
 */
const spare: { block: Buffer; at: number } = { block: NO_BYTES, at: 0 };

export class Collected implements Output {
  /** bytes written since the last `take` */
  size = 0;
  #chunks: (Uint8Array | CountPiece)[] = [];
  #block: Buffer = NO_BYTES;
  #from = 0;
  #at = 0;
  #holes = 0;

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
    // three bytes a UTF-16 unit at most
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

  /** so many bytes are about to be read, and hardly more will be written */
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

  /** nothing more is written */
  end(): void {
    if (this.#block.length === BLOCK) {
      spare.block = this.#block;
      spare.at = this.#at;
    }
    this.#block = NO_BYTES;
    this.#from = 0;
    this.#at = 0;
  }

  /** leaves room for a count */
  hole(piece: CountPiece): void {
    this.#cut();
    this.#chunks.push(piece);
    this.#holes++;
  }

  get held(): boolean {
    return this.#holes > 0;
  }

  /** fills the holes: what `value` says for each */
  fill(value: (piece: CountPiece) => 'keep' | number | null): void {
    if (this.#holes === 0) return;
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#holes = 0;
    for (const chunk of chunks) {
      if (chunk instanceof Uint8Array) this.#chunks.push(chunk);
      else {
        chunk.render(this, value(chunk));
        this.#cut();
      }
    }
  }

  /** What was written, in chunks; the next part begins. Nothing is `held`. */
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
