/**
 * Requests that arrive in one turn of the event loop go on together in the next. What they run is the same, and is still in the
 * processor's caches for all but the first of them, where each alone would find it pushed out by the sockets' code of the one
 * before. One that is alone waits for nobody.
 */
let next: Promise<void> | null = null;

export const turn = (): Promise<void> => {
  next ??= new Promise((resolve) => {
    setImmediate(() => {
      next = null;
      resolve();
    });
  });
  return next;
};
