/**
 * Flags of V8 for a sidecar. V8 reads them at each collection, so that they act when set at run time. It ignores a flag that it does not know,
 * without a word: `test/cli/v8-flags.test.ts` notices a Node that dropped one.
 */
export const V8_FLAGS = [
  // A request leaves little that survives: threads that help to copy it cost more than they do, and where the cores are busy the main thread
  // waits for them (bench/RESULTS.md, Profile).
  '--no-parallel-scavenge',
  // V8 lets a heap of 60 MB grow by 8 before it marks all of it, with as many threads as it has, every two thousand requests: on two cores the
  // hundredth slowest answer is one that waits for that (bench/RESULTS.md, The collector).
  '--heap-growing-percent=100',
  // Where many objects of a place live long, V8 makes later ones of that place old at once. Dead ones of these keep the young ones alive that they
  // point to: trees of XML were copied and marked for a third to a half of the time (the same place).
  '--no-allocation-site-pretenuring',
] as const;
