/**
 * Buffers the bytes of a body that are not processed yet, contiguously. Pieces may keep ranges of the buffer: bytes are never moved or
 * overwritten; when a slab is full, a new one is allocated.
 */
const EMPTY = new Uint8Array(0);

export class InputBuffer {
  /** the buffered bytes; valid until the next `append` */
  bytes: Uint8Array = EMPTY;
  #slab: Uint8Array = EMPTY;

  /**
   * Adds a chunk and discards the bytes before `keep`.
   * @returns by how much every position has decreased
   */
  append(chunk: Uint8Array, keep: number): number {
    const held = this.bytes.length - keep;
    if (held === 0) {
      this.#slab = EMPTY;
      this.bytes = chunk;
      return keep;
    }
    const end = this.bytes.length;
    if (this.#slab.length - end >= chunk.length) {
      this.#slab.set(chunk, end);
      this.bytes = this.#slab.subarray(0, end + chunk.length);
      return 0;
    }
    // doubled, so that a long record in small chunks is not copied for each of them
    const size = held < chunk.length ? held + chunk.length : 2 * (held + chunk.length);
    const slab = Buffer.allocUnsafeSlow(size);
    slab.set(this.bytes.subarray(keep), 0);
    slab.set(chunk, held);
    this.#slab = slab;
    this.bytes = slab.subarray(0, held + chunk.length);
    return keep;
  }
}
