/** Whether a compiled policy has a word among its constants, e.g. the name of a member that it may look at. */

/**
 * OPA keeps constant strings ended by NUL. Where one begins is not marked, so `valid_until` counts for `until` too: to
 * say yes too often is harmless.
 */
export const mentions = (wasm: Uint8Array, word: string): boolean =>
  Buffer.from(wasm.buffer, wasm.byteOffset, wasm.byteLength).includes(`${word}\0`);
