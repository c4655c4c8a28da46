/**
 * What has arrived of a body and is not finished yet, in one stretch of memory. Ranges of it may be kept by pieces that wait
 * for their programs: bytes once written are never moved or overwritten, a stretch that is full is left to them.
 */
const EMPTY = new Uint8Array(0);

export class InputBuffer {
  /** exactly what has arrived; valid until the next `append` */
  bytes: Uint8Array = EMPTY;
  #slab: Uint8Array = EMPTY;

  /**
   * Adds a chunk, dropping what stands before `keep`.
   * @returns by how much every position has moved down
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
    // Doubling keeps a long record in small chunks from being copied again with each of them.
    const size = held < chunk.length ? held + chunk.length : 2 * (held + chunk.length);
    const slab = Buffer.allocUnsafeSlow(size);
    slab.set(this.bytes.subarray(keep), 0);
    slab.set(chunk, held);
    this.#slab = slab;
    this.bytes = slab.subarray(0, held + chunk.length);
    return keep;
  }
}
