/** Searches the constants of a compiled policy, e.g. for the name of a member that it may read. */

/**
 * Constant strings end with NUL in OPA's module, but their start is not marked, so that `valid_until` matches `until`, too. A false
 * positive is harmless.
 */
export const mentions = (wasm: Uint8Array, word: string): boolean =>
  Buffer.from(wasm.buffer, wasm.byteOffset, wasm.byteLength).includes(`${word}\0`);
